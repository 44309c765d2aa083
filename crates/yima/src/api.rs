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
cursor. Residents send their session token, shops, billers and operators an API key, as `authorization: Bearer …`. \
In a browser the cookie of `POST /v1/session` serves residents, shops and operators instead; with it, whatever is not GET or \
HEAD needs the header `yima-csrf`."
    ),
    tags(
        (name = "identity", description = "Signing in, PINs, devices, keys"),
        (name = "wallet", description = "Balance, history, transfers"),
        (name = "trade", description = "Paying and being paid by code"),
        (name = "merchant", description = "Shops, tills, posters, statements, events, webhooks"),
        (name = "bill", description = "Billers, bills, payments, receipts"),
        (name = "mandate", description = "Auto-pay"),
        (name = "remind", description = "Inbox and reminders"),
        (name = "family", description = "Looking after each other's bills"),
        (name = "event", description = "Live events and webhooks"),
        (name = "biller", description = "Files in and out, settlement, reconciliation"),
        (name = "operator", description = "What the city's operators do"),
    )
)]
struct Head;

fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(city::identity::http::routes())
        .merge(city::session::http::routes())
        .merge(city::wallet::http::routes())
        .merge(city::merchant::http::routes())
        .merge(city::trade::http::routes())
        .merge(city::coupon::http::routes())
        .merge(city::event::http::routes())
        .merge(city::bill::http::routes())
        .merge(city::supply::http::routes())
        .merge(city::mandate::http::routes())
        .merge(city::remind::http::routes())
        .merge(city::family::http::routes())
        .merge(city::complaint::http::routes())
        .merge(city::operator::http::routes())
        .merge(city::coverage::http::routes())
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
    use std::collections::{HashMap, HashSet};
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_committed_document_is_fresh() {
        let committed = include_str!("../../../openapi.json");
        assert!(
            committed.trim_end() == super::document_text(),
            "openapi.json is stale: run `cargo run -p yima -- openapi > openapi.json`"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document: serde_json::Value = serde_json::from_str(&super::document_text()).unwrap();
        let mut seen = HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(seen.insert(id.to_owned()), "{method} {path}: another route is called {id} too");
            }
        }
    }

    fn sources(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    fn city_sources() -> Vec<(PathBuf, String)> {
        let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../city/src"));
        files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
    }

    /// Two slices' schemas of one name would silently become one in the document.
    #[test]
    fn every_schema_has_a_name_of_its_own() {
        let mut seen: HashMap<String, PathBuf> = HashMap::new();
        for (path, text) in city_sources() {
            for part in text.split("ToSchema").skip(1) {
                let names = part.lines().filter_map(|line| {
                    let line = line.trim().trim_start_matches("pub(super) ").trim_start_matches("pub ");
                    line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum "))
                });
                let Some(name) =
                    names.map(|n| n.split([' ', '<', '(', ';']).next().unwrap().to_owned()).next()
                else {
                    continue; // the import of the derive
                };
                let other = seen.insert(name.clone(), path.clone());
                assert!(other.as_ref().is_none_or(|o| *o == path), "{name}: {path:?} and {other:?}");
            }
        }
        assert!(seen.len() > 50, "the schemas were found");
    }

    #[test]
    fn every_error_code_is_documented() {
        let listed = include_str!("../../../docs/reference/errors.md");
        let mut codes = 0;
        for (path, text) in city_sources() {
            let arms = text.split("fn code(").skip(1).filter_map(|body| body.split("\n    }").next());
            for arm in arms.flat_map(|body| body.lines()) {
                let Some((_, code)) = arm.split_once("=> \"") else { continue };
                let code = code.split('"').next().unwrap();
                codes += 1;
                let row =
                    path.ends_with("rules.rs") || path.ends_with("import.rs") || path.ends_with("pack.rs");
                assert!(
                    row || listed.contains(&format!("`{code}`")),
                    "{path:?}: `{code}` is not in errors.md"
                );
            }
        }
        assert!(codes > 80, "the codes were found");
    }
}
