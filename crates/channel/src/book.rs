//! The books of an institution, as its side of a door keeps them: who owes what, and which payments were taken.
//!
//! For counterparts: programs that speak a channel's protocol from the other side. Pure; decides as a careful institution
//! would, so that what a counterpart does wrong is what it was told to do wrong.

use std::collections::HashMap;

use crate::{Debt, Meaning, Payment};

/// What an institution knows.
#[derive(Clone, Debug, Default)]
pub struct Book {
    owed: HashMap<(String, String), Vec<Debt>>,
    taken: HashMap<String, Entry>,
    restored: HashMap<String, (String, String)>,
}

/// A payment that the institution has heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it came; of one that was reversed unheard, only the id says something.
    pub payment: Payment,
    /// What became of it.
    pub state: State,
    /// What was given back, by reference.
    pub refunds: HashMap<String, i64>,
    /// How often it was taken. More than once is what no institution may do.
    pub times: u32,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The institution has the money.
    Taken,
    /// It was taken back, or will never be taken.
    Reversed,
    /// It was refused.
    Refused(Meaning),
}

impl Book {
    /// Adds an account, with what is owed on it.
    pub fn open(&mut self, institution: &str, account_no: &str, debts: Vec<Debt>) {
        self.owed.insert((institution.to_owned(), account_no.to_owned()), debts);
    }

    /// A payment.
    pub fn payment(&self, id: &str) -> Option<&Entry> {
        self.taken.get(id)
    }

    /// All payments.
    pub fn payments(&self) -> impl Iterator<Item = &Entry> {
        self.taken.values()
    }

    /// What is owed on an account.
    pub fn query(&self, institution: &str, account_no: &str) -> Result<Vec<Debt>, Meaning> {
        let key = (institution.to_owned(), account_no.to_owned());
        let debts = self.owed.get(&key).ok_or(Meaning::AccountUnknown)?;
        let open = debts.iter().filter(|debt| !self.is_paid(institution, account_no, &debt.bill_no));
        Ok(open.cloned().collect())
    }

    fn is_paid(&self, institution: &str, account_no: &str, bill_no: &str) -> bool {
        let of =
            |p: &Payment| (p.institution == institution, p.account_no == account_no, p.bill_no == bill_no);
        self.taken.values().any(|e| e.state == State::Taken && of(&e.payment) == (true, true, true))
    }

    /// Takes a payment, once.
    pub fn pay(&mut self, payment: &Payment) -> Meaning {
        match self.taken.get(&payment.id) {
            Some(Entry { state: State::Taken, payment: before, .. }) => {
                let same = (&before.account_no, &before.bill_no, before.amount_minor)
                    == (&payment.account_no, &payment.bill_no, payment.amount_minor);
                return if same { Meaning::Duplicate } else { Meaning::Refused };
            }
            Some(Entry { state: State::Reversed, .. }) => return Meaning::Refused,
            Some(Entry { state: State::Refused(meaning), .. }) => return *meaning,
            None => {}
        }
        let key = (payment.institution.clone(), payment.account_no.clone());
        let refused = match self.owed.get(&key) {
            None => Some(Meaning::AccountUnknown),
            Some(debts) => match debts.iter().find(|debt| debt.bill_no == payment.bill_no) {
                None => Some(Meaning::NothingDue),
                Some(_) if self.is_paid(&payment.institution, &payment.account_no, &payment.bill_no) => {
                    Some(Meaning::AlreadyPaid)
                }
                Some(debt) if debt.amount_minor != payment.amount_minor => Some(Meaning::AmountDiffers),
                Some(_) => None,
            },
        };
        let state = refused.map_or(State::Taken, State::Refused);
        let times = u32::from(state == State::Taken);
        let entry = Entry { payment: payment.clone(), state, refunds: HashMap::new(), times };
        self.taken.insert(payment.id.clone(), entry);
        refused.unwrap_or(Meaning::Ok)
    }

    /// Takes a payment again that was taken, as no institution may.
    pub fn take_again(&mut self, id: &str) {
        if let Some(entry) = self.taken.get_mut(id).filter(|entry| entry.state == State::Taken) {
            entry.times += 1;
        }
    }

    /// What became of a payment.
    pub fn inquire(&self, id: &str) -> Meaning {
        match self.taken.get(id).map(|entry| entry.state) {
            None => Meaning::Unknown,
            Some(State::Taken) => Meaning::Ok,
            Some(State::Reversed) => Meaning::Refused,
            Some(State::Refused(meaning)) => meaning,
        }
    }

    /// Takes a payment back, also one that has not come yet.
    pub fn reverse(&mut self, payment: &Payment) -> Meaning {
        match self.taken.get_mut(&payment.id) {
            Some(entry) if entry.state == State::Reversed => Meaning::Duplicate,
            Some(entry) => {
                entry.state = State::Reversed;
                Meaning::Ok
            }
            None => {
                let entry = Entry {
                    payment: payment.clone(),
                    state: State::Reversed,
                    refunds: HashMap::new(),
                    times: 0,
                };
                self.taken.insert(payment.id.clone(), entry);
                Meaning::Ok
            }
        }
    }

    /// Takes the order to restore supply to an account, once.
    pub fn restore(&mut self, order: &str, institution: &str, account_no: &str) -> Meaning {
        let key = (institution.to_owned(), account_no.to_owned());
        if !self.owed.contains_key(&key) {
            return Meaning::AccountUnknown;
        }
        match self.restored.get(order) {
            Some(before) if *before == key => Meaning::Duplicate,
            Some(_) => Meaning::Refused,
            None => {
                self.restored.insert(order.to_owned(), key);
                Meaning::Ok
            }
        }
    }

    /// The accounts that were ordered to be restored, by order.
    pub fn restored(&self) -> &HashMap<String, (String, String)> {
        &self.restored
    }

    /// Gives a part of a payment back, once for each reference.
    pub fn refund(&mut self, id: &str, reference: &str, amount_minor: i64) -> Meaning {
        let Some(entry) = self.taken.get_mut(id) else { return Meaning::Unknown };
        if let Some(before) = entry.refunds.get(reference) {
            return if *before == amount_minor { Meaning::Duplicate } else { Meaning::Refused };
        }
        let given: i64 = entry.refunds.values().sum();
        if entry.state != State::Taken
            || amount_minor <= 0
            || amount_minor > entry.payment.amount_minor - given
        {
            return Meaning::Refused;
        }
        entry.refunds.insert(reference.to_owned(), amount_minor);
        Meaning::Ok
    }
}

impl std::str::FromStr for Fault {
    type Err = ();

    fn from_str(text: &str) -> Result<Fault, ()> {
        Ok(match text {
            "slow" => Fault::Slow,
            "silent_after" => Fault::SilentAfter,
            "silent_before" => Fault::SilentBefore,
            "hangs_up" => Fault::HangsUp,
            "garbled" => Fault::Garbled,
            "strange_code" => Fault::StrangeCode,
            "clock_skew" => Fault::ClockSkew,
            "again" => Fault::Again,
            "twice" => Fault::Twice,
            "refuses_after" => Fault::RefusesAfter,
            "pending" => Fault::Says(Meaning::Pending),
            "account_unknown" => Fault::Says(Meaning::AccountUnknown),
            "nothing_due" => Fault::Says(Meaning::NothingDue),
            "amount_differs" => Fault::Says(Meaning::AmountDiffers),
            "already_paid" => Fault::Says(Meaning::AlreadyPaid),
            "closed" => Fault::Says(Meaning::Closed),
            "busy" => Fault::Says(Meaning::Busy),
            "refused" => Fault::Says(Meaning::Refused),
            _ => return Err(()),
        })
    }
}

/// What a counterpart does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Answers rightly, but only after the caller has lost patience.
    Slow,
    /// Takes the payment and says nothing.
    SilentAfter,
    /// Does nothing and says nothing.
    SilentBefore,
    /// Takes the payment and hangs up in the middle of the answer.
    HangsUp,
    /// Takes the payment and answers something that cannot be read.
    Garbled,
    /// Answers with a result code that nobody agreed on; nothing was done.
    StrangeCode,
    /// Takes the payment and answers as if it had taken it before.
    Again,
    /// Takes the payment twice, as no institution may: for finding out whether anybody notices.
    Twice,
    /// Takes the payment and refuses it, as no institution may either.
    RefusesAfter,
    /// Answers with so many'th of the codes that the pack has for the question, and does what it was asked where that means
    /// yes.
    Code(u16),
    /// Refuses with this meaning whatever it is asked.
    Says(Meaning),
    /// Its clock is wrong, and it refuses what is not of its time.
    ClockSkew,
}
