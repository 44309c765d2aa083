//! A service provider: one connection over a real socket, many billers, and a catalogue that makes them.

use std::sync::Arc;
use std::time::Duration;

use channel::direct::catalogue::Institution;
use channel::direct::counterpart::Counterpart;
use channel::secrets::Held;
use channel::tls::Tls;
use channel::{Debt, book::Book};
use city::bill::provider::{Connection, ProviderSetting, sync};
use city::bill::{self, PayBill, biller};
use kernel::ManualClock;

use crate::common::{Town, code, monday};
use crate::support::packs_dir;

fn connection() -> Connection {
    let path = packs_dir().join("../docs/guides/provider.toml");
    Connection::parse(&std::fs::read_to_string(path).expect("the guide's")).expect("a good connection")
}

fn institution(id: &str, name: &str, category: &str) -> Institution {
    Institution {
        id: id.to_owned(),
        name: name.to_owned(),
        name_en: format!("Biller {id}"),
        category: category.to_owned(),
        region: "330300".to_owned(),
        pattern: "33######".to_owned(),
        open: true,
    }
}

async fn side() -> Counterpart {
    let connection = connection();
    let mut book = Book::default();
    let debt = |no: &str, fen| Debt {
        bill_no: no.to_owned(),
        amount_minor: fen,
        due: None,
        period: 202_602,
        holder: String::new(),
    };
    book.open("10", "33000001", vec![debt("A", 1_000)]);
    book.open("20", "33000001", vec![debt("A", 7_000), debt("B", 50)]);
    let secrets = Arc::new(Held::default().with("provider", b"key"));
    let (clock, spec) = (Arc::new(ManualClock::new(monday())), (connection.direct, connection.catalogue));
    let addr = ([127, 0, 0, 1], 0).into();
    let other = Counterpart::provider(
        addr,
        spec,
        book,
        Arc::new(|_, _| None),
        secrets,
        clock,
        Duration::from_secs(2),
    )
    .await
    .expect("it listens");
    *other.listed() = vec![
        institution("10", "温州自来水", "water"),
        institution("20", "温州燃气", "gas"),
        institution("30", "温州供电", "power"),
    ];
    other
}

async fn town(other: &Counterpart) -> Town {
    let url = format!("http://{}", other.addr).parse().expect("an address");
    Town::with(|settings| {
        let setting = ProviderSetting {
            url,
            connection: Arc::new(connection()),
            secrets: Held::default().with("provider", b"key"),
            tls: Tls::default(),
        };
        settings.providers.insert("zj".to_owned(), setting);
    })
    .await
}

#[tokio::test]
async fn a_catalogue_becomes_billers_and_reading_it_again_changes_nothing() {
    let other = side().await;
    let town = town(&other).await;
    let city = &town.city;
    let first = sync(city, &town.operator, "zj").await.unwrap();
    assert_eq!((first.error, first.institutions), (None, 3));
    assert_eq!(first.opened, ["zj-10", "zj-20", "zj-30"]);
    let again = sync(city, &town.operator, "zj").await.unwrap();
    assert_eq!((again.opened.len(), again.changed.len(), again.closed.len()), (0, 0, 0));

    // Each by its own number: the same account owes different sums to two of them.
    let (water, gas) = (bill::pack::biller_of("zj-10"), bill::pack::biller_of("zj-20"));
    assert_eq!(bill::fetch(city, water, "33000001").await.unwrap().len(), 1);
    let owed = bill::fetch(city, gas, "33000001").await.unwrap();
    assert_eq!(owed.iter().map(|view| view.quote.total_minor).sum::<i64>(), 7_050);
    // A rule of the file: gas is paid out in full.
    assert_eq!(biller(city, gas).await.unwrap().spec.settlement.method, bill::pack::Method::Gross);
    assert_eq!(biller(city, water).await.unwrap().spec.settlement.method, bill::pack::Method::Net);
    let who = town.rich("13800138000", 50_000).await;
    let wish = |view: &bill::BillView| PayBill {
        bill: view.bill.id,
        quote: view.quote.id.clone(),
        amount_minor: None,
        pin: None,
        request_id: None,
    };
    bill::pay(city, &who, wish(&owed[0])).await.unwrap();
    assert_eq!(other.book().payments().next().unwrap().payment.institution, "20");

    // One is gone, one has another name: the one is closed and kept, the other changed.
    other.listed().remove(1);
    "温州水务".clone_into(&mut other.listed()[0].name);
    let third = sync(city, &town.operator, "zj").await.unwrap();
    assert_eq!((third.changed, third.closed), (vec!["zj-10".to_owned()], vec!["zj-20".to_owned()]));
    assert_eq!(code(bill::pay(city, &who, wish(&owed[1])).await), "biller_closed");
    assert!(biller(city, gas).await.unwrap().spec.closed);
    // It comes back.
    other.listed().push(institution("20", "温州燃气", "gas"));
    assert_eq!(sync(city, &town.operator, "zj").await.unwrap().changed, ["zj-20"]);
    assert!(!biller(city, gas).await.unwrap().spec.closed);
}

#[tokio::test]
async fn what_cannot_be_read_closes_nobody() {
    let other = side().await;
    let town = town(&other).await;
    let city = &town.city;
    sync(city, &town.operator, "zj").await.unwrap();
    // An entry that cannot be a biller: it is told, and nobody is closed meanwhile.
    let bad = Institution { category: "steam".to_owned(), ..institution("40", "温州热力", "heating") };
    *other.listed() = vec![institution("10", "温州自来水", "water"), bad];
    let report = sync(city, &town.operator, "zj").await.unwrap();
    assert_eq!((report.refused.len(), report.closed.len()), (1, 0));
    assert!(report.refused[0].starts_with("40: "), "{:?}", report.refused);
    // A list that was lost.
    other.listed().clear();
    let report = sync(city, &town.operator, "zj").await.unwrap();
    assert!(report.error.is_some() && report.closed.is_empty());
    // The pack of somebody else is not taken over, and nobody else may ask for it.
    let staff = city::identity::Operator { role: city::identity::Role::Staff, ..town.operator };
    assert_eq!(code(sync(city, &staff, "zj").await), "forbidden");
    assert_eq!(code(sync(city, &town.operator, "none").await), "provider_unknown");
}
