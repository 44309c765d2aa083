//! What routes say and refuse.

use city::complaint;
use city::identity::{OwnerKind, Role};
use kernel::ids::BillerId;

use crate::common::{Town, call};
use crate::support::{POWER, pay};
use crate::{bills, staff};

#[tokio::test]
async fn routes_from_complaint_to_decision() {
    let town = Town::new().await;
    let rows = [(POWER[0], "B1", "100.00"), (POWER[0], "B2", "20.00"), (POWER[1], "C", "7.00")];
    let (biller, views) = bills(&town, &rows).await;
    let city = &town.city;
    let routes = city::complaint::http::routes().merge(city::operator::http::routes());
    let router: axum::Router = routes.split_for_parts().0.with_state(city.clone());
    let who = town.rich("13800000001", 50_000).await;
    let other = town.rich("13800000002", 50_000).await;
    let payment = pay(&town, &who, views[0].bill.id).await.unwrap().settled.payment;
    pay(&town, &other, views[1].bill.id).await.unwrap();
    let token = town.session("13800000001").await;
    let token_other = town.session("13800000002").await;
    let key = town.key(OwnerKind::Biller, biller.as_u128(), Role::Staff).await;
    let viewer = town.key(OwnerKind::Biller, biller.as_u128(), Role::Viewer).await;
    let stranger = town.key(OwnerKind::Biller, BillerId::from_u128(7).as_u128(), Role::Staff).await;
    let op = town.key(OwnerKind::Operator, town.operator.id.as_u128(), Role::Staff).await;

    let raise = async |token: &str, kind: &str, subject: &str, words: &str| {
        let body = format!(r#"{{"kind":"{kind}",{subject}"words":"{words}"}}"#);
        let (status, answer) = call(&router, "POST", "/v1/complaints", token, &*body).await;
        (status, answer)
    };
    let of = |id: &str| format!(r#""payment":"{id}","#);
    let bill = |at: usize| format!(r#""bill":"{}","#, views[at].bill.id);
    let paid = of(&payment.to_string());
    for (token, kind, subject, words, status, code) in [
        (&token, "paid_twice", String::new(), "paid", 422, "complaint_subject_missing"),
        (&token, "paid_twice", paid.clone() + &bill(0), "paid", 422, "complaint_subject_missing"),
        (&token, "paid_twice", paid.clone(), "no", 422, "complaint_words_malformed"),
        (&token, "paid_never", paid.clone(), "paid", 400, "malformed_body"),
        (&token_other, "paid_twice", paid.clone(), "paid", 404, "payment_unknown"),
        (&token, "paid_twice", of("pay_01h2xcejqtf2nbrexx3vqjhp41"), "paid", 404, "payment_unknown"),
        (
            &token,
            "paid_but_due",
            r#""bill":"bil_01h2xcejqtf2nbrexx3vqjhp41","#.into(),
            "paid",
            404,
            "bill_unknown",
        ),
        (&token, "wrong_amount", bill(2), "paid", 409, "complaint_nothing_paid"),
        (&token, "wrong_amount", bill(1), "paid", 409, "complaint_nothing_paid"),
    ] {
        let (got, answer) = raise(token, kind, &subject, words).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{kind} {subject} {words}");
    }
    let unpaid = raise(&token, "paid_but_due", &bill(2), "paid at the counter").await.1;
    assert_eq!((&unpaid["finding"], &unpaid["proposal"]), (&"not_paid_here".into(), &"dismiss".into()));
    town.pass(1);
    let (status, raised) = raise(&token, "wrong_amount", &paid, "too much").await;
    assert_eq!(
        (status, &raised["state"], &raised["finding"]),
        (200, &"biller".into(), &"amount_as_billed".into())
    );
    let id = raised["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("cmp_"));

    // Everybody sees his own, page by page.
    let own = call(&router, "GET", "/v1/complaints?limit=1", &token, ()).await.1;
    assert_eq!((own["items"].as_array().unwrap().len(), &own["items"][0]["id"]), (1, &raised["id"]));
    let next = format!("/v1/complaints?limit=1&cursor={}", own["next"].as_str().unwrap());
    assert_eq!(call(&router, "GET", &next, &token, ()).await.1["items"][0]["id"], unpaid["id"]);
    assert_eq!(
        call(&router, "GET", "/v1/complaints?cursor=x", &token, ()).await.1["code"],
        "malformed_cursor"
    );
    assert_eq!(
        call(&router, "GET", "/v1/complaints", &token_other, ()).await.1["items"],
        serde_json::json!([])
    );
    let path = format!("/v1/complaints/{id}");
    assert_eq!(call(&router, "GET", &path, &token_other, ()).await.1["code"], "complaint_unknown");
    let view = call(&router, "GET", &path, &token, ()).await.1;
    assert_eq!(view["evidence"]["others"], serde_json::json!([]), "payments by others are not told of");
    assert_eq!(view["steps"][0]["what"], "raised");

    // The biller: without who complains.
    let theirs = format!("/v1/biller/complaints/{id}");
    assert_eq!(call(&router, "GET", &theirs, &stranger, ()).await.1["code"], "complaint_unknown");
    let view = call(&router, "GET", &theirs, &viewer, ()).await.1;
    assert_eq!(
        (&view["complaint"]["resident"], &view["complaint"]["payment"]),
        (&serde_json::Value::Null, &payment.to_string().into())
    );
    assert_eq!(
        call(&router, "GET", "/v1/biller/complaints?state=biller", &key, ()).await.1["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let answer = format!("{theirs}/answer");
    let yes = r#"{"accepts":true,"amount":{"minor":2000,"currency":"CNY"},"words":"meter misread"}"#;
    for (key, body, code) in [
        (&viewer, yes, "forbidden"),
        (&stranger, yes, "complaint_unknown"),
        (&key, r#"{"accepts":true,"words":"x"}"#, "complaint_words_malformed"),
        (
            &key,
            r#"{"accepts":false,"amount":{"minor":1,"currency":"CNY"},"words":"no reason"}"#,
            "complaint_amount_unacceptable",
        ),
        (
            &key,
            r#"{"accepts":true,"amount":{"minor":1,"currency":"JPY"},"words":"no reason"}"#,
            "complaint_amount_unacceptable",
        ),
    ] {
        assert_eq!(call(&router, "POST", &answer, key, body).await.1["code"], code, "{body}");
    }
    let decide = format!("/v1/operator/complaints/{id}/decide");
    let refund =
        r#"{"decision":"refund","amount":{"minor":2000,"currency":"CNY"},"reason":"as the biller says"}"#;
    assert_eq!(call(&router, "POST", &decide, &op, refund).await.1["code"], "complaint_not_your_turn");
    assert_eq!(call(&router, "POST", &answer, &key, yes).await.1["answer"]["amount"]["minor"], 2000);
    let no = r#"{"accepts":false,"words":"nothing is wrong"}"#;
    assert_eq!(call(&router, "POST", &answer, &key, no).await.1["code"], "complaint_answered");

    // The operator.
    for (body, code) in [
        (r#"{"decision":"refund","reason":"no amount"}"#, "complaint_amount_unacceptable"),
        (
            r#"{"decision":"dismiss","amount":{"minor":1,"currency":"CNY"},"reason":"an amount"}"#,
            "complaint_amount_unacceptable",
        ),
        (r#"{"decision":"dismiss","reason":"no"}"#, "reason_missing"),
    ] {
        assert_eq!(call(&router, "POST", &decide, &op, body).await.1["code"], code, "{body}");
    }
    let list = call(&router, "GET", "/v1/operator/complaints?state=operator", &op, ()).await.1;
    assert_eq!(list["items"][0]["resident"], who.id.to_string());
    let list = call(&router, "GET", "/v1/operator/billers/hz-power/complaints", &op, ()).await.1;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let (status, decided) = call(&router, "POST", &decide, &op, refund).await;
    assert_eq!((status, &decided["state"]), (200, &"refunding".into()));
    complaint::work(city).await.unwrap();
    let view = call(&router, "GET", &format!("/v1/operator/complaints/{id}?ask=true"), &op, ()).await.1;
    assert_eq!(
        (&view["complaint"]["state"], &view["evidence_now"]["payment"]["left_minor"]),
        (&"refunded".into(), &8000.into())
    );
    assert_eq!(view["evidence"]["others"][0]["same_payer"], false);
    let approve = format!("/v1/operator/complaints/{id}/decline");
    assert_eq!(call(&router, "POST", &approve, &op, "{}").await.1["code"], "complaint_own");
    let reopen = format!("/v1/complaints/{id}/reopen");
    assert_eq!(
        call(&router, "POST", &reopen, &token, r#"{"words":"not enough"}"#).await.1["state"],
        "supervisor"
    );
    // Nothing was paid, so nothing can be given back, by whomever.
    let none: kernel::ids::ComplaintId = unpaid["id"].as_str().unwrap().parse().unwrap();
    let given = complaint::Answer { accepts: true, amount_minor: Some(1), words: "of nothing".into() };
    let refused = complaint::answer(city, &staff(biller), none, given).await;
    assert_eq!(crate::common::code(refused), "complaint_nothing_to_refund");
}
