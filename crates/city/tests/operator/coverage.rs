//! What is covered: written down by any node, kept over a restart, told by month; and what everybody may see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use channel::book::{Book, Fault};
use channel::direct::counterpart::Counterpart;
use channel::secrets::Held;
use channel::tls::Tls;
use city::bill::route::DoorSetting;
use city::bill::{self, Pack};
use city::coverage;
use city::identity::Role;
use kernel::ManualClock;
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw, monday};
use crate::support::{POWER, import, live_pack, pay, power_file, shipped};
use crate::{operator, router};

fn row<'a>(answer: &'a Value, code: &str) -> &'a Value {
    let rows = answer["items"].as_array().expect("items");
    rows.iter().find(|row| row["code"] == code).unwrap_or_else(|| panic!("{code} is there"))
}

fn state_of(answer: &Value, pack: &str) -> String {
    let rows = answer["items"].as_array().expect("items");
    let found = rows.iter().find(|row| row["pack"] == pack).expect("the pack");
    found["state"].as_str().expect("a state").to_owned()
}

#[tokio::test]
async fn a_file_covers_a_city_until_no_other_comes_and_months_are_kept() {
    let town = Town::new().await;
    let (_, key) = operator(&town, "anna", Role::Viewer).await;
    let biller = shipped("330100/hz-power").biller;
    import(&town, biller, power_file(&[(POWER[0], "B1", "100.00")]).as_bytes()).await.expect("imported");
    coverage::observe(&town.city).await.expect("written down");
    coverage::observe(&town.city).await.expect("twice is as once");
    let app = router(&town.city);
    let (status, all) = call(&app, "GET", "/v1/operator/coverage", &key, ()).await;
    assert_eq!((status, all["items"].as_array().map(Vec::len)), (200, Some(34)), "{all}");
    let zhejiang = row(&all, "330000");
    assert_eq!((&zhejiang["covered"], &zhejiang["units"]), (&json!(13), &json!(90)), "{zhejiang}");
    assert_eq!(row(&all, "340000")["covered"], 0);
    assert!(zhejiang.get("people").is_none(), "nobody said how many there are");
    let (_, cities) = call(
        &app,
        "GET",
        "/v1/operator/coverage?level=prefecture&parent=330000&category=power&way=file",
        &key,
        (),
    )
    .await;
    let hangzhou = row(&cities, "330100");
    assert_eq!((&hangzhou["covered_bps"], &hangzhou["opened"]), (&json!(10_000), &json!(1)), "{hangzhou}");
    let (_, gas) = call(&app, "GET", "/v1/operator/coverage?category=gas", &key, ()).await;
    assert_eq!(row(&gas, "330000")["covered"], 0);
    let (_, status) = call(&app, "GET", "/v1/status", "", ()).await;
    assert_eq!(
        (state_of(&status, "hz-power"), state_of(&status, "hz-water")),
        ("works".into(), "not_yet".into())
    );
    let (_, next) = call(&app, "GET", "/v1/operator/coverage/next", &key, ()).await;
    let packs: Vec<_> = next["items"].as_array().expect("items").iter().map(|one| &one["pack"]).collect();
    assert!(packs.contains(&&json!("hz-water")) && !packs.contains(&&json!("hz-power")), "{packs:?}");

    // 46 days later nothing has come; a node that starts anew knows.
    town.pass(46 * 86_400);
    coverage::observe(&town.city).await.expect("written down");
    let town = town.reopen().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "bert", Role::Viewer).await;
    let (_, status) = call(&app, "GET", "/v1/status?region=3301&state=down", "", ()).await;
    assert_eq!(state_of(&status, "hz-power"), "down");
    assert_eq!((&status["works"], &status["down"]), (&json!(0), &json!(1)));
    for (month, covered) in [("2026-02", 0), ("2026-03", 13), ("2026-04", 0)] {
        let path = format!("/v1/operator/coverage?level=prefecture&parent=330000&month={month}");
        let (_, then) = call(&app, "GET", &path, &key, ()).await;
        assert_eq!(row(&then, "330100")["covered"], covered, "{month}");
    }
    let (_, history) = call(&app, "GET", "/v1/operator/coverage/history?parent=330100", &key, ()).await;
    let months: Vec<_> = history["items"].as_array().expect("months").iter().map(|m| &m["covered"]).collect();
    assert_eq!(months, [&json!(13), &json!(0)], "{history}");
    let bearer = format!("Bearer {key}");
    let (status, csv) = call_raw(
        &app,
        "GET",
        "/v1/operator/coverage.csv?month=2026-03",
        &[("authorization", bearer.as_str())],
        (),
    )
    .await;
    let csv = String::from_utf8(csv).expect("text");
    assert_eq!(status, 200);
    assert!(csv.contains("\r\n330000,浙江省,90,13,,,1,1,"), "{csv}");
}

#[tokio::test]
async fn payments_are_counted_once_and_compared_where_people_are_known() {
    let town = Town::with(|settings| {
        let file = settings.data_dir.join("regions-population.csv");
        std::fs::write(file, "code,people\n330100,2000\n330200,1000\n").expect("written");
        let file = settings.data_dir.join("prospects.csv");
        std::fs::write(file, "宁波燃气,Ningbo Gas,gas,330200,bank,900\n").expect("written");
    })
    .await;
    let (_, key) = operator(&town, "anna", Role::Viewer).await;
    let biller = shipped("330100/hz-power").biller;
    let bills = power_file(&[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "50.00")]);
    import(&town, biller, bills.as_bytes()).await.expect("imported");
    let who = town.rich("13800000001", 1_000_000).await;
    for view in bill::fetch(&town.city, biller, POWER[0]).await.expect("bills") {
        pay(&town, &who, view.bill.id).await.expect("paid");
    }
    let (one, two) = tokio::join!(coverage::count(&town.city), coverage::count(&town.city));
    one.and(two).expect("two at once count once");
    coverage::count(&town.city).await.expect("again");
    let app = router(&town.city);
    let path = "/v1/operator/coverage/inequality?level=prefecture&parent=330000&measure=";
    let (_, paid) = call(&app, "GET", &format!("{path}payments"), &key, ()).await;
    let month = &paid["items"][0];
    assert_eq!(
        (&month["month"], &month["regions"], &month["zeros"]),
        (&json!("2026-03"), &json!(11), &json!(10))
    );
    assert_eq!(month["gini_ppm"], 909_091, "one of eleven has all");
    let (_, paid) = call(&app, "GET", &format!("{path}payments_per_1000"), &key, ()).await;
    assert_eq!((&paid["items"][0]["regions"], &paid["items"][0]["gini_ppm"]), (&json!(2), &json!(500_000)));
    let (_, next) = call(&app, "GET", "/v1/operator/coverage/next", &key, ()).await;
    assert_eq!(
        (&next["items"][0]["name"]["en"], &next["items"][0]["people"]),
        (&json!("Ningbo Gas"), &json!(900))
    );
    let (_, cities) =
        call(&app, "GET", "/v1/operator/coverage?level=prefecture&parent=330000", &key, ()).await;
    coverage::observe(&town.city).await.expect("written down");
    assert_eq!(
        (&row(&cities, "330100")["people"], &row(&cities, "330100")["people_covered"]),
        (&json!(2_000), &json!(0))
    );
    let (_, cities) =
        call(&app, "GET", "/v1/operator/coverage?level=prefecture&parent=330000", &key, ()).await;
    assert_eq!(row(&cities, "330100")["people_covered"], 2_000);
}

#[tokio::test]
async fn a_biller_that_is_asked_is_probed_and_not_pressed() {
    let ways = r#"
[[channels]]
name = "only"
timeout_s = 1
[channels.direct]
format = "json"
code = "code"
codes = { "0" = "ok", "1" = "duplicate", "2" = "unknown", "3" = "account_unknown" }
[channels.direct.probe]
path = "/probe"
method = "GET"
[channels.direct.query]
path = "/debts/{account_no}"
method = "GET"
[channels.direct.query.debts]
at = "debts"
bill_no = "no"
amount = "fen"
unit = "fen"
due = "due"
holder = "name"
[channels.direct.pay]
path = "/pay"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","fen":{amount.fen}}'
[channels.direct.inquire]
path = "/pay/{payment}"
method = "GET"
[channels.direct.reverse]
path = "/reverse"
body = '{"id":"{payment}"}'
"#;
    let text = live_pack("hz-probed", "water", ["杭州自来水", "Hangzhou Water"], ways);
    let pack = Pack::parse(&text).expect("a pack");
    let down = Arc::new(AtomicBool::new(false));
    let told = down.clone();
    let faults: channel::direct::counterpart::Faults =
        Arc::new(move |_, _| told.load(Ordering::Relaxed).then_some(Fault::SilentBefore));
    let spec = pack.spec.channels[0].direct.clone().expect("over HTTP");
    let clock = Arc::new(ManualClock::new(monday()));
    let side = Counterpart::start(
        spec,
        Book::default(),
        faults,
        Arc::new(Held::default()),
        clock,
        Duration::from_secs(3),
    );
    let side = side.await.expect("the other side");
    let url = format!("http://{}", side.addr).parse().expect("an address");
    let door = DoorSetting { url, secrets: Held::default(), tls: Tls::default() };
    let town = Town::with(|settings| drop(settings.doors.insert("hz-probed/only".to_owned(), door))).await;
    let biller = bill::add_pack(&town.city, &town.operator, &text).await.expect("added").biller;
    let asked = || {
        let lane = bill::ways(&town.city, biller).remove(0);
        (lane.done, lane.silent)
    };
    let app = router(&town.city);
    let state = async || {
        coverage::observe(&town.city).await.expect("written down");
        let (_, answer) = call(&app, "GET", "/v1/status?category=water&limit=200", "", ()).await;
        state_of(&answer, "hz-probed")
    };
    assert_eq!(state().await, "not_yet");
    bill::probe_all(&town.city).await;
    bill::probe_all(&town.city).await;
    assert_eq!((asked(), state().await), ((1, 0), "works".to_owned()), "asked a moment ago");
    down.store(true, Ordering::Relaxed);
    town.pass(180);
    bill::probe_all(&town.city).await;
    assert_eq!((asked().0, state().await), (1, "down".to_owned()));
    down.store(false, Ordering::Relaxed);
    town.pass(180);
    bill::probe_all(&town.city).await;
    assert_eq!((asked().0, state().await), (2, "works".to_owned()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let town = Town::new().await;
    let (_, key) = operator(&town, "anna", Role::Viewer).await;
    let app = router(&town.city);
    for (query, status, code) in [
        ("?parent=999999", 422, "coverage_malformed"),
        ("?way=pigeon", 422, "coverage_malformed"),
        ("?month=2026-13", 422, "coverage_malformed"),
        ("?month=2026-3", 422, "coverage_malformed"),
        ("?level=street", 400, "malformed_query"),
        ("?colour=red", 400, "malformed_query"),
    ] {
        let (found, answer) = call(&app, "GET", &format!("/v1/operator/coverage{query}"), &key, ()).await;
        assert_eq!((found, &answer["code"]), (status, &json!(code)), "{query}");
    }
    for path in ["", ".csv", "/history", "/next", "/inequality"] {
        let (found, _) = call(&app, "GET", &format!("/v1/operator/coverage{path}"), "", ()).await;
        assert_eq!(found, 401, "{path}");
    }
}
