//! The routes of the operator slice; each part has its own file of them.

use utoipa_axum::router::OpenApiRouter;

use crate::City;

/// Every route of the operator slice.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .merge(super::acts::http::routes())
        .merge(super::approval::http::routes())
        .merge(super::audit::http::routes())
        .merge(super::campaign::http::routes())
        .merge(super::collector::routes())
        .merge(super::complaints::http::routes())
        .merge(super::desk::http::routes())
        .merge(super::live::http::routes())
        .merge(super::look::http::routes())
        .merge(super::payout::http::routes())
}
