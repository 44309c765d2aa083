//! The history: newest first, every movement once, page by page.

use city::wallet::{self, Entry, Payee};

use crate::common::Town;

/// Every page from the newest on, `limit` a page.
async fn pages(town: &Town, who: &city::identity::Resident, limit: u32) -> Vec<Vec<Entry>> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let (page, next) = wallet::history(&town.city, who, before, limit).await.expect("a page");
        pages.push(page);
        match next {
            None => return pages,
            Some(_) => before = next,
        }
        assert!(pages.len() < 100, "the history has an end");
    }
}

#[tokio::test]
async fn pages_hold_every_movement_once_newest_first() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10_000).await;
    let hua = town.rich("13800002222", 10_000).await;
    for n in 0..9 {
        let (from, to) = if n % 3 == 0 { (&hua, "13800001111") } else { (&ming, "13800002222") };
        let (to, amount) = (Payee::Phone(to.to_owned()), town.money(n + 1));
        town.pass(u64::from(n % 2 == 0));
        wallet::transfer(&town.city, from, &to, amount, &format!("key-{n}"), None).await.expect("sent");
    }
    wallet::withdraw(&town.city, &town.operator, ming.id, town.money(77), "out").await.expect("booked");
    let (all, end) = wallet::history(&town.city, &ming, None, 200).await.expect("a page");
    assert_eq!(end, None);
    let told: Vec<_> = all.iter().map(|e| (e.kind, e.incoming, e.amount.minor)).collect();
    let sent = (0..9).rev().map(|n| ("transfer", n % 3 == 0, n + 1));
    let mut wanted = vec![("withdrawal", false, 77)];
    wanted.extend(sent);
    wanted.push(("deposit", true, 10_000));
    assert_eq!(told, wanted);
    assert!(all.windows(2).all(|w| w[0].cursor > w[1].cursor && w[0].at >= w[1].at));
    for limit in [1, 2, 3, 10, 11, 12] {
        let pages = pages(&town, &ming, limit).await;
        let size = usize::try_from(limit).expect("small");
        assert!(pages.iter().all(|page| page.len() <= size && !page.is_empty()), "limit {limit}");
        assert_eq!(pages.concat(), all, "limit {limit}");
    }
}

#[tokio::test]
async fn odd_cursors_end_and_do_not_hang() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10_000).await;
    for before in [Some(0), Some(1), Some(2), Some(u64::MAX)] {
        let (page, next) = wallet::history(&town.city, &ming, before, 50).await.expect("a page");
        assert!(next.is_none() && page.len() <= 1, "{before:?}");
    }
    // A page of nothing is a page of one: asking for none must not ask for ever.
    let (page, _) = wallet::history(&town.city, &ming, None, 0).await.expect("a page");
    assert_eq!(page.len(), 1);
    let new = town.resident("13800002222").await;
    assert_eq!(wallet::history(&town.city, &new, None, 50).await.expect("a page"), (vec![], None));
}
