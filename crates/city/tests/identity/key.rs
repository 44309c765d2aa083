//! API keys: whom they speak for, how far they reach, and their end.

use city::identity::{self, OwnerKind, Role};
use kernel::ids::MerchantId;

use crate::common::{Town, code};

#[tokio::test]
async fn a_key_speaks_for_one_owner_of_one_kind() {
    let town = Town::new().await;
    for kind in [OwnerKind::Merchant, OwnerKind::Biller, OwnerKind::Operator, OwnerKind::Collector] {
        let secret = town.key(kind, 7, Role::Staff).await;
        let as_merchant = identity::authenticate_merchant(&town.city, &secret).await;
        let as_biller = identity::authenticate_biller(&town.city, &secret).await;
        let as_operator = identity::authenticate_operator(&town.city, &secret).await;
        let as_collector = identity::authenticate_collector(&town.city, &secret).await;
        match kind {
            OwnerKind::Merchant => {
                let who = as_merchant.expect("a merchant");
                assert_eq!((who.id, who.role, who.till), (MerchantId::from_u128(7), Role::Staff, None));
                assert_eq!((code(as_biller), code(as_operator)), ("wrong_key", "wrong_key"));
            }
            OwnerKind::Biller => {
                assert_eq!(as_biller.expect("a biller").id.as_u128(), 7);
                assert_eq!((code(as_merchant), code(as_operator)), ("wrong_key", "wrong_key"));
            }
            OwnerKind::Operator => {
                assert_eq!(as_operator.expect("an operator").id.as_u128(), 7);
                assert_eq!((code(as_merchant), code(as_biller)), ("wrong_key", "wrong_key"));
            }
            OwnerKind::Collector => {
                assert_eq!(as_collector.expect("a collector").id.as_u128(), 7);
                assert_eq!((code(as_merchant), code(as_operator)), ("wrong_key", "wrong_key"));
            }
        }
        assert_eq!(code(identity::authenticate_resident(&town.city, &secret).await), "wrong_key");
        // A secret that nobody has is told nothing.
        let unknown = format!("{secret}x");
        assert_eq!(code(identity::authenticate_resident(&town.city, &unknown).await), "unauthenticated");
    }
    for garbage in ["", "ymk_", "ymk_AAAA", "yok_AAAA"] {
        assert_eq!(code(identity::authenticate_merchant(&town.city, garbage).await), "unauthenticated");
        assert_eq!(code(identity::authenticate_operator(&town.city, garbage).await), "unauthenticated");
    }
}

#[test]
fn roles_include_those_before_them() {
    let roles = [Role::Viewer, Role::Staff, Role::Admin];
    for (i, has) in roles.iter().enumerate() {
        for (j, needed) in roles.iter().enumerate() {
            match has.require(*needed) {
                Ok(()) => assert!(i >= j, "{has:?} is not {needed:?}"),
                Err(e) => assert!(i < j && city::Refusal::code(&e) == "forbidden", "{has:?} is {needed:?}"),
            }
        }
    }
}

#[tokio::test]
async fn only_the_owner_ends_a_key_and_once() {
    let town = Town::new().await;
    let new = identity::create_key(&town.city, OwnerKind::Merchant, 7, Role::Admin, None, "till 1").await;
    let new = new.expect("a key");
    assert_eq!(
        code(identity::create_key(&town.city, OwnerKind::Merchant, 7, Role::Admin, None, "").await),
        "name_malformed"
    );
    assert_eq!(code(identity::bootstrap_operator(&town.city, " ").await), "name_malformed");
    identity::authenticate_merchant(&town.city, &new.secret).await.expect("live");
    assert_eq!(identity::keys(&town.city, 7).await.expect("keys"), std::slice::from_ref(&new.key));
    assert_eq!(code(identity::revoke_key(&town.city, 8, new.key.id).await), "key_unknown");
    identity::authenticate_merchant(&town.city, &new.secret).await.expect("still live");
    identity::revoke_key(&town.city, 7, new.key.id).await.expect("ended");
    assert_eq!(code(identity::authenticate_merchant(&town.city, &new.secret).await), "unauthenticated");
    assert_eq!(code(identity::revoke_key(&town.city, 7, new.key.id).await), "key_unknown");
    assert!(identity::keys(&town.city, 7).await.expect("keys").is_empty());
}

#[tokio::test]
async fn the_first_operator_comes_from_the_machine() {
    let town = Town::new().await;
    let first = identity::bootstrap_operator(&town.city, "ops").await.expect("a key");
    let who = identity::authenticate_operator(&town.city, &first.secret).await.expect("an operator");
    assert_eq!((who.role, who.id.as_u128()), (Role::Admin, first.key.owner));
}

#[tokio::test]
async fn an_operator_makes_another() {
    let town = Town::new().await;
    let second = identity::add_operator(&town.city, &town.operator, "second").await.expect("a key");
    let who = identity::authenticate_operator(&town.city, &second.secret).await.expect("an operator");
    assert_eq!((who.role, who.id.as_u128()), (Role::Admin, second.key.owner));
    identity::require_operator(&town.city, who.id).await.expect("known");
    assert_eq!(code(identity::require_operator(&town.city, town.operator.id).await), "operator_unknown");
    let clerk = identity::Operator { role: Role::Staff, ..town.operator };
    assert_eq!(code(identity::add_operator(&town.city, &clerk, "third").await), "forbidden");
}
