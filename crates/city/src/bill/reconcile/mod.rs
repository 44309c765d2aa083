//! The end of a biller's day: the settlement file, the payout, and the three-way match of ledger,
//! biller and bank.
//!
//! Invariants:
//! - The settlement of a day is computed from the ledger alone, so its file has the same bytes at any
//!   later time (while the pack stays as it is).
//! - The payout is booked once: its id is derived from biller and day.
//! - Matching changes nothing but its own result; the ledger is right until somebody books otherwise.

pub mod compare;
pub mod http;
pub mod list;
mod returned;
pub mod rules;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use kernel::ids::{BillId, BillerId, BreakId, PaymentId};
use kernel::{Date, Timestamp, derive_u128};
use ledger::{AccountFilter, AccountFilterFlags, CreateTransferStatus, Transfer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::compare::{Compared, Found};
use self::list::{Line, List, Reference};
pub use self::returned::{each_returned, put_bank_file, put_biller_file};
use self::rules::{Break, BreakCode, Source};
use super::calendar::tomorrow;
use super::import::blocking;
use super::layout::{Field, Layout};
use super::pack::{Method, Pack};
use super::rules::{Bill, collection_fee, net, payout_day};
use super::standing::{self, Attempt, Settled};
use super::store::{bills, date_number};
use super::{BillError, pack, payout, refund};
use crate::books::{self, Once, transfer_code};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// A biller's day in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Whose.
    pub pack: Arc<Pack>,
    /// Which local day.
    pub day: Date,
    /// Its payments, in the ledger's order.
    pub payments: Vec<Settled>,
    /// Their sum, minor units.
    pub gross_minor: i64,
    /// What the biller pays for collection.
    pub fee_minor: i64,
    /// What is paid out.
    pub net_minor: i64,
    /// When.
    pub payout_on: Date,
}

/// What matching a day came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Whose day.
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    pub biller: BillerId,
    /// The local day.
    #[schema(example = "2026-03-02")]
    pub day: String,
    /// What the ledger says.
    pub ledger: Totals,
    /// What the biller returned; absent until it did.
    pub billers: Option<Totals>,
    /// What the bank returned; absent until it did.
    pub banks: Option<Totals>,
    /// What the biller pays for collection, minor units: as booked where it was kept out of the payout,
    /// else as the pack's terms are now.
    pub fee_minor: i64,
    /// Whether the fee was kept out of the payout (`net`) or is invoiced (`gross`).
    pub method: Method,
    /// What was booked as paid out, minor units.
    pub payout_minor: i64,
    /// When.
    #[schema(example = "2026-03-03")]
    pub payout_on: String,
    /// The payout in the ledger; absent on a day without payments.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    pub payout: Option<PaymentId>,
    /// What the payout bears of refunds, minor units: it was lowered by so much. The settlement file and its totals are
    /// of payments only.
    #[serde(default)]
    pub refunds_minor: i64,
    /// Payments on which the ledger and everybody who returned a file agree.
    pub matched: u64,
    /// Disagreements, see the list of breaks.
    pub breaks: u64,
    /// When this was computed.
    #[schema(value_type = String, format = DateTime)]
    pub run_at: Timestamp,
}

/// Number and sum of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// Minor units.
    pub amount_minor: i64,
}

/// The layout of the bank's statement, `packs/bank-statement.toml`.
pub fn bank_layout() -> &'static Layout {
    static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
        toml::from_str(include_str!("../../../../../packs/bank-statement.toml"))
            .expect("ships with the project")
    });
    &LAYOUT
}

/// Reads a day as it is written in addresses, `2026-03-02`.
pub fn day(text: &str) -> Result<Date, BillError> {
    let dashed = text.len() == 10 && text.as_bytes()[4] == b'-';
    text.parse().ok().filter(|_| dashed).ok_or(BillError::DayMalformed)
}

/// A biller's day, once it is over.
pub async fn settlement(city: &City, biller: BillerId, day: Date) -> Result<Settlement, BillError> {
    let mut payments = Vec::new();
    let settlement = settle_up(city, biller, day, |payment| payments.push(payment)).await?;
    Ok(Settlement { payments, ..settlement })
}

/// [`settlement`] of a day that may have more payments than memory: they are handed over, and the answer has none.
async fn settle_up(
    city: &City,
    biller: BillerId,
    day: Date,
    mut each: impl FnMut(Settled),
) -> Result<Settlement, BillError> {
    let pack = pack(city, biller).await?;
    let offset = city.settings.offset;
    let (from, to) = (Timestamp::start_of(day, offset), Timestamp::start_of(tomorrow(day), offset));
    if city.now() < to || !books::passed(&city.ledger, &*city.rng, to).await? {
        return Err(BillError::DayNotOver);
    }
    let ns = books::ledger_time;
    let filter = AccountFilter {
        account_id: books::biller(biller),
        timestamp_min: ns(from),
        timestamp_max: ns(to).saturating_sub(1),
        flags: AccountFilterFlags::Credits,
        ..AccountFilter::default()
    };
    let (mut gross, mut fee) = (Some(0i64), Some(0i64));
    standing::each_post(city, filter, |payment| {
        let amount = payment.amount_minor;
        gross = gross.and_then(|sum| sum.checked_add(amount));
        fee = fee.and_then(|sum| sum.checked_add(collection_fee(&pack.spec, amount)));
        each(payment);
    })
    .await?;
    let sum = |sum: Option<i64>| sum.ok_or_else(|| Fault::Books("a day's sum overflows".to_owned()));
    let (gross_minor, fee_minor) = (sum(gross)?, sum(fee)?);
    let terms = &pack.spec.settlement;
    let payout_on = payout_day(terms.calendar, day, terms.days);
    let net_minor = net(&pack.spec, gross_minor, fee_minor);
    Ok(Settlement { pack, day, payments: Vec::new(), gross_minor, fee_minor, net_minor, payout_on })
}

/// The settlement file of a day, in the pack's layout.
pub async fn settlement_file(city: &City, biller: BillerId, day: Date) -> Result<Vec<u8>, BillError> {
    let settlement = settlement(city, biller, day).await?;
    let ids: Vec<BillId> = settlement.payments.iter().map(|p| p.bill).collect();
    let mut conn = city.store.read().await?;
    let rows = bills(&mut conn, &ids).await?;
    drop(conn);
    let rows: HashMap<BillId, Bill> = rows.into_iter().map(|bill| (bill.id, bill)).collect();
    write_file(city, &settlement, &rows)
}

fn write_file(
    city: &City,
    settlement: &Settlement,
    rows: &HashMap<BillId, Bill>,
) -> Result<Vec<u8>, BillError> {
    let spec = &settlement.pack.spec;
    let layout = &spec.settlement.file;
    let wide = |e: super::layout::TooWide| Fault::Books(format!("{} does not fit the layout", e.0.name()));
    let mut out = Vec::new();
    for line in &layout.header {
        layout.write_line(&mut out, line);
    }
    let totals = |out: &mut Vec<u8>, at| match &layout.totals {
        Some(totals) if totals.at == at => layout.write(out, &totals.columns, |field| match field {
            Field::Tag => totals.tag.clone(),
            Field::Count => settlement.payments.len().to_string(),
            Field::Sum => layout.amount_text(settlement.gross_minor),
            _ => String::new(),
        }),
        _ => Ok(()),
    };
    totals(&mut out, super::layout::At::First).map_err(wide)?;
    for payment in &settlement.payments {
        let bill = rows
            .get(&payment.bill)
            .ok_or_else(|| Fault::Books(format!("{} is paid and unknown", payment.bill)))?;
        let fee = collection_fee(spec, payment.amount_minor);
        layout
            .write(&mut out, &layout.columns, |field| match field {
                Field::Reference => payment.payment.to_string(),
                Field::AccountNo => bill.account_no.clone(),
                Field::BillNo => bill.bill_no.clone(),
                Field::Holder => bill.holder.clone(),
                Field::Period => layout.period_text(bill.period),
                Field::Amount => layout.amount_text(payment.amount_minor),
                Field::LateFee => layout.amount_text(payment.late_fee_minor),
                Field::Fee => layout.amount_text(fee),
                Field::Net => layout.amount_text(net(spec, payment.amount_minor, fee)),
                Field::PaidOn => layout.date_text(payment.at.date(city.settings.offset)),
                Field::Due | Field::Tag | Field::Count | Field::Sum | Field::Ignore => String::new(),
            })
            .map_err(wide)?;
    }
    totals(&mut out, super::layout::At::Last).map_err(wide)?;
    Ok(out)
}

/// Closes a biller's day: books the payout (once), matches what was returned so far, keeps the result.
/// May be run again whenever another file has come.
pub async fn run(city: &City, by: &Operator, biller: BillerId, day: Date) -> Result<Report, BillError> {
    by.role.require(Role::Staff)?;
    let number = date_number(day);
    let within = returned::directory(city).await?;
    let mut ours = List::new(within.clone());
    let mut kept = Ok(());
    let settlement = settle_up(city, biller, day, |payment| {
        let line =
            Line { reference: Reference::Payment(payment.payment), amount_minor: payment.amount_minor };
        if kept.is_ok() {
            kept = ours.push(&line);
        }
    })
    .await?;
    kept.map_err(|e| Fault::File(e.to_string()))?;
    let ours_total = total_of(&ours);
    let mut theirs = Vec::new();
    for source in [Source::Biller, Source::Bank] {
        let list = returned::list(city, biller, number, source, within.clone()).await?;
        theirs.extend(list.map(|list| (source, list)));
    }
    let returned = |source: Source| {
        let list = theirs.iter().find(|(one, _)| *one == source);
        list.map(|(_, list)| total_of(list))
    };
    let (from_biller, from_bank) = (returned(Source::Biller), returned(Source::Bank));
    let Compared { matched, found } = blocking(move || compare::compare(&ours, &theirs)).await?;
    let mut breaks = on_other_days(city, biller, found).await?;
    let booked = book(city, biller, &settlement).await?;
    if let Some(booked) = &booked {
        order_payout(city, biller, &settlement, booked).await?;
    }
    breaks.extend(booked.as_ref().and_then(|booked| payout_break(&settlement, booked)));
    let now = city.now();
    let report = Report {
        biller,
        day: day.to_string(),
        ledger: ours_total,
        billers: from_biller,
        banks: from_bank,
        fee_minor: booked.as_ref().and_then(|b| b.fee_minor).unwrap_or(settlement.fee_minor),
        method: booked.as_ref().map_or(settlement.pack.spec.settlement.method, |b| b.method(&settlement)),
        payout_minor: booked.as_ref().map_or(0, |b| b.payout_minor),
        payout_on: settlement.payout_on.to_string(),
        payout: booked.as_ref().map(|b| b.payout),
        refunds_minor: booked.as_ref().map_or(0, |b| b.refunds_minor),
        matched: if from_biller.is_none() && from_bank.is_none() { 0 } else { matched },
        breaks: breaks.len() as u64,
        run_at: now,
    };
    let text = serde_json::to_string(&report).map_err(|e| Fault::Books(e.to_string()))?;
    let put: Result<(), BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::put_report(conn, biller, number, &text, &breaks, now).await?) })
        })
        .await;
    put?;
    Ok(report)
}

fn total_of(list: &List) -> Totals {
    Totals { count: list.count(), amount_minor: list.amount_minor() }
}

/// How many payments are looked up at once.
const LOOK_UPS: usize = 2_000;

/// The breaks of what was found: payments to this biller that they list and the ledger has on another day are late, not
/// missing.
async fn on_other_days(city: &City, biller: BillerId, found: Vec<Found>) -> Result<Vec<Break>, Fault> {
    let mut breaks = Vec::with_capacity(found.len());
    for some in found.chunks(LOOK_UPS) {
        let unknown = |found: &Found| match found.reference {
            Reference::Payment(id) if found.ours_minor.is_none() => Some(id.as_u128()),
            _ => None,
        };
        let pendings: Vec<u128> = some.iter().filter_map(unknown).collect();
        let attempts = standing::attempts(city, &pendings).await?;
        let posted = attempts.iter().filter_map(|attempt| match attempt {
            Attempt::Posted(settled) if settled.biller == biller => {
                Some((Reference::Payment(settled.payment), settled.amount_minor))
            }
            _ => None,
        });
        let elsewhere: HashMap<Reference, i64> = posted.collect();
        breaks.extend(some.iter().map(|found| {
            let ours_minor = found.ours_minor.or_else(|| elsewhere.get(&found.reference).copied());
            let code = match (found.code, found.ours_minor, ours_minor) {
                (BreakCode::MissingHere, None, Some(_)) if ours_minor == found.theirs_minor => {
                    BreakCode::Late
                }
                (BreakCode::MissingHere, None, Some(_)) => BreakCode::AmountDiffers,
                (code, ..) => code,
            };
            Break {
                source: found.source,
                code,
                reference: found.reference.to_string(),
                ours_minor,
                theirs_minor: found.theirs_minor,
            }
        }));
    }
    Ok(breaks)
}

/// A payout as it stands in the ledger.
struct Booked {
    payout: PaymentId,
    payout_minor: i64,
    /// The fee kept out of it; `None` where none was.
    fee_minor: Option<i64>,
    /// The refunds that it bears.
    refunds_minor: i64,
}

impl Booked {
    fn method(&self, settlement: &Settlement) -> Method {
        match self.fee_minor {
            Some(_) => Method::Net,
            // Nothing was kept: either it is invoiced, or there was nothing to keep.
            None if settlement.fee_minor == 0 => settlement.pack.spec.settlement.method,
            None => Method::Gross,
        }
    }
}

/// Orders the payout from the bank, where the pack names an account. A day whose payout was booked without one stays paid by
/// hand: it may have been long ago.
async fn order_payout(
    city: &City,
    biller: BillerId,
    settlement: &Settlement,
    booked: &Booked,
) -> Result<(), BillError> {
    let wanted = settlement.pack.spec.settlement.payout.is_some() && booked.payout_minor > 0;
    if !wanted {
        return Ok(());
    }
    let before = match report(city, biller, settlement.day).await {
        Ok(before) => before.payout,
        Err(BillError::NotReconciled) => None,
        Err(why) => return Err(why),
    };
    if before.is_some() {
        return Ok(());
    }
    let payout = (booked.payout, booked.payout_minor);
    payout::order(city, (biller, settlement.day), payout, settlement.payout_on).await
}

/// The terms may have changed after the payout: what was paid stays paid, and somebody has to know.
fn payout_break(settlement: &Settlement, booked: &Booked) -> Option<Break> {
    // Where refunds left nothing to keep a fee from, it is invoiced.
    let invoiced = booked.fee_minor.is_none() && booked.refunds_minor > 0;
    let due = if invoiced { settlement.gross_minor } else { settlement.net_minor };
    let came_to = booked.payout_minor.saturating_add(booked.refunds_minor);
    (came_to != due).then(|| Break {
        source: Source::Terms,
        code: BreakCode::PayoutDiffers,
        reference: booked.payout.to_string(),
        ours_minor: Some(came_to),
        theirs_minor: Some(due),
    })
}

/// The fee that goes with a payout.
fn fee_id(payout: u128) -> u128 {
    derive_u128("bill_settlement_fee", &[&payout.to_be_bytes()])
}

/// How often a payout is reckoned again that a refund came in between.
const PAYOUT_TRIES: usize = 16;

/// Books the payout of a day, once: biller → bank clearing, and with net settlement biller → fees; less what it bears of
/// refunds. Answers with what is booked, which need not be what would be booked now.
async fn book(city: &City, biller: BillerId, settlement: &Settlement) -> Result<Option<Booked>, Fault> {
    if settlement.gross_minor == 0 {
        return Ok(None);
    }
    let currency = city.settings.currency;
    let day = date_number(settlement.day);
    let base = derive_u128("bill_settlement", &[&biller.to_bytes(), &day.to_be_bytes()]);
    let to_keep = settlement.pack.spec.settlement.method == Method::Net && settlement.fee_minor > 0;
    let mut keep_fee = to_keep;
    let day_data = u64::try_from(day).unwrap_or(0);
    let (account, bank, fees) =
        (books::biller(biller), books::bank_clearing(currency), books::fees(currency));
    let mut booked = None;
    for _ in 0..PAYOUT_TRIES {
        let owed = refund::still_to_bear(city, biller).await?;
        // A fee that is not kept here although it should be is invoiced.
        let whole = if keep_fee == to_keep { settlement.net_minor } else { settlement.gross_minor };
        let borne = refund::share(whole, owed);
        let chain = |id: u128| {
            let code = transfer_code::BILL_SETTLEMENT;
            let payout = books::transfer(id, account, bank, whole - borne, currency, code);
            let bears = u128::try_from(borne).unwrap_or(0);
            let mut chain = vec![Transfer { user_data_128: bears, user_data_64: day_data, ..payout }];
            if keep_fee {
                let code = transfer_code::BILL_FEE;
                let fee = books::transfer(fee_id(id), account, fees, settlement.fee_minor, currency, code);
                chain.push(Transfer { user_data_128: id, user_data_64: day_data, ..fee });
            }
            if borne > 0 {
                chain.push(refund::bear(city, biller, id, borne));
            }
            chain
        };
        match books::pay_once(&city.ledger, base, chain).await? {
            Once::Done { id, .. } => booked = Some(id),
            Once::Already(found) => booked = Some(found.id),
            // Refunds have left nothing to keep a fee from.
            Once::Refused(1, _) if keep_fee => keep_fee = false,
            // A refund or another payout came in between.
            Once::Refused(_, CreateTransferStatus::ExceedsCredits) => {}
            other => return Err(Fault::Books(format!("settlement of {biller} on {day}: {other:?}"))),
        }
        if booked.is_some() {
            break;
        }
    }
    let id = booked.ok_or_else(|| Fault::Books(format!("settlement of {biller} on {day}: always raced")))?;
    let found = city.ledger.lookup_transfers(vec![id, fee_id(id)]).await?;
    let amount_of = |wanted: u128| {
        let transfer = found.iter().find(|t| t.id == wanted)?;
        Some(i64::try_from(transfer.amount).unwrap_or(i64::MAX))
    };
    let payout_minor =
        amount_of(id).ok_or_else(|| Fault::Books(format!("the payout of {biller} on {day} is gone")))?;
    let bears = found.iter().find(|t| t.id == id).map_or(0, |t| t.user_data_128);
    Ok(Some(Booked {
        payout: PaymentId::from_u128(id),
        payout_minor,
        fee_minor: amount_of(fee_id(id)),
        refunds_minor: i64::try_from(bears).unwrap_or(0),
    }))
}

/// The newest result of a day.
pub async fn report(city: &City, biller: BillerId, day: Date) -> Result<Report, BillError> {
    pack(city, biller).await?;
    let mut conn = city.store.read().await?;
    let text = store::report(&mut conn, biller, date_number(day)).await?.ok_or(BillError::NotReconciled)?;
    Ok(serde_json::from_str(&text)
        .map_err(|_| Fault::from(::store::StoreError::Corrupt("reconciliation.report")))?)
}

/// The breaks of a day after a number, each with its number.
pub async fn breaks(
    city: &City,
    biller: BillerId,
    day: Date,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Break)>, BillError> {
    report(city, biller, day).await?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut conn = city.store.read().await?;
    let rows = store::breaks(&mut conn, biller, date_number(day), after, limit).await?;
    Ok(rows.into_iter().map(|(number, found)| (u64::try_from(number).unwrap_or(0), found)).collect())
}

/// A day on which a match found disagreements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenDay {
    /// Whose.
    pub biller: BillerId,
    /// Which.
    pub day: Date,
    /// How many.
    pub breaks: u64,
    /// When the match was made.
    pub run_at: Timestamp,
}

/// The days on which the newest match found disagreements, the newest day first, at most `limit`. Callers check
/// who may see that.
pub async fn broken_days(city: &City, limit: u32) -> Result<Vec<BrokenDay>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::broken_days(&mut conn, limit).await?)
}

/// The id of a disagreement: the same for whatever match finds it again.
pub fn break_id(biller: BillerId, day: Date, found: &Break) -> BreakId {
    let amount = |minor: Option<i64>| minor.map_or_else(String::new, |minor| minor.to_string());
    BreakId::derive(&[
        &biller.to_bytes(),
        &date_number(day).to_be_bytes(),
        found.source.name().as_bytes(),
        found.code.name().as_bytes(),
        found.reference.as_bytes(),
        amount(found.ours_minor).as_bytes(),
        amount(found.theirs_minor).as_bytes(),
    ])
}
