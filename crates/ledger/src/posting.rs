//! What a record does to the two balances it touches.
//!
//! Pure arithmetic, shared by the batch under way and by the books on disk, so that replaying a journal
//! gives what was answered when it was written. It decides nothing: a record that does not fit is a
//! [`Contradiction`], which only a damaged or forged journal can hold.

use std::fmt;

use crate::types::{Account, AccountFlags, Transfer, TransferFlags};

/// One fact of the journal. Facts are applied in order and never taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// An account was created.
    Account(Account),
    /// A transfer was created.
    Transfer(Transfer),
    /// A transfer id was burnt by a transient failure.
    Failed(u128),
    /// The pending transfer with this id expired.
    Expired {
        /// The pending transfer.
        pending_id: u128,
        /// When the engine released it; never before its expiry.
        timestamp: u64,
    },
}

/// A record that cannot follow from the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction(pub &'static str);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn add(balance: &mut u128, amount: u128) -> Result<(), Contradiction> {
    *balance = balance.checked_add(amount).ok_or(Contradiction("a balance overflows"))?;
    Ok(())
}

fn release(balance: &mut u128, amount: u128) -> Result<(), Contradiction> {
    *balance = balance.checked_sub(amount).ok_or(Contradiction("more is released than was pending"))?;
    Ok(())
}

/// Books `t`. `pending` is the transfer that it posts or voids, else `None`.
pub fn post(
    t: &Transfer,
    pending: Option<&Transfer>,
    debit: &mut Account,
    credit: &mut Account,
) -> Result<(), Contradiction> {
    use TransferFlags as F;
    if let Some(p) = pending {
        release_pending(p, debit, credit)?;
        if t.flags.contains(F::VoidPendingTransfer) {
            reopen(p, debit, credit);
            return Ok(());
        }
        add(&mut debit.debits_posted, t.amount)?;
        return add(&mut credit.credits_posted, t.amount);
    }
    if t.flags.contains(F::Pending) {
        add(&mut debit.debits_pending, t.amount)?;
        add(&mut credit.credits_pending, t.amount)?;
    } else {
        add(&mut debit.debits_posted, t.amount)?;
        add(&mut credit.credits_posted, t.amount)?;
    }
    if t.flags.contains(F::ClosingDebit) {
        debit.flags |= AccountFlags::Closed;
    }
    if t.flags.contains(F::ClosingCredit) {
        credit.flags |= AccountFlags::Closed;
    }
    Ok(())
}

/// Releases the expired pending transfer `p`.
pub fn expire(p: &Transfer, debit: &mut Account, credit: &mut Account) -> Result<(), Contradiction> {
    release_pending(p, debit, credit)?;
    reopen(p, debit, credit);
    Ok(())
}

fn release_pending(p: &Transfer, debit: &mut Account, credit: &mut Account) -> Result<(), Contradiction> {
    release(&mut debit.debits_pending, p.amount)?;
    release(&mut credit.credits_pending, p.amount)
}

/// A closing transfer that came to nothing opens again what it closed.
fn reopen(p: &Transfer, debit: &mut Account, credit: &mut Account) {
    if p.flags.contains(TransferFlags::ClosingDebit) {
        debit.flags = debit.flags.without(AccountFlags::Closed);
    }
    if p.flags.contains(TransferFlags::ClosingCredit) {
        credit.flags = credit.flags.without(AccountFlags::Closed);
    }
}
