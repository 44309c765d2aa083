//! The supply slice through its verbs and routes: what billers tell, what paying sets off, what is refused.

#[path = "../common/mod.rs"]
mod common;
#[path = "../bill/support.rs"]
#[allow(dead_code, reason = "the bill slice's tests use all of it")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::Debt;
use channel::book::{Book, Fault};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::secrets::Held;
use channel::tls::Tls;
use city::City;
use city::bill::route::DoorSetting;
use city::bill::{self, Pack};
use city::identity::{Biller, OwnerKind, Role};
use city::remind::{self, NoteKind};
use city::supply::{self, Cause, Notice, OrderState, SupplyState};
use common::{Town, call, code, monday, race};
use kernel::ids::BillerId;
use kernel::{Date, ManualClock};
use support::{POWER, import, live_pack, pay, power_file, shipped};

fn staff(id: BillerId) -> Biller {
    Biller { id, role: Role::Staff }
}

async fn state(city: &City, biller: BillerId) -> SupplyState {
    supply::supply(city, biller, POWER[0]).await.unwrap().state
}

/// A town in which POWER[0] has two bills of `hz-power`, both due on 25 March.
async fn two_bills(town: &Town) -> (BillerId, Vec<kernel::ids::BillId>) {
    let biller = shipped("330100/hz-power").biller;
    let file = power_file(&[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "50.00")]);
    import(town, biller, file.as_bytes()).await.unwrap();
    let mut views = bill::fetch(&town.city, biller, POWER[0]).await.unwrap();
    views.sort_by(|a, b| a.bill.bill_no.cmp(&b.bill.bill_no));
    (biller, views.iter().map(|view| view.bill.id).collect())
}

#[tokio::test]
async fn whoever_keeps_an_account_is_told_that_it_will_be_cut() {
    let town = Town::new().await;
    let (biller, bills) = two_bills(&town).await;
    let who = town.rich("13800000001", 100_000).await;
    let (city, staff) = (&town.city, staff(biller));
    bill::saved::save(city, &who, biller, POWER[0], None, true).await.unwrap();
    let cuts = async || {
        supply::work(city).await.unwrap();
        remind::work(city).await.unwrap();
        let (notes, _) = remind::inbox(city, &who, None, 200).await.unwrap();
        notes.iter().filter(|n| n.tell.kind == NoteKind::SupplyCutSoon).map(|n| n.tell.on).collect::<Vec<_>>()
    };
    let days = [Date::constant(2026, 4, 20), Date::constant(2026, 4, 22), Date::constant(2026, 4, 27)];
    for _ in 0..2 {
        supply::notify(city, &staff, POWER[0], Notice::CutAnnounced(days[0])).await.unwrap();
        assert_eq!(cuts().await, [Some(days[0])], "once");
    }
    supply::notify(city, &staff, POWER[0], Notice::CutAnnounced(days[1])).await.unwrap();
    assert_eq!(cuts().await.len(), 2, "the day was put off");
    for bill in bills {
        pay(&town, &who, bill).await.unwrap();
    }
    supply::notify(city, &staff, POWER[0], Notice::CutAnnounced(days[2])).await.unwrap();
    assert_eq!(cuts().await.len(), 2, "nothing is open any more");
}

#[tokio::test]
async fn paying_what_is_overdue_orders_supply_restored_once() {
    let town = Town::new().await;
    let (biller, bills) = two_bills(&town).await;
    let who = town.rich("13800000001", 100_000).await;
    town.pass(40 * 86_400); // both are overdue
    let (city, staff) = (&town.city, staff(biller));
    let day = Date::constant(2026, 4, 20);
    let told = supply::notify(city, &staff, POWER[0], Notice::CutAnnounced(day)).await.unwrap();
    assert_eq!((told.state, told.cut_on), (SupplyState::CutAnnounced, Some(day)));
    supply::notify(city, &staff, POWER[0], Notice::Cut).await.unwrap();
    supply::work(city).await.unwrap();
    assert_eq!(state(city, biller).await, SupplyState::Cut, "nothing was paid");

    pay(&town, &who, bills[0]).await.unwrap();
    supply::work(city).await.unwrap();
    assert_eq!(state(city, biller).await, SupplyState::Cut, "the other is overdue still");
    pay(&town, &who, bills[1]).await.unwrap();
    // Two nodes find the payment at once.
    let nodes = [town.node().await, town.node().await];
    for done in race(2, |i| {
        let node = nodes[i].clone();
        async move { supply::work(&node).await }
    })
    .await
    {
        done.unwrap();
    }
    supply::work(city).await.unwrap();
    assert_eq!(state(city, biller).await, SupplyState::Restoring);
    let orders = supply::open_orders(city, &staff, None, 10).await.unwrap();
    assert_eq!((orders.len(), orders[0].state), (1, OrderState::Offered), "files take no orders");
    assert_eq!(supply::late_orders(city, 10).await.unwrap(), []);
    town.pass(86_401);
    assert_eq!(supply::late_orders(city, 10).await.unwrap()[0].id, orders[0].id);

    // A notice of the cut that comes late, again, changes nothing; two confirmations are one.
    supply::notify(city, &staff, POWER[0], Notice::Cut).await.unwrap();
    let id = orders[0].id;
    for done in race(2, |i| {
        let node = nodes[i].clone();
        async move { supply::confirm(&node, &staff, id).await }
    })
    .await
    {
        assert_eq!(done.unwrap().state, OrderState::Confirmed);
    }
    assert_eq!(state(city, biller).await, SupplyState::On);
    assert_eq!(supply::late_orders(city, 10).await.unwrap(), []);
    let changes = supply::changes(city, biller, POWER[0], None, 10).await.unwrap();
    let told: Vec<_> = changes.iter().map(|c| (c.step, c.state, c.cause)).collect();
    assert_eq!(
        told,
        [
            (4, SupplyState::On, Cause::Biller),
            (3, SupplyState::Restoring, Cause::Payment),
            (2, SupplyState::Cut, Cause::Biller),
            (1, SupplyState::CutAnnounced, Cause::Biller),
        ]
    );
}

#[tokio::test]
async fn a_payment_that_crosses_the_notice_counts_and_survives_a_restart() {
    let town = Town::new().await;
    let (biller, bills) = two_bills(&town).await;
    let who = town.rich("13800000001", 100_000).await;
    pay(&town, &who, bills[0]).await.unwrap();
    pay(&town, &who, bills[1]).await.unwrap();
    supply::work(&town.city).await.unwrap(); // the feed is read, nothing is cut yet
    supply::notify(&town.city, &staff(biller), POWER[0], Notice::Cut).await.unwrap();
    let town = town.reopen().await;
    supply::work(&town.city).await.unwrap();
    assert_eq!(state(&town.city, biller).await, SupplyState::Restoring);
    // Cut anew long after: the old payment is no reason.
    supply::notify(&town.city, &staff(biller), POWER[0], Notice::Restored).await.unwrap();
    town.pass(10 * 86_400);
    supply::notify(&town.city, &staff(biller), POWER[0], Notice::Cut).await.unwrap();
    supply::work(&town.city).await.unwrap();
    assert_eq!(state(&town.city, biller).await, SupplyState::Cut);
}

const WAY: &str = r#"
[supply]
restore_when = "all_paid"
confirm_within_s = 3600
[[channels]]
name = "near"
timeout_s = 1
[channels.direct]
format = "json"
code = "code"
codes = { "0" = "ok", "1" = "duplicate", "2" = "unknown", "3" = "account_unknown", "6" = "closed", "9" = "refused" }
[channels.direct.query]
path = "/debts/{account_no}"
method = "GET"
[channels.direct.query.debts]
at = "debts"
bill_no = "no"
amount = "fen"
unit = "fen"
[channels.direct.pay]
path = "/pay"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","fen":{amount.fen}}'
[channels.direct.inquire]
path = "/pay/{payment}"
method = "GET"
[channels.direct.reverse]
path = "/reverse"
body = '{"id":"{payment}"}'
[channels.direct.restore]
path = "/restore"
body = '{"order":"{payment}","account":"{account_no}"}'
"#;

#[tokio::test]
async fn the_biller_is_told_at_once_and_again_with_the_same_order() {
    let text = live_pack("hz-live", "water", ["杭州自来水", "Hangzhou Water"], WAY);
    let pack = Pack::parse(&text).expect("a pack");
    let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
    let told = fault.clone();
    let faults: Faults = Arc::new(move |kind, _| told.lock().unwrap().filter(|_| kind == "restore"));
    let mut book = Book::default();
    let debt =
        Debt { bill_no: "B1".into(), amount_minor: 5_000, due: None, period: 0, holder: String::new() };
    book.open("", POWER[0], vec![debt]);
    let spec = pack.spec.channels[0].direct.clone().expect("over HTTP");
    let clock = Arc::new(ManualClock::new(monday()));
    let side =
        Counterpart::start(spec, book, faults, Arc::new(Held::default()), clock, Duration::from_secs(3))
            .await
            .unwrap();
    let url = format!("http://{}", side.addr).parse().unwrap();
    let door = DoorSetting { url, secrets: Held::default(), tls: Tls::default() };
    let town = Town::with(|s| s.doors = [("hz-live/near".to_owned(), door)].into()).await;
    let biller = bill::add_pack(&town.city, &town.operator, &text).await.unwrap().biller;
    let who = town.rich("13800000001", 50_000).await;
    let bill = bill::fetch(&town.city, biller, POWER[0]).await.unwrap()[0].bill.id;
    supply::notify(&town.city, &staff(biller), POWER[0], Notice::Cut).await.unwrap();
    pay(&town, &who, bill).await.unwrap();

    let mut tries = 0;
    for wrong in [Fault::SilentAfter, Fault::SilentBefore, Fault::Garbled] {
        *fault.lock().unwrap() = Some(wrong);
        supply::work(&town.city).await.unwrap();
        tries += 1;
        let order = supply::newest_order(&town.city, biller, POWER[0]).await.unwrap().unwrap();
        assert_eq!((order.state, order.sent), (OrderState::Ordered, tries), "{wrong:?}");
        town.pass(700);
    }
    *fault.lock().unwrap() = None;
    let town = town.reopen().await;
    supply::work(&town.city).await.unwrap();
    let order = supply::newest_order(&town.city, biller, POWER[0]).await.unwrap().unwrap();
    assert_eq!((order.state, order.sent), (OrderState::Accepted, tries + 1));
    let orders: Vec<String> = side.book().restored().keys().cloned().collect();
    assert_eq!(orders, [order.id.to_string()], "one order, however often it was sent");
    supply::confirm(&town.city, &staff(biller), order.id).await.unwrap();
    assert_eq!(state(&town.city, biller).await, SupplyState::On);
}

#[tokio::test]
async fn what_is_refused_and_what_routes_say() {
    let town = Town::new().await;
    let (biller, _) = two_bills(&town).await;
    let city = &town.city;
    let viewer = Biller { id: biller, role: Role::Viewer };
    assert_eq!(code(supply::notify(city, &viewer, POWER[0], Notice::Cut).await), "forbidden");
    assert_eq!(code(supply::notify(city, &staff(biller), "330", Notice::Cut).await), "account_shape");
    let nobody = staff(BillerId::from_u128(7));
    assert_eq!(code(supply::notify(city, &nobody, POWER[0], Notice::Cut).await), "biller_unknown");

    let key = town.key(OwnerKind::Biller, biller.as_u128(), Role::Staff).await;
    let (router, _) = city::supply::http::routes().split_for_parts();
    let router: axum::Router = router.with_state(city.clone());
    let tell = async |body: &str| call(&router, "POST", "/v1/biller/supply", &key, body).await;
    for (body, status, code) in [
        (r#"{"account_no":"3339522520","kind":"cut","on":"2026-03-31"}"#, 422, "supply_notice_malformed"),
        (r#"{"account_no":"3339522520","kind":"cut_announced"}"#, 422, "supply_notice_malformed"),
        (r#"{"account_no":"3339522520","kind":"off"}"#, 422, "supply_notice_malformed"),
    ] {
        let (got, answer) = tell(body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body}");
    }
    assert_eq!(tell(r#"{"account_no":"3339522520","kind":"cut"}"#).await.1["state"], "cut");
    let (status, answer) =
        tell(r#"{"account_no":"3339522520","kind":"cut_announced","on":"2026-03-31"}"#).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("supply_already_cut")));
    let path = "/v1/biller/restore-orders/rst_01h2xcejqtf2nbrexx3vqjhp41/confirm";
    assert_eq!(call(&router, "POST", path, &key, ()).await.1["code"], "restore_order_unknown");
    let file = "3339522520,cut_announced,2026-03-31\n3395385820,cut_announced,2026-03-31\n3333333338,cut,\n";
    let (status, answer) = call(&router, "POST", "/v1/biller/supply/file", &key, file).await;
    assert_eq!((status, &answer["taken"], &answer["refused"][0]["line"]), (200, &2.into(), &1.into()));
    let (status, answer) =
        call(&router, "POST", "/v1/biller/supply/file", &key, "3333333338,restored\nx\n").await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("supply_notice_malformed")));
    assert_eq!(
        supply::supply(city, biller, POWER[2]).await.unwrap().state,
        SupplyState::Cut,
        "nothing was taken"
    );
}
