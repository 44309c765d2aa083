//! A till scans a payment code: one code, one try, whatever comes of it.

use city::identity::{self, Merchant, Role};
use city::trade::{self, Charged, Status, TradeError};
use city::{books, wallet};
use kernel::ids::KeyId;

use crate::common::code;
use crate::{charge, order, paid, scan, square, waiting};

#[tokio::test]
async fn a_code_pays_once_and_a_till_may_ask_again() {
    let (town, shop, payer, phone) = square().await;
    let shown = phone.code();
    let first = paid(charge(&town.city, &shop, "A-1", 10_000, &shown).await);
    assert_eq!((first.amount, first.repeated), (town.money(10_000), false));
    // The answer was lost: the same till asks again, at once and when the code is long dead.
    for wait in [0, 300, 86_400] {
        town.pass(wait);
        let again = paid(charge(&town.city, &shop, "A-1", 10_000, &shown).await);
        assert_eq!((again.trade, again.at, again.repeated), (first.trade, first.at, true));
    }
    // However often, and for more than one trade: asking again is no guessing.
    let other = phone.code();
    paid(charge(&town.city, &shop, "other", 10_000, &other).await);
    town.pass(3_600);
    for (number, text) in [("A-1", &shown), ("other", &other)].into_iter().cycle().take(40) {
        assert!(paid(charge(&town.city, &shop, number, 10_000, text).await).repeated);
    }
    assert_eq!(code(charge(&town.city, &shop, "A-1", 9_999, &shown).await), "order_differs");
    paid(charge(&town.city, &shop, "A-2", 10_000, &phone.code()).await);
    assert_eq!(town.available(books::wallet(payer.id)).await, 970_000);
    assert_eq!(town.available(books::merchant(shop.id)).await, 3 * (10_000 - 38));
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_used_code_is_used_everywhere() {
    let (town, shop, payer, phone) = square().await;
    let other = town.shop("S-2").await;
    let node = town.node().await;
    let shown = phone.code();
    paid(charge(&town.city, &shop, "A-1", 100, &shown).await);
    assert_eq!(code(charge(&town.city, &shop, "A-2", 100, &shown).await), "payment_code_used");
    assert_eq!(code(charge(&town.city, &other, "B-1", 100, &shown).await), "payment_code_used");
    assert_eq!(code(charge(&node, &other, "B-2", 100, &shown).await), "payment_code_used");
    // The order is not lost: a fresh code pays it.
    town.pass(10);
    paid(charge(&town.city, &shop, "A-2", 100, &phone.code()).await);
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000 - 200);
}

/// Whatever a charge is refused for, its code is gone.
#[tokio::test]
async fn a_failed_try_uses_the_code_up() {
    let (town, shop, payer, phone) = square().await;
    let poor = town.resident("13800002222").await;
    let poor_phone = town.device(&poor).await;
    let known = town.resident("13800003333").await; // tier I
    let known_phone = town.device(&known).await;
    wallet::deposit(&town.city, &town.operator, known.id, town.money(300_000), "in").await.expect("booked");
    let to = wallet::Payee::Phone("13800002222".to_owned());
    wallet::transfer(&town.city, &known, &to, town.money(99_950), "k", None).await.expect("sent");
    wallet::withdraw(&town.city, &town.operator, poor.id, town.money(99_950), "out").await.expect("booked");
    trade::cancel(&town.city, &shop, "cancelled").await.expect("closed");
    let qr = order(&town, &shop, "paid", 100).await;
    scan(&town.city, &payer, &qr, "k").await.expect("paid by scanning");

    let poors = poor_phone.code();
    assert_eq!(code(charge(&town.city, &shop, "poor", 100, &poors).await), "insufficient_balance");
    assert_eq!(code(charge(&town.city, &shop, "poor", 100, &poor_phone.code()).await), "payment_code_used");
    assert_eq!(code(charge(&town.city, &shop, "capped", 100, &known_phone.code()).await), "cap_reached");
    assert_eq!(code(charge(&town.city, &shop, "small", 10, &known_phone.code()).await), "payment_code_used");
    assert_eq!(code(charge(&town.city, &shop, "cancelled", 100, &phone.code()).await), "trade_closed");
    assert_eq!(code(charge(&town.city, &shop, "next", 100, &phone.code()).await), "payment_code_used");
    town.pass(10);
    // A code scanned for what was paid already, by scanning: the shop is told, nobody pays twice.
    assert!(paid(charge(&town.city, &shop, "paid", 100, &phone.code()).await).repeated);
    assert_eq!(code(charge(&town.city, &shop, "next", 100, &phone.code()).await), "payment_code_used");
    town.pass(10);
    waiting(charge(&town.city, &shop, "much", 100_001, &phone.code()).await);
    assert_eq!(code(charge(&town.city, &shop, "next", 100, &phone.code()).await), "payment_code_used");
    // A top-up does not bring a used code back to life; a fresh code pays.
    wallet::deposit(&town.city, &town.operator, poor.id, town.money(100), "top").await.expect("booked");
    assert_eq!(code(charge(&town.city, &shop, "poor", 100, &poors).await), "payment_code_used");
    paid(charge(&town.city, &shop, "poor", 100, &poor_phone.code()).await);
    town.assert_conserved().await;
}

#[tokio::test]
async fn codes_that_are_none() {
    let (town, shop, payer, phone) = square().await;
    for (text, refused) in [
        ("", "payment_code_length"),
        ("81000000000000000x", "payment_code_digits"),
        ("280000000000000000", "payment_code_prefix"),
        ("810000000000000000", "payment_code_unknown"),
    ] {
        assert_eq!(code(charge(&town.city, &shop, "A-1", 100, text).await), refused, "{text}");
    }
    let old = phone.code();
    town.pass(70);
    assert_eq!(code(charge(&town.city, &shop, "A-1", 100, &old).await), "payment_code_expired");
    identity::revoke_device(&town.city, &payer, phone.device.id).await.expect("taken away");
    assert_eq!(code(charge(&town.city, &shop, "A-1", 100, &phone.code()).await), "payment_code_unknown");
    let viewer = Merchant { role: Role::Viewer, ..shop };
    assert_eq!(code(charge(&town.city, &viewer, "A-1", 100, &old).await), "forbidden");
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("the order").status, Status::Open);
}

/// A till that scans what nobody made is stopped; so is guessing at one phone from many tills.
#[tokio::test]
async fn guessing_is_stopped() {
    let (town, shop, _, phone) = square().await;
    for n in 0..10 {
        let guess = format!("81{n:08}00000000");
        let refused = code(charge(&town.city, &shop, "A-1", 100, &guess).await);
        assert_eq!(refused, "payment_code_unknown", "{n}");
    }
    assert_eq!(code(charge(&town.city, &shop, "A-1", 100, &phone.code()).await), "too_many_unknown_codes");
    town.pass(15 * 60);
    paid(charge(&town.city, &shop, "A-2", 100, &phone.code()).await);

    let locator = phone.code()[..10].to_owned();
    for n in 0..6 {
        let till = Merchant { key: KeyId::from_u128(100 + n), ..shop };
        let guess = format!("{locator}{n:08}");
        let wanted = if n < 5 { "payment_code_unknown" } else { "payment_code_blocked" };
        assert_eq!(code(charge(&town.city, &till, "A-3", 100, &guess).await), wanted, "{n}");
    }
    // The till's right code is refused as well until the phone's next epoch: nobody learns which it was.
    assert_eq!(code(charge(&town.city, &shop, "A-3", 100, &phone.code()).await), "payment_code_blocked");
    town.pass(300);
    paid(charge(&town.city, &shop, "A-3", 100, &phone.code()).await);
}

#[tokio::test]
async fn up_to_the_limit_at_once_above_it_waits() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 100_000, &phone.code()).await);
    town.pass(10);
    let shown = phone.code();
    let order = waiting(charge(&town.city, &shop, "A-2", 100_001, &shown).await);
    assert_eq!(order.payer, Some(payer.id));
    // The answer was lost: the same answer, also with a code that is dead by now.
    for wait in [0, 80] {
        town.pass(wait);
        assert_eq!(waiting(charge(&town.city, &shop, "A-2", 100_001, &shown).await), order);
    }
    assert_eq!(trade::query(&town.city, &shop, "A-2").await.expect("a trade").status, Status::Waiting);
    // Somebody else's code for it: the trade is not his, and his code is used up.
    let other = town.rich("13800002222", 500_000).await;
    let other_phone = town.device(&other).await;
    let refused = charge(&town.city, &shop, "A-2", 100_001, &other_phone.code()).await;
    assert_eq!(refused, Err(TradeError::NotForYou));
    assert_eq!(code(charge(&town.city, &shop, "A-3", 100, &other_phone.code()).await), "payment_code_used");
    town.pass(60);
    assert_eq!(code(charge(&town.city, &shop, "A-2", 100_001, &shown).await), "trade_closed");
    assert_eq!(trade::query(&town.city, &shop, "A-2").await.expect("a trade").status, Status::Closed);
    assert_eq!(town.available(books::wallet(payer.id)).await, 900_000);
}

/// A future until it was polled so often: then it is dropped, as a handler is when its client hangs up.
struct HangsUp<F> {
    inner: Option<std::pin::Pin<Box<F>>>,
    polls_left: usize,
}

impl<F: Future> Future for HangsUp<F> {
    type Output = Option<F::Output>;
    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        if self.polls_left == 0 {
            self.inner = None;
            return std::task::Poll::Ready(None);
        }
        self.polls_left -= 1;
        let inner = self.inner.as_mut().expect("not yet dropped").as_mut();
        let answer = inner.poll(cx).map(Some);
        if answer.is_pending() && self.polls_left == 0 {
            cx.waker().wake_by_ref();
        }
        answer
    }
}

/// A till hangs up at whatever point: a code that was used up has its order waiting, and the other way round.
#[tokio::test]
async fn a_till_that_hangs_up_leaves_nothing_half_done() {
    let (town, shop, payer, phone) = square().await;
    for polls in 1.. {
        town.pass(10);
        let (number, shown) = (format!("A-{polls}"), phone.code());
        let asked = charge(&town.city, &shop, &number, 200_000, &shown);
        let answer = HangsUp { inner: Some(Box::pin(asked)), polls_left: polls }.await;
        let done = answer.is_some();
        if let Some(answer) = answer {
            waiting(answer);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let status = trade::query(&town.city, &shop, &number).await.map(|trade| trade.status);
        let other = charge(&town.city, &shop, &format!("B-{polls}"), 100, &shown).await;
        let used = match other {
            Ok(Charged::Paid(_)) => false,
            other => {
                assert_eq!(code(other), "payment_code_used", "after {polls} polls");
                true
            }
        };
        assert_eq!(used, status == Ok(Status::Waiting), "after {polls} polls: {status:?}");
        if done {
            assert!(polls > 1, "nothing was cut short");
            break;
        }
    }
    assert!(town.available(books::wallet(payer.id)).await > 900_000, "only the second tries are paid");
}
