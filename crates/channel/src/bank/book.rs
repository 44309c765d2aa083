//! What an institution knows of its accounts, and how it answers: pure. Whoever plays the other side of a channel keeps
//! one.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{Debt, Meaning, Payment};

/// Accounts, and what was taken for them.
#[derive(Clone, Debug, Default)]
pub struct Book {
    accounts: BTreeMap<(String, String), Vec<Debt>>,
    payments: HashMap<String, Taken>,
    /// Institution, account and bill of the payments that stand.
    paid: HashSet<(String, String, String)>,
    refunds: HashMap<String, (String, i64)>,
}

/// A payment that somebody asked about.
#[derive(Clone, Debug)]
struct Taken {
    payment: Payment,
    /// What the bill was, while it is paid. `None` once it was taken back, or never came.
    debt: Option<Debt>,
    refunded_minor: i64,
}

impl Book {
    /// Adds an account with what is owed on it.
    pub fn open(&mut self, institution: &str, account_no: &str, debts: Vec<Debt>) {
        self.accounts.entry((institution.to_owned(), account_no.to_owned())).or_default().extend(debts);
    }

    /// Says what is owed on an account from now on.
    pub fn set(&mut self, institution: &str, account_no: &str, debts: Vec<Debt>) {
        self.accounts.insert((institution.to_owned(), account_no.to_owned()), debts);
    }

    /// What is owed on an account; nothing may be.
    pub fn query(&self, institution: &str, account_no: &str) -> Result<&[Debt], Meaning> {
        let debts = self.accounts.get(&(institution.to_owned(), account_no.to_owned()));
        debts.map(Vec::as_slice).ok_or(Meaning::AccountUnknown)
    }

    /// Takes a payment. One that was taken back, even before it came, is never taken.
    pub fn pay(&mut self, payment: &Payment) -> Meaning {
        if let Some(before) = self.payments.get(&payment.id) {
            let same = before.debt.is_some() && before.payment == *payment;
            return if same { Meaning::Ok } else { Meaning::Refused };
        }
        let account = (payment.institution.clone(), payment.account_no.clone());
        let Some(debts) = self.accounts.get_mut(&account) else { return Meaning::AccountUnknown };
        let Some(at) = debts.iter().position(|debt| debt.bill_no == payment.bill_no) else {
            let paid = self.paid.contains(&bill(payment));
            return if paid { Meaning::AlreadyPaid } else { Meaning::NothingDue };
        };
        if debts[at].amount_minor != payment.amount_minor {
            return Meaning::AmountDiffers;
        }
        let debt = Some(debts.remove(at));
        self.paid.insert(bill(payment));
        self.payments.insert(payment.id.clone(), Taken { payment: payment.clone(), debt, refunded_minor: 0 });
        Meaning::Ok
    }

    /// What became of a payment.
    pub fn inquire(&self, payment: &Payment) -> Meaning {
        let taken = self.payments.get(&payment.id).is_some_and(|taken| taken.debt.is_some());
        if taken { Meaning::Ok } else { Meaning::Unknown }
    }

    /// Takes a payment back, now and for good.
    pub fn reverse(&mut self, payment: &Payment) -> Meaning {
        let never = || Taken { payment: payment.clone(), debt: None, refunded_minor: 0 };
        let taken = self.payments.entry(payment.id.clone()).or_insert_with(never);
        if taken.refunded_minor > 0 {
            return Meaning::Refused;
        }
        if let Some(debt) = taken.debt.take() {
            self.paid.remove(&bill(&taken.payment));
            let account = (taken.payment.institution.clone(), taken.payment.account_no.clone());
            self.accounts.entry(account).or_default().push(debt);
        }
        Meaning::Ok
    }

    /// Gives back a part of a payment.
    pub fn refund(&mut self, payment: &Payment, reference: &str, amount_minor: i64) -> Meaning {
        if let Some(before) = self.refunds.get(reference) {
            let same = *before == (payment.id.clone(), amount_minor);
            return if same { Meaning::Ok } else { Meaning::Refused };
        }
        let Some(taken) = self.payments.get_mut(&payment.id).filter(|taken| taken.debt.is_some()) else {
            return Meaning::Unknown;
        };
        let refunded = taken.refunded_minor.checked_add(amount_minor).filter(|_| amount_minor > 0);
        let Some(refunded) = refunded.filter(|sum| *sum <= taken.payment.amount_minor) else {
            return Meaning::AmountDiffers;
        };
        taken.refunded_minor = refunded;
        self.refunds.insert(reference.to_owned(), (payment.id.clone(), amount_minor));
        Meaning::Ok
    }

    /// Whether a refund was given.
    pub fn has_refund(&self, reference: &str) -> bool {
        self.refunds.contains_key(reference)
    }

    /// The payments that stand, by id.
    pub fn taken(&self) -> Vec<&Payment> {
        let standing = self.payments.values().filter(|taken| taken.debt.is_some());
        let mut all: Vec<&Payment> = standing.map(|taken| &taken.payment).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// What was given back of a payment, in minor units.
    pub fn refunded(&self, payment_id: &str) -> i64 {
        self.payments.get(payment_id).map_or(0, |taken| taken.refunded_minor)
    }
}

fn bill(payment: &Payment) -> (String, String, String) {
    (payment.institution.clone(), payment.account_no.clone(), payment.bill_no.clone())
}
