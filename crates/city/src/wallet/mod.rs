//! A resident's money: balance and history straight from the ledger, transfers to a phone number or
//! a personal code, deposits and withdrawals booked by an operator against bank clearing.
//!
//! Invariants:
//! - Nothing here keeps a balance; this slice has no table.
//! - A payment's id is derived from who pays and the client's idempotency key, a deposit's from the
//!   bank's reference: asking twice moves money once.
//! - A wallet is never overdrawn and an allowance never passed: the ledger refuses, not a check here.

mod error;
pub mod http;
pub mod rules;

use kernel::ids::{PaymentId, ResidentId};
use kernel::{Money, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, CreateTransferStatus, Transfer, TransferFlags};

pub use error::WalletError;

use crate::books::{self, Once, transfer_code};
use crate::identity::{self, Operator, Resident, Role};
use crate::{City, Fault};

/// A wallet's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Free to be spent.
    pub available: Money,
    /// Held by payments that wait for a biller or a bank.
    pub held: Money,
}

/// A movement that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its id, also in the ledger.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// When it was committed.
    pub at: Timestamp,
    /// Whether it had happened before this request.
    pub repeated: bool,
}

/// Whom a transfer goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payee {
    /// A phone number.
    Phone(String),
    /// The text of a personal code.
    PersonalCode(String),
}

/// A movement in a wallet's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id in the ledger.
    pub payment: PaymentId,
    /// What it was: see [`rules::kind`].
    pub kind: &'static str,
    /// Whether money came in.
    pub incoming: bool,
    /// How much.
    pub amount: Money,
    /// When it was committed.
    pub at: Timestamp,
    /// Ledger timestamp: the cursor of this entry.
    pub cursor: u64,
}

/// The instant of a ledger timestamp.
pub fn instant(ledger_timestamp: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(ledger_timestamp).unwrap_or(i64::MAX))
}

/// The wallet's money now.
pub async fn balance(city: &City, who: &Resident) -> Result<Balance, WalletError> {
    balance_of(city, who.id).await
}

/// The money now in the wallet of a resident. Callers check who may see that.
pub async fn balance_of(city: &City, resident: ResidentId) -> Result<Balance, WalletError> {
    let found = city.ledger.lookup_accounts(vec![books::wallet(resident)]).await?;
    let account = found.first().copied().unwrap_or_default();
    let spent = account.debits_posted.saturating_add(account.debits_pending);
    let money = |units: u128| Money::new(i64::try_from(units).unwrap_or(i64::MAX), city.settings.currency);
    Ok(Balance {
        available: money(account.credits_posted.saturating_sub(spent)),
        held: money(account.debits_pending),
    })
}

/// The movements of the wallet, newest first: `limit` of them before the cursor. A payment that
/// waits for its outcome is in [`Balance::held`], not here.
pub async fn history(
    city: &City,
    who: &Resident,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<Entry>, Option<u64>), WalletError> {
    let (mut entries, mut before, limit) = (Vec::new(), before, limit.max(1));
    // Pages may hold transfers that are no movements (pending ones, voids): go on until full.
    loop {
        let filter = AccountFilter {
            account_id: books::wallet(who.id),
            timestamp_max: before.map_or(0, |t| t.saturating_sub(1)),
            limit: limit + 1,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed,
            ..AccountFilter::default()
        };
        if before.is_some_and(|t| t <= 1) {
            return Ok((entries, None));
        }
        let page = city.ledger.get_account_transfers(filter).await?;
        let more = page.len() > limit as usize;
        for transfer in page.iter().take(limit as usize) {
            before = Some(transfer.timestamp);
            if !transfer.flags.intersects(TransferFlags::Pending | TransferFlags::VoidPendingTransfer) {
                entries.push(entry(city, who.id, transfer));
            }
            if entries.len() == limit as usize {
                return Ok((entries, more.then_some(transfer.timestamp)));
            }
        }
        if !more {
            return Ok((entries, None));
        }
    }
}

fn entry(city: &City, who: ResidentId, transfer: &Transfer) -> Entry {
    // A posted payment is known by the id of the pending transfer it posts.
    let id = if transfer.pending_id == 0 { transfer.id } else { transfer.pending_id };
    Entry {
        payment: PaymentId::from_u128(id),
        kind: rules::kind(transfer.code),
        incoming: transfer.credit_account_id == books::wallet(who),
        amount: Money::new(i64::try_from(transfer.amount).unwrap_or(i64::MAX), city.settings.currency),
        at: instant(transfer.timestamp),
        cursor: transfer.timestamp,
    }
}

/// Whom a transfer would go to, as the payer may see it: id and masked name.
pub async fn payee(
    city: &City,
    who: &Resident,
    to: &Payee,
) -> Result<(ResidentId, String, Option<i64>), WalletError> {
    match to {
        Payee::Phone(phone) => {
            let (resident, name) = identity::resident_by_phone(city, who, phone).await?;
            Ok((resident, identity::rules::mask_name(&name), None))
        }
        Payee::PersonalCode(text) => {
            let (resident, amount) = rules::parse_personal_code(text).ok_or(WalletError::CodeMalformed)?;
            let (name, _) = identity::name_and_tier(city, resident).await?;
            Ok((resident, identity::rules::mask_name(&name), amount))
        }
    }
}

/// Moves money to another resident. `key` is the client's idempotency key.
pub async fn transfer(
    city: &City,
    who: &Resident,
    to: &Payee,
    amount: Money,
    key: &str,
    pin: Option<&str>,
) -> Result<Moved, WalletError> {
    let currency = city.settings.currency;
    if !rules::amount_acceptable(amount, currency) {
        return Err(WalletError::AmountUnacceptable);
    }
    let (payee, _, asked) = payee(city, who, to).await?;
    if asked.is_some_and(|asked| asked != amount.minor) {
        return Err(WalletError::AmountDiffersFromCode);
    }
    if payee == who.id {
        return Err(WalletError::PayeeIsPayer);
    }
    identity::require_pin(city, who, amount.minor, pin).await?;
    let payment = PaymentId::derive(&[b"transfer", &who.id.to_bytes(), key.as_bytes()]);
    let cap = identity::cap_transfer(city, who, amount.minor, payment.as_u128()).await?;
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let (from, to) = (books::wallet(who.id), books::wallet(payee));
        vec![
            books::transfer(id, from, to, amount.minor, currency, transfer_code::WALLET_TRANSFER),
            Transfer { user_data_128: id, ..cap },
        ]
    });
    match once.await? {
        Once::Refused(1, CreateTransferStatus::ExceedsCredits) => Err(WalletError::CapReached),
        once => moved(once, amount, |t| t.credit_account_id == books::wallet(payee)),
    }
}

/// What the deposit of this bank reference is known by.
pub fn deposit_id(reference: &str) -> PaymentId {
    PaymentId::derive(&[b"deposit", reference.as_bytes()])
}

/// What the withdrawal of this bank reference is known by.
pub fn withdrawal_id(reference: &str) -> PaymentId {
    PaymentId::derive(&[b"withdrawal", reference.as_bytes()])
}

/// Books money that came in at the bank. `reference` is the bank's own: booked once, whoever asks. The ledger
/// keeps who booked it in `user_data_128`. Whether it needs a second operator is asked before
/// (by the operator slice).
pub async fn deposit(
    city: &City,
    by: &Operator,
    resident: ResidentId,
    amount: Money,
    reference: &str,
) -> Result<Moved, WalletError> {
    deposit_beside(city, by, resident, amount, reference, None).await
}

/// [`deposit`] in one chain with a marker: both or neither. [`WalletError::GivenUp`] where its place is taken.
pub async fn deposit_beside(
    city: &City,
    by: &Operator,
    resident: ResidentId,
    amount: Money,
    reference: &str,
    beside: Option<Transfer>,
) -> Result<Moved, WalletError> {
    by.role.require(Role::Staff)?;
    check_booking(city, resident, amount, reference).await?;
    let payment = deposit_id(reference);
    let (from, to) = (books::bank_clearing(city.settings.currency), books::wallet(resident));
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let main =
            books::transfer(id, from, to, amount.minor, city.settings.currency, transfer_code::DEPOSIT);
        let main = Transfer { user_data_128: by.id.as_u128(), ..main };
        [main].into_iter().chain(beside).collect()
    });
    booked(once.await?, amount, |t| t.credit_account_id == to)
}

/// Books money that was paid out at the bank. `reference` is the bank's own: booked once.
pub async fn withdraw(
    city: &City,
    by: &Operator,
    resident: ResidentId,
    amount: Money,
    reference: &str,
) -> Result<Moved, WalletError> {
    withdraw_beside(city, by, resident, amount, reference, None).await
}

/// [`withdraw`] in one chain with a marker: both or neither. [`WalletError::GivenUp`] where its place is taken.
pub async fn withdraw_beside(
    city: &City,
    by: &Operator,
    resident: ResidentId,
    amount: Money,
    reference: &str,
    beside: Option<Transfer>,
) -> Result<Moved, WalletError> {
    by.role.require(Role::Staff)?;
    check_booking(city, resident, amount, reference).await?;
    let payment = withdrawal_id(reference);
    let (from, to) = (books::wallet(resident), books::bank_clearing(city.settings.currency));
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let main =
            books::transfer(id, from, to, amount.minor, city.settings.currency, transfer_code::WITHDRAWAL);
        let main = Transfer { user_data_128: by.id.as_u128(), ..main };
        [main].into_iter().chain(beside).collect()
    });
    booked(once.await?, amount, |t| t.debit_account_id == from)
}

/// [`moved`], where whatever the ledger says is the end of it.
fn booked(once: Once, amount: Money, same_parties: impl Fn(&Transfer) -> bool) -> Result<Moved, WalletError> {
    use CreateTransferStatus as S;
    match once {
        Once::Refused(1, status) if books::is_exists(status) => Err(WalletError::GivenUp),
        Once::Refused(0, S::ExceedsCredits | S::CreditAccountNotFound) => moved(once, amount, same_parties),
        Once::Refused(_, status) => Err(WalletError::LedgerRefused(status)),
        _ => moved(once, amount, same_parties),
    }
}

/// Refuses what could be no deposit and no withdrawal, whatever the ledger says.
pub async fn check_booking(
    city: &City,
    resident: ResidentId,
    amount: Money,
    reference: &str,
) -> Result<(), WalletError> {
    if !rules::amount_acceptable(amount, city.settings.currency) {
        return Err(WalletError::AmountUnacceptable);
    }
    if reference.is_empty() || reference.len() > 64 || !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(WalletError::ReferenceMalformed);
    }
    identity::name_and_tier(city, resident).await?;
    Ok(())
}

/// What the ledger's answer means for a movement of one amount; `same_parties` tells whether an
/// earlier transfer of this id is the same movement.
fn moved(once: Once, amount: Money, same_parties: impl Fn(&Transfer) -> bool) -> Result<Moved, WalletError> {
    let same_amount = |t: &Transfer| Some(t.amount) == u128::try_from(amount.minor).ok();
    match once {
        Once::Done { id, timestamp } => {
            Ok(Moved { payment: PaymentId::from_u128(id), amount, at: instant(timestamp), repeated: false })
        }
        Once::Already(t) if same_amount(&t) && same_parties(&t) => Ok(Moved {
            payment: PaymentId::from_u128(t.id),
            amount,
            at: instant(t.timestamp),
            repeated: true,
        }),
        Once::Already(_) => Err(WalletError::KeyUsedDifferently),
        Once::Refused(0, CreateTransferStatus::ExceedsCredits) => Err(WalletError::InsufficientBalance),
        Once::Refused(0, CreateTransferStatus::CreditAccountNotFound) => Err(WalletError::PayeeWithoutWallet),
        Once::Refused(index, status) => {
            Err(Fault::Books(format!("movement: event {index} {status:?}")).into())
        }
        Once::Exhausted => Err(WalletError::AttemptsExhausted),
    }
}
