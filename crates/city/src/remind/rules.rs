//! Pure rules of reminding: which notes a bill deserves on a day, when a note may be sent, what it says.

use std::time::Duration;

use kernel::{Date, Timestamp, UtcOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bill::pack::Name;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A bill has come.
    NewBill,
    /// A bill is due in a few days, or today.
    DueSoon,
    /// The due day has passed.
    Overdue,
    /// The biller will cut the supply.
    SupplyCutSoon,
    /// A mandate will pay a bill.
    AutopayNotice,
    /// A mandate could not pay a bill.
    AutopayFailed,
}

impl NoteKind {
    /// Every kind.
    pub const ALL: [NoteKind; 6] = [
        NoteKind::NewBill,
        NoteKind::DueSoon,
        NoteKind::Overdue,
        NoteKind::SupplyCutSoon,
        NoteKind::AutopayNotice,
        NoteKind::AutopayFailed,
    ];

    /// In tables and for gateways.
    pub fn name(self) -> &'static str {
        match self {
            NoteKind::NewBill => "new_bill",
            NoteKind::DueSoon => "due_soon",
            NoteKind::Overdue => "overdue",
            NoteKind::SupplyCutSoon => "supply_cut_soon",
            NoteKind::AutopayNotice => "autopay_notice",
            NoteKind::AutopayFailed => "autopay_failed",
        }
    }

    /// From a table.
    pub fn from_name(name: &str) -> Option<NoteKind> {
        NoteKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a resident may do without: not of what moves the resident's own money.
    pub fn can_be_muted(self) -> bool {
        !matches!(self, NoteKind::AutopayNotice | NoteKind::AutopayFailed)
    }
}

/// In which language an SMS is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteLanguage {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// The minutes of a local day, from and to; over midnight where `from` is the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The first quiet minute.
    pub from: u32,
    /// The first minute that is not.
    pub to: u32,
}

/// How a resident wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Also by SMS; the inbox always has it.
    pub sms: bool,
    /// When nothing is sent.
    pub quiet: Option<Quiet>,
    /// The language of SMS.
    pub language: NoteLanguage,
    /// `due_soon` comes so many days before.
    pub due_days: u32,
    /// Kinds not wanted.
    pub muted: Vec<NoteKind>,
}

impl Default for Preferences {
    /// Inbox only, quiet from 21:30 to 08:00, Chinese, three days before, everything.
    fn default() -> Preferences {
        let quiet = Some(Quiet { from: 21 * 60 + 30, to: 8 * 60 });
        Preferences { sms: false, quiet, language: NoteLanguage::Zh, due_days: 3, muted: Vec::new() }
    }
}

/// The minutes of a day.
pub const DAY_MINUTES: u32 = 24 * 60;
/// The most days that `due_soon` may come before.
pub const DUE_DAYS_MAX: u32 = 15;

/// Whether preferences can be so; the name of the field that cannot.
pub fn check(wanted: &Preferences) -> Result<(), &'static str> {
    if wanted.quiet.is_some_and(|q| q.from >= DAY_MINUTES || q.to >= DAY_MINUTES || q.from == q.to) {
        return Err("quiet");
    }
    if !(1..=DUE_DAYS_MAX).contains(&wanted.due_days) {
        return Err("due_days");
    }
    if wanted.muted.iter().any(|kind| !kind.can_be_muted()) {
        return Err("muted");
    }
    Ok(())
}

/// `21:30` as minutes of the day.
pub fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |t: &str| (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse().ok())?;
    let (hours, minutes): (u32, u32) = (part(hours)?, part(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Minutes of the day as `21:30`.
pub fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The steps of `overdue`: days late.
const OVERDUE: [i64; 4] = [1, 7, 15, 30];

/// The note that an open bill deserves on `today`, and its step. Told once each: `new_bill` while there is time,
/// `due_soon` within `due_days` of the day and on the day itself, `overdue` after 1, 7, 15 and 30 days.
pub fn step(due_on: Date, today: Date, due_days: u32) -> Option<(NoteKind, i64)> {
    let left = days_between(today, due_on);
    if left > i64::from(due_days) {
        return Some((NoteKind::NewBill, 0));
    }
    if left > 0 {
        return Some((NoteKind::DueSoon, 1));
    }
    if left == 0 {
        return Some((NoteKind::DueSoon, 0));
    }
    OVERDUE.into_iter().rev().find(|late| -left >= *late).map(|late| (NoteKind::Overdue, late))
}

/// The days from one to the other.
pub fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_secs() / 86_400
}

/// When a note may be sent: now, or at the end of the quiet hours.
pub fn send_at(now: Timestamp, quiet: Option<Quiet>, offset: UtcOffset) -> Timestamp {
    let Some(quiet) = quiet else { return now };
    let today = Timestamp::start_of(now.date(offset), offset);
    let minute = u32::try_from(now.since(today).as_secs() / 60).unwrap_or(0);
    let is_quiet = if quiet.from < quiet.to {
        (quiet.from..quiet.to).contains(&minute)
    } else {
        minute >= quiet.from || minute < quiet.to
    };
    if !is_quiet {
        return now;
    }
    let days = u32::from(minute >= quiet.to);
    today.plus(Duration::from_secs(u64::from(days * DAY_MINUTES + quiet.to) * 60))
}

/// What a note says. Account numbers show their last four characters: an SMS is read by whoever holds the phone.
pub fn text(
    kind: NoteKind,
    biller: &Name,
    account_no: &str,
    amount: Option<&str>,
    on: Option<Date>,
    another: bool,
) -> Name {
    let tail: String = account_no.chars().skip(account_no.chars().count().saturating_sub(4)).collect();
    let (amount, on) = (amount.unwrap_or_default(), on.map(|on| on.to_string()).unwrap_or_default());
    let whose = if another { ("家人的", " of your family") } else { ("", "") };
    let (zh, en) = match kind {
        NoteKind::NewBill => {
            (format!("新账单：{amount}，{on} 前缴纳。"), format!("a new bill of {amount}, due on {on}."))
        }
        NoteKind::DueSoon => (
            format!("账单 {amount} 将于 {on} 到期，请及时缴纳。"),
            format!("a bill of {amount} is due on {on}."),
        ),
        NoteKind::Overdue => (
            format!("账单已于 {on} 到期，现应缴 {amount}。"),
            format!("a bill was due on {on}; {amount} is owed now."),
        ),
        NoteKind::SupplyCutSoon => (
            format!("因欠费将于 {on} 停供，缴清后即恢复。"),
            format!("supply will be cut on {on} unless what is owed is paid."),
        ),
        NoteKind::AutopayNotice => (
            format!("将于 {on} 自动代扣 {amount}；如需跳过，请在应用“自动缴费”中操作。"),
            format!("{amount} will be paid by itself on {on}. To skip it, open Auto-pay in the app."),
        ),
        NoteKind::AutopayFailed if on.is_empty() => (
            format!("自动代扣 {amount} 未成功，不再重试，请自行缴纳。"),
            format!("auto-pay of {amount} failed and is not tried again: please pay it yourself."),
        ),
        NoteKind::AutopayFailed => (
            format!("自动代扣 {amount} 未成功，将于 {on} 重试。"),
            format!("auto-pay of {amount} failed; it is tried again on {on}."),
        ),
    };
    Name {
        zh: format!("{}（{}尾号 {tail}）{zh}", biller.zh, whose.0),
        en: format!("{} (account{} ending {tail}): {en}", biller.en, whose.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn day(d: i8) -> Date {
        Date::constant(2026, 3, d)
    }

    #[test]
    fn which_note_on_which_day() {
        for (today, wanted) in [
            (day(1), Some((NoteKind::NewBill, 0))),
            (day(6), Some((NoteKind::NewBill, 0))),
            (day(7), Some((NoteKind::DueSoon, 1))),
            (day(9), Some((NoteKind::DueSoon, 1))),
            (day(10), Some((NoteKind::DueSoon, 0))),
            (day(11), Some((NoteKind::Overdue, 1))),
            (day(16), Some((NoteKind::Overdue, 1))),
            (day(17), Some((NoteKind::Overdue, 7))),
            (day(25), Some((NoteKind::Overdue, 15))),
            (Date::constant(2027, 3, 1), Some((NoteKind::Overdue, 30))),
        ] {
            assert_eq!(step(day(10), today, 3), wanted, "{today}");
        }
    }

    #[test]
    fn quiet_hours() {
        let night = Some(Quiet { from: 21 * 60 + 30, to: 8 * 60 });
        let noon = Some(Quiet { from: 12 * 60, to: 14 * 60 });
        for (at, quiet, wanted) in [
            ("2026-03-02T02:00:00Z", night, "2026-03-02T02:00:00Z"),
            ("2026-03-02T13:29:59Z", night, "2026-03-02T13:29:59Z"),
            ("2026-03-02T13:30:00Z", night, "2026-03-03T00:00:00Z"),
            ("2026-03-02T16:00:00Z", night, "2026-03-03T00:00:00Z"),
            ("2026-03-02T23:59:59Z", night, "2026-03-03T00:00:00Z"),
            ("2026-03-02T04:00:00Z", noon, "2026-03-02T06:00:00Z"),
            ("2026-03-02T06:00:00Z", noon, "2026-03-02T06:00:00Z"),
            ("2026-03-02T16:00:00Z", None, "2026-03-02T16:00:00Z"),
        ] {
            let at: Timestamp = at.parse().expect("a time");
            assert_eq!(send_at(at, quiet, UtcOffset::CHINA), wanted.parse().expect("a time"), "{at}");
        }
    }

    #[test]
    fn times_of_day() {
        for (text, wanted) in [
            ("21:30", Some(1_290)),
            ("00:00", Some(0)),
            ("24:00", None),
            ("7:30", None),
            ("07:60", None),
            ("x", None),
        ] {
            assert_eq!(minutes(text), wanted, "{text}");
        }
        assert_eq!(clock(1_290), "21:30");
    }

    #[test]
    fn what_cannot_be_preferred() {
        let good = Preferences::default();
        assert_eq!(check(&good), Ok(()));
        for (bad, field) in [
            (Preferences { quiet: Some(Quiet { from: 5, to: 5 }), ..good.clone() }, "quiet"),
            (Preferences { due_days: 0, ..good.clone() }, "due_days"),
            (Preferences { due_days: 16, ..good.clone() }, "due_days"),
            (Preferences { muted: vec![NoteKind::AutopayNotice], ..good.clone() }, "muted"),
        ] {
            assert_eq!(check(&bad), Err(field));
        }
    }

    #[test]
    fn a_text_holds_no_whole_account_number() {
        let biller = Name { zh: "杭州供电".to_owned(), en: "Hangzhou Power".to_owned() };
        for kind in NoteKind::ALL {
            for on in [None, Some(day(10))] {
                let said = text(kind, &biller, "3339522520", Some("¥100.00"), on, true);
                for line in [said.zh, said.en] {
                    assert!(line.contains("2520") && !line.contains("3339522520"), "{line}");
                }
            }
        }
    }
}
