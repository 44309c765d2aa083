//! Tills.

use city::Refusal;
use city::identity::{Merchant, Role};
use city::merchant::{self, MerchantError};
use kernel::ids::TillId;

use crate::common::{Town, code};

#[tokio::test]
async fn a_name_is_one_till_of_one_shop() {
    let town = Town::new().await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let two = merchant::add_till(&town.city, &shop, "收银台 2").await.expect("a till");
    let one = merchant::add_till(&town.city, &shop, "收银台 1").await.expect("a till");
    town.pass(60);
    assert_eq!(merchant::add_till(&town.city, &shop, "收银台 1").await, Ok(one.clone()));
    let theirs = merchant::add_till(&town.city, &other, "收银台 1").await.expect("a till");
    assert_ne!(theirs.id, one.id);
    assert_eq!(merchant::tills(&town.city, &shop).await, Ok(vec![one, two]));
    assert_eq!(merchant::tills(&town.city, &other).await, Ok(vec![theirs]));
}

#[tokio::test]
async fn a_till_goes_out_of_use_and_comes_back() {
    let town = Town::new().await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let till = merchant::add_till(&town.city, &shop, "收银台 1").await.expect("a till");
    assert_eq!(merchant::close_till(&town.city, &other, till.id).await, Err(MerchantError::TillUnknown));
    let closed = merchant::close_till(&town.city, &shop, till.id).await.expect("closed");
    assert_eq!(closed.closed_at, Some(town.city.now()));
    town.pass(60);
    assert_eq!(merchant::close_till(&town.city, &shop, till.id).await, Ok(closed));
    assert_eq!(merchant::tills(&town.city, &shop).await, Ok(vec![]));
    assert_eq!(merchant::add_till(&town.city, &shop, "收银台 1").await, Ok(till.clone()));
    assert_eq!(merchant::tills(&town.city, &shop).await, Ok(vec![till]));
}

#[tokio::test]
async fn refusals() {
    let town = Town::new().await;
    let shop = town.shop("s-1").await;
    let staff = Merchant { role: Role::Staff, ..shop };
    let unknown = TillId::from_u128(9);
    for (result, refused, status) in [
        (merchant::add_till(&town.city, &staff, "1").await, "forbidden", 403),
        (merchant::add_till(&town.city, &shop, "").await, "merchant_malformed", 422),
        (merchant::close_till(&town.city, &staff, unknown).await, "forbidden", 403),
        (merchant::close_till(&town.city, &shop, unknown).await, "till_unknown", 404),
    ] {
        let error = result.expect_err(refused);
        assert_eq!((error.code(), error.status()), (refused, status));
    }
    assert_eq!(
        code(merchant::balance(&town.city, &Merchant { id: merchant::id_of("x"), ..shop }).await),
        "merchant_unknown"
    );
}
