//! The front ends as they are served, from a small built tree made here; the binary itself may have none.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::scan::{scan, source};
use super::{BUILT, File, routes};

fn leak(bytes: Vec<u8>) -> &'static [u8] {
    bytes.leak()
}

/// The table of `dist`, read now instead of by the build script.
fn load(dist: &Path) -> &'static [File] {
    let read = |path: &Path| leak(std::fs::read(path).unwrap());
    let files = scan(dist).unwrap().into_iter().map(|f| File {
        path: f.path.leak(),
        kind: f.kind,
        etag: f.etag.leak(),
        plain: read(&f.file),
        gzip: f.gzip.map(|path| read(&path)),
        brotli: f.brotli.map(|path| read(&path)),
    });
    files.collect::<Vec<_>>().leak()
}

const TREE: &[(&str, &str)] = &[
    ("index.html", "resident"),
    ("index.html.gz", "resident, gzip"),
    ("index.html.br", "resident, brotli"),
    ("till/index.html", "till"),
    ("console/index.html", "console"),
    ("sw.js", "worker"),
    ("manifest.webmanifest", "{}"),
    ("icons/icon-192.png", "png"),
    ("assets/app-1a2b.js", "app"),
    ("assets/app-1a2b.js.gz", "app, gzip"),
    ("assets/zxing-3c.wasm", "wasm"),
    ("assets/zxing-3c.wasm.br", "wasm, brotli"),
    (".vite", "no file of ours"),
];

fn plant(dir: &Path, tree: &[(&str, &str)]) {
    for (path, text) in tree {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn site() -> Router {
    let dir = tempfile::tempdir().unwrap();
    plant(dir.path(), TREE);
    routes(load(dir.path()))
}

async fn ask(router: &Router, method: &str, path: &str, head: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

const FOREVER: &str = "public, max-age=31536000, immutable";

#[tokio::test]
async fn every_file_has_its_place_type_and_life() {
    let router = site();
    for (path, body, kind, cache) in [
        ("/", "resident", "text/html; charset=utf-8", "no-cache"),
        ("/till/", "till", "text/html; charset=utf-8", "no-cache"),
        ("/console/", "console", "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", "worker", "text/javascript; charset=utf-8", "no-cache"),
        ("/manifest.webmanifest", "{}", "application/manifest+json", "no-cache"),
        ("/icons/icon-192.png", "png", "image/png", "no-cache"),
        ("/assets/app-1a2b.js", "app", "text/javascript; charset=utf-8", FOREVER),
        ("/assets/zxing-3c.wasm", "wasm", "application/wasm", FOREVER),
    ] {
        let (status, headers, text) = ask(&router, "GET", path, &[]).await;
        assert_eq!((status, text.as_str()), (200, body), "{path}");
        assert_eq!((get(&headers, "content-type"), get(&headers, "cache-control")), (kind, cache), "{path}");
        assert!(
            get(&headers, "content-security-policy").starts_with("default-src 'none'; script-src 'self' ")
        );
        assert!(!get(&headers, "content-security-policy").contains("unsafe-inline"));
        assert_eq!(get(&headers, "cross-origin-resource-policy"), "same-origin", "{path}");
        let page = kind.starts_with("text/html");
        assert_eq!(get(&headers, "x-frame-options") == "DENY", page, "{path}");
        assert_eq!(get(&headers, "permissions-policy").contains("microphone=()"), page, "{path}");

        let (status, head, nothing) = ask(&router, "HEAD", path, &[]).await;
        assert_eq!((status, nothing.as_str()), (200, ""), "{path}");
        assert_eq!(get(&head, "content-length"), body.len().to_string(), "{path}");
        assert_eq!(get(&head, "etag"), get(&headers, "etag"), "{path}");
    }
    for path in
        ["/assets/none.js", "/assets/../index.html", "/index.html", "/app-1a2b.js", "/sw.js.gz", "/.vite"]
    {
        assert_eq!(ask(&router, "GET", path, &[]).await.0, 404, "{path}");
    }
    for (path, to) in [("/till", "/till/"), ("/console", "/console/")] {
        let (status, headers, _) = ask(&router, "GET", path, &[]).await;
        assert_eq!((status, get(&headers, "location")), (308, to));
    }
    assert_eq!(ask(&router, "POST", "/", &[]).await.0, 405);
}

#[tokio::test]
async fn the_smallest_encoding_that_the_browser_takes() {
    let router = site();
    for (path, accept, encoding, body) in [
        ("/", "gzip, deflate, br, zstd", "br", "resident, brotli"),
        ("/", "gzip", "gzip", "resident, gzip"),
        ("/", "GZIP;q=0.5", "gzip", "resident, gzip"),
        ("/", "br;q=0, gzip;q=0.001", "gzip", "resident, gzip"),
        ("/", "br;q=0.000, *", "gzip", "resident, gzip"),
        ("/", "*;q=0", "", "resident"),
        ("/", "identity", "", "resident"),
        ("/", "", "", "resident"),
        ("/", "brotli", "", "resident"),
        ("/till/", "gzip, br", "", "till"),
        ("/assets/app-1a2b.js", "gzip, br", "gzip", "app, gzip"),
        ("/assets/zxing-3c.wasm", "gzip, br", "br", "wasm, brotli"),
        ("/assets/zxing-3c.wasm", "gzip", "", "wasm"),
    ] {
        let (status, headers, text) = ask(&router, "GET", path, &[("accept-encoding", accept)]).await;
        assert_eq!((status, text.as_str()), (200, body), "{path} {accept}");
        assert_eq!(get(&headers, "content-encoding"), encoding, "{path} {accept}");
        assert_eq!(get(&headers, "vary") == "accept-encoding", path != "/till/", "{path}");
    }
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let router = site();
    let (_, headers, _) = ask(&router, "GET", "/", &[]).await;
    let etag = get(&headers, "etag").to_owned();
    let strong = etag.trim_start_matches("W/");
    let both = format!("\"x\", {etag}");
    for (sent, status) in
        [(etag.as_str(), 304), (strong, 304), (&both, 304), ("*", 304), ("\"x\"", 200), ("", 200)]
    {
        let head = [("if-none-match", sent), ("accept-encoding", "br")];
        let (got, headers, text) = ask(&router, "GET", "/", &head).await;
        assert_eq!(got, status, "{sent}");
        assert_eq!(text.is_empty(), status == 304, "{sent}");
        assert_eq!((get(&headers, "etag"), get(&headers, "cache-control")), (etag.as_str(), "no-cache"));
        assert!(!get(&headers, "content-security-policy").is_empty());
    }
    let (_, other, _) = ask(&router, "GET", "/till/", &[]).await;
    assert_ne!(get(&other, "etag"), etag);
}

#[tokio::test]
async fn a_server_without_front_ends_says_so() {
    let router = routes(&[]);
    for path in ["/", "/till/", "/console/"] {
        let (status, headers, text) = ask(&router, "GET", path, &[]).await;
        assert_eq!(status, 200, "{path}");
        for part in
            ["built without its web front ends", "没有带上网页界面", "cargo xtask demo", "href=\"/docs\""]
        {
            assert!(text.contains(part), "{path}: {part}");
        }
        assert_eq!(get(&headers, "x-frame-options"), "DENY", "{path}");
    }
    assert_eq!(ask(&router, "GET", "/till", &[]).await.0, 308);
    assert_eq!(ask(&router, "GET", "/assets/x.js", &[]).await.0, 404);
}

#[test]
fn what_the_build_script_takes_in() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(scan(&dir.path().join("none")).unwrap(), []);
    plant(dir.path(), &[("assets/app-1a2b.js", "half a build")]);
    assert_eq!(scan(dir.path()).unwrap(), [], "without index.html nothing was built");
    plant(dir.path(), TREE);
    let found = scan(dir.path()).unwrap();
    let paths: Vec<&str> = found.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths.len(), 8);
    assert!(paths.is_sorted() && !paths.contains(&".vite"), "{paths:?}");
    let text = source(&found);
    assert_eq!(text.matches("include_bytes!").count(), 12);
    for (name, part) in
        [("tone.xyz", "content type"), ("lost.js.gz", "content type"), ("noext", "content type")]
    {
        let path = dir.path().join(name);
        std::fs::write(&path, "x").unwrap();
        assert!(scan(dir.path()).unwrap_err().to_string().contains(part), "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

/// Look-up is by bisection.
#[test]
fn the_table_of_this_binary_is_in_order() {
    assert!(BUILT.is_sorted_by_key(|file| file.path));
}
