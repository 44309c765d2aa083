//! Trades through their verbs and their routes: one file per verb, races in a file of their own.

#[path = "../common/mod.rs"]
mod common;

mod cancel;
mod charge;
mod confirm;
mod http;
mod list;
mod nodes;
mod pay;
mod payment;
mod precreate;
mod races;
mod reconcile;
mod refund;
mod scan;
mod statement;
mod takings;

use city::City;
use city::identity::{Merchant, Resident};
use city::trade::{self, Charge, Charged, Paid, Pay, Precreate, Refund, Refunded, TradeError};
use common::{Phone, Town};
use kernel::Money;

/// What an order of this number and amount asks for.
fn wanted(city: &City, order_no: &str, minor: i64) -> Precreate {
    Precreate {
        order_no: order_no.to_owned(),
        amount: Money::new(minor, city.settings.currency),
        subject: Some("面".to_owned()),
        till: None,
        expires_in_s: None,
    }
}

/// A new order: the text of its code.
async fn order(town: &Town, shop: &Merchant, order_no: &str, minor: i64) -> String {
    trade::precreate(&town.city, shop, wanted(&town.city, order_no, minor)).await.expect("an order").qr
}

/// Pays a code, without amount or PIN; `key` is the client's.
async fn scan(city: &City, who: &Resident, code: &str, key: &str) -> Result<Paid, TradeError> {
    let pay = Pay { code: code.to_owned(), amount: None, pin: None, coupon: None, key: key.to_owned() };
    trade::pay(city, who, pay).await
}

/// Charges a payment code.
async fn charge(
    city: &City,
    shop: &Merchant,
    order_no: &str,
    minor: i64,
    payment_code: &str,
) -> Result<Charged, TradeError> {
    let Precreate { order_no, amount, subject, till, .. } = wanted(city, order_no, minor);
    let request = Charge { order_no, amount, subject, till, payment_code: payment_code.to_owned() };
    trade::charge(city, shop, request).await
}

/// The payment of a charge.
fn paid(charged: Result<Charged, TradeError>) -> Paid {
    match charged.expect("charged") {
        Charged::Paid(paid) => paid,
        Charged::Waiting(order) => panic!("{} waits for a PIN", order.order_no),
    }
}

/// The order that a charge lets wait.
fn waiting(charged: Result<Charged, TradeError>) -> trade::Order {
    match charged.expect("charged") {
        Charged::Waiting(order) => order,
        Charged::Paid(paid) => panic!("{} is paid", paid.trade),
    }
}

async fn refund(
    city: &City,
    shop: &Merchant,
    order_no: &str,
    refund_no: &str,
    minor: i64,
) -> Result<Refunded, TradeError> {
    let amount = Money::new(minor, city.settings.currency);
    let request = Refund { order_no: order_no.to_owned(), refund_no: refund_no.to_owned(), amount };
    trade::refund(city, shop, request).await
}

/// A town with a shop, and a payer with ¥10,000 and a phone.
async fn square() -> (Town, Merchant, Resident, Phone) {
    let town = Town::new().await;
    let shop = town.shop("S-1").await;
    let payer = town.rich("13800001111", 1_000_000).await;
    let phone = town.device(&payer).await;
    (town, shop, payer, phone)
}
