//! Reminders through their verbs and routes: what is told when, to whom, and what is not told any more.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/power.rs"]
mod power_bills;

use city::family::{self, FamilyMay};
use city::identity::Resident;
use city::remind::rules::Quiet;
use city::remind::{self, NoteKind, NoteLanguage, Preferences};
use city::{City, bill};
use common::{PIN, Town, call, race};
use kernel::Date;
use power_bills::{POWER, bills, march, pay, power, token};
use serde_json::{Value, json};

async fn work(town: &Town) {
    remind::work(&town.city).await.expect("it works");
}

async fn keep(town: &Town, who: &Resident, account: &str) {
    bill::saved::save(&town.city, who, power(), account, None, true).await.expect("kept");
}

/// NoteKind and step of what is in the inbox, oldest first.
async fn told(city: &City, who: &Resident) -> Vec<(NoteKind, i64)> {
    let (notes, _) = remind::inbox(city, who, None, 200).await.expect("an inbox");
    notes.into_iter().rev().map(|note| (note.tell.kind, note.tell.step)).collect()
}

/// How many notes are kept in this state.
async fn kept_as(town: &Town, state: &str) -> i64 {
    let mut conn = town.city.store.read().await.expect("a connection");
    let count = store::query_scalar("SELECT COUNT(*) FROM remind_note WHERE state = $1").bind(state);
    count.fetch_one(&mut *conn).await.expect("a count")
}

/// The texts of the SMS to this phone.
fn texts(town: &Town, phone: &str) -> Vec<String> {
    let all = std::fs::read_to_string(town.dir.path().join("messages.jsonl")).expect("messages");
    let lines = all.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let own = lines.filter(|m| {
        m["template"] != "sign_in_code" && m["phone"].as_str().is_some_and(|p| p.ends_with(phone))
    });
    own.map(|m| m["text"].as_str().expect("a text").to_owned()).collect()
}

async fn prefer(town: &Town, who: &Resident, change: impl FnOnce(&mut Preferences)) {
    let mut wanted = Preferences::default();
    change(&mut wanted);
    remind::prefer(&town.city, who, wanted).await.expect("set");
}

#[tokio::test]
async fn from_new_to_overdue_each_once() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 100_000).await;
    keep(&town, &who, POWER[0]).await;
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    work(&town).await;
    for day in 3..31 {
        march(&town, day, 10, 0);
        work(&town).await;
        work(&town).await;
    }
    town.clock.set("2026-04-01T02:00:00Z".parse().expect("a time"));
    work(&town).await;
    let wanted = [
        (NoteKind::NewBill, 0),
        (NoteKind::DueSoon, 1),
        (NoteKind::DueSoon, 0),
        (NoteKind::Overdue, 1),
        (NoteKind::Overdue, 7),
    ];
    assert_eq!(told(&town.city, &who).await, wanted);
    assert!(texts(&town, "13800000001").is_empty(), "no SMS unless wanted");
}

/// Planned in the quiet of the morning, paid before it ends: not sent.
#[tokio::test]
async fn never_for_a_bill_that_was_paid_meanwhile() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 100_000).await;
    keep(&town, &who, POWER[0]).await;
    let all = bills(&town, &[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "50.00")]).await;
    march(&town, 3, 7, 0);
    work(&town).await;
    assert_eq!((told(&town.city, &who).await, kept_as(&town, "planned").await), (vec![], 2));
    pay(&town, &who, all[0].bill.id).await.expect("paid");
    march(&town, 3, 8, 0);
    work(&town).await;
    assert_eq!(told(&town.city, &who).await, [(NoteKind::NewBill, 0)]);
    assert_eq!((kept_as(&town, "paid_meanwhile").await, kept_as(&town, "planned").await), (1, 0));
    let (notes, unread) = remind::inbox(&town.city, &who, None, 10).await.expect("an inbox");
    assert_eq!((notes[0].tell.bill, unread), (Some(all[1].bill.id), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_nodes_tell_once() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 100_000).await;
    keep(&town, &who, POWER[0]).await;
    keep(&town, &who, POWER[1]).await;
    prefer(&town, &who, |p| p.sms = true).await;
    bills(&town, &[(POWER[0], "B1", "100.00"), (POWER[1], "B2", "50.00")]).await;
    let nodes = [town.city.clone(), town.node().await, town.node().await];
    race(3, |i| {
        let node = nodes[i].clone();
        async move { remind::work(&node).await.expect("it works") }
    })
    .await;
    work(&town).await;
    assert_eq!(told(&town.city, &who).await.len(), 2);
    assert_eq!(texts(&town, "13800000001").len(), 2, "each SMS once");
}

/// More accounts than a page holds: the place goes on from page to page, and over a restart.
#[tokio::test]
async fn page_after_page() {
    let town = Town::new().await;
    let crowd = town.crowd(130, 100).await;
    for who in &crowd {
        keep(&town, who, POWER[0]).await;
    }
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    work(&town).await;
    for who in [&crowd[0], &crowd[64], &crowd[129]] {
        assert_eq!(told(&town.city, who).await, [(NoteKind::NewBill, 0)]);
    }
    assert_eq!(kept_as(&town, "sent").await, 130);
}

#[tokio::test]
async fn by_sms_in_ones_language_without_the_whole_number() {
    let town = Town::new().await;
    let (ming, john) = (town.rich("13800000001", 1).await, town.rich("13800000002", 1).await);
    for who in [&ming, &john] {
        keep(&town, who, POWER[0]).await;
    }
    prefer(&town, &ming, |p| p.sms = true).await;
    prefer(&town, &john, |p| (p.sms, p.language) = (true, NoteLanguage::En)).await;
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    work(&town).await;
    let (zh, en) = (texts(&town, "13800000001"), texts(&town, "13800000002"));
    assert_eq!(zh, ["【一码】杭州供电（尾号 2520）新账单：100.00 CNY，2026-03-25 前缴纳。"]);
    assert_eq!(
        en,
        ["【一码】Hangzhou Power (account ending 2520): a new bill of 100.00 CNY, due on 2026-03-25."]
    );
}

#[tokio::test]
async fn quiet_muted_and_no_longer_kept() {
    let town = Town::new().await;
    let (quiet, muted, gone) = (
        town.rich("13800000001", 1).await,
        town.rich("13800000002", 1).await,
        town.rich("13800000003", 1).await,
    );
    for who in [&quiet, &muted, &gone] {
        keep(&town, who, POWER[0]).await;
    }
    let noon = Some(Quiet { from: 9 * 60, to: 14 * 60 });
    prefer(&town, &quiet, |p| p.quiet = noon).await;
    prefer(&town, &muted, |p| p.muted = vec![NoteKind::NewBill]).await;
    prefer(&town, &gone, |p| p.quiet = noon).await;
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    work(&town).await;
    assert_eq!(kept_as(&town, "unwanted").await, 1, "muted");
    bill::saved::forget(&town.city, &gone, power(), POWER[0]).await.expect("forgotten");
    assert_eq!(told(&town.city, &quiet).await, []);
    march(&town, 2, 14, 0);
    work(&town).await;
    assert_eq!(told(&town.city, &quiet).await, [(NoteKind::NewBill, 0)]);
    assert_eq!(kept_as(&town, "unwanted").await, 2, "and not kept any more");
    assert!(told(&town.city, &muted).await.is_empty() && told(&town.city, &gone).await.is_empty());
}

#[tokio::test]
async fn supply_that_will_be_cut() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 100_000).await;
    keep(&town, &who, POWER[0]).await;
    let all = bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    let on = Date::constant(2026, 3, 20);
    for _ in 0..2 {
        remind::supply_will_be_cut(&town.city, power(), POWER[0], on).await.expect("planned");
    }
    work(&town).await;
    let cuts = |told: Vec<(NoteKind, i64)>| {
        told.into_iter().filter(|(kind, _)| *kind == NoteKind::SupplyCutSoon).count()
    };
    assert_eq!(cuts(told(&town.city, &who).await), 1);
    pay(&town, &who, all[0].bill.id).await.expect("paid");
    let later = Date::constant(2026, 3, 21);
    remind::supply_will_be_cut(&town.city, power(), POWER[0], later).await.expect("planned");
    work(&town).await;
    assert_eq!((cuts(told(&town.city, &who).await), kept_as(&town, "paid_meanwhile").await), (1, 1));
}

/// Who watches is told too; a consent that ended before the sending stops it.
#[tokio::test]
async fn the_family_that_watches() {
    let town = Town::new().await;
    let (helper, owner) = (town.rich("13800000001", 1).await, town.rich("13800000002", 1).await);
    town.pin(&owner).await;
    let link = family::invite(&town.city, &helper, "f", "13800000002", FamilyMay::Watch, None)
        .await
        .expect("invited");
    keep(&town, &owner, POWER[0]).await;
    bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    work(&town).await;
    assert!(told(&town.city, &helper).await.is_empty(), "not before the consent");
    family::consent(&town.city, &owner, link.id, FamilyMay::Watch, Some(PIN)).await.expect("consented");
    march(&town, 3, 10, 0);
    work(&town).await;
    assert_eq!(told(&town.city, &helper).await, [(NoteKind::NewBill, 0)]);
    assert_eq!(told(&town.city, &owner).await, [(NoteKind::NewBill, 0)]);
    march(&town, 23, 7, 0);
    work(&town).await;
    family::end(&town.city, &owner, link.id).await.expect("ended");
    march(&town, 23, 8, 0);
    work(&town).await;
    assert_eq!(told(&town.city, &helper).await.len(), 1);
    assert_eq!(told(&town.city, &owner).await.len(), 2);
    assert_eq!(kept_as(&town, "consent_ended").await, 1);
}

#[tokio::test]
async fn the_routes() {
    let town = Town::new().await;
    let (ming, hua) = (token(&town, "13800000001").await, token(&town, "13800000002").await);
    let who = city::identity::authenticate_resident(&town.city, &ming).await.expect("a session");
    let router = city::remind::http::routes().split_for_parts().0.with_state(town.city.clone());
    keep(&town, &who, POWER[0]).await;
    bills(&town, &[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "20.00")]).await;
    work(&town).await;
    let (status, page) = call(&router, "GET", "/v1/inbox?limit=1", &ming, ()).await;
    assert_eq!((status, &page["unread"], page["items"].as_array().map(Vec::len)), (200, &json!(2), Some(1)));
    let note = &page["items"][0];
    assert_eq!(
        (&note["kind"], &note["on"], &note["family"]),
        (&json!("new_bill"), &json!("2026-03-25"), &json!(false))
    );
    let next = page["next"].as_str().expect("a next");
    let (_, rest) = call(&router, "GET", &format!("/v1/inbox?cursor={next}"), &ming, ()).await;
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
    let one = json!({"ids": [note["id"]]});
    assert_eq!(call(&router, "POST", "/v1/inbox/read", &hua, one.clone()).await.1, json!({"unread": 0}));
    assert_eq!(call(&router, "POST", "/v1/inbox/read", &ming, one).await.1, json!({"unread": 1}));
    assert_eq!(call(&router, "POST", "/v1/inbox/read", &ming, json!({})).await.1, json!({"unread": 0}));

    let (_, first) = call(&router, "GET", "/v1/me/reminders", &ming, ()).await;
    let default = json!({"sms": false, "quiet": {"from": "21:30", "to": "08:00"}, "language": "zh",
        "due_days": 3, "muted": []});
    assert_eq!(first, default);
    let wanted = json!({"sms": true, "quiet": null, "language": "en", "due_days": 5, "muted": ["overdue"]});
    assert_eq!(call(&router, "PUT", "/v1/me/reminders", &ming, wanted.clone()).await, (200, wanted.clone()));
    assert_eq!(call(&router, "GET", "/v1/me/reminders", &ming, ()).await.1, wanted);
    for (field, value) in [
        ("quiet", json!({"from": "25:00", "to": "08:00"})),
        ("quiet", json!({"from": "08:00", "to": "08:00"})),
        ("due_days", json!(0)),
        ("muted", json!(["autopay_failed"])),
    ] {
        let mut bad = wanted.clone();
        bad[field] = value;
        let (status, answer) = call(&router, "PUT", "/v1/me/reminders", &ming, bad).await;
        assert_eq!((status, answer["code"].as_str()), (422, Some("preference_malformed")), "{field}");
    }
    assert_eq!(call(&router, "GET", "/v1/me/reminders", &ming, ()).await.1, wanted, "nothing was changed");
    for path in ["/v1/inbox", "/v1/me/reminders"] {
        assert_eq!(call(&router, "GET", path, "", ()).await.0, 401);
    }
    let (status, answer) = call(&router, "GET", "/v1/inbox?cursor=x", &ming, ()).await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("malformed_cursor")));
}
