//! A thousand payments at once over one line, a tenth of everything failing: none is taken twice, and every one is final.

use channel::bank::counterpart::{Fault, Faults, Kind};
use channel::bank::line::BankDoor;
use channel::{Door as _, Meaning, Payment, Reply};

use super::fixture::{ASCII, book, both, nth, timed};

const COUNT: usize = 1_000;

/// How a payment ends, as a caller that follows the rules ends it; one that is not there is asked for `again` so often.
async fn finish(door: BankDoor, payment: Payment, mut again: u32) -> bool {
    let mut reply = door.pay(&payment).await;
    loop {
        reply = match reply {
            Reply::Said(()) | Reply::Meant(Meaning::Duplicate) => return true,
            // It never left: asked anew.
            Reply::NotSent(_) => door.pay(&payment).await,
            Reply::Meant(Meaning::Pending) | Reply::Silent(_) => match door.inquire(&payment).await {
                // Not there: asked anew, as the same payment.
                Reply::Meant(Meaning::Unknown) if again > 0 => {
                    again -= 1;
                    door.pay(&payment).await
                }
                // Still not: made sure that it never will be.
                Reply::Meant(Meaning::Unknown) => {
                    while door.reverse(&payment).await != Reply::Said(()) {}
                    return false;
                }
                Reply::Said(()) => return true,
                // An inquiry that is refused says nothing about the payment.
                _ => Reply::Silent("still not known".to_owned()),
            },
            Reply::Meant(_) => return false,
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_with_a_tenth_failing_are_all_final_and_none_is_taken_twice() {
    let among = vec![
        Fault::Slow,
        Fault::SilentAfter,
        Fault::SilentBefore,
        Fault::Twice,
        Fault::WrongMac,
        Fault::Malformed,
        Fault::Dropped,
        Fault::Refuse(Meaning::Refused),
        Fault::Refuse(Meaning::Pending),
        Fault::SignOff,
        Fault::CutOver,
        Fault::Skew,
    ];
    let faults = Faults {
        per_mille: 100,
        among,
        kinds: vec![Kind::Query, Kind::Pay, Kind::Inquire, Kind::Reverse],
        slow_ms: 1_500,
        ..Faults::default()
    };
    let dialect = timed(ASCII, 1_000, 60_000);
    let (bank, door) = both(&dialect, book(COUNT), faults).await;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..COUNT {
        let door = door.clone();
        all.spawn(async move { (n, finish(door, nth(n), if n % 2 == 0 { 0 } else { 5 }).await) });
    }
    let mut paid = Vec::new();
    let mut unpaid = Vec::new();
    let limit = std::time::Duration::from_mins(10);
    while let Some(ended) = tokio::time::timeout(limit, all.join_next()).await.expect("all are final") {
        let (n, taken) = ended.unwrap();
        if taken { paid.push(nth(n).id) } else { unpaid.push(n) }
    }
    paid.sort_unstable();
    let book = bank.book();
    let taken: Vec<_> = book.taken().into_iter().map(|payment| payment.id.clone()).collect();
    assert_eq!(taken, paid, "what we call paid is what they took");
    for n in 0..COUNT {
        let owed = book.query("330100", &format!("A{n}")).unwrap().len();
        assert_eq!(owed, usize::from(unpaid.contains(&n)), "account {n} owes what was not taken, once");
    }
    assert_eq!(paid.len() + unpaid.len(), COUNT);
    assert_eq!(door.health().under_way, 0);
    // The faults were there: connections lost, answers spoiled, payments taken back.
    drop(book);
    let (tally, heard) = (door.health().tally, bank.heard());
    assert!(
        tally.signed_on > 1 && tally.malformed + tally.unproved > 0 && heard["0420"] > 0,
        "{tally:?} {heard:?}"
    );
    assert!(!unpaid.is_empty() && paid.len() > COUNT / 4, "{} paid", paid.len());
}
