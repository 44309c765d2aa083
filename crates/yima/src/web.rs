//! Pages that the server has of its own: where to look (`/`), and the API to read (`/docs`).

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

/// Only what stands on the page itself may run or be loaded.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// The routes of the pages.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|| async { page(include_str!("../assets/index.html")) }))
        .route("/docs", get(|| async { page(include_str!("../assets/docs.html")) }))
        .route("/docs.js", get(|| async { asset("text/javascript", include_str!("../assets/docs.js")) }))
        .route("/docs.css", get(|| async { asset("text/css", include_str!("../assets/docs.css")) }))
}

fn page(html: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")], Html(html))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], text)
}
