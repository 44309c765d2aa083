//! What is due, what may be paid, what settles: pure. Times and amounts come in as arguments.

use std::fmt;

use kernel::ids::{BillId, BillerId};
use kernel::{Date, Timestamp, derive_u128, hex};
use sha2::{Digest, Sha256};

use super::account::{AccountFault, NUMBER_MAX};
use super::calendar::{Calendar, tomorrow};
use super::fee::{self, Line, Portion};
use super::layout::{Field, Layout, LineFault};
use super::pack::{AmountRule, FeeOrder, Method, PART_MIN_MINOR, Pack, Spec};

/// A bill as its biller handed it over. Never changed once imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Derived from biller, account number and bill number: see [`bill_id`].
    pub id: BillId,
    /// Whose.
    pub biller: BillerId,
    /// The account at the biller.
    pub account_no: String,
    /// The biller's number of the bill.
    pub bill_no: String,
    /// The month billed, `202603`; 0 where the biller gives none.
    pub period: u32,
    /// Minor units.
    pub amount_minor: i64,
    /// The last day without a late fee.
    pub due: Date,
    /// The name on the account; may be empty.
    pub holder: String,
}

/// The highest amount of a bill, in minor units: what fits the fifteen digits it is stored with.
pub const AMOUNT_MAX: i64 = 999_999_999_999_999;
/// The longest name of a holder, in characters.
const HOLDER_MAX: usize = 60;

/// The id of a bill: half from the account, half from the bill's number (UUIDv8, RFC 9562).
///
/// The same bill has the same id on every node and in every import, so its uniqueness is the primary
/// key, and the bills of an account lie side by side: see [`account_range`].
pub fn bill_id(biller: BillerId, account_no: &str, bill_no: &str) -> BillId {
    let (account, bill) = (account_bits(biller, account_no), half(&[b"bill", bill_no.as_bytes()]));
    let high = (account & !0xf000) | 0x8000;
    let low = (bill >> 2) | (1 << 63);
    BillId::from_u128((u128::from(high) << 64) | u128::from(low))
}

/// The least and the greatest id that a bill of this account can have. Another account may share the
/// range (60 bits of a hash), so rows found in it are compared by account number.
pub fn account_range(biller: BillerId, account_no: &str) -> (BillId, BillId) {
    let high = u128::from((account_bits(biller, account_no) & !0xf000) | 0x8000) << 64;
    (BillId::from_u128(high), BillId::from_u128(high | u128::from(u64::MAX)))
}

fn account_bits(biller: BillerId, account_no: &str) -> u64 {
    half(&[&biller.as_u128().to_be_bytes(), account_no.as_bytes()])
}

fn half(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}

/// Why a row of a bill file was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// The line cannot be split or a field cannot be read.
    Line(LineFault),
    /// The account number breaks the biller's rule.
    Account(AccountFault),
    /// The bill number is empty, too long or not ASCII.
    BillNo,
    /// The name of the holder is too long.
    Holder,
    /// The amount is zero or beyond [`AMOUNT_MAX`].
    Amount,
    /// A bill of this account and number is there with other content.
    Differs,
}

impl RowFault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            RowFault::Line(LineFault::Columns) => "columns",
            RowFault::Line(LineFault::Encoding(_)) => "encoding",
            RowFault::Line(LineFault::Control(_)) => "control_character",
            RowFault::Line(LineFault::Malformed(_)) => "malformed",
            RowFault::Account(AccountFault::Shape) => "account_shape",
            RowFault::Account(AccountFault::CheckDigit) => "account_check_digit",
            RowFault::BillNo => "bill_no",
            RowFault::Holder => "holder_too_long",
            RowFault::Amount => "amount_out_of_range",
            RowFault::Differs => "bill_differs",
        }
    }

    /// The field at fault; empty where it is the line as a whole.
    pub fn field(self) -> &'static str {
        match self {
            RowFault::Line(LineFault::Columns) | RowFault::Differs => "",
            RowFault::Line(
                LineFault::Encoding(field) | LineFault::Control(field) | LineFault::Malformed(field),
            ) => field.name(),
            RowFault::Account(_) => "account_no",
            RowFault::BillNo => "bill_no",
            RowFault::Holder => "holder",
            RowFault::Amount => "amount",
        }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowFault::Line(fault) => fault.fmt(f),
            RowFault::Account(fault) => write!(f, "the account number: {fault}"),
            RowFault::BillNo => f.write_str("a bill number is 1 to 32 visible ASCII characters"),
            RowFault::Holder => f.write_str("the holder's name has more than 60 characters"),
            RowFault::Amount => f.write_str("the amount must be positive and below ten trillion yuan"),
            RowFault::Differs => f.write_str("this bill was imported before with other content"),
        }
    }
}

impl From<LineFault> for RowFault {
    fn from(fault: LineFault) -> RowFault {
        RowFault::Line(fault)
    }
}

/// The bill of a debt that the biller told of on `today`. One without a due date is due as the pack says after the month
/// billed, or else at once.
pub fn bill_of(pack: &Pack, account_no: &str, debt: channel::Debt, today: Date) -> Result<Bill, RowFault> {
    let id = bill_id(pack.biller, account_no, &debt.bill_no);
    let due = match (debt.due, pack.spec.bills.due_days_after_period) {
        (Some(due), _) => due,
        (None, Some(days)) if debt.period > 0 => due_after(debt.period, days),
        (None, _) => today,
    };
    let bill = Bill {
        id,
        biller: pack.biller,
        account_no: account_no.to_owned(),
        bill_no: debt.bill_no,
        period: debt.period,
        amount_minor: debt.amount_minor,
        due,
        holder: debt.holder,
    };
    check(pack, &bill)?;
    Ok(bill)
}

fn check(pack: &Pack, bill: &Bill) -> Result<(), RowFault> {
    pack.spec.account.check(&bill.account_no).map_err(RowFault::Account)?;
    let visible = bill.bill_no.bytes().all(|b| b.is_ascii_graphic());
    if bill.bill_no.is_empty() || bill.bill_no.len() > NUMBER_MAX || !visible {
        return Err(RowFault::BillNo);
    }
    if bill.holder.chars().count() > HOLDER_MAX {
        return Err(RowFault::Holder);
    }
    if !(1..=AMOUNT_MAX).contains(&bill.amount_minor) {
        return Err(RowFault::Amount);
    }
    Ok(())
}

/// Reads one record of a bill file of this layout.
pub fn read_bill(pack: &Pack, layout: &Layout, line: &[u8]) -> Result<Bill, RowFault> {
    let mut bill = Bill {
        id: BillId::from_u128(0),
        biller: pack.biller,
        account_no: String::new(),
        bill_no: String::new(),
        period: 0,
        amount_minor: 0,
        due: Date::MAX,
        holder: String::new(),
    };
    layout.read(&layout.columns, line, |field, text| {
        let wrong = LineFault::Malformed(field);
        match field {
            Field::AccountNo => text.clone_into(&mut bill.account_no),
            Field::BillNo => text.clone_into(&mut bill.bill_no),
            Field::Holder => text.clone_into(&mut bill.holder),
            Field::Period => bill.period = layout.read_period(text).ok_or(wrong)?,
            Field::Amount => bill.amount_minor = layout.read_amount(text).ok_or(wrong)?,
            Field::Due => bill.due = layout.read_date(text).ok_or(wrong)?,
            _ => {}
        }
        Ok(())
    })?;
    check(pack, &bill)?;
    if let Some(days) = pack.spec.bills.due_days_after_period {
        bill.due = due_after(bill.period, days);
    }
    bill.id = bill_id(pack.biller, &bill.account_no, &bill.bill_no);
    Ok(bill)
}

/// The amount that a record declares, for the file's totals; `None` if it cannot be read.
pub fn declared_amount(layout: &Layout, line: &[u8]) -> Option<i64> {
    let mut amount = None;
    let read = layout.read(&layout.columns, line, |field, text| {
        if field == Field::Amount {
            amount = layout.read_amount(text);
        }
        Ok(())
    });
    read.ok().and(amount)
}

fn due_after(period: u32, days: u32) -> Date {
    let part = |n: u32| i16::try_from(n).unwrap_or(0);
    let first = Date::new(part(period / 100), i8::try_from(period % 100).unwrap_or(1), 1);
    let end = first.map_or(Date::MAX, Date::last_of_month);
    (0..days).fold(end, |day, _| tomorrow(day))
}

/// A price that stands until [`Quote::valid_until`], whatever midnight or a new pack brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// To be sent with the payment.
    pub id: String,
    /// What is open of the bill's own amount, minor units.
    pub amount_minor: i64,
    /// The late fee that is open on the day of the quote, minor units.
    pub late_fee_minor: i64,
    /// Both together.
    pub total_minor: i64,
    /// How the late fee comes about; sums to it.
    pub late_fee_lines: Vec<Line>,
    /// What a payment of less than the total pays first.
    pub fee_order: FeeOrder,
    /// How many parts of the bill are paid.
    pub parts_paid: u32,
    /// What a payment may be.
    pub amount_rule: AmountRule,
    /// The least payment, unless the total is less; minor units.
    pub least_minor: i64,
    /// SHA-256 of the pack whose rules made the price.
    pub rule_version: String,
    /// The day whose late fee it has.
    pub day: Date,
    /// Until then it is good.
    pub valid_until: Timestamp,
}

/// The quote of a bill, of which `paid` is paid, at `at` (whole seconds count). The same arguments give the same
/// quote, so nothing is stored: a payment names the instant, and the price is computed again.
pub fn quote(pack: &Pack, bill: &Bill, paid: &[Portion], at: Timestamp, today: Date) -> Quote {
    let issued_s = at.as_secs();
    let (versions, bills) = (&pack.spec.late_fee, &pack.spec.bills);
    let late_fee_lines = fee::assess(versions, bill.amount_minor, bill.due, paid, today);
    let late_fee_minor = fee::rules::total(&late_fee_lines);
    let principal: i64 = paid.iter().map(|part| part.principal_minor).sum();
    let amount_minor = (bill.amount_minor - principal).max(0);
    let total_minor = amount_minor.saturating_add(late_fee_minor);
    let parts_paid = u32::try_from(paid.len()).unwrap_or(u32::MAX);
    let mut sealed: Vec<[u8; 8]> = vec![issued_s.to_be_bytes(), total_minor.to_be_bytes()];
    for part in paid {
        sealed.extend([part.principal_minor.to_be_bytes(), part.fee_minor.to_be_bytes()]);
    }
    let seal = derive_u128("quote", &[&bill.id.to_bytes(), sealed.as_flattened(), pack.hash.as_bytes()]);
    let valid = std::time::Duration::from_secs(bills.quote_valid_s.into());
    let whole = !bills.parts || parts_paid + 1 >= PARTS_MAX;
    Quote {
        id: format!("q1-{issued_s:x}-{}", hex(&seal.to_be_bytes())),
        amount_minor,
        late_fee_minor,
        total_minor,
        late_fee_lines,
        fee_order: fee::rules::order(versions, today),
        parts_paid,
        // The last part that a bill may have pays it.
        amount_rule: if bills.parts && whole { AmountRule::Exact } else { bills.amount_rule },
        least_minor: if whole { 1 } else { bills.part_min_minor.unwrap_or(PART_MIN_MINOR) },
        rule_version: pack.hash.clone(),
        day: today,
        valid_until: Timestamp::from_secs(issued_s).plus(valid),
    }
}

/// In how many parts a bill may be paid at most.
pub const PARTS_MAX: u32 = 24;

/// The instant that a quote id names.
pub fn quote_issued(id: &str) -> Option<Timestamp> {
    let (issued, seal) = id.strip_prefix("q1-")?.split_once('-')?;
    let seconds = i64::from_str_radix(issued, 16).ok()?;
    (seal.len() == 32).then(|| Timestamp::from_secs(seconds))
}

/// Whether the biller takes a payment of `paid`.
pub fn amount_accepted(quote: &Quote, paid: i64) -> bool {
    let due = quote.total_minor;
    (quote.least_minor.min(due).max(1)..=AMOUNT_MAX).contains(&paid)
        && match quote.amount_rule {
            AmountRule::Exact => paid == due,
            AmountRule::UpTo => paid <= due,
            AmountRule::AtLeast => paid >= due,
            AmountRule::Any => true,
        }
}

/// How much of a payment is late fee.
pub fn late_fee_within(quote: &Quote, paid: i64) -> i64 {
    match quote.fee_order {
        FeeOrder::PrincipalFirst => (paid - quote.amount_minor).clamp(0, quote.late_fee_minor),
        FeeOrder::FeeFirst => paid.clamp(0, quote.late_fee_minor),
    }
}

/// What the biller pays for collecting `amount`, minor units, rounded half up.
pub fn collection_fee(spec: &Spec, amount: i64) -> i64 {
    let twice = i128::from(amount) * i128::from(spec.settlement.fee_bps) * 2;
    i64::try_from((twice + 10_000) / 20_000).unwrap_or(0)
}

/// What is paid out for `amount` with `fee`.
pub fn net(spec: &Spec, amount: i64, fee: i64) -> i64 {
    if spec.settlement.method == Method::Net { amount - fee } else { amount }
}

/// The day on which the payments of `day` are paid out.
pub fn payout_day(calendar: Calendar, day: Date, days: u32) -> Date {
    if days == 0 { day } else { calendar.add(day, days) }
}

/// A day as tables have it, `20260331`.
pub fn day_number(day: Date) -> i64 {
    i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day())
}

/// The day of `20260331`.
pub fn day_of(number: i64) -> Option<Date> {
    let part = |n: i64| i16::try_from(n).ok();
    let short = |n: i64| i8::try_from(n).ok();
    Date::new(part(number / 10_000)?, short(number / 100 % 100)?, short(number % 100)?).ok()
}

/// The ids that a payment attempt has in the ledger, all derived from the attempt's own.
pub mod ids {
    use kernel::derive_u128;

    /// The transfer that posts the pending transfer `pending`.
    pub fn post(pending: u128) -> u128 {
        derive_u128("post", &[&pending.to_be_bytes()])
    }

    /// The transfer that voids the pending transfer `pending`.
    pub fn void(pending: u128) -> u128 {
        derive_u128("void", &[&pending.to_be_bytes()])
    }

    /// What part `number` of a bill (the first is 0) is paid as; its attempts are derived from that.
    pub fn part(bill: u128, number: usize) -> u128 {
        match u32::try_from(number).unwrap_or(u32::MAX) {
            0 => bill,
            number => derive_u128("bill_part", &[&bill.to_be_bytes(), &number.to_be_bytes()]),
        }
    }

    /// The marker beside the claim `pending` of a part.
    pub fn part_mark(pending: u128) -> u128 {
        derive_u128("bill_part_mark", &[&pending.to_be_bytes()])
    }

    /// What a client's own id of a payment of several bills leaves in the transfer of one of them.
    pub fn account_request(request: &str, bill: u128) -> u64 {
        let id = derive_u128("bill_account_request", &[request.as_bytes(), &bill.to_be_bytes()]);
        u64::try_from(id >> 64).unwrap_or(0)
    }

    /// What a client's own payment id leaves in the transfer (`user_data_64`).
    pub fn request(request: &str) -> u64 {
        u64::try_from(derive_u128("bill_request", &[request.as_bytes()]) >> 64).unwrap_or(0)
    }
}
