//! All routes of the city in one router, and the OpenAPI 3.1 document made from them. `openapi.json` in
//! the repository is this document; a test proves it fresh.

use axum::Router;
use city::City;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Yima",
        description = "Open, self-hostable cashless-city platform. Amounts are integer minor units with an ISO 4217 \
currency, times RFC 3339, ids TypeIDs. Errors are problem details (RFC 9457) with a stable `code`. Lists are paged by \
cursor. Residents send their session token, shops, billers and operators an API key, as `authorization: Bearer …`."
    ),
    tags(
        (name = "identity", description = "Signing in, PINs, devices, keys"),
        (name = "wallet", description = "Balance, history, transfers"),
        (name = "trade", description = "Paying and being paid by code"),
        (name = "merchant", description = "Shops, tills, posters, statements, events, webhooks"),
        (name = "bill", description = "Billers, bills, payments, receipts"),
        (name = "event", description = "Live events and webhooks"),
        (name = "biller", description = "Files in and out, settlement, reconciliation"),
        (name = "operator", description = "What the city's operators do"),
    )
)]
struct Head;

fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(city::identity::http::routes())
        .merge(city::wallet::http::routes())
        .merge(city::merchant::http::routes())
        .merge(city::trade::http::routes())
        .merge(city::event::http::routes())
        .merge(city::bill::http::routes())
}

/// The router and its document.
pub fn split() -> (Router<City>, Document) {
    let (router, mut document) = routes().split_for_parts();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    (router, document)
}

/// The document as it is committed: indented JSON.
pub fn document_text() -> String {
    let (_, document) = split();
    document.to_pretty_json().unwrap_or_else(|e| format!("{{\"error\": \"{e}\"}}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_fresh() {
        let committed = include_str!("../../../openapi.json");
        assert!(
            committed.trim_end() == super::document_text(),
            "openapi.json is stale: run `cargo run -p yima -- openapi > openapi.json`"
        );
    }
}
