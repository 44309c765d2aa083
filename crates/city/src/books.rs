//! The chart of accounts, and the one way money is moved: [`pay_once`].
//!
//! Account ids are the ids of their owners or derived from names, so no table maps one to the other.
//! `ledger` is the ISO 4217 number of the currency; caps live on shadow ledgers of their own, so that
//! an allowance can never be mistaken for money.

use std::collections::HashMap;

use kernel::ids::{BillerId, CampaignId, CollectorId, MerchantId, ResidentId};
use kernel::{Currency, Rng, Timestamp, derive_u128};
use ledger::{
    Account, AccountFlags, CreateAccountStatus, CreateTransferStatus, EngineError, Ledger, Transfer,
    TransferFlags,
};

use crate::Fault;

/// Account codes: the kind of account in the chart.
pub mod account_code {
    /// Money at the bank (debit-normal).
    pub const BANK_CLEARING: u16 = 1;
    /// Fees earned (credit-normal).
    pub const FEES: u16 = 2;
    /// A resident's wallet (credit-normal, never overdrawn).
    pub const WALLET: u16 = 10;
    /// A shop's balance (credit-normal, never overdrawn).
    pub const MERCHANT: u16 = 20;
    /// What a biller is owed (credit-normal, never overdrawn).
    pub const BILLER: u16 = 30;
    /// What a collector has collected and not handed over (debit-normal).
    pub const COLLECTOR: u16 = 31;
    /// Money held for an account at a biller (credit-normal, never overdrawn).
    pub const ADVANCE: u16 = 32;
    /// What a collector may still collect (shadow, never overdrawn).
    pub const COLLECTOR_LIMIT: u16 = 33;
    /// What of a campaign's budget its coupons have not used (credit-normal, never overdrawn).
    pub const CAMPAIGN: u16 = 40;
    /// A resident's allowance (shadow, never overdrawn).
    pub const KYC_CAP: u16 = 101;
    /// Where allowances come from and go to (shadow).
    pub const CAP_POOL: u16 = 102;
    /// What of a trade or a bill payment may still be refunded; what of refunds a biller's payouts have still to bear
    /// (shadow, never overdrawn).
    pub const REFUNDABLE: u16 = 103;
    /// The two ends of a marker transfer: used payment codes, closed trades (shadow).
    pub const MARKER: u16 = 104;
    /// How often a resident may still use a campaign's coupon (shadow, never overdrawn).
    pub const COUPON_USE: u16 = 105;
    /// What of a mandate's month may still be debited (shadow, never overdrawn).
    pub const MANDATE_CAP: u16 = 106;
}

/// Transfer codes: why money moved.
pub mod transfer_code {
    /// Bank clearing → wallet.
    pub const DEPOSIT: u16 = 1;
    /// Wallet → bank clearing.
    pub const WITHDRAWAL: u16 = 2;
    /// Wallet → wallet.
    pub const WALLET_TRANSFER: u16 = 3;
    /// Wallet → merchant, gross. `user_data_64` is what of it a coupon brought, minor units.
    pub const TRADE_PAYMENT: u16 = 10;
    /// Merchant → fees.
    pub const TRADE_FEE: u16 = 11;
    /// Merchant → wallet.
    pub const TRADE_REFUND: u16 = 12;
    /// Fees → merchant, the fee's share of a refund.
    pub const TRADE_FEE_BACK: u16 = 13;
    /// Marker in the place of a payment: this trade was closed and can never be paid.
    pub const TRADE_CLOSED: u16 = 14;
    /// Campaign → wallet, in the chain of the payment that it belongs to.
    pub const COUPON_SUBSIDY: u16 = 15;
    /// Wallet → campaign: the coupon's share of a refund.
    pub const COUPON_BACK: u16 = 16;
    /// Wallet → biller (pending, then posted or voided).
    pub const BILL_PAYMENT: u16 = 20;
    /// Biller → bank clearing: paid out.
    pub const BILL_SETTLEMENT: u16 = 21;
    /// Biller → fees: what the biller pays for collection.
    pub const BILL_FEE: u16 = 22;
    /// Merchant → bank clearing: paid out.
    pub const MERCHANT_SETTLEMENT: u16 = 23;
    /// Marker beside the claim of a part of a bill: the day of its price (`user_data_64`, `20260331`), and whether it pays
    /// all that was due (`user_data_32`).
    pub const BILL_PART: u16 = 24;
    /// Bank clearing → collector: what it collected, handed over.
    pub const COLLECTOR_SETTLEMENT: u16 = 27;
    /// Marker in the chain that books what a collector's reference stands for; `user_data_128` is the payment or the
    /// transfer into an advance that it became.
    pub const COLLECTED: u16 = 28;
    /// Bank clearing → campaign: its budget.
    pub const CAMPAIGN_BUDGET: u16 = 30;
    /// Campaign → bank clearing: what was left of it.
    pub const CAMPAIGN_RETURN: u16 = 31;
    /// Collector or wallet → advance. `user_data_128` is the bill it was for, `user_data_32` why.
    pub const ADVANCE_IN: u16 = 32;
    /// Advance → wallet or collector. `user_data_128` is the transfer that is given back.
    pub const ADVANCE_RETURN: u16 = 33;
    /// Biller → wallet: a bill payment, or a part of it, given back. `user_data_128` is the payment.
    pub const BILL_REFUND: u16 = 35;
    /// Pool → what the biller's payouts have still to bear of refunds, in the chain of a refund.
    pub const BILL_REFUND_OWED: u16 = 36;
    /// What the biller's payouts have still to bear of refunds → pool, in the chain of a payout.
    pub const BILL_REFUND_BORNE: u16 = 37;
    /// Marker in the place of a refund: it can never happen.
    pub const BILL_REFUND_CLOSED: u16 = 38;
    /// Bank clearing → biller: the bank rejected a payout, or it came back. `user_data_128` is the payout.
    pub const BILL_PAYOUT_BACK: u16 = 45;
    /// Biller → bank clearing: a payout that came back goes out again. `user_data_128` is the one before.
    pub const BILL_PAYOUT_AGAIN: u16 = 46;
    /// Pool → allowance.
    pub const CAP_GRANT: u16 = 101;
    /// Allowance → pool: used by a payment.
    pub const CAP_DRAW: u16 = 102;
    /// Pool → allowance: given back by a refund.
    pub const CAP_RETURN: u16 = 103;
    /// Marker: this payment code was used.
    pub const CODE_USED: u16 = 110;
    /// Marker: the ledger's time has come so far.
    pub const TIME_PASSED: u16 = 111;
    /// Held and let go in one chain: whether an account covers what the chain wants next.
    pub const FUNDS_PROBE: u16 = 112;
    /// Marker: an operator ended this bill payment.
    pub const BILL_RESOLVED: u16 = 113;
    /// Marker: an approved movement was booked, in the same chain.
    pub const APPROVAL_BOOKED: u16 = 114;
    /// Marker in the place of [`APPROVAL_BOOKED`]: this approval can never be booked any more.
    pub const APPROVAL_FAILED: u16 = 115;
    /// Marker: a trade that was paid with a coupon and refunded so far was refunded further.
    pub const REFUND_STEP: u16 = 116;
    /// Pool → what a mandate may debit in a month.
    pub const MANDATE_GRANT: u16 = 117;
    /// What a mandate may debit in a month → pool: used by a payment (pending, then posted or voided with it).
    pub const MANDATE_DRAW: u16 = 118;
    /// What a mandate may debit in a month → pool: its cap was lowered.
    pub const MANDATE_LOWERED: u16 = 119;
}

/// The shadow ledgers of a currency. Numbers above every ISO 4217 code.
pub mod shadow {
    use kernel::Currency;
    /// KYC allowances, in minor units.
    pub fn kyc(currency: Currency) -> u32 {
        10_000 + u32::from(currency.numeric())
    }
    /// Refundable amounts, in minor units.
    pub fn refundable(currency: Currency) -> u32 {
        20_000 + u32::from(currency.numeric())
    }
    /// Markers: transfers of amount 0 whose id alone matters.
    pub const MARKERS: u32 = 30_000;
    /// What mandates may debit in a month, in minor units.
    pub fn mandate(currency: Currency) -> u32 {
        50_000 + u32::from(currency.numeric())
    }
    /// Uses of coupons, in pieces.
    pub const COUPON_USES: u32 = 40_000;
}

/// The money ledger of a currency.
pub fn money(currency: Currency) -> u32 {
    u32::from(currency.numeric())
}

/// The wallet of a resident: the same 128 bits.
pub fn wallet(resident: ResidentId) -> u128 {
    resident.as_u128()
}

/// The balance of a shop: the same 128 bits.
pub fn merchant(merchant: MerchantId) -> u128 {
    merchant.as_u128()
}

/// What a biller is owed: the same 128 bits.
pub fn biller(biller: BillerId) -> u128 {
    biller.as_u128()
}

/// The budget of a campaign: the same 128 bits.
pub fn campaign(campaign: CampaignId) -> u128 {
    campaign.as_u128()
}

/// What a collector has collected: the same 128 bits.
pub fn collector(collector: CollectorId) -> u128 {
    collector.as_u128()
}

/// What a collector may still collect, on the shadow ledger of allowances.
pub fn collector_limit(collector: CollectorId) -> u128 {
    derive_u128("collector_limit", &[&collector.to_bytes()])
}

/// The money held for an account at a biller.
pub fn advance(biller: BillerId, account_no: &str) -> u128 {
    derive_u128("advance", &[&biller.to_bytes(), account_no.as_bytes()])
}

/// The city's account of that name on that ledger.
pub fn named(name: &str, ledger: u32) -> u128 {
    derive_u128("account", &[name.as_bytes(), &ledger.to_be_bytes()])
}

/// Money at the bank.
pub fn bank_clearing(currency: Currency) -> u128 {
    named("bank_clearing", money(currency))
}

/// Fees earned.
pub fn fees(currency: Currency) -> u128 {
    named("fees", money(currency))
}

/// Where allowances of a shadow ledger come from and go back to.
pub fn pool(shadow_ledger: u32) -> u128 {
    named("pool", shadow_ledger)
}

/// The two ends of a marker.
pub fn marker_ends() -> (u128, u128) {
    (named("marker_from", shadow::MARKERS), named("marker_to", shadow::MARKERS))
}

/// An account as the chart wants it, empty.
pub fn account(id: u128, ledger: u32, code: u16, flags: AccountFlags) -> Account {
    Account { id, ledger, code, flags, ..Account::default() }
}

/// An account that may never be overdrawn: wallets, shops, billers, every cap.
pub fn never_overdrawn(id: u128, ledger: u32, code: u16) -> Account {
    account(id, ledger, code, AccountFlags::DebitsMustNotExceedCredits)
}

/// A plain transfer on the money ledger.
pub fn transfer(id: u128, from: u128, to: u128, amount: i64, currency: Currency, code: u16) -> Transfer {
    Transfer {
        id,
        debit_account_id: from,
        credit_account_id: to,
        // Negative amounts are refused by the rules long before; zero would be refused again here.
        amount: u128::try_from(amount).unwrap_or(0),
        ledger: money(currency),
        code,
        ..Transfer::default()
    }
}

/// The low half of a shop's id, which is a hash there: tells shops apart where a transfer has no account
/// of theirs, in `user_data_64` of a [`transfer_code::TRADE_CLOSED`] marker.
pub fn merchant_tag(merchant: MerchantId) -> u64 {
    u64::try_from(merchant.as_u128() & u128::from(u64::MAX)).unwrap_or(0)
}

/// Two events that fail, with ids of no meaning, where `payment` would fail for want of funds; they
/// move nothing. Before a payment in its chain they keep its own id from being burnt.
pub fn funds_probe(rng: &dyn Rng, payment: &Transfer) -> [Transfer; 2] {
    let probe = Transfer {
        id: rng.u128(),
        debit_account_id: payment.debit_account_id,
        credit_account_id: payment.credit_account_id,
        amount: payment.amount,
        ledger: payment.ledger,
        code: transfer_code::FUNDS_PROBE,
        flags: TransferFlags::Pending,
        ..Transfer::default()
    };
    let release = Transfer {
        id: rng.u128(),
        pending_id: probe.id,
        code: transfer_code::FUNDS_PROBE,
        flags: TransferFlags::VoidPendingTransfer,
        ..Transfer::default()
    };
    [probe, release]
}

/// A marker: amount 0, its id is its meaning.
pub fn marker(id: u128, code: u16) -> Transfer {
    let (from, to) = marker_ends();
    Transfer {
        id,
        debit_account_id: from,
        credit_account_id: to,
        ledger: shadow::MARKERS,
        code,
        ..Transfer::default()
    }
}

/// Writes a marker, unless there is one of this id; answers with the code of the one that is there.
pub async fn mark(ledger: &Ledger, id: u128, code: u16) -> Result<u16, Fault> {
    match submit(ledger, vec![marker(id, code)]).await? {
        Ok(_) => Ok(code),
        Err((_, status)) if is_exists(status) => {
            let found = ledger.lookup_transfers(vec![id]).await?;
            found.first().map(|t| t.code).ok_or_else(|| Fault::Books("exists, but not found".into()))
        }
        Err((_, status)) => Err(Fault::Books(format!("mark: {status:?}"))),
    }
}

/// An instant as the ledger counts, ns; zero for times before 1970, when there was none.
pub fn ledger_time(t: Timestamp) -> u64 {
    u64::try_from(t.as_nanos()).unwrap_or(0)
}

/// Whether the ledger's own time has come to `t`. It never goes back, so nothing can be added to what
/// lies before, whatever the clocks of nodes do. A quiet ledger is made to tell the time.
pub async fn passed(ledger: &Ledger, rng: &dyn Rng, t: Timestamp) -> Result<bool, Fault> {
    let t = ledger_time(t);
    if *ledger.committed().borrow() >= t {
        return Ok(true);
    }
    let tick = marker(rng.u128(), transfer_code::TIME_PASSED);
    match submit(ledger, vec![tick]).await? {
        Ok(timestamp) => Ok(timestamp >= t),
        Err((_, status)) => Err(Fault::Books(format!("tell the time: {status:?}"))),
    }
}

/// Links `chain` so that it happens as a whole or not at all.
pub fn linked(mut chain: Vec<Transfer>) -> Vec<Transfer> {
    let last = chain.len().saturating_sub(1);
    for transfer in &mut chain[..last] {
        transfer.flags |= TransferFlags::Linked;
    }
    chain
}

/// The city's own accounts; made at every start, which is harmless when they are there.
pub async fn open(ledger: &Ledger, currency: Currency) -> Result<(), Fault> {
    let none = AccountFlags::empty();
    let (from, to) = marker_ends();
    let pools =
        [shadow::kyc(currency), shadow::refundable(currency), shadow::COUPON_USES, shadow::mandate(currency)];
    let mut accounts = vec![
        account(bank_clearing(currency), money(currency), account_code::BANK_CLEARING, none),
        account(fees(currency), money(currency), account_code::FEES, none),
        account(from, shadow::MARKERS, account_code::MARKER, none),
        account(to, shadow::MARKERS, account_code::MARKER, none),
    ];
    accounts.extend(pools.map(|l| account(pool(l), l, account_code::CAP_POOL, none)));
    ensure(ledger, accounts).await
}

/// Makes sure that accounts exist as described. One that a ledger brought from another engine has is marked as imported,
/// and is as described otherwise.
pub async fn ensure(ledger: &Ledger, accounts: Vec<Account>) -> Result<(), Fault> {
    use CreateAccountStatus as S;
    let ids: Vec<u128> = accounts.iter().map(|a| a.id).collect();
    let results = match ledger.create_accounts(accounts.clone()).await {
        // On a full disk a city that has all its accounts still starts, and says what people have.
        Err(EngineError::NoSpace) if ledger.lookup_accounts(ids.clone()).await?.len() == ids.len() => {
            return Ok(());
        }
        other => other?,
    };
    for (account, result) in accounts.iter().zip(results) {
        let imported = Account {
            flags: account.flags | AccountFlags::Imported,
            timestamp: result.timestamp,
            ..*account
        };
        let there = match result.status {
            S::Created | S::Exists => true,
            // Asked for as imported it can only exist: its timestamp lies in the past of every other.
            S::ExistsWithDifferentFlags => {
                ledger.create_accounts(vec![imported]).await?.iter().all(|r| r.status == S::Exists)
            }
            _ => false,
        };
        if !there {
            return Err(Fault::Books(format!("create account: {:?}", result.status)));
        }
    }
    Ok(())
}

/// Whether a transfer whose id stands for one thing only is in the ledger. One that a ledger brought from another
/// engine has is marked as imported, which an id asked for again meets as other flags.
pub fn is_there(status: CreateTransferStatus) -> bool {
    use CreateTransferStatus as S;
    matches!(status, S::Created | S::Exists | S::ExistsWithDifferentFlags)
}

/// How often a payment of one trade or bill may fail for want of money, racing others, before it needs a
/// new one. Bounds the look-up in [`find_once`].
pub const ATTEMPTS_MAX: u32 = 16;

/// The attempt that is never a payment: a marker, which cannot fail, finds it free when every other is
/// burnt. So a trade can be closed whatever was tried at it.
const LAST_RESORT: u32 = ATTEMPTS_MAX;

/// The transfer id of attempt `k` at what `base` names. A ledger never takes an id again whose
/// transfer failed for want of funds (`id_already_failed`), so each failed attempt moves on to the
/// next id, and because a burnt id can never come to life, at most one attempt ever succeeds.
pub fn attempt_id(base: u128, k: u32) -> u128 {
    if k == 0 { base } else { derive_u128("attempt", &[&base.to_be_bytes(), &k.to_be_bytes()]) }
}

/// What became of [`pay_once`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It happened now; holds the main transfer's id and commit timestamp.
    Done {
        /// The id it has in the ledger.
        id: u128,
        /// Ledger timestamp, ns.
        timestamp: u64,
    },
    /// A transfer of this identity is there already, perhaps with other content: look and compare.
    Already(Transfer),
    /// The ledger refused the event at this index of the chain.
    Refused(usize, CreateTransferStatus),
    /// Every attempt id is burnt.
    Exhausted,
}

/// Moves money at most once for what `base` names. `chain` builds the linked events for a main
/// transfer id; the main event is the first, and the only one with an id that `base` determines.
pub async fn pay_once(
    ledger: &Ledger,
    base: u128,
    chain: impl Fn(u128) -> Vec<Transfer> + Send,
) -> Result<Once, Fault> {
    pay_once_at(ledger, base, 0, chain).await
}

/// [`pay_once`] for a chain whose main event stands at index `main`. What stands before it has ids of no meaning,
/// so that one that is burnt is missed by nobody; where it fails, whether the main transfer is there already is not
/// known.
pub async fn pay_once_at(
    ledger: &Ledger,
    base: u128,
    main: usize,
    chain: impl Fn(u128) -> Vec<Transfer> + Send,
) -> Result<Once, Fault> {
    for k in 0..=LAST_RESORT {
        let id = attempt_id(base, k);
        let events = chain(id);
        let moves = events[main].amount > 0;
        if k > 0 && moves && (k == LAST_RESORT || !covered(ledger, &events, main).await?) {
            // Nobody burns one attempt after another by asking again with an empty wallet.
            let refused = Once::Refused(main, CreateTransferStatus::ExceedsCredits);
            let otherwise = if k == LAST_RESORT { Once::Exhausted } else { refused };
            return Ok(find_once(ledger, base).await?.map_or(otherwise, Once::Already));
        }
        match submit_at(ledger, linked(events), main).await? {
            Ok(timestamp) => return Ok(Once::Done { id, timestamp }),
            Err((at, CreateTransferStatus::IdAlreadyFailed)) if at == main => {}
            Err((at, status)) if at == main && is_exists(status) => {
                let found = ledger.lookup_transfers(vec![id]).await?;
                let found = found.into_iter().next();
                return found.map(Once::Already).ok_or_else(|| Fault::Books("exists, but not found".into()));
            }
            Err((index, status)) => return Ok(Once::Refused(index, status)),
        }
    }
    Ok(Once::Exhausted)
}

/// Whether the account that the main event debits can spend its amount now, with what the events before
/// bring it. Only saves ids: what it says may change before the ledger decides.
async fn covered(ledger: &Ledger, events: &[Transfer], main: usize) -> Result<bool, Fault> {
    let Transfer { debit_account_id: from, amount, .. } = events[main];
    let Some(account) = ledger.lookup_accounts(vec![from]).await?.into_iter().next() else {
        return Ok(true);
    };
    if !account.flags.contains(AccountFlags::DebitsMustNotExceedCredits) {
        return Ok(true);
    }
    let before = events[..main].iter().filter(|t| t.credit_account_id == from).map(|t| t.amount);
    let has = before.fold(account.credits_posted, u128::saturating_add);
    let spent = account.debits_posted.saturating_add(account.debits_pending);
    Ok(amount <= has.saturating_sub(spent))
}

/// Submits one chain. `Ok` holds the timestamp of its first event, `Err` the event that failed.
pub async fn submit(
    ledger: &Ledger,
    chain: Vec<Transfer>,
) -> Result<Result<u64, (usize, CreateTransferStatus)>, Fault> {
    submit_at(ledger, chain, 0).await
}

/// [`submit`], but `Ok` holds the timestamp of the event at index `main`.
async fn submit_at(
    ledger: &Ledger,
    chain: Vec<Transfer>,
    main: usize,
) -> Result<Result<u64, (usize, CreateTransferStatus)>, Fault> {
    let results = ledger.create_transfers(chain).await?;
    let failed = results.iter().position(|r| {
        !matches!(r.status, CreateTransferStatus::Created | CreateTransferStatus::LinkedEventFailed)
    });
    match (failed, results.get(main)) {
        (Some(index), _) => Ok(Err((index, results[index].status))),
        (None, Some(done)) if done.status == CreateTransferStatus::Created => Ok(Ok(done.timestamp)),
        _ => Err(Fault::Books("a chain without an answer".into())),
    }
}

/// The one transfer that happened for `base`, if any.
pub async fn find_once(ledger: &Ledger, base: u128) -> Result<Option<Transfer>, Fault> {
    let ids = (0..=LAST_RESORT).map(|k| attempt_id(base, k)).collect();
    Ok(ledger.lookup_transfers(ids).await?.into_iter().next())
}

/// [`find_once`] for many; what is not there is left out.
pub async fn find_each(ledger: &Ledger, bases: &[u128]) -> Result<Vec<(u128, Transfer)>, Fault> {
    const IDS: usize = LAST_RESORT as usize + 1;
    let mut found = Vec::new();
    for part in bases.chunks(ledger::BATCH_MAX / IDS) {
        let base_of: HashMap<u128, u128> =
            part.iter().flat_map(|base| (0..=LAST_RESORT).map(|k| (attempt_id(*base, k), *base))).collect();
        let transfers = ledger.lookup_transfers(base_of.keys().copied().collect()).await?;
        found.extend(transfers.into_iter().filter_map(|t| Some((*base_of.get(&t.id)?, t))));
    }
    Ok(found)
}

/// Whether the status says that a transfer of this id is there.
pub fn is_exists(status: CreateTransferStatus) -> bool {
    use CreateTransferStatus as S;
    matches!(
        status,
        S::Exists
            | S::ExistsWithDifferentFlags
            | S::ExistsWithDifferentPendingId
            | S::ExistsWithDifferentTimeout
            | S::ExistsWithDifferentDebitAccountId
            | S::ExistsWithDifferentCreditAccountId
            | S::ExistsWithDifferentAmount
            | S::ExistsWithDifferentUserData128
            | S::ExistsWithDifferentUserData64
            | S::ExistsWithDifferentUserData32
            | S::ExistsWithDifferentLedger
            | S::ExistsWithDifferentCode
    )
}

/// The balance of a credit-normal account that is free to be spent: credits posted, less debits
/// posted and pending. 0 for an account nobody made.
pub async fn available(ledger: &Ledger, account: u128) -> Result<i64, Fault> {
    let found = ledger.lookup_accounts(vec![account]).await?;
    Ok(found.first().map_or(0, free))
}

/// [`available`] of an account that was looked up.
pub fn free(account: &Account) -> i64 {
    let spent = account.debits_posted.saturating_add(account.debits_pending);
    i64::try_from(account.credits_posted.saturating_sub(spent)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_never_meet() {
        let cny = Currency::CNY;
        let shadows = [
            shadow::kyc(cny),
            shadow::refundable(cny),
            shadow::MARKERS,
            shadow::COUPON_USES,
            shadow::mandate(cny),
        ];
        let ledgers = [&shadows[..], &[money(cny)]].concat();
        let distinct: std::collections::HashSet<_> = ledgers.iter().collect();
        assert_eq!(distinct.len(), ledgers.len());
        assert_eq!(attempt_id(7, 0), 7);
        assert_ne!(attempt_id(7, 1), attempt_id(7, 2));
        assert_ne!(attempt_id(7, 1), attempt_id(8, 1));
    }

    #[test]
    fn a_chain_links_all_but_its_last() {
        let chain = linked(vec![marker(1, 1), marker(2, 1), marker(3, 1)]);
        let flags: Vec<bool> = chain.iter().map(|t| t.flags.contains(TransferFlags::Linked)).collect();
        assert_eq!(flags, [true, true, false]);
        assert!(linked(vec![]).is_empty());
    }

    #[tokio::test]
    async fn accounts_and_grants_that_another_engine_brought_are_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, _) =
            ledger::Embedded::open(dir.path(), std::sync::Arc::new(kernel::SystemClock)).expect("a ledger");
        let ledger: Ledger = std::sync::Arc::new(engine);
        let plain = never_overdrawn(7, 1, account_code::KYC_CAP);
        let brought =
            |id, at| Account { id, flags: plain.flags | AccountFlags::Imported, timestamp: at, ..plain };
        let made = ledger.create_accounts(vec![brought(7, 10), brought(8, 20)]).await.expect("an answer");
        assert!(made.iter().all(|r| r.status == CreateAccountStatus::Created), "{made:?}");
        let wanted = |id| Account { id, ..plain };
        assert_eq!(ensure(&ledger, vec![wanted(7), wanted(9), wanted(8)]).await, Ok(()));
        let other = Account { code: account_code::REFUNDABLE, ..plain };
        assert!(ensure(&ledger, vec![other]).await.is_err(), "another account has this id");
        let old = Transfer {
            id: 5,
            debit_account_id: 7,
            credit_account_id: 8,
            ledger: 1,
            code: 1,
            flags: TransferFlags::Imported,
            timestamp: 30,
            ..Transfer::default()
        };
        ledger.create_transfers(vec![old]).await.expect("an answer");
        let again = Transfer { flags: TransferFlags::empty(), timestamp: 0, ..old };
        let again = ledger.create_transfers(vec![again]).await.expect("an answer")[0].status;
        assert!(is_there(again), "{again}");
    }
}
