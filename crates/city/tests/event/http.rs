//! The routes: the live stream as a browser sees it, endpoints, log, replay, refusals.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use city::event;
use city::identity::{OwnerKind, Role};
use futures_util::StreamExt as _;
use kernel::ids::{EndpointId, EventId};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::{Town, call};
use crate::receiver::Receiver;
use crate::{Node, eventually, pay, trade};

fn router(node: &Node) -> Router {
    event::http::routes().split_for_parts().0.with_state(node.city.clone())
}

/// A stream of server-sent events, read as the HTML standard says.
struct Browser {
    body: BodyDataStream,
    text: String,
    last_id: String,
}

impl Browser {
    async fn open(app: &Router, key: &str, path: &str, last_id: Option<&str>) -> Browser {
        let mut request = axum::http::Request::get(path).header("authorization", format!("Bearer {key}"));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let answer =
            app.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["cache-control"], "no-cache, no-transform");
        Browser { body: answer.into_body().into_data_stream(), text: String::new(), last_id: String::new() }
    }

    /// The next event: its type and data. Frames without data only set the last id.
    async fn next(&mut self) -> (String, Value) {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let frame: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let found = frame.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
                    found.map(|v| v.trim_start().to_owned())
                };
                if let Some(id) = field("id") {
                    self.last_id = id;
                }
                if let Some(data) = field("data") {
                    return (field("event").expect("a type"), serde_json::from_str(&data).expect("JSON"));
                }
            }
            let bytes =
                tokio::time::timeout(Duration::from_secs(10), self.body.next()).await.expect("in time");
            let bytes = bytes.expect("no end").expect("no fault");
            self.text.push_str(str::from_utf8(&bytes).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn a_stream_resumes_by_the_last_event_id_or_by_after() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let app = router(&node);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    let path = "/v1/merchants/me/events";
    let mut browser = Browser::open(&app, &key, path, None).await;
    let first = pay(&node.city, shop.id, 1, 1250).await;
    let (kind, data) = browser.next().await;
    assert_eq!(
        (kind.as_str(), &data["type"], &browser.last_id),
        ("trade.paid", &json!("trade.paid"), &first.to_string())
    );
    assert_eq!(data["data"]["trade"], json!(trade(1).to_string()));
    drop(browser);
    pay(&node.city, shop.id, 2, 5).await;
    pay(&node.city, shop.id, 3, 5).await;
    let after = format!("{path}?after={first}");
    // The header goes first: a browser that reconnects repeats the address it was given.
    let old = format!("{path}?after=1");
    for (path, last_id) in [(path, Some(first.to_string())), (&after, None), (&old, Some(first.to_string()))]
    {
        let mut browser = Browser::open(&app, &key, path, last_id.as_deref()).await;
        for n in [2, 3] {
            assert_eq!(browser.next().await.1["data"]["trade"], json!(trade(n).to_string()), "{path}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_stream_says_at_once_where_to_resume() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let app = router(&node);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    let mut browser = Browser::open(&app, &key, "/v1/merchants/me/events", None).await;
    let hello = browser.body.next().await.expect("a frame").expect("no fault");
    let hello = str::from_utf8(&hello).expect("UTF-8");
    let now = *node.city.ledger.committed().borrow();
    assert!(hello.contains(&format!("id: {now}\n")) && hello.contains("retry: 1000\n"), "{hello}");
    assert!(!hello.contains("data:"), "{hello}");
    node.stop().await;
}

#[tokio::test]
async fn endpoints_their_log_and_sending_again() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let app = router(&node);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let base = "/v1/merchants/me/webhooks";
    let receiver = Receiver::start(&[]).await;
    let (status, new) = call(&app, "POST", base, &key, json!({"url": receiver.url})).await;
    assert_eq!((status, new["endpoint"]["url"].as_str()), (201, Some(receiver.url.as_str())));
    assert_eq!(new["endpoint"]["types"], json!(["trade.paid", "trade.refunded", "trade.closed"]));
    let secret = new["secret"].as_str().expect("a secret").to_owned();
    let id = new["endpoint"]["id"].as_str().expect("an id").to_owned();
    let one = format!("{base}/{id}");
    assert_eq!(call(&app, "GET", &one, &key, ()).await, (200, new["endpoint"].clone()));
    let (_, list) = call(&app, "GET", base, &key, ()).await;
    assert_eq!(list, json!({"items": [new["endpoint"]], "next": null}));
    assert!(!list.to_string().contains("whsec_"), "the secret is shown once");
    let (status, rotated) = call(&app, "POST", &format!("{one}/rotate"), &key, ()).await;
    assert_eq!(status, 200);
    assert_ne!(rotated["secret"], json!(secret));
    assert_eq!(call(&app, "POST", &format!("{one}/enable"), &key, ()).await.0, 200);

    for n in 0..3 {
        pay(&node.city, shop.id, n, 100).await;
    }
    eventually("three delivered", || async {
        let path = format!("{one}/deliveries?state=delivered");
        call(&app, "GET", &path, &key, ()).await.1["items"].as_array().is_some_and(|a| a.len() == 3)
    })
    .await;
    let (_, page) = call(&app, "GET", &format!("{one}/deliveries?limit=2"), &key, ()).await;
    assert_eq!(page["items"][0]["trade"], json!(trade(2).to_string()), "the newest first");
    let next = page["next"].as_str().expect("a second page");
    let (_, rest) = call(&app, "GET", &format!("{one}/deliveries?limit=2&cursor={next}"), &key, ()).await;
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
    let event = rest["items"][0]["event"].as_str().expect("an event").to_owned();
    let (_, log) = call(&app, "GET", &format!("{one}/deliveries/{event}"), &key, ()).await;
    assert_eq!(log["delivery"], rest["items"][0]);
    assert_eq!((&log["attempts"][0]["status"], &log["attempts"][0]["error"]), (&json!(204), &Value::Null));
    let sent: Value = serde_json::from_str(log["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(sent["id"], json!(event));

    let resend = format!("{one}/deliveries/{event}/resend");
    assert_eq!(call(&app, "POST", &resend, &key, ()).await.0, 202);
    receiver.wait(4).await;
    let since = json!({"since": "2026-03-02T00:00:00Z"});
    let (status, replayed) = call(&app, "POST", &format!("{one}/replay"), &key, since).await;
    assert_eq!((status, replayed), (202, json!({"events": 3, "next": null})));
    receiver.wait(7).await;
    assert_eq!(call(&app, "DELETE", &one, &key, ()).await.0, 204);
    assert_eq!(call(&app, "GET", &one, &key, ()).await.0, 404);
    node.stop().await;
}

#[tokio::test]
async fn refusals_have_stable_codes() {
    let town = Town::new().await;
    let node = Node::idle(&town).await;
    let app = router(&node);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let staff = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Staff).await;
    let operator = town.key(OwnerKind::Operator, 1, Role::Admin).await;
    let base = "/v1/merchants/me/webhooks";
    let endpoint = EndpointId::from_u128(9);
    let (_, own) = call(&app, "POST", base, &key, json!({"url": "https://shop.example/hook"})).await;
    let own = format!("{base}/{}", own["endpoint"]["id"].as_str().expect("an id"));
    let event = EventId::from_u128(9);
    let nothing = Value::Null;
    for (method, path, key, sent, status, code) in [
        ("GET", "/v1/merchants/me/events".to_owned(), "", nothing.clone(), 401, "unauthenticated"),
        ("GET", "/v1/merchants/me/events".to_owned(), &operator, nothing.clone(), 403, "wrong_key"),
        ("GET", "/v1/merchants/me/events?after=x".to_owned(), &key, nothing.clone(), 400, "malformed_query"),
        ("POST", base.to_owned(), &staff, json!({"url": "https://a.example"}), 403, "forbidden"),
        ("POST", base.to_owned(), &key, json!({"url": "ftp://a.example"}), 422, "webhook_url_malformed"),
        ("POST", base.to_owned(), &key, json!({"link": "https://a.example"}), 400, "malformed_body"),
        (
            "POST",
            base.to_owned(),
            &key,
            json!({"url": "https://a.example", "types": ["trade.opened"]}),
            422,
            "event_type_unknown",
        ),
        ("GET", format!("{base}/{endpoint}"), &key, nothing.clone(), 404, "endpoint_unknown"),
        ("GET", format!("{base}/whe_1"), &key, nothing.clone(), 400, "malformed_id"),
        ("GET", format!("{own}/deliveries?cursor=x"), &key, nothing.clone(), 400, "malformed_cursor"),
        ("GET", format!("{own}/deliveries?state=lost"), &key, nothing.clone(), 400, "malformed_query"),
        ("GET", format!("{own}/deliveries/{event}"), &key, nothing.clone(), 404, "delivery_unknown"),
        ("POST", format!("{own}/deliveries/{event}/resend"), &key, nothing.clone(), 404, "delivery_unknown"),
        ("POST", format!("{own}/replay"), &key, json!({"since": "yesterday"}), 400, "malformed_body"),
        (
            "POST",
            format!("{base}/{endpoint}/replay"),
            &key,
            json!({"since": "2026-03-02T00:00:00Z"}),
            404,
            "endpoint_unknown",
        ),
    ] {
        let (got, problem) = match sent {
            Value::Null => call(&app, method, &path, key, ()).await,
            sent => call(&app, method, &path, key, sent).await,
        };
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{method} {path}");
    }
    let auth = format!("Bearer {key}");
    let headers = [("authorization", auth.as_str()), ("last-event-id", "x")];
    let (status, body) = crate::common::call_raw(&app, "GET", "/v1/merchants/me/events", &headers, ()).await;
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_cursor")));
}
