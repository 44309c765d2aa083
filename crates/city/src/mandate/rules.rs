//! Pure rules of mandates: what may be agreed, when a bill is debited and tried again, the steps of a month's cap.

use kernel::Date;
use kernel::ids::{BillerId, ResidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bill::pack::Category;

/// The most that a cap may be, minor units.
pub const CAP_MAX: i64 = 100_000_000_000;
/// The most days between notice and debit.
pub const NOTICE_MAX: u32 = 14;
/// The most days that a debit may come before the due day.
pub const BEFORE_MAX: u32 = 30;
/// The local hour at which bills are looked for.
pub const LOOK_HOUR: u64 = 8;
/// The local hour of debits.
pub const DEBIT_HOUR: u64 = 9;
/// After a refusal it is tried again so many days later: one, three and seven days after the first debit.
pub const RETRIES: [u64; 3] = [1, 2, 4];

/// Which bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Those of this account.
    Account {
        /// At which biller.
        biller: BillerId,
        /// The number on the biller's paper.
        account_no: String,
    },
    /// Those of the accounts that the resident (or the family member) keeps, of these categories; of all, if none is
    /// named.
    Kept {
        /// What is billed.
        categories: Vec<Category>,
    },
}

/// When a bill is debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as the notice allows.
    AtOnce,
    /// So many days before it is due, or as soon as the notice allows where that is later.
    BeforeDue(u32),
}

/// What a mandate allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whose accounts; the resident's own where absent.
    pub member: Option<ResidentId>,
    /// Which bills.
    pub target: Target,
    /// The most for one bill, minor units, late fee included.
    pub cap_bill: i64,
    /// The most in a calendar month, minor units.
    pub cap_month: i64,
    /// The first day.
    pub valid_from: Date,
    /// The last day.
    pub valid_until: Option<Date>,
    /// A debit is told of so many days before.
    pub notice_days: u32,
    /// When it debits.
    pub pay: When,
}

/// Whether a mandate debits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MandateState {
    /// It does.
    Active,
    /// It rests.
    Paused,
    /// Never again.
    Revoked,
}

impl MandateState {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            MandateState::Active => "active",
            MandateState::Paused => "paused",
            MandateState::Revoked => "revoked",
        }
    }

    /// From a table.
    pub fn from_name(name: &str) -> Option<MandateState> {
        [MandateState::Active, MandateState::Paused, MandateState::Revoked]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// How a mandate stands to a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MandateRunState {
    /// Found; the notice is being written.
    Found,
    /// Told of; waits for its day.
    Noticed,
    /// Being paid right now.
    Debiting,
    /// The money is held; the biller is being asked.
    Pending,
    /// It could not be paid; it is tried again.
    Refused,
    /// Paid by the mandate.
    Debited,
    /// The resident let it be.
    Skipped,
    /// Paid otherwise, or not owed any more.
    PaidOtherwise,
    /// It could not be paid and is not tried again.
    GivenUp,
    /// The mandate, or the consent it stands on, ended before.
    Ended,
}

impl MandateRunState {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            MandateRunState::Found => "found",
            MandateRunState::Noticed => "noticed",
            MandateRunState::Debiting => "debiting",
            MandateRunState::Pending => "pending",
            MandateRunState::Refused => "refused",
            MandateRunState::Debited => "debited",
            MandateRunState::Skipped => "skipped",
            MandateRunState::PaidOtherwise => "paid_otherwise",
            MandateRunState::GivenUp => "given_up",
            MandateRunState::Ended => "ended",
        }
    }

    /// From a table.
    pub fn from_name(name: &str) -> Option<MandateRunState> {
        use MandateRunState as S;
        let all = [
            S::Found,
            S::Noticed,
            S::Debiting,
            S::Pending,
            S::Refused,
            S::Debited,
            S::Skipped,
            S::PaidOtherwise,
            S::GivenUp,
            S::Ended,
        ];
        all.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        use MandateRunState as S;
        matches!(self, S::Debited | S::Skipped | S::PaidOtherwise | S::GivenUp | S::Ended)
    }
}

/// Whether a mandate may be made so today; the name of the field that cannot be so.
pub fn check(terms: &Terms, today: Date) -> Result<(), &'static str> {
    if terms.valid_from < today || terms.valid_from > days_after(today, 366) {
        return Err("valid_from");
    }
    check_changed(terms, today)
}

/// Whether a mandate may be changed to be so today.
pub fn check_changed(terms: &Terms, today: Date) -> Result<(), &'static str> {
    if !(1..=CAP_MAX).contains(&terms.cap_bill) {
        return Err("cap_bill");
    }
    if !(terms.cap_bill..=CAP_MAX).contains(&terms.cap_month) {
        return Err("cap_month");
    }
    if terms.valid_until.is_some_and(|until| until < today || until < terms.valid_from) {
        return Err("valid_until");
    }
    if terms.notice_days > NOTICE_MAX {
        return Err("notice_days");
    }
    match terms.pay {
        When::BeforeDue(days) if days > BEFORE_MAX => Err("pay"),
        _ => Ok(()),
    }
}

/// So many days later.
pub fn days_after(day: Date, days: u64) -> Date {
    day.checked_add(std::time::Duration::from_secs(days * 86_400)).unwrap_or(Date::MAX)
}

fn days_before(day: Date, days: u64) -> Date {
    day.checked_sub(std::time::Duration::from_secs(days * 86_400)).unwrap_or(Date::MIN)
}

/// The day on which a bill that was found today is debited.
pub fn debit_day(terms: &Terms, due_on: Date, today: Date) -> Date {
    let earliest = days_after(today, terms.notice_days.into());
    match terms.pay {
        When::AtOnce => earliest,
        When::BeforeDue(days) => earliest.max(days_before(due_on, days.into())),
    }
}

/// The day on which it is tried again after it was refused for the `tries`th time today; none: it is given up.
pub fn retry_day(today: Date, tries: i64) -> Option<Date> {
    let days = RETRIES.get(usize::try_from(tries - 1).ok()?)?;
    Some(days_after(today, *days))
}

/// The month of a day, 202603.
pub fn month(day: Date) -> i64 {
    i64::from(day.year()) * 100 + i64::from(day.month())
}

/// The cap of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which version, from 1.
    pub version: i64,
    /// The month in which it was set.
    pub month: i64,
    /// Minor units.
    pub cap: i64,
}

/// The steps that bring a month's account to the cap of now: the cap with which the month began, then every change
/// within it. `all` by version.
pub fn steps(all: &[Step], month: i64) -> &[Step] {
    let first = all.iter().rposition(|step| step.month < month).unwrap_or(0);
    let end = all.iter().position(|step| step.month > month).unwrap_or(all.len());
    &all[first.min(end)..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn day(m: i8, d: i8) -> Date {
        Date::constant(2026, m, d)
    }

    fn terms() -> Terms {
        Terms {
            member: None,
            target: Target::Kept { categories: Vec::new() },
            cap_bill: 20_000,
            cap_month: 50_000,
            valid_from: day(3, 2),
            valid_until: None,
            notice_days: 2,
            pay: When::BeforeDue(3),
        }
    }

    #[test]
    fn what_cannot_be_agreed() {
        let today = day(3, 2);
        assert_eq!(check(&terms(), today), Ok(()));
        for (bad, field) in [
            (Terms { valid_from: day(3, 1), ..terms() }, "valid_from"),
            (Terms { cap_bill: 0, ..terms() }, "cap_bill"),
            (Terms { cap_month: 19_999, ..terms() }, "cap_month"),
            (Terms { cap_month: CAP_MAX + 1, ..terms() }, "cap_month"),
            (Terms { valid_until: Some(day(3, 1)), ..terms() }, "valid_until"),
            (Terms { notice_days: 15, ..terms() }, "notice_days"),
            (Terms { pay: When::BeforeDue(31), ..terms() }, "pay"),
        ] {
            assert_eq!(check(&bad, today), Err(field));
        }
    }

    #[test]
    fn the_day_of_the_debit() {
        for (pay, due, wanted) in [
            (When::BeforeDue(3), day(3, 25), day(3, 22)),
            (When::BeforeDue(3), day(3, 6), day(3, 4)),
            (When::BeforeDue(0), day(2, 1), day(3, 4)),
            (When::AtOnce, day(3, 25), day(3, 4)),
        ] {
            assert_eq!(debit_day(&Terms { pay, ..terms() }, due, day(3, 2)), wanted);
        }
        let days: Vec<Option<Date>> = (1..=4).map(|tries| retry_day(day(3, 4), tries)).collect();
        assert_eq!(days, [Some(day(3, 5)), Some(day(3, 6)), Some(day(3, 8)), None]);
    }

    #[test]
    fn the_steps_of_a_month() {
        let step = |version, month, cap| Step { version, month, cap };
        let all = [step(1, 202_601, 10), step(2, 202_601, 20), step(3, 202_603, 5), step(4, 202_603, 9)];
        for (month, wanted) in
            [(202_601, &all[..2]), (202_602, &all[1..2]), (202_603, &all[1..]), (202_604, &all[3..])]
        {
            assert_eq!(steps(&all, month), wanted, "{month}");
        }
    }
}
