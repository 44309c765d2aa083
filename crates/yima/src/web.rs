//! The pages: the three web front ends as they were built into this binary (`/`, `/till/`, `/console/`), and the API to
//! read (`/docs`). Nothing here is made from a request: every byte was there when the server was compiled.

#[cfg(test)]
mod scan;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use city::http::Problem;

/// A file of the front ends, as the build script found it.
#[derive(Debug)]
pub struct File {
    /// Below the root, `till/index.html`.
    path: &'static str,
    kind: &'static str,
    /// Weak: the same for every encoding.
    etag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// What was built into this binary, in order of path; nothing where it was built without its front ends.
pub const BUILT: &[File] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// Where the front ends begin. Their own routes are behind `#`, so no other path needs a page.
const APPS: [&str; 3] = ["/", "/till/", "/console/"];

/// Only what this server sends may run or be loaded, and nothing that stands in a page itself. WebAssembly is the
/// decoder of scanned codes; `blob:` is what a page draws itself, pictures of codes and sounds.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The API reference needs less.
const DOCS_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// What pages may ask the browser for. Ours: the camera to scan codes, the place to find billers near by, passkeys; how
/// the phone is held (a pay code hides when it is turned away), the screen kept on and the chime at the till, a key
/// or code copied. Everything else that browsers offer is off.
const PERMISSIONS: &str = "camera=(self), geolocation=(self), publickey-credentials-create=(self), \
     publickey-credentials-get=(self), accelerometer=(self), gyroscope=(self), screen-wake-lock=(self), \
     autoplay=(self), clipboard-write=(self), fullscreen=(self), microphone=(), browsing-topics=(), \
     clipboard-read=(self), display-capture=(), encrypted-media=(), gamepad=(), hid=(), identity-credentials-get=(), \
     idle-detection=(), local-fonts=(), magnetometer=(), midi=(), payment=(), picture-in-picture=(), serial=(), \
     storage-access=(), usb=(), window-management=(), xr-spatial-tracking=()";

/// What a page that nobody may frame, read from elsewhere or share a process with says of itself.
const PAGE: [(&str, &str); 5] = [
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", PERMISSIONS),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Names under `assets/` have a hash of the content in them; everything else may change under its name.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK: &str = "no-cache";

/// The routes of the pages: the front ends in `files`, or a page that says there are none.
pub fn routes<S: Clone + Send + Sync + 'static>(files: &'static [File]) -> Router<S> {
    let mut router = Router::new()
        .route("/docs", get(async || page(DOCS_POLICY, include_str!("../assets/docs.html"))))
        .route("/docs.js", get(async || asset("text/javascript", include_str!("../assets/docs.js"))))
        .route("/docs.css", get(async || asset("text/css", include_str!("../assets/docs.css"))));
    for app in APPS {
        if let Some(bare) = app.strip_suffix('/').filter(|bare| !bare.is_empty()) {
            router = router.route(bare, get(move || async move { Redirect::permanent(app) }));
        }
        if files.is_empty() {
            let unbuilt = async || page(DOCS_POLICY, include_str!("../assets/unbuilt.html"));
            router = router.route(app, get(unbuilt));
        }
    }
    for file in files.iter().filter(|file| !file.path.starts_with("assets/")) {
        let path = match file.path.strip_suffix("index.html") {
            Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("/{folder}"),
            _ => format!("/{}", file.path),
        };
        router = router.route(&path, get(async move |headers: HeaderMap| answer(file, &headers)));
    }
    let asset = async move |Path(name): Path<String>, headers: HeaderMap| {
        let path = format!("assets/{name}");
        match files.binary_search_by(|file| file.path.cmp(&path)) {
            Ok(found) => answer(&files[found], &headers),
            Err(_) => Problem::new(404, "not_found", "there is nothing at this path").into_response(),
        }
    };
    router.route("/assets/{*name}", get(asset))
}

/// The file in the best encoding that the browser takes, or `304` where it has it.
fn answer(file: &'static File, headers: &HeaderMap) -> Response {
    let is_page = file.kind.starts_with("text/html");
    let cache = if file.path.starts_with("assets/") { FOREVER } else { ASK };
    let (encoding, bytes) = choose(file, headers);
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|v| v.to_str().ok());
    let known = known.flat_map(|v| v.split(',')).map(str::trim).any(|tag| tag == "*" || same(tag, file.etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(bytes).into_response();
        set(&mut response, "content-type", file.kind);
        if let Some(encoding) = encoding {
            set(&mut response, "content-encoding", encoding);
        }
        response
    };
    set(&mut response, "etag", file.etag);
    set(&mut response, "cache-control", cache);
    if file.gzip.is_some() || file.brotli.is_some() {
        set(&mut response, "vary", "accept-encoding");
    }
    // Workers take the policy of their own script, so every file has it.
    set(&mut response, "content-security-policy", POLICY);
    set(&mut response, "cross-origin-resource-policy", "same-origin");
    if is_page {
        of_page(&mut response);
    }
    response
}

/// Weak comparison (RFC 9110 section 8.8.3.2).
fn same(a: &str, b: &str) -> bool {
    a.trim_start_matches("W/") == b.trim_start_matches("W/")
}

fn choose(file: &'static File, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let sent = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|v| v.to_str().ok());
    let sent: Vec<&str> = sent.flat_map(|v| v.split(',')).collect();
    for (encoding, bytes) in [("br", file.brotli), ("gzip", file.gzip)] {
        if let Some(bytes) = bytes.filter(|_| accepts(&sent, encoding)) {
            return (Some(encoding), bytes);
        }
    }
    (None, file.plain)
}

/// Whether `accept-encoding` names this coding, or all, with a weight above 0 (RFC 9110 section 12.5.3).
fn accepts(sent: &[&str], coding: &str) -> bool {
    let weight = |wanted: &str| {
        sent.iter().find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
            Some(weight.is_none_or(|weight| weight.bytes().any(|b| (b'1'..=b'9').contains(&b))))
        })
    };
    weight(coding).or_else(|| weight("*")).unwrap_or(false)
}

fn page(policy: &'static str, html: &'static str) -> Response {
    let mut response = axum::response::Html(html).into_response();
    set(&mut response, "content-security-policy", policy);
    set(&mut response, "cache-control", ASK);
    of_page(&mut response);
    response
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    set(&mut response, "content-type", kind);
    set(&mut response, "cache-control", ASK);
    set(&mut response, "cross-origin-resource-policy", "same-origin");
    response
}

fn of_page(response: &mut Response) {
    for (name, value) in PAGE {
        set(response, name, value);
    }
}

fn set(response: &mut Response, name: &'static str, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
