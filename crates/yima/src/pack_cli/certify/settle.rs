//! The cases of a pack's settlement: the file read back a second time in another way, the payout, and a returned file with
//! planted breaks.

use std::collections::BTreeMap;

use city::bill::layout::{At, Encoding, Field, Layout, Shape};
use city::bill::pack::Method;
use city::bill::reconcile;
use city::bill::reconcile::rules::BreakCode;
use city::books;
use city::identity::{Biller, Role};
use encoding_rs::GB18030;
use kernel::{Date, Timestamp, UtcOffset};

use super::files::{self, Pieces};
use super::naive;
use super::stage::{Done, Ended, PaidRow, Stage, ensure, skip};

macro_rules! case {
    ($stage:ident, $name:expr, $done:expr) => {{
        $stage.begin(&[]).await;
        let done = $done.await;
        $stage.end($name, done, &[]).await;
    }};
}

/// Every case of what was paid so far; the days of it are over.
pub async fn run(stage: &mut Stage) {
    let today = stage.today();
    let morning = Timestamp::start_of(today.tomorrow().unwrap_or(today), UtcOffset::CHINA);
    stage.clock.set(morning.plus(std::time::Duration::from_hours(1)));
    case!(stage, "settlement_file", settlement_file(stage));
    // These take the money out of the biller's account: the payout is counted by itself.
    let done = breaks(stage).await;
    stage.begin(&[]).await;
    stage.end("returned_file_with_breaks", done, &[]).await;
    let done = payout(stage).await;
    stage.begin(&[]).await;
    stage.end("payout", done, &[]).await;
}

/// The days on which something was paid, and what.
fn by_day(stage: &Stage) -> BTreeMap<Date, Vec<PaidRow>> {
    let mut days: BTreeMap<Date, Vec<PaidRow>> = BTreeMap::new();
    for row in &stage.paid {
        days.entry(row.day).or_default().push(row.clone());
    }
    days
}

/// The columns of a line, without their fill.
fn cells(layout: &Layout, columns: usize, widths: &[usize], line: &[u8]) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| match layout.encoding {
        Encoding::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
        Encoding::Gb18030 => GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(std::borrow::Cow::into_owned),
    };
    if layout.shape == Shape::Delimited {
        let whole = text(line)?;
        let cells: Vec<String> = whole.split(layout.delimiter?).map(|cell| cell.trim().to_owned()).collect();
        return (cells.len() == columns).then_some(cells);
    }
    let (mut cells, mut rest) = (Vec::new(), line);
    for width in widths {
        let (cell, after) = rest.split_at_checked(*width)?;
        cells.push(text(cell)?.trim().to_owned());
        rest = after;
    }
    rest.is_empty().then_some(cells)
}

fn minor(layout: &Layout, text: &str) -> Option<i64> {
    let written: String = text.chars().filter(|c| *c != '.').collect();
    let value: i64 = written.parse().ok()?;
    let again = files::money(layout, value);
    (again.trim_start_matches('0') == text.trim_start_matches('0')).then_some(value)
}

async fn settlement_file(stage: &mut Stage) -> Done {
    let spec = stage.pack.spec.clone();
    let layout = &spec.settlement.file;
    let days = by_day(stage);
    if days.is_empty() {
        return skip("nothing was paid");
    }
    for (day, rows) in &days {
        let bytes = reconcile::settlement_file(&stage.city, stage.pack.biller, *day).await?;
        let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        ensure(lines.pop().is_some_and(<[u8]>::is_empty), || "the last line has no end".to_owned())?;
        let lines: Vec<&[u8]> =
            lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let unreadable = |at: usize| Ended::Failed(format!("line {at} of {day} cannot be read back"));
        let first = layout.header.len();
        let totals_first = layout.totals.as_ref().is_some_and(|totals| totals.at == At::First);
        let totals_last = layout.totals.as_ref().is_some_and(|totals| totals.at == At::Last);
        let begin = first + usize::from(totals_first);
        let end = lines.len() - usize::from(totals_last);
        ensure(end >= begin && end - begin == rows.len(), || {
            format!("{} lines for {} payments of {day}", end.saturating_sub(begin), rows.len())
        })?;
        let sum: i64 = rows.iter().map(|row| row.amount).sum();
        let widths = |columns: &[city::bill::layout::Column]| -> Vec<usize> {
            columns.iter().map(|c| c.width.unwrap_or(0)).collect()
        };
        if let Some(totals) = &layout.totals {
            let at = if totals_first { first } else { end };
            let found = cells(layout, totals.columns.len(), &widths(&totals.columns), lines[at]);
            let found = found.ok_or_else(|| unreadable(at + 1))?;
            for (column, cell) in totals.columns.iter().zip(&found) {
                let right = match column.field {
                    Field::Tag => *cell == totals.tag,
                    Field::Count => cell.parse() == Ok(rows.len()),
                    Field::Sum => minor(layout, cell) == Some(sum),
                    _ => true,
                };
                ensure(right, || format!("totals of {day}: {} is {cell}", column.field.name()))?;
            }
        }
        for (at, text) in lines[begin..end].iter().enumerate() {
            let found = cells(layout, layout.columns.len(), &widths(&layout.columns), text);
            let found = found.ok_or_else(|| unreadable(begin + at + 1))?;
            let cell = |field: Field| {
                layout
                    .columns
                    .iter()
                    .zip(&found)
                    .find(|(c, _)| c.field == field)
                    .map(|(_, cell)| cell.as_str())
            };
            let row = rows.iter().find(|row| Some(row.reference.as_str()) == cell(Field::Reference));
            let row = row
                .ok_or_else(|| Ended::Failed(format!("line {} of {day} is of no payment", begin + at + 1)))?;
            let fee = naive::share(row.amount, spec.settlement.fee_bps.into());
            let net = if spec.settlement.method == Method::Net { row.amount - fee } else { row.amount };
            for column in &layout.columns {
                let wanted = match column.field {
                    Field::Reference => row.reference.clone(),
                    Field::AccountNo => row.account_no.clone(),
                    Field::BillNo => row.bill_no.clone(),
                    Field::Period => files::month(layout, row.period),
                    Field::PaidOn => files::date(layout, row.day),
                    Field::Amount | Field::LateFee | Field::Fee | Field::Net => {
                        let wanted = match column.field {
                            Field::Amount => row.amount,
                            Field::LateFee => row.late_fee,
                            Field::Fee => fee,
                            _ => net,
                        };
                        let found = cell(column.field).and_then(|text| minor(layout, text));
                        ensure(found == Some(wanted), || {
                            format!(
                                "{}: {} is {found:?} and not {wanted}",
                                row.reference,
                                column.field.name()
                            )
                        })?;
                        continue;
                    }
                    _ => continue,
                };
                ensure(cell(column.field) == Some(wanted.as_str()), || {
                    format!(
                        "{}: {} is {:?} and not {wanted}",
                        row.reference,
                        column.field.name(),
                        cell(column.field)
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// What a biller returns for a day that says so.
fn returned(layout: &Layout, rows: &[(PaidRow, i64)], bps: i64) -> Vec<u8> {
    let record = |(row, amount): &(PaidRow, i64)| {
        files::line(layout, &layout.columns, |field| match field {
            Field::Reference => row.reference.clone(),
            Field::AccountNo => row.account_no.clone(),
            Field::BillNo => row.bill_no.clone(),
            Field::Holder => row.holder.clone(),
            Field::Period => files::month(layout, row.period),
            Field::PaidOn => files::date(layout, row.day),
            Field::Amount => files::money(layout, *amount),
            Field::LateFee => files::money(layout, row.late_fee),
            Field::Fee => files::money(layout, naive::share(row.amount, bps)),
            Field::Net => files::money(layout, row.amount - naive::share(row.amount, bps)),
            _ => String::new(),
        })
    };
    let sum = rows.iter().map(|(_, amount)| amount).sum();
    Pieces::new(layout, rows.iter().map(record).collect(), sum).bytes()
}

async fn breaks(stage: &mut Stage) -> Done {
    let days = by_day(stage);
    let most = days.iter().max_by_key(|(_, rows)| rows.len());
    let Some((day, rows)) = most.filter(|(_, rows)| rows.len() >= 4) else {
        return skip("fewer than four payments on any day");
    };
    let layout = stage.pack.returned().clone();
    let bps = stage.pack.spec.settlement.fee_bps.into();
    let who = Biller { id: stage.pack.biller, role: Role::Staff };
    let right: Vec<(PaidRow, i64)> = rows.iter().map(|row| (row.clone(), row.amount)).collect();
    let mut planted = right.clone();
    let mut wanted = Vec::new();
    // One is not listed, one has another amount, one is listed twice, one is of nobody.
    wanted.push((BreakCode::MissingThere, planted.remove(0).0.reference));
    planted[0].1 += 1;
    wanted.push((BreakCode::AmountDiffers, planted[0].0.reference.clone()));
    planted.push(planted[1].clone());
    wanted.push((BreakCode::Duplicate, planted[1].0.reference.clone()));
    let nobody = kernel::ids::PaymentId::from_u128(7).to_string();
    planted.push((PaidRow { reference: nobody.clone(), ..rows[0].clone() }, 1));
    wanted.push((BreakCode::MissingHere, nobody));
    if let Some(other) = days.iter().find(|(other, _)| *other != day).and_then(|(_, rows)| rows.first()) {
        planted.push((other.clone(), other.amount));
        wanted.push((BreakCode::Late, other.reference.clone()));
    }
    reconcile::put_biller_file(&stage.city, &who, *day, returned(&layout, &planted, bps)).await?;
    let report = reconcile::run(&stage.city, &stage.operator, stage.pack.biller, *day).await?;
    let found = reconcile::breaks(&stage.city, stage.pack.biller, *day, 0, 500).await?;
    ensure(report.breaks == found.len() as u64, || {
        format!("{} counted, {} listed", report.breaks, found.len())
    })?;
    let mut found: Vec<(BreakCode, String)> = found.into_iter().map(|(_, b)| (b.code, b.reference)).collect();
    let by = |one: &(BreakCode, String)| (one.0.name(), one.1.clone());
    found.sort_by_key(by);
    wanted.sort_by_key(by);
    ensure(found == wanted, || format!("planted {wanted:?}, found {found:?}"))?;
    reconcile::put_biller_file(&stage.city, &who, *day, returned(&layout, &right, bps)).await?;
    let report = reconcile::run(&stage.city, &stage.operator, stage.pack.biller, *day).await?;
    ensure((report.breaks, report.matched) == (0, right.len() as u64), || {
        format!("of a right file {} matched, {} did not", report.matched, report.breaks)
    })
}

/// Every day is paid out once, less what the pack says, on the day it says; nothing stays with the biller's account.
async fn payout(stage: &mut Stage) -> Done {
    let terms = stage.pack.spec.settlement.clone();
    for (day, rows) in by_day(stage) {
        let gross: i64 = rows.iter().map(|row| row.amount).sum();
        let fee: i64 = rows.iter().map(|row| naive::share(row.amount, terms.fee_bps.into())).sum();
        let net = if terms.method == Method::Net { gross - fee } else { gross };
        for _ in 0..2 {
            let report = reconcile::run(&stage.city, &stage.operator, stage.pack.biller, day).await?;
            let found =
                (report.ledger.count, report.ledger.amount_minor, report.fee_minor, report.payout_minor);
            let wanted = (rows.len() as u64, gross, fee, net);
            ensure(found == wanted, || format!("{day}: {found:?} and not {wanted:?}"))?;
            let on = naive::days_after(terms.calendar, day, terms.days);
            ensure(report.payout_on == on.to_string(), || {
                format!("paid out on {} and not {on}", report.payout_on)
            })?;
        }
    }
    let left = books::available(&stage.city.ledger, books::biller(stage.pack.biller)).await?;
    ensure(left == 0, || format!("{left} fen stayed with the biller's account"))
}
