//! The keys of shops and their tills.

use city::identity::{self, Merchant, Operator, Role};
use city::merchant::key::{WantedKey, add_first, add_own};
use city::merchant::{self, add_till, close_till};
use kernel::ids::TillId;

use crate::common::{Town, code};

fn wanted(till: Option<TillId>) -> WantedKey {
    WantedKey { role: Role::Staff, till, name: "till".to_owned() }
}

#[tokio::test]
async fn a_key_of_a_till_ends_with_it() {
    let town = Town::new().await;
    let shop = town.shop("s-1").await;
    let (one, two) = (add_till(&town.city, &shop, "1").await, add_till(&town.city, &shop, "2").await);
    let (one, two) = (one.expect("a till").id, two.expect("a till").id);
    let mut secrets = Vec::new();
    for till in [Some(one), Some(one), Some(two), None] {
        let new = add_own(&town.city, &shop, &wanted(till)).await.expect("a key");
        let who = identity::authenticate_merchant(&town.city, &new.secret).await.expect("live");
        assert_eq!((who.id, who.till, who.role), (shop.id, till, Role::Staff));
        secrets.push(new.secret);
    }
    close_till(&town.city, &shop, one).await.expect("closed");
    for (n, secret) in secrets.iter().enumerate() {
        let known = identity::authenticate_merchant(&town.city, secret).await;
        match n {
            0 | 1 => assert_eq!(code(known), "unauthenticated"),
            _ => assert_eq!(known.expect("live").id, shop.id),
        }
    }
    assert_eq!(code(add_own(&town.city, &shop, &wanted(Some(one))).await), "till_unknown");
    add_till(&town.city, &shop, "1").await.expect("in use again");
    assert_eq!(
        code(identity::authenticate_merchant(&town.city, &secrets[0]).await),
        "unauthenticated",
        "its old keys stay ended"
    );
    add_own(&town.city, &shop, &wanted(Some(one))).await.expect("a new key");
}

#[tokio::test]
async fn keys_are_for_shops_and_tills_that_exist() {
    let town = Town::new().await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let theirs = add_till(&town.city, &other, "1").await.expect("a till").id;
    let (staff, clerk) =
        (Merchant { role: Role::Staff, ..shop }, Operator { role: Role::Staff, ..town.operator });
    assert_eq!(code(add_own(&town.city, &staff, &wanted(None)).await), "forbidden");
    for till in [theirs, TillId::from_u128(9)] {
        assert_eq!(code(add_own(&town.city, &shop, &wanted(Some(till))).await), "till_unknown");
    }
    let first = |by, shop, till| {
        let (city, wanted) = (town.city.clone(), wanted(till));
        async move { add_first(&city, &by, shop, &wanted).await }
    };
    assert_eq!(code(first(clerk, shop.id, None).await), "forbidden");
    assert_eq!(code(first(town.operator, merchant::id_of("nobody"), None).await), "merchant_unknown");
    assert_eq!(code(first(town.operator, shop.id, Some(theirs)).await), "till_unknown");
    let new = first(town.operator, other.id, Some(theirs)).await.expect("a key");
    let who = identity::authenticate_merchant(&town.city, &new.secret).await.expect("live");
    assert_eq!((who.id, who.till), (other.id, Some(theirs)));
}
