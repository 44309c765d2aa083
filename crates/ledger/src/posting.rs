//! What a record does to the balances it touches, one account at a time.
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

/// Which end of a transfer an account is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It is debited.
    Debit,
    /// It is credited.
    Credit,
}

/// Books `t` on the account at one of its ends. `pending` is the transfer that it posts or voids, else
/// `None`.
pub fn post(
    t: &Transfer,
    pending: Option<&Transfer>,
    side: Side,
    account: &mut Account,
) -> Result<(), Contradiction> {
    if let Some(p) = pending {
        release_pending(p, side, account)?;
        if t.flags.contains(TransferFlags::VoidPendingTransfer) {
            reopen(p, side, account);
            return Ok(());
        }
    }
    let balance = match (side, t.flags.contains(TransferFlags::Pending)) {
        (Side::Debit, true) => &mut account.debits_pending,
        (Side::Debit, false) => &mut account.debits_posted,
        (Side::Credit, true) => &mut account.credits_pending,
        (Side::Credit, false) => &mut account.credits_posted,
    };
    add(balance, t.amount)?;
    if t.flags.contains(closing(side)) {
        account.flags |= AccountFlags::Closed;
    }
    Ok(())
}

/// Releases the expired pending transfer `p` on the account at one of its ends.
pub fn expire(p: &Transfer, side: Side, account: &mut Account) -> Result<(), Contradiction> {
    release_pending(p, side, account)?;
    reopen(p, side, account);
    Ok(())
}

fn release_pending(p: &Transfer, side: Side, account: &mut Account) -> Result<(), Contradiction> {
    match side {
        Side::Debit => release(&mut account.debits_pending, p.amount),
        Side::Credit => release(&mut account.credits_pending, p.amount),
    }
}

/// A closing transfer that came to nothing opens again what it closed.
fn reopen(p: &Transfer, side: Side, account: &mut Account) {
    if p.flags.contains(closing(side)) {
        account.flags = account.flags.without(AccountFlags::Closed);
    }
}

fn closing(side: Side) -> TransferFlags {
    match side {
        Side::Debit => TransferFlags::ClosingDebit,
        Side::Credit => TransferFlags::ClosingCredit,
    }
}
