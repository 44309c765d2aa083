//! The balance is what the ledger says.

use city::{books, merchant};
use ledger::{CreateTransferStatus, Transfer, TransferFlags};

use crate::common::Town;

#[tokio::test]
async fn available_and_reserved() {
    let town = Town::new().await;
    let shop = town.shop("s-1").await;
    let (bank, account) = (books::bank_clearing(town.city.settings.currency), books::merchant(shop.id));
    let currency = town.city.settings.currency;
    let balance = async || {
        let balance = merchant::balance(&town.city, &shop).await.expect("a balance");
        (balance.available.minor, balance.reserved.minor)
    };
    assert_eq!(balance().await, (0, 0));
    let paid = books::transfer(1, bank, account, 10_000, currency, books::transfer_code::TRADE_PAYMENT);
    let held = Transfer {
        flags: TransferFlags::Pending,
        ..books::transfer(2, account, bank, 4_000, currency, books::transfer_code::MERCHANT_SETTLEMENT)
    };
    for transfer in [paid, held] {
        let done = town.city.ledger.create_transfers(vec![transfer]).await.expect("an answer");
        assert_eq!(done[0].status, CreateTransferStatus::Created);
    }
    assert_eq!(balance().await, (6_000, 4_000));
    town.assert_conserved().await;
}
