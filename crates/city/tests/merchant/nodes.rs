//! What one node does, another learns.

use city::merchant;

use crate::common::Town;
use crate::request;

#[tokio::test]
async fn another_node_learns_of_a_closing_within_its_trust() {
    let town = Town::new().await;
    let other = town.node().await;
    let shop = merchant::open(&town.city, &town.operator, request("s-1")).await.expect("opened");
    assert!(merchant::get(&other, shop.id).await.expect("there").is_open());
    merchant::close(&town.city, &town.operator, shop.id).await.expect("closed");
    assert!(merchant::get(&other, shop.id).await.expect("there").is_open(), "still from memory");
    town.pass(merchant::TRUST.as_secs());
    assert!(!merchant::get(&other, shop.id).await.expect("there").is_open());
}

#[tokio::test]
async fn shops_outlive_a_restart() {
    let town = Town::new().await;
    let shop = merchant::open(&town.city, &town.operator, request("s-1")).await.expect("opened");
    let town = town.reopen().await;
    assert_eq!(*merchant::get(&town.city, shop.id).await.expect("there"), shop);
}
