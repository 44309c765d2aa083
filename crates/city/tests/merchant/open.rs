//! Opening, reading, listing and closing shops.

use city::identity::{Operator, Role};
use city::merchant::{self, MerchantError, OpenShop};
use city::{Refusal, books};
use kernel::ids::MerchantId;

use crate::common::{Town, code, race};
use crate::request;

/// Makes one field of a request something else.
type Spoil = fn(&mut OpenShop);

#[tokio::test]
async fn opening_twice_is_once() {
    let town = Town::new().await;
    let shop = merchant::open(&town.city, &town.operator, request("s-1")).await.expect("opened");
    assert_eq!((shop.id, shop.name.as_str()), (merchant::id_of("s-1"), "西湖面馆"));
    assert!(shop.is_open());
    town.pass(60);
    assert_eq!(merchant::open(&town.city, &town.operator, request("s-1")).await, Ok(shop.clone()));
    assert_eq!(*merchant::get(&town.city, shop.id).await.expect("there"), shop);
    let account = town.city.ledger.lookup_accounts(vec![books::merchant(shop.id)]).await.expect("an answer");
    assert_eq!((account.len(), account[0].code), (1, books::account_code::MERCHANT));
}

#[tokio::test]
async fn a_hundred_at_once_open_one_shop() {
    let town = Town::new().await;
    let (city, operator) = (town.city.clone(), town.operator);
    let ends = race(100, move |_| {
        let city = city.clone();
        async move { merchant::open(&city, &operator, request("s-1")).await }
    })
    .await;
    assert!(ends.windows(2).all(|w| w[0] == w[1] && w[0].is_ok()), "{ends:?}");
}

#[tokio::test]
async fn another_content_under_the_same_reference_is_refused_by_field() {
    let town = Town::new().await;
    merchant::open(&town.city, &town.operator, request("s-1")).await.expect("opened");
    let spoil: [(&str, Spoil); 5] = [
        ("name", |r| r.name = "东湖面馆".into()),
        ("legal_id", |r| r.legal_id = None),
        ("mcc", |r| r.mcc = "5411".into()),
        ("city", |r| r.city = "上海".into()),
        ("region", |r| r.region = "310106".into()),
    ];
    for (field, spoil) in spoil {
        let mut other = request("s-1");
        spoil(&mut other);
        let refused = merchant::open(&town.city, &town.operator, other).await.expect_err(field);
        assert_eq!(refused, MerchantError::ReferenceTaken(field));
        assert_eq!((refused.code(), refused.status()), ("merchant_reference_taken", 409));
    }
}

#[tokio::test]
async fn malformed_fields_are_refused_by_name_and_open_nothing() {
    let town = Town::new().await;
    let spoil: [(&str, Spoil); 9] = [
        ("reference", |r| r.reference = String::new()),
        ("reference", |r| r.reference = "店".into()),
        ("name", |r| r.name = " ".into()),
        ("name", |r| r.name = "x".repeat(61)),
        ("legal_id", |r| r.legal_id = Some("91350100M000100Y44".into())),
        ("mcc", |r| r.mcc = "58".into()),
        ("city", |r| r.city = "x".repeat(16)),
        ("region", |r| r.region = "990106".into()),
        ("region", |r| r.region = "3301".into()),
    ];
    for (field, spoil) in spoil {
        let mut bad = request("s-1");
        spoil(&mut bad);
        let refused = merchant::open(&town.city, &town.operator, bad).await.expect_err(field);
        assert_eq!(refused, MerchantError::Malformed(field));
        assert_eq!((refused.code(), refused.status()), ("merchant_malformed", 422));
        assert!(refused.to_string().contains(field), "{refused}");
    }
    assert_eq!(code(merchant::get(&town.city, merchant::id_of("s-1")).await), "merchant_unknown");
    assert_eq!(merchant::list(&town.city, &town.operator, None, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn roles() {
    let town = Town::new().await;
    let operator = |role| Operator { role, ..town.operator };
    let (viewer, staff) = (operator(Role::Viewer), operator(Role::Staff));
    assert_eq!(code(merchant::open(&town.city, &viewer, request("s-1")).await), "forbidden");
    let shop = merchant::open(&town.city, &staff, request("s-1")).await.expect("opened");
    assert_eq!(code(merchant::close(&town.city, &staff, shop.id).await), "forbidden");
    assert_eq!(merchant::list(&town.city, &viewer, None, 10).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn lists_go_from_the_newest_and_page_without_gaps() {
    let town = Town::new().await;
    for i in 0..7 {
        merchant::open(&town.city, &town.operator, request(&format!("s-{i}"))).await.expect("opened");
        if i % 2 == 0 {
            town.pass(1); // some share a millisecond
        }
    }
    let all = merchant::list(&town.city, &town.operator, None, 100).await.expect("a list");
    assert_eq!(all.len(), 7);
    assert!(all.windows(2).all(|w| w[0].created_at >= w[1].created_at));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = merchant::list(&town.city, &town.operator, after, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let unknown = Some(MerchantId::from_u128(9));
    assert_eq!(code(merchant::list(&town.city, &town.operator, unknown, 3).await), "merchant_unknown");
}

#[tokio::test]
async fn a_closed_shop_stays_closed_from_the_first_time() {
    let town = Town::new().await;
    let shop = merchant::open(&town.city, &town.operator, request("s-1")).await.expect("opened");
    let at = town.city.now();
    let closed = merchant::close(&town.city, &town.operator, shop.id).await.expect("closed");
    assert_eq!(closed.closed_at, Some(at));
    town.pass(60);
    assert_eq!(merchant::close(&town.city, &town.operator, shop.id).await, Ok(closed));
    assert!(!merchant::get(&town.city, shop.id).await.expect("there").is_open());
    let unknown = MerchantId::from_u128(9);
    assert_eq!(code(merchant::close(&town.city, &town.operator, unknown).await), "merchant_unknown");
}
