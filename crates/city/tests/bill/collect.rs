//! Collectors: who wins a bill, what is never lost, and what counts once.

use city::bill::advance::{self, PayAhead, Reason};
use city::bill::collect::{self, ClaimState, CollectorKind, Receipt, Wanted, WantedClaim};
use city::bill::pack::Name;
use city::bill::{self, BillView, Standing};
use city::books;
use city::identity::{Collector, Role};
use kernel::Clock as _;
use kernel::ids::BillerId;

use crate::common::{Town, code, race};
use crate::support::{POWER, one_bill, pay, shipped};

async fn collector(town: &Town, reference: &str, limit_minor: i64) -> Collector {
    let name = Name { zh: "工商银行柜面".to_owned(), en: "ICBC counters".to_owned() };
    let wanted = Wanted {
        reference: reference.to_owned(),
        kind: CollectorKind::Bank,
        name,
        billers: None,
        limit_minor,
    };
    let made = collect::register(&town.city, &town.operator, wanted).await.expect("a collector");
    Collector { id: made.id, role: Role::Staff }
}

fn wish(view: &BillView, reference: &str) -> WantedClaim {
    WantedClaim {
        bill: view.bill.id,
        quote: view.quote.id.clone(),
        amount_minor: None,
        reference: reference.to_owned(),
    }
}

fn receipt(town: &Town, biller: BillerId, reference: &str, bill_no: &str, amount_minor: i64) -> Receipt {
    Receipt {
        reference: reference.to_owned(),
        biller,
        account_no: POWER[0].to_owned(),
        bill_no: bill_no.to_owned(),
        amount_minor,
        taken_at: town.clock.now(),
    }
}

async fn held_for(town: &Town, biller: BillerId) -> i64 {
    town.available(books::advance(biller, POWER[0])).await
}

#[tokio::test]
async fn a_claim_is_confirmed_once_and_owed() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (city, bank) = (&town.city, collector(&town, "icbc", 50_000).await);
    let held = collect::claim(city, &bank, &wish(&view, "A1")).await.unwrap();
    assert_eq!(held.state, ClaimState::Held);
    assert_eq!(collect::claim(city, &bank, &wish(&view, "A1")).await.unwrap(), held);
    assert_eq!(code(collect::claim(city, &bank, &wish(&view, "A2")).await), "bill_claimed");
    let who = town.rich("13800000001", 50_000).await;
    assert_eq!(code(pay(&town, &who, view.bill.id).await), "bill_claimed");
    let other = collector(&town, "ccb", 50_000).await;
    assert_eq!(code(collect::get(city, &other, held.claim.id).await), "claim_unknown");
    assert_eq!(code(collect::confirm(city, &other, held.claim.id).await), "claim_unknown");
    let paid = collect::confirm(city, &bank, held.claim.id).await.unwrap();
    assert_eq!(paid.state, ClaimState::Paid);
    assert_eq!(collect::confirm(city, &bank, held.claim.id).await.unwrap().payment, paid.payment);
    assert_eq!(code(collect::cancel(city, &bank, held.claim.id).await), "claim_confirmed");
    let owes = collect::owes(city, bank.id).await.unwrap();
    assert_eq!((owes.owed_minor, owes.held_minor, owes.left_minor), (10_000, 0, 40_000));
    assert_eq!(town.available(books::biller(biller)).await, 10_000);
    for _ in 0..2 {
        let money = town.money(10_000);
        collect::settle_beside(city, &town.operator, bank.id, money, "wire-1", None).await.unwrap();
    }
    let owes = collect::owes(city, bank.id).await.unwrap();
    assert_eq!((owes.owed_minor, owes.left_minor), (0, 50_000));
    town.assert_conserved().await;
}

#[tokio::test]
async fn of_app_counter_and_provider_one_wins() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (bank, provider) = (collector(&town, "icbc", 500_000).await, collector(&town, "prov", 500_000).await);
    let who = town.rich("13800000001", 50_000).await;
    let quote = view.quote.id.clone();
    let ends = race(24, |i| {
        let (city, view, quote) = (town.city.clone(), view.clone(), quote.clone());
        async move {
            match i % 3 {
                0 => {
                    let wish = bill::PayBill {
                        bill: view.bill.id,
                        quote,
                        amount_minor: None,
                        pin: None,
                        request_id: Some(format!("app-{i}")),
                    };
                    bill::pay(&city, &who, wish).await.is_ok()
                }
                n => {
                    let by = if n == 1 { bank } else { provider };
                    let Ok(held) = collect::claim(&city, &by, &wish(&view, &format!("R{i}"))).await else {
                        return false;
                    };
                    let end = collect::confirm(&city, &by, held.claim.id).await.unwrap();
                    end.state == ClaimState::Paid
                }
            }
        }
    })
    .await;
    assert_eq!(ends.iter().filter(|won| **won).count(), 1, "{ends:?}");
    assert_eq!(town.available(books::biller(biller)).await, 10_000);
    assert_eq!(collect::resume(&town.city).await.unwrap(), 0);
    town.assert_conserved().await;
}

#[tokio::test]
async fn money_that_comes_late_pays_or_is_held() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (city, bank) = (&town.city, collector(&town, "icbc", 500_000).await);
    let held = collect::claim(city, &bank, &wish(&view, "A1")).await.unwrap();
    town.pass(600);
    assert_eq!(collect::get(city, &bank, held.claim.id).await.unwrap().state, ClaimState::Lapsed);
    let ends = race(8, |_| {
        let (city, id) = (city.clone(), held.claim.id);
        async move { collect::confirm(&city, &bank, id).await.unwrap().state }
    })
    .await;
    assert!(ends.contains(&ClaimState::Paid), "{ends:?}");
    assert_eq!(collect::resume(city).await.unwrap(), 0);
    assert_eq!(town.available(books::biller(biller)).await, 10_000);

    // Another bill: the claim runs out, somebody else pays, then the counter confirms.
    let file = crate::support::power_file(&[(POWER[0], "B2", "20.00")]);
    crate::support::import(&town, biller, file.as_bytes()).await.unwrap();
    let views = bill::fetch(city, biller, POWER[0]).await.unwrap();
    let view = views.into_iter().find(|v| v.bill.bill_no == "B2").unwrap();
    let late = collect::claim(city, &bank, &wish(&view, "A2")).await.unwrap();
    town.pass(600);
    let who = town.rich("13800000001", 50_000).await;
    pay(&town, &who, view.bill.id).await.unwrap();
    race(8, |_| {
        let (city, id) = (city.clone(), late.claim.id);
        async move { drop(collect::confirm(&city, &bank, id).await.unwrap()) }
    })
    .await;
    let end = collect::get(city, &bank, late.claim.id).await.unwrap();
    assert_eq!((end.state, end.reason), (ClaimState::Advance, Some(Reason::Late)));
    assert_eq!(held_for(&town, biller).await, 2_000);
    assert_eq!(collect::owes(city, bank.id).await.unwrap().owed_minor, 12_000);

    // Given back to the collector, once, by any number at once.
    let payment = end.payment.unwrap();
    let backs = race(6, |_| {
        let (city, by, money) = (city.clone(), town.operator, town.money(2_000));
        async move { advance::give_back_beside(&city, &by, payment, money, None).await.unwrap().repeated }
    })
    .await;
    assert_eq!(backs.iter().filter(|repeated| !**repeated).count(), 1);
    assert_eq!(held_for(&town, biller).await, 0);
    assert_eq!(collect::owes(city, bank.id).await.unwrap().owed_minor, 10_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn receipts_pay_or_say_why_not() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (city, bank) = (&town.city, collector(&town, "icbc", 100_000).await);
    let cases = [
        ("R1", "B9", 700, ClaimState::Advance, Some(Reason::UnknownBill)),
        ("R2", "B1", 9_999, ClaimState::Advance, Some(Reason::LessThanDue)),
        ("R3", "B1", 10_001, ClaimState::Advance, Some(Reason::MoreThanDue)),
        ("R4", "B1", 10_000, ClaimState::Paid, None),
        ("R5", "B1", 10_000, ClaimState::Advance, Some(Reason::Twice)),
    ];
    for _ in 0..2 {
        for (reference, bill_no, amount, state, reason) in cases {
            let wanted = receipt(&town, biller, reference, bill_no, amount);
            let end = collect::receive(city, &bank, &wanted).await.unwrap();
            assert_eq!((end.state, end.reason), (state, reason), "{reference}");
        }
    }
    assert_eq!(held_for(&town, biller).await, 700 + 9_999 + 10_001 + 10_000);
    assert!(matches!(bill::bill(city, view.bill.id).await.unwrap().standing, Standing::Settled(_)));
    let other = receipt(&town, biller, "R4", "B1", 1);
    assert_eq!(code(collect::receive(city, &bank, &other).await), "collector_reference_used");
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_beyond_the_limit_waits_and_is_not_lost() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (city, bank) = (&town.city, collector(&town, "icbc", 9_999).await);
    assert_eq!(code(collect::claim(city, &bank, &wish(&view, "A1")).await), "collector_limit_reached");
    let wanted = receipt(&town, biller, "R1", "B1", 10_000);
    assert_eq!(collect::receive(city, &bank, &wanted).await.unwrap().state, ClaimState::Waiting);
    assert_eq!(collect::resume(city).await.unwrap(), 1);
    collect::set_limit(city, &town.operator, bank.id, 20_000).await.unwrap();
    let town = town.reopen().await;
    assert_eq!(collect::resume(&town.city).await.unwrap(), 0);
    assert_eq!(collect::owes(&town.city, bank.id).await.unwrap().left_minor, 10_000);
    let lower = collect::set_limit(&town.city, &town.operator, bank.id, 9_000).await;
    assert_eq!(code(lower), "collector_limit_in_use");
    collect::set_limit(&town.city, &town.operator, bank.id, 10_000).await.unwrap();
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_cancelled_claim_frees_the_bill() {
    let town = Town::new().await;
    let (_, view) = one_bill(&town).await;
    let (city, bank) = (&town.city, collector(&town, "icbc", 100_000).await);
    let held = collect::claim(city, &bank, &wish(&view, "A1")).await.unwrap();
    for _ in 0..2 {
        let end = collect::cancel(city, &bank, held.claim.id).await.unwrap();
        assert_eq!(end.state, ClaimState::Cancelled);
    }
    assert_eq!(code(collect::confirm(city, &bank, held.claim.id).await), "claim_cancelled");
    let who = town.rich("13800000001", 50_000).await;
    pay(&town, &who, view.bill.id).await.unwrap();
    assert_eq!(collect::owes(city, bank.id).await.unwrap().left_minor, 100_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_resident_pays_ahead_where_the_pack_allows_it() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let (city, who) = (&town.city, town.rich("13800000001", 50_000).await);
    let wish = |amount: i64, key: &str| PayAhead {
        biller,
        account_no: POWER[0].to_owned(),
        amount: town.money(amount),
        pin: None,
        key: key.to_owned(),
    };
    assert_eq!(code(advance::pay_ahead(city, &who, &wish(15_000, "k1")).await), "advance_not_taken");
    let text = shipped("330100/hz-power").text.replacen("[bills]", "[bills]\nadvance = true", 1);
    bill::add_pack(city, &town.operator, &text).await.unwrap();
    let paid = advance::pay_ahead(city, &who, &wish(15_000, "k1")).await.unwrap();
    assert!(advance::pay_ahead(city, &who, &wish(15_000, "k1")).await.unwrap().repeated);
    assert_eq!(held_for(&town, biller).await, 15_000);
    assert_eq!(code(advance::pay_from(city, &who, view.bill.id).await), "bill_account_not_kept");
    bill::saved::save(city, &who, biller, POWER[0], None, false).await.unwrap();
    advance::pay_from(city, &who, view.bill.id).await.unwrap();
    assert_eq!(town.available(books::biller(biller)).await, 10_000);
    let stranger = town.rich("13800000002", 100).await;
    assert_eq!(code(advance::take_back(city, &stranger, paid.payment).await), "advance_unknown");
    let back = advance::take_back(city, &who, paid.payment).await.unwrap();
    assert_eq!((back.amount.minor, back.repeated), (5_000, false));
    assert!(advance::take_back(city, &who, paid.payment).await.unwrap().repeated);
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
    let seen = advance::advance(city, biller, POWER[0], None, 10).await.unwrap();
    assert_eq!((seen.available_minor, seen.movements.len()), (0, 3));
    town.assert_conserved().await;
}
