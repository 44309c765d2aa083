//! What operators do about collectors and advances: registering, limits, handing over, giving back.

pub mod http;

pub(super) use http::routes;
