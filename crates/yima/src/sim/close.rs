//! The end of a day: every biller and its bank return what their own books say, with breaks planted in some of them, and the
//! three-way match has to find those and no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use city::bill::layout::{Field, Layout};
use city::bill::reconcile;
use city::bill::reconcile::rules::{BreakCode, Source};
use city::identity::{Biller, Role};
use kernel::Date;
use kernel::ids::PaymentId;
use tokio::task::JoinSet;

use super::town::Town;
use crate::config::Fail;
use crate::pack_cli::certify::files::{Pieces, date, line, money, month};

/// So many billers at the same time.
const AT_ONCE: u32 = 4;

/// What the closed days came to.
#[derive(Default)]
pub struct Closed {
    /// Billers' days.
    pub days: u64,
    /// Payments in them.
    pub payments: u64,
    /// And their sum, minor units.
    pub gross_minor: i64,
    /// Payments on which all three agree.
    pub matched: u64,
    /// Breaks that were planted, by code: each was found.
    pub breaks: BTreeMap<&'static str, u64>,
    /// Paid out to billers, minor units.
    pub payout_minor: i64,
    /// Kept for collection, minor units.
    pub fee_minor: i64,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Closed {
    fn add(&mut self, other: Closed) {
        self.days += other.days;
        self.payments += other.payments;
        self.gross_minor += other.gross_minor;
        self.matched += other.matched;
        self.payout_minor += other.payout_minor;
        self.fee_minor += other.fee_minor;
        for (code, count) in other.breaks {
            *self.breaks.entry(code).or_default() += count;
        }
        self.violations.extend(other.violations);
    }
}

/// A line of a returned file.
type Row = (String, i64);

/// Closes a day, half an hour into the next.
pub async fn day(town: &Arc<Town>, day: u32, closed: &mut Closed) -> Result<(), Fail> {
    town.go_to(day + 1, 30);
    let mut tasks = JoinSet::new();
    for worker in 0..AT_ONCE {
        let town = town.clone();
        tasks.spawn(async move {
            let mut closed = Closed::default();
            for biller in (worker..town.shape.billers).step_by(AT_ONCE as usize) {
                closed.add(one(&town, biller, day).await?);
            }
            Ok::<_, Fail>(closed)
        });
    }
    while let Some(done) = tasks.join_next().await {
        closed.add(done??);
    }
    Ok(())
}

async fn one(town: &Town, number: u32, nth: u32) -> Result<Closed, Fail> {
    let (side, day) = (&town.billers[number as usize], town.date(nth));
    let (city, pack) = (&town.city, &side.pack);
    let rows = match &side.far {
        Some(far) => far.taken_on(day),
        None => told(town, number, day).await?,
    };
    let mut wanted = Vec::new();
    let mut returned = |source: Source| -> Vec<Row> {
        let planted = town.shape.planted(number, nth, source == Source::Bank);
        let (rows, broken) = spoilt(&rows, planted);
        wanted.extend(broken.map(|(code, reference)| (source.name(), code.name(), reference)));
        rows
    };
    let (by_biller, by_bank) = (returned(Source::Biller), returned(Source::Bank));
    if !rows.is_empty() {
        let who = Biller { id: pack.biller, role: Role::Staff };
        let bytes = written(pack.returned(), &by_biller, day);
        reconcile::put_biller_file(city, &who, day, bytes).await?;
        let bytes = written(reconcile::bank_layout(), &by_bank, day);
        reconcile::put_bank_file(city, &town.operator, pack.biller, day, bytes).await?;
    }
    let report = reconcile::run(city, &town.operator, pack.biller, day).await?;
    let found = reconcile::breaks(city, pack.biller, day, 0, 500).await?;
    let mut found: Vec<(&str, &str, String)> =
        found.into_iter().map(|(_, b)| (b.source.name(), b.code.name(), b.reference)).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    let mut closed = Closed {
        days: 1,
        payments: report.ledger.count,
        gross_minor: report.ledger.amount_minor,
        matched: report.matched,
        payout_minor: report.payout_minor,
        fee_minor: report.fee_minor,
        ..Closed::default()
    };
    for (_, code, _) in &wanted {
        *closed.breaks.entry(code).or_default() += 1;
    }
    if found != wanted {
        closed.violations.push(format!("{} on {day}: planted {wanted:?}, found {found:?}", pack.spec.id));
    }
    if report.ledger.count != rows.len() as u64 {
        closed.violations.push(format!(
            "{} on {day}: {} payments here, {} there",
            pack.spec.id,
            report.ledger.count,
            rows.len()
        ));
    }
    Ok(closed)
}

/// What a biller that is not asked learns of a day: the settlement file, read back.
async fn told(town: &Town, number: u32, day: Date) -> Result<Vec<Row>, Fail> {
    let pack = &town.billers[number as usize].pack;
    let bytes = reconcile::settlement_file(&town.city, pack.biller, day).await?;
    let path = town.scratch(&format!("{}.settled", pack.spec.id));
    std::fs::write(&path, bytes)?;
    let mut rows = Vec::new();
    reconcile::each_returned(&pack.spec.settlement.file, &path, |line| {
        rows.push((line.reference.to_string(), line.amount_minor));
        Ok(())
    })?;
    std::fs::remove_file(&path)?;
    rows.sort_unstable();
    Ok(rows)
}

/// The rows with the planted break, and which it is.
fn spoilt(rows: &[Row], planted: Option<u64>) -> (Vec<Row>, Option<(BreakCode, String)>) {
    let mut rows = rows.to_vec();
    let Some((kind, first)) = planted.zip(rows.first().cloned()) else { return (rows, None) };
    let broken = match kind {
        0 => {
            rows.remove(0);
            (BreakCode::MissingThere, first.0)
        }
        1 => {
            rows[0].1 += 1;
            (BreakCode::AmountDiffers, first.0)
        }
        2 => {
            rows.push(first.clone());
            (BreakCode::Duplicate, first.0)
        }
        _ => {
            let nobody = PaymentId::from_u128(7).to_string();
            rows.push((nobody.clone(), 100));
            (BreakCode::MissingHere, nobody)
        }
    };
    (rows, Some(broken))
}

fn written(layout: &Layout, rows: &[Row], day: Date) -> Vec<u8> {
    let record = |(reference, amount): &Row| {
        line(layout, &layout.columns, |field| match field {
            Field::Reference => reference.clone(),
            Field::Amount => money(layout, *amount),
            Field::LateFee | Field::Fee | Field::Net => money(layout, 0),
            Field::Period => month(layout, 202_602),
            Field::PaidOn => date(layout, day),
            _ => String::new(),
        })
    };
    let sum = rows.iter().map(|(_, amount)| amount).sum();
    Pieces::new(layout, rows.iter().map(record).collect(), sum).bytes()
}
