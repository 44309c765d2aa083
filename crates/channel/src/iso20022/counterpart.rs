//! The bank's side: takes a batch of payments, answers with a status report and the day's statement, and does wrong what it
//! is told to. For tests and for trying an installation out; it keeps which messages it took.

use std::collections::{BTreeMap, HashSet};

use kernel::{Currency, Timestamp};

use super::{
    Direction, Entry, Fault, Initiation, Kind, Movement, Outcome, Party, Report, Said, Statement, Transfer,
};

/// What goes wrong with a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Rejected: the creditor's account is closed (`AC04`).
    Rejected,
    /// Accepted and not booked yet.
    Late,
    /// Accepted, booked, and sent back by the creditor's bank.
    Returned,
    /// Booked twice.
    Twice,
    /// Booked with one minor unit more.
    Amount,
    /// Accepted and left out of the statement for good.
    Missing,
    /// Rejected, and booked all the same.
    RejectedAndBooked,
}

/// Which of the batch goes wrong, by position from 1.
pub type Faults = BTreeMap<usize, Wrong>;

/// A bank with one customer.
pub struct Bank {
    /// The balance of the customer's account, minor units.
    pub balance_minor: i64,
    taken: HashSet<String>,
    late: Vec<Transfer>,
}

/// What a bank answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `pain.002`, at once.
    pub status: Vec<u8>,
    /// `camt.054`: every transfer that was booked.
    pub notification: Vec<u8>,
    /// `camt.053` of the day.
    pub statement: Vec<u8>,
}

impl Bank {
    /// A bank whose customer has this much.
    pub fn new(balance_minor: i64) -> Bank {
        Bank { balance_minor, taken: HashSet::new(), late: Vec::new() }
    }

    /// Takes a batch. One whose `MsgId` it has taken is rejected whole (`AM05`), and nothing of it is booked again.
    pub fn take(
        &mut self,
        pain001: &[u8],
        currency: Currency,
        faults: &Faults,
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let asked = Initiation::read(pain001, currency)?;
        let number = self.taken.len() + 1;
        let mut status = Report {
            id: format!("S{number}-{}", now.as_millis()),
            at: now,
            about: asked.id.clone(),
            whole: None,
            each: Vec::new(),
        };
        if !self.taken.insert(asked.id.clone()) {
            status.whole = Some((Outcome::Rejected, "AM05 duplicate".to_owned()));
            let none = |kind| self.account(kind, number, &asked.debtor, &asked, Vec::new(), now).write();
            let (notification, statement) = (none(Kind::Notification), none(Kind::Statement));
            return Ok(Answer { status: status.write(), notification, statement });
        }
        let mut movements: Vec<(Direction, Movement)> = Vec::new();
        let plain = |t: &Transfer, more: i64, returned: &str| Movement {
            id: t.id.clone(),
            amount_minor: t.amount_minor + more,
            returned: returned.to_owned(),
        };
        for late in std::mem::take(&mut self.late) {
            movements.push((Direction::Debit, plain(&late, 0, "")));
        }
        for (at, transfer) in asked.transfers.iter().enumerate() {
            let wrong = faults.get(&(at + 1)).copied();
            let rejected = matches!(wrong, Some(Wrong::Rejected | Wrong::RejectedAndBooked));
            let (outcome, reason) = match (rejected, wrong) {
                (true, _) => (Outcome::Rejected, "AC04 account closed"),
                (false, Some(Wrong::Late | Wrong::Missing)) => (Outcome::Accepted, ""),
                (false, _) => (Outcome::Settled, ""),
            };
            status.each.push(Said { id: transfer.id.clone(), outcome, reason: reason.to_owned() });
            let debit = |more| (Direction::Debit, plain(transfer, more, ""));
            match wrong {
                Some(Wrong::Rejected | Wrong::Missing) => {}
                Some(Wrong::Late) => self.late.push(transfer.clone()),
                Some(Wrong::Returned) => {
                    movements.push(debit(0));
                    movements.push((Direction::Credit, plain(transfer, 0, "AC04")));
                }
                Some(Wrong::Twice) => movements.extend([debit(0), debit(0)]),
                Some(Wrong::Amount) => movements.push(debit(1)),
                None | Some(Wrong::RejectedAndBooked) => movements.push(debit(0)),
            }
        }
        status.whole = Some(match status.each.iter().filter(|s| s.outcome == Outcome::Rejected).count() {
            0 => (Outcome::Accepted, String::new()),
            all if all == status.each.len() => (Outcome::Rejected, String::new()),
            _ => (Outcome::Part, String::new()),
        });
        let notification =
            self.account(Kind::Notification, number, &asked.debtor, &asked, movements.clone(), now);
        let statement = self.account(Kind::Statement, number, &asked.debtor, &asked, movements, now);
        if let Some((_, after, _)) = statement.balances {
            self.balance_minor = after;
        }
        Ok(Answer {
            status: status.write(),
            notification: notification.write(),
            statement: statement.write(),
        })
    }

    fn account(
        &self,
        kind: Kind,
        number: usize,
        customer: &Party,
        asked: &Initiation,
        movements: Vec<(Direction, Movement)>,
        now: Timestamp,
    ) -> Statement {
        let entry = |(at, (direction, movement)): (usize, (Direction, Movement))| Entry {
            reference: format!("E{number}-{}", at + 1),
            direction,
            amount_minor: movement.amount_minor,
            on: asked.on,
            movements: vec![movement],
        };
        let entries: Vec<Entry> = movements.into_iter().enumerate().map(entry).collect();
        let moved = entries.iter().fold(0i64, |sum, e| match e.direction {
            Direction::Credit => sum.saturating_add(e.amount_minor),
            Direction::Debit => sum.saturating_sub(e.amount_minor),
        });
        let (letter, balances) = match kind {
            Kind::Statement => {
                ("A", Some((self.balance_minor, self.balance_minor.saturating_add(moved), asked.on)))
            }
            Kind::Notification => ("N", None),
        };
        Statement {
            kind,
            id: format!("{letter}{number}-{}", now.as_millis()),
            at: now,
            account: customer.account.clone(),
            currency: asked.currency,
            balances,
            entries,
        }
    }
}
