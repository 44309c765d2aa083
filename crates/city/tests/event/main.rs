//! Live events and webhooks, through verbs, routes and a real HTTP receiver. Payments are transfers
//! made in the ledger directly, as every slice's are; one test runs the real trades.

#[path = "../common/mod.rs"]
mod common;

mod endpoints;
mod http;
mod live;
mod nodes;
mod order;
mod receiver;
mod replay;
mod retry;
mod signature;
mod tls;
mod trades;

use std::sync::Arc;
use std::time::Duration;

use city::books::{self, transfer_code};
use city::identity::{FileSender, Merchant};
use city::{City, event};
use kernel::OsRng;
use kernel::ids::{MerchantId, TradeId};
use ledger::{CreateTransferStatus, Transfer};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use common::Town;

/// A node whose followers and worker run, and which may send webhooks to this machine.
pub struct Node {
    /// What it serves.
    pub city: City,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// One at work.
    pub async fn start(town: &Town) -> Node {
        let node = Node::idle(town).await;
        let tasks = event::start(&node.city, &node.stop.subscribe());
        Node { tasks, ..node }
    }

    /// One that does nothing beside requests.
    pub async fn idle(town: &Town) -> Node {
        let mut settings = town.city.settings.clone();
        settings.webhook_private = true;
        let sender = Arc::new(FileSender::new(town.dir.path().join("messages.jsonl")));
        let (store, ledger) = (town.city.store.clone(), town.city.ledger.clone());
        let city = City::open(store, ledger, town.clock.clone(), Arc::new(OsRng), settings, sender)
            .await
            .expect("a node");
        Node { city, stop: watch::channel(false).0, tasks: Vec::new() }
    }

    /// Stops as the server does.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            task.await.expect("no panic");
        }
    }

    /// As a crash would: nothing is finished.
    pub async fn kill(self) {
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// The trade of this number.
pub fn trade(n: u128) -> TradeId {
    TradeId::derive(&[b"test", &n.to_be_bytes()])
}

async fn create(city: &City, transfer: Transfer) -> u64 {
    let done = city.ledger.create_transfers(vec![transfer]).await.expect("an answer");
    assert_eq!(done[0].status, CreateTransferStatus::Created);
    done[0].timestamp
}

/// Pays `minor` for trade `n`; answers with the ledger timestamp.
pub async fn pay(city: &City, shop: MerchantId, n: u128, minor: i64) -> u64 {
    let currency = city.settings.currency;
    let bank = books::bank_clearing(currency);
    let id = trade(n).as_u128();
    let main =
        books::transfer(id, bank, books::merchant(shop), minor, currency, transfer_code::TRADE_PAYMENT);
    create(city, Transfer { user_data_128: id, ..main }).await
}

/// Refunds `minor` of trade `n` under refund id `refund`.
pub async fn refund(city: &City, shop: MerchantId, n: u128, refund: u128, minor: i64) -> u64 {
    let currency = city.settings.currency;
    let bank = books::bank_clearing(currency);
    let main =
        books::transfer(refund, books::merchant(shop), bank, minor, currency, transfer_code::TRADE_REFUND);
    create(city, Transfer { user_data_128: trade(n).as_u128(), ..main }).await
}

/// Closes trade `n` unpaid.
pub async fn close(city: &City, shop: MerchantId, n: u128) -> u64 {
    let id = trade(n).as_u128();
    let marker = books::marker(id, transfer_code::TRADE_CLOSED);
    create(city, Transfer { user_data_128: id, user_data_64: books::merchant_tag(shop), ..marker }).await
}

/// An endpoint of the shop at `url`: its id and secret.
pub async fn hook(city: &City, shop: &Merchant, url: &str) -> (kernel::ids::EndpointId, String) {
    let (endpoint, secret) = event::create_endpoint(city, shop, url, &[]).await.expect("an endpoint");
    (endpoint.id, secret)
}

/// Waits until it is so, for ten seconds of real time at most.
pub async fn eventually<F: Future<Output = bool>>(what: &str, so: impl Fn() -> F) {
    for _ in 0..1_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happened: {what}");
}
