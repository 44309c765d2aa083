//! Look-ups: masked, with a reason, in the trail; and the lists of operators and keys.

use city::identity::{OwnerKind, Role};
use city::operator::audit::trail;
use serde_json::{Value, json};

use crate::common::{Town, call};
use crate::{operator, router};

const WHY: &str = "reason=complaint+17";

#[tokio::test]
async fn a_resident_is_found_masked_and_the_look_is_remembered() {
    let town = Town::new().await;
    let app = router(&town.city);
    let ming = town.rich("13800000001", 1_234).await.id;
    let (admin, _) = operator(&town, "admin", Role::Admin).await;
    let (_, viewer) = operator(&town, "viewer", Role::Viewer).await;
    let (_, staff) = operator(&town, "staff", Role::Staff).await;
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    for (q, key, sees_money) in [
        ("13800000001", &viewer, false),
        ("%2B8613800000001", &staff, true),
        (ming.to_string().as_str(), &staff, true),
    ] {
        let (status, page) = call(&app, "GET", &format!("/v1/operator/residents?q={q}&{WHY}"), key, ()).await;
        assert_eq!(status, 200, "{page}");
        let seen = &page["items"][0];
        assert_eq!(
            (&seen["id"], &seen["phone"], &seen["name"]),
            (&json!(ming), &json!("138****0001"), &json!("王*明"))
        );
        let money = if sees_money {
            (json!(3), cny(1_234), json!("2026"))
        } else {
            (Value::Null, Value::Null, Value::Null)
        };
        assert_eq!(
            (seen["tier"].clone(), seen["available"].clone(), seen["allowance_window"].clone()),
            money
        );
        let (status, one) = call(&app, "GET", &format!("/v1/operator/residents/{ming}?{WHY}"), key, ()).await;
        assert_eq!((status, &one), (200, seen));
    }
    let (_, nobody) =
        call(&app, "GET", &format!("/v1/operator/residents?q=13899999999&{WHY}"), &staff, ()).await;
    assert_eq!(nobody, json!({"items": [], "next": null}));
    let trail = trail(&town.city, &admin, None, 200).await.expect("a trail");
    let looks: Vec<_> =
        trail.iter().rev().map(|e| (e.action.as_str(), e.subject.clone(), e.outcome.clone())).collect();
    let (found, looked) = (("find_resident", ming.to_string()), ("look_at_resident", ming.to_string()));
    let done = Some("done".to_owned());
    let mut wanted: Vec<_> =
        (0..3).flat_map(|_| [found.clone(), looked.clone()]).map(|(a, s)| (a, s, done.clone())).collect();
    wanted.push(("find_resident", String::new(), Some("resident_unknown".to_owned())));
    let sorted = |mut list: Vec<(_, _, _)>| {
        list.sort();
        list
    };
    assert_eq!(sorted(looks), sorted(wanted), "one entry a look (of one instant, in no order)");
    assert!(trail.iter().all(|e| e.reason.as_deref() == Some("complaint 17")));
}

#[tokio::test]
async fn a_shop_is_found_by_id_reference_and_part_of_its_name() {
    let town = Town::new().await;
    let app = router(&town.city);
    let request = city::merchant::OpenShop {
        reference: "tea_1".to_owned(),
        name: "龙井茶庄".to_owned(),
        legal_id: Some("91350100M000100Y43".to_owned()),
        mcc: "5411".to_owned(),
        city: "杭州".to_owned(),
        region: "330106".to_owned(),
    };
    let tea = city::merchant::open(&town.city, &town.operator, request).await.expect("a shop").id;
    let noodles = town.shop("s-1").await.id;
    let (_, staff) = operator(&town, "staff", Role::Staff).await;
    let (_, viewer) = operator(&town, "viewer", Role::Viewer).await;
    for (q, wanted) in [
        (tea.to_string(), vec![tea]),
        ("tea_1".to_owned(), vec![tea]),
        ("tea-1".to_owned(), vec![]),
        ("%E8%8C%B6%E5%BA%84".to_owned(), vec![tea]),     // 茶庄
        ("%E9%9D%A2%E9%A6%86".to_owned(), vec![noodles]), // 面馆
        ("__".to_owned(), vec![]),
        ("%25%25".to_owned(), vec![]),
    ] {
        let (status, page) = call(&app, "GET", &format!("/v1/operator/shops?q={q}&{WHY}"), &staff, ()).await;
        assert_eq!(status, 200, "{page}");
        let ids: Vec<_> = page["items"].as_array().expect("items").iter().map(|s| s["id"].clone()).collect();
        assert_eq!(json!(ids), json!(wanted), "{q}");
    }
    let path = format!("/v1/operator/shops/{tea}?{WHY}");
    let (_, seen) = call(&app, "GET", &path, &staff, ()).await;
    assert_eq!((&seen["legal_id"], &seen["available"]["minor"]), (&json!("9135****0Y43"), &json!(0)));
    let (_, seen) = call(&app, "GET", &path, &viewer, ()).await;
    assert_eq!((&seen["name"], &seen["available"]), (&json!("龙井茶庄"), &Value::Null));
    let refused = call(&app, "GET", &format!("/v1/operator/shops?q=ab%00&{WHY}"), &staff, ()).await;
    assert_eq!((refused.0, &refused.1["code"]), (422, &json!("look_up_malformed")));
    // The lists that need no reason show no more.
    let (_, list) = call(&app, "GET", "/v1/merchants", &viewer, ()).await;
    assert!(!list.to_string().contains("91350100M000100Y43"), "{list}");
    let (_, one) = call(&app, "GET", &format!("/v1/merchants/{tea}"), &viewer, ()).await;
    assert_eq!(one["legal_id"], json!("9135****0Y43"));
}

#[tokio::test]
async fn enrolling_somebody_who_is_there_tells_no_more_than_a_look() {
    let town = Town::new().await;
    let app = router(&town.city);
    town.resident("13800001111").await;
    let (_, staff) = operator(&town, "staff", Role::Staff).await;
    let body = json!({"phone": "13800001111", "name": "李四"});
    let (status, seen) = call(&app, "POST", "/v1/residents", &staff, body).await;
    assert_eq!(
        (status, &seen["phone"], &seen["name"]),
        (200, &json!("138****1111"), &json!("王*明")),
        "{seen}"
    );
}

#[tokio::test]
async fn operators_and_keys_are_listed_without_secrets() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (who, admin) = operator(&town, "admin", Role::Admin).await;
    let (_, staff) = operator(&town, "staff", Role::Staff).await;
    let shop = town.shop("s-1").await.id;
    let secret = town.key(OwnerKind::Merchant, shop.as_u128(), Role::Staff).await;
    let (_, list) = call(&app, "GET", "/v1/operators", &admin, ()).await;
    let names: Vec<_> = list["items"].as_array().expect("items").iter().map(|o| &o["name"]).collect();
    assert_eq!(names, ["admin", "staff"]);
    assert_eq!(list["items"][0]["id"], json!(who.id));
    assert_eq!(list["items"][1]["keys"][1]["role"], json!("staff"));
    let (_, keys) = call(&app, "GET", &format!("/v1/keys?owner={shop}"), &admin, ()).await;
    assert_eq!((&keys["items"][0]["name"], &keys["items"][0]["role"]), (&json!("test"), &json!("staff")));
    for text in [list.to_string(), keys.to_string()] {
        assert!(!text.contains(&secret) && !text.contains(&admin) && !text.contains("secret"), "{text}");
    }
    for (path, key, status, code) in [
        ("/v1/operators", &staff, 403, "forbidden"),
        ("/v1/keys?owner=opr_01h2xcejqtf2nbrexx3vqjhp41", &staff, 403, "forbidden"),
        ("/v1/keys?owner=x", &admin, 422, "owner_malformed"),
        ("/v1/keys", &admin, 400, "malformed_query"),
    ] {
        let (got, problem) = call(&app, "GET", path, key, ()).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path}");
    }
}

#[tokio::test]
async fn looks_that_are_refused() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (admin, key) = operator(&town, "1", Role::Admin).await;
    let ming = town.resident("13800001111").await.id;
    let shop = town.shop("s-1").await;
    let own = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let unknown = "res_01h2xcejqtf2nbrexx3vqjhp41";
    let nowhere = "mch_01h2xcejqtf2nbrexx3vqjhp41";
    for (path, key, status, code) in [
        ("/v1/operator/residents?q=13800001111".to_owned(), &key, 422, "reason_missing"),
        ("/v1/operator/residents?q=13800001111&reason=abc".to_owned(), &key, 422, "reason_missing"),
        (format!("/v1/operator/residents/{ming}"), &key, 422, "reason_missing"),
        ("/v1/operator/shops?q=s-1".to_owned(), &key, 422, "reason_missing"),
        (format!("/v1/operator/shops/{}", shop.id), &key, 422, "reason_missing"),
        (format!("/v1/operator/residents?{WHY}"), &key, 400, "malformed_query"),
        (format!("/v1/operator/residents?q=138&{WHY}"), &key, 422, "look_up_malformed"),
        (format!("/v1/operator/residents?q=res_1&{WHY}"), &key, 422, "look_up_malformed"),
        (format!("/v1/operator/shops?q=x&{WHY}"), &key, 422, "look_up_malformed"),
        (format!("/v1/operator/residents/{unknown}?{WHY}"), &key, 404, "resident_unknown"),
        (format!("/v1/operator/shops/{nowhere}?{WHY}"), &key, 404, "merchant_unknown"),
        (format!("/v1/operator/residents?q=13800001111&{WHY}"), &own, 403, "wrong_key"),
    ] {
        let (got, problem) = call(&app, "GET", &path, key, ()).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path}");
    }
    let trail = trail(&town.city, &admin, None, 200).await.expect("a trail");
    assert_eq!(trail.len(), 2, "only the two looks that could have shown somebody: {trail:?}");
}
