//! reconcile: the settlement file's bytes, the payout, and planted breaks: all found, none invented.

use std::fmt::Write as _;

use city::bill::reconcile::rules::{BreakCode, Source};
use city::bill::reconcile::{self, Totals};
use city::bill::{self, Pack, PayBill};
use city::books;
use city::identity::{Biller, Operator, Resident, Role};
use kernel::Date;
use kernel::ids::BillerId;

use crate::common::{Town, code};
use crate::support::{POWER, import, pay, power_file, shipped};

const DAY: u64 = 86_400;

fn monday() -> Date {
    Date::new(2026, 3, 2).unwrap()
}

/// A town where one resident paid `count` power bills of ¥10.00, ¥11.00 … on Monday, and it is Tuesday.
async fn paid_monday(count: i64) -> (Town, BillerId, Resident, Vec<String>) {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let rows: Vec<(String, String)> =
        (0..count).map(|i| (format!("B{i}"), format!("{}.00", 10 + i))).collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(no, yuan)| (POWER[0], no.as_str(), yuan.as_str())).collect();
    import(&town, biller, power_file(&rows).as_bytes()).await.unwrap();
    let who = town.rich("13800000001", 5_000_000).await;
    let mut bills = bill::fetch(&town.city, biller, POWER[0]).await.unwrap();
    bills.sort_by_key(|view| view.bill.amount_minor);
    let mut references = Vec::new();
    for view in bills {
        town.pass(1);
        references.push(pay(&town, &who, view.bill.id).await.unwrap().settled.payment.to_string());
    }
    town.pass(DAY);
    (town, biller, who, references)
}

#[tokio::test]
async fn the_settlement_file_is_the_ledgers_day_and_never_changes() {
    let (town, biller, who, references) = paid_monday(3).await;
    let file = reconcile::settlement_file(&town.city, biller, monday()).await.unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    let expected = format!(
        "支付流水|户号|账单号|账期|金额|违约金|手续费|净额|支付日\n\
         {}|{a}|B0|202602|10.00|0.00|0.01|9.99|2026-03-02\n\
         {}|{a}|B1|202602|11.00|0.00|0.01|10.99|2026-03-02\n\
         {}|{a}|B2|202602|12.00|0.00|0.01|11.99|2026-03-02\n\
         TOTAL|3|33.00\n",
        references[0],
        references[1],
        references[2],
        a = POWER[0]
    );
    assert_eq!(text, expected);

    // Payments of another day and a restart change nothing.
    import(&town, biller, power_file(&[(POWER[1], "C", "7.00")]).as_bytes()).await.unwrap();
    let other = bill::fetch(&town.city, biller, POWER[1]).await.unwrap().remove(0);
    pay(&town, &who, other.bill.id).await.unwrap();
    let town = town.reopen().await;
    assert_eq!(reconcile::settlement_file(&town.city, biller, monday()).await.unwrap(), file);
}

#[tokio::test]
async fn every_shipped_pack_writes_a_file_that_its_returned_layout_reads() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 90_000_000).await;
    let samples = [
        ("330100/hz-power", "330100/samples/hz-power-202602.txt"),
        ("330100/hz-water", "330100/samples/hz-water-202602.dat"),
        ("330100/hz-gas", "330100/samples/hz-gas-202602.csv"),
        ("330100/hz-traffic", "330100/samples/hz-traffic-202602.dat"),
        ("310100/sh-power", "310100/samples/sh-power-202602.txt"),
        ("310100/sh-water", "310100/samples/sh-water-202602.dat"),
        ("310100/sh-broadband", "310100/samples/sh-broadband-202602.csv"),
        ("310100/sh-property", "310100/samples/sh-property-202602.txt"),
    ];
    let mut packs: Vec<Pack> = Vec::new();
    for (path, sample) in samples {
        let pack = shipped(path);
        let sample = crate::support::packs_dir().join(sample);
        bill::import_path(&town.city, pack.biller, &sample, "sample", |_| {}).await.unwrap();
        let account = crate::support::first_account(&pack, &sample);
        for view in bill::fetch(&town.city, pack.biller, &account).await.unwrap() {
            let request = PayBill {
                bill: view.bill.id,
                quote: view.quote.id,
                amount_minor: None,
                pin: None,
                request_id: None,
            };
            bill::pay(&town.city, &who, request).await.unwrap();
        }
        packs.push(pack);
    }
    town.pass(DAY);
    for pack in packs {
        let file = reconcile::settlement_file(&town.city, pack.biller, monday()).await.unwrap();
        let settlement = reconcile::settlement(&town.city, pack.biller, monday()).await.unwrap();
        let biller = Biller { id: pack.biller, role: Role::Staff };
        if pack.spec.settlement.returned.is_none() {
            let totals = reconcile::put_biller_file(&town.city, &biller, monday(), file).await.unwrap();
            let expected =
                Totals { count: settlement.payments.len() as u64, amount_minor: settlement.gross_minor };
            assert_eq!(totals, expected, "{}", pack.spec.id);
        }
        assert!(!settlement.payments.is_empty());
        let report = reconcile::run(&town.city, &town.operator, pack.biller, monday()).await.unwrap();
        assert_eq!((report.breaks, report.payout_minor), (0, settlement.net_minor), "{}", pack.spec.id);
    }
    town.assert_conserved().await;
}

/// A bank statement of these lines.
fn statement(lines: &[(String, i64)]) -> Vec<u8> {
    let yuan = |fen: i64| kernel::Money::fen(fen).amount();
    let mut text = String::from("reference,amount,date\n");
    for (reference, fen) in lines {
        writeln!(text, "{reference},{},2026-03-02", yuan(*fen)).unwrap();
    }
    writeln!(text, "TOTAL,{},{}", lines.len(), yuan(lines.iter().map(|l| l.1).sum())).unwrap();
    text.into_bytes()
}

#[tokio::test]
async fn planted_breaks_are_all_found_and_none_invented() {
    let (town, biller, who, refs) = paid_monday(6).await;
    // One more on Tuesday, which the bank books on Monday.
    import(&town, biller, power_file(&[(POWER[1], "C", "7.00")]).as_bytes()).await.unwrap();
    let tuesday = bill::fetch(&town.city, biller, POWER[1]).await.unwrap().remove(0);
    let late = pay(&town, &who, tuesday.bill.id).await.unwrap().settled.payment.to_string();

    // The biller returns the file as it was.
    let file = reconcile::settlement_file(&town.city, biller, monday()).await.unwrap();
    let own = Biller { id: biller, role: Role::Staff };
    reconcile::put_biller_file(&town.city, &own, monday(), file).await.unwrap();
    let clean = reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
    assert_eq!((clean.breaks, clean.matched, clean.ledger.count), (0, 6, 6));
    assert_eq!(reconcile::breaks(&town.city, biller, monday(), 0, 100).await.unwrap(), []);

    // The bank: 0 right, 1 wrong amount, 2 twice, 3 missing, 4 and 5 right, one of Tuesday, one of nobody.
    let stranger = kernel::ids::PaymentId::from_u128(5).to_string();
    let lines = vec![
        (refs[0].clone(), 1_000),
        (refs[1].clone(), 1_101),
        (refs[2].clone(), 1_200),
        (refs[2].clone(), 1_200),
        (refs[4].clone(), 1_400),
        (refs[5].clone(), 1_500),
        (late.clone(), 700),
        (stranger.clone(), 99),
        ("no-reference-of-ours".to_owned(), 1),
    ];
    reconcile::put_bank_file(&town.city, &town.operator, biller, monday(), statement(&lines)).await.unwrap();
    let report = reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
    let found = reconcile::breaks(&town.city, biller, monday(), 0, 100).await.unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|(_, b)| (b.source, b.code, b.code.remedy(b.source), b.reference, b.ours_minor, b.theirs_minor))
        .collect();
    let bank = Source::Bank;
    assert_eq!(
        found,
        [
            (bank, BreakCode::AmountDiffers, "correct_to_ledger", refs[1].clone(), Some(1_100), Some(1_101)),
            (bank, BreakCode::Duplicate, "strike_repetition", refs[2].clone(), Some(1_200), Some(1_200)),
            (bank, BreakCode::Late, "move_to_its_day", late, Some(700), Some(700)),
            (bank, BreakCode::MissingHere, "bank_proves_or_returns", stranger, None, Some(99)),
            (
                bank,
                BreakCode::MissingHere,
                "bank_proves_or_returns",
                "no-reference-of-ours".into(),
                None,
                Some(1)
            ),
            (bank, BreakCode::MissingThere, "ask_bank_to_trace", refs[3].clone(), Some(1_300), None),
        ]
    );
    assert_eq!((report.breaks, report.matched), (6, 3));
    assert_eq!(report.banks, Some(Totals { count: 9, amount_minor: 8_201 }));
    assert_eq!(reconcile::report(&town.city, biller, monday()).await.unwrap(), report);
    // Put right, it matches; the payout was booked once over all runs.
    let right: Vec<_> = refs.iter().cloned().zip((0..).map(|i| 1_000 + 100 * i)).collect();
    reconcile::put_bank_file(&town.city, &town.operator, biller, monday(), statement(&right)).await.unwrap();
    let report = reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
    assert_eq!((report.breaks, report.matched), (0, 6));
    let gross = 1_000 + 1_100 + 1_200 + 1_300 + 1_400 + 1_500;
    let fees = 1 + 1 + 1 + 1 + 1 + 2;
    assert_eq!((report.ledger.amount_minor, report.fee_minor), (gross, fees));
    assert_eq!((report.payout_minor, report.payout_on.as_str()), (gross - fees, "2026-03-03"));
    assert_eq!(town.available(books::biller(biller)).await, 700);
    assert_eq!(town.available(books::fees(town.city.settings.currency)).await, fees);
    town.assert_conserved().await;
}

#[tokio::test]
async fn refusals_change_nothing() {
    let (town, biller, ..) = paid_monday(1).await;
    let own = Biller { id: biller, role: Role::Staff };
    let put = async |text: &str| {
        let bytes = text.as_bytes().to_vec();
        code(reconcile::put_bank_file(&town.city, &town.operator, biller, monday(), bytes).await)
    };
    assert_eq!(put("reference,amount,date\n").await, "file_totals_missing");
    assert_eq!(put("reference,amount,date\nx,1.00,2026-03-02\nTOTAL,2,1.00\n").await, "file_count_differs");
    assert_eq!(put("reference,amount,date\nx,1.00,2026-03-02\nTOTAL,1,2.00\n").await, "file_sum_differs");
    assert_eq!(
        put("reference,amount,date\nx,one,2026-03-02\nTOTAL,1,0.00\n").await,
        "returned_line_malformed"
    );
    assert_eq!(
        put("reference,amount,date\n,1.00,2026-03-02\nTOTAL,1,1.00\n").await,
        "returned_line_malformed"
    );

    let city = &town.city;
    let tuesday = Date::new(2026, 3, 3).unwrap();
    let viewer = Biller { role: Role::Viewer, ..own };
    let looker = Operator { role: Role::Viewer, ..town.operator };
    let nobody = BillerId::from_u128(9);
    assert_eq!(code(reconcile::day("2026-3-2")), "day_malformed");
    assert_eq!(code(reconcile::day("20260302")), "day_malformed");
    assert_eq!(code(reconcile::settlement_file(city, biller, tuesday).await), "day_not_over");
    assert_eq!(code(reconcile::run(city, &town.operator, biller, tuesday).await), "day_not_over");
    assert_eq!(code(reconcile::run(city, &looker, biller, monday()).await), "forbidden");
    assert_eq!(code(reconcile::put_biller_file(city, &viewer, monday(), vec![]).await), "forbidden");
    assert_eq!(code(reconcile::put_bank_file(city, &looker, biller, monday(), vec![]).await), "forbidden");
    assert_eq!(code(reconcile::settlement(city, nobody, monday()).await), "biller_unknown");
    assert_eq!(code(reconcile::report(city, biller, monday()).await), "not_reconciled");
    assert_eq!(code(reconcile::breaks(city, biller, monday(), 0, 1).await), "not_reconciled");
    // A day without payments closes without a payout.
    let sunday = Date::new(2026, 3, 1).unwrap();
    let report = reconcile::run(city, &town.operator, biller, sunday).await.unwrap();
    assert_eq!((report.payout, report.ledger, report.breaks), (None, Totals::default(), 0));
    // A gross biller is paid in full; the fee is invoiced.
    assert_eq!(town.available(books::biller(biller)).await, 1_000);
}

#[tokio::test]
async fn terms_that_change_after_the_payout_are_a_break_and_change_no_money() {
    let (town, biller, ..) = paid_monday(2).await;
    let first = reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
    assert_eq!((first.payout_minor, first.fee_minor, first.breaks), (2_098, 2, 0));
    let booked = town.available(books::biller(biller)).await;
    let old = shipped("330100/hz-power").text;
    for (from, to, theirs) in
        [("fee_bps = 10", "fee_bps = 1000", 1_890), ("method = \"net\"", "method = \"gross\"", 2_100)]
    {
        let text = old.replace(from, to);
        assert_ne!(text, old, "{from}");
        bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
        let again = reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
        assert_eq!((again.payout_minor, again.fee_minor, again.method), (2_098, 2, first.method));
        assert_eq!((again.payout, again.breaks, again.matched), (first.payout, 1, first.matched));
        let found = reconcile::breaks(&town.city, biller, monday(), 0, 9).await.unwrap().remove(0).1;
        assert_eq!((found.source, found.code), (Source::Terms, BreakCode::PayoutDiffers));
        assert_eq!(found.code.remedy(found.source), "settle_difference_with_biller");
        assert_eq!((found.ours_minor, found.theirs_minor), (Some(2_098), Some(theirs)));
        assert_eq!(town.available(books::biller(biller)).await, booked);
    }
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_node_whose_clock_is_ahead_closes_no_day() {
    let (town, biller, ..) = paid_monday(1).await;
    let tuesday = Date::new(2026, 3, 3).unwrap();
    let (ledger, store) = (town.city.ledger.clone(), town.city.store.clone());
    let ahead = std::sync::Arc::new(kernel::ManualClock::new(crate::common::monday()));
    ahead.advance(std::time::Duration::from_secs(3 * DAY));
    let (rng, settings) = (std::sync::Arc::new(kernel::OsRng), town.city.settings.clone());
    let sender = std::sync::Arc::new(city::identity::ConsoleSender);
    let ahead = city::City::open(store, ledger, ahead, rng, settings, sender).await.unwrap();
    assert_eq!(code(reconcile::settlement(&ahead, biller, tuesday).await), "day_not_over");
    assert_eq!(code(reconcile::run(&ahead, &town.operator, biller, tuesday).await), "day_not_over");
    reconcile::run(&ahead, &town.operator, biller, monday()).await.unwrap();
    town.pass(DAY);
    reconcile::settlement(&ahead, biller, tuesday).await.unwrap();
}

#[tokio::test]
async fn a_long_file_is_kept_in_pieces_and_replaced_as_a_whole() {
    let (town, biller, _, refs) = paid_monday(2).await;
    let refs: Vec<(String, i64)> = refs.into_iter().zip([1_000, 1_100]).collect();
    let put = async |lines: &[(String, i64)]| {
        let file = statement(lines);
        reconcile::put_bank_file(&town.city, &town.operator, biller, monday(), file).await.unwrap()
    };
    let run = async || reconcile::run(&town.city, &town.operator, biller, monday()).await.unwrap();
    // More lines than one piece holds, none of them known but the last two.
    let mut long: Vec<(String, i64)> = (0..16_000).map(|n| (format!("bank-{n}"), 1)).collect();
    long.extend(refs.iter().cloned());
    let totals = put(&long).await;
    assert_eq!(totals.count, 16_002);
    let report = run().await;
    assert_eq!((report.matched, report.breaks, report.banks), (2, 16_000, Some(totals)));
    let last = reconcile::breaks(&town.city, biller, monday(), 15_999, 5).await.unwrap();
    let [(number, last)] = last.as_slice() else { panic!("{last:?}") };
    assert_eq!((*number, last.reference.as_str(), last.code), (16_000, "bank-15999", BreakCode::MissingHere));
    // A refused file changes nothing; a shorter one leaves nothing of the longer behind.
    let broken = b"reference,amount,date\nx,one,2026-03-02\nTOTAL,1,0.00\n".to_vec();
    let refused = reconcile::put_bank_file(&town.city, &town.operator, biller, monday(), broken).await;
    assert_eq!(code(refused), "returned_line_malformed");
    assert_eq!(run().await.breaks, 16_000);
    put(&refs).await;
    assert_eq!((run().await.matched, run().await.breaks), (2, 0));
    let left = std::fs::read_dir(town.city.settings.data_dir.join("returned")).unwrap().count();
    assert_eq!(left, 0, "files that nothing needs any more");
}
