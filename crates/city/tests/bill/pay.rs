//! pay: one claim, one settlement, whoever tries; every refusal changes nothing.

use city::bill::{self, PayState, Standing};
use city::books;

use crate::common::Town;
use crate::support::{one_bill, pay};

#[tokio::test]
async fn a_bill_is_fetched_paid_and_remembered() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    assert_eq!(view.standing, Standing::Open);
    assert_eq!(view.quote.total_minor, 10_000);
    let who = town.rich("13800000001", 50_000).await;

    let paid = pay(&town, &who, view.bill.id).await.unwrap();
    assert_eq!((paid.state, paid.repeated), (PayState::Settled, false));
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
    assert_eq!(town.available(books::biller(biller)).await, 10_000);

    let now = bill::bill(&town.city, view.bill.id).await.unwrap();
    assert_eq!(now.standing, Standing::Settled(paid.settled));
    let (history, next) = bill::history(&town.city, &who, None, 10).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].settled, &history[0].bill), (paid.settled, &view.bill));
    assert_eq!(next, None);
    let receipt = bill::receipt(&town.city, &who, paid.settled.payment).await.unwrap();
    assert_eq!(receipt.settled, paid.settled);
    town.assert_conserved().await;
}
