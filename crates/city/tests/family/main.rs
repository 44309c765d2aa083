//! Families through their verbs and routes: asking, consenting, ending, and what is seen.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/power.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod power_bills;

use city::family::{self, FamilyMay, FamilyState};
use common::{PIN, Town, call, call_raw, code, race};
use power_bills::{POWER, bills, power, token};
use serde_json::{Value, json};

async fn invite(router: &axum::Router, token: &str, key: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let (status, answer) = call_raw(router, "POST", "/v1/family", &headers, body.clone()).await;
    (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
}

#[tokio::test]
async fn asked_consented_seen_and_ended() {
    let town = Town::new().await;
    let (helper, owner) = (token(&town, "13800000001").await, token(&town, "13800000002").await);
    let third = token(&town, "13800000003").await;
    let mother = city::identity::authenticate_resident(&town.city, &owner).await.expect("a session");
    let router = city::family::http::routes().split_for_parts().0.with_state(town.city.clone());
    let good = json!({"phone": "13800000002", "may": "pay", "label": "妈妈"});
    for (body, status, code) in [
        (json!({"phone": "13800000001", "may": "pay"}), 422, "family_oneself"),
        (json!({"phone": "13899999999", "may": "pay"}), 404, "resident_unknown"),
        (json!({"phone": "x", "may": "pay"}), 422, "phone_malformed"),
        (json!({"phone": "13800000002", "may": "all"}), 400, "malformed_body"),
        (json!({"phone": "13800000002", "may": "pay", "label": " "}), 422, "label_malformed"),
    ] {
        let (got, answer) = invite(&router, &helper, "k", &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
    let (status, link) = invite(&router, &helper, "k", &good).await;
    assert_eq!((status, &link["state"], &link["role"]), (200, &json!("invited"), &json!("helper")), "{link}");
    assert_eq!((&link["other_name"], &link["other_phone"]), (&json!("**明"), &json!("138****0002")));
    assert_eq!(invite(&router, &helper, "k", &good).await.1, link, "the same again");
    let other = json!({"phone": "13800000002", "may": "watch"});
    assert_eq!(invite(&router, &helper, "k", &other).await.1["code"], "idempotency_key_used");
    assert_eq!(invite(&router, &helper, "k2", &other).await.1["code"], "family_exists");

    let at = format!("/v1/family/{}", link["id"].as_str().expect("an id"));
    let consent = |may: &str| json!({"may": may, "pin": PIN});
    let to_consent = format!("{at}/consent");
    for (who, body, status, code) in [
        (&helper, consent("watch"), 403, "family_not_the_owner"),
        (&third, consent("watch"), 404, "family_unknown"),
        (&owner, consent("watch"), 409, "pin_not_set"),
        (&owner, json!({"may": "watch"}), 403, "pin_required"),
    ] {
        let (got, answer) = call(&router, "POST", &to_consent, who, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
    town.pin(&mother).await;
    let wrong = json!({"may": "watch", "pin": "246801"});
    assert_eq!(call(&router, "POST", &to_consent, &owner, wrong).await.1["code"], "pin_wrong");
    city::bill::saved::save(&town.city, &mother, power(), POWER[0], Some("家".into()), false)
        .await
        .expect("kept");
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    let due = format!("{at}/due");
    assert_eq!(call(&router, "GET", &due, &helper, ()).await.1["code"], "family_no_consent");
    let (status, active) = call(&router, "POST", &to_consent, &owner, consent("watch")).await;
    assert_eq!((status, &active["state"], &active["granted"]), (200, &json!("active"), &json!("watch")));
    assert_eq!(active["label"], Value::Null, "what the helper calls her is the helper's");
    let (_, seen) = call(&router, "GET", &due, &helper, ()).await;
    assert_eq!(
        (&seen["items"][0]["bill_no"], &seen["items"][0]["amount"]["minor"]),
        (&json!("B1"), &json!(10_000))
    );
    assert!(!seen.to_string().contains('家'), "her labels are hers");
    assert_eq!(call(&router, "GET", &due, &owner, ()).await.1["code"], "family_no_consent", "one way only");
    let (_, wider) = call(&router, "POST", &to_consent, &owner, consent("pay")).await;
    assert_eq!(wider["granted"], "pay");
    for _ in 0..2 {
        let (_, ended) = call(&router, "POST", &format!("{at}/end"), &helper, ()).await;
        assert_eq!((&ended["state"], &ended["ended_by_me"]), (&json!("ended"), &json!(true)));
    }
    assert_eq!(call(&router, "GET", &due, &helper, ()).await.1["code"], "family_no_consent");
    assert_eq!(call(&router, "POST", &to_consent, &owner, consent("watch")).await.1["code"], "family_over");
    let (_, detail) = call(&router, "GET", &at, &owner, ()).await;
    let what: Vec<&str> =
        detail["events"].as_array().expect("events").iter().filter_map(|e| e["what"].as_str()).collect();
    assert_eq!(what.len(), 4, "{what:?}");
    assert!(what.contains(&"consented_watch") && what.contains(&"consented_pay") && what.contains(&"ended"));
    let (_, list) = call(&router, "GET", "/v1/family", &owner, ()).await;
    assert_eq!(
        (list["items"].as_array().map(Vec::len), &list["items"][0]["role"]),
        (Some(1), &json!("owner"))
    );
    assert_eq!(call(&router, "GET", "/v1/family", &third, ()).await.1["items"], json!([]));
    assert_eq!(call(&router, "GET", &at, &third, ()).await.1["code"], "family_unknown");
    assert_eq!(call(&router, "GET", "/v1/family", "", ()).await.0, 401);
}

#[tokio::test]
async fn declined_lapsed_and_no_more_than_asked() {
    let town = Town::new().await;
    let (helper, owner) = (town.resident("13800000001").await, town.resident("13800000002").await);
    town.pin(&owner).await;
    let ask = async |key: &str| {
        family::invite(&town.city, &helper, key, "13800000002", FamilyMay::Watch, None).await
    };
    let first = ask("a").await.expect("invited");
    let more = family::consent(&town.city, &owner, first.id, FamilyMay::Pay, Some(PIN)).await;
    assert_eq!(code(more), "family_more_than_asked");
    let declined = family::end(&town.city, &owner, first.id).await.expect("declined");
    assert_eq!((declined.state, declined.ended_by), (FamilyState::Declined, Some(owner.id)));
    let second = ask("b").await.expect("a declined one does not stand in the way");
    town.pass(7 * 24 * 3600 + 1);
    assert_eq!(family::link(&town.city, &owner, second.id).await.map(|l| l.state), Ok(FamilyState::Lapsed));
    assert_eq!(
        code(family::consent(&town.city, &owner, second.id, FamilyMay::Watch, Some(PIN)).await),
        "family_over"
    );
    let third = ask("c").await.expect("nor does a lapsed one");
    assert_eq!(family::allows(&town.city, helper.id, owner.id, FamilyMay::Watch).await, Ok(false));
    family::consent(&town.city, &owner, third.id, FamilyMay::Watch, Some(PIN)).await.expect("consented");
    assert_eq!(family::allows(&town.city, helper.id, owner.id, FamilyMay::Watch).await, Ok(true));
    assert_eq!(family::allows(&town.city, helper.id, owner.id, FamilyMay::Pay).await, Ok(false));
    assert_eq!(family::allows(&town.city, owner.id, helper.id, FamilyMay::Watch).await, Ok(false));
}

/// Eight invitations of the same two at once: one link.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_link_whatever_comes_at_once() {
    let town = Town::new().await;
    let (helper, owner) = (town.resident("13800000001").await, town.resident("13800000002").await);
    let made = race(8, |i| {
        let city = town.city.clone();
        async move {
            family::invite(&city, &helper, &format!("k{i}"), "13800000002", FamilyMay::Watch, None).await
        }
    })
    .await;
    assert_eq!(made.iter().filter(|link| link.is_ok()).count(), 1);
    assert_eq!(common::refused_with(&made, "family_exists"), 7);
    assert_eq!(family::links(&town.city, &owner).await.expect("links").len(), 1);
}
