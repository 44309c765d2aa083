//! A deliberately naive ledger: works every balance out from the list of transfers each time it needs one, keeps a copy of
//! everything to undo a chain, has its checks in lists, and names its answers by word. Shares no code with the engines.
#![allow(dead_code, reason = "each test file uses its own part")]

use ledger::{Account, AccountBalance, AccountFlags as A, Transfer, TransferFlags as F};

const SECOND: u64 = 1_000_000_000;
/// The greatest timestamp.
const LAST: u64 = (1 << 63) - 1;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fate {
    Settled,
    Open,
    Posted,
    Voided,
    Expired,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Account(Account),
    Transfer(Transfer),
}

/// A word and the timestamp that goes with it.
pub type Answer = (&'static str, u64);

/// debits pending, debits posted, credits pending, credits posted
type Balance = (u128, u128, u128, u128);

#[derive(Clone)]
pub struct Model {
    /// As they were created.
    pub accounts: Vec<Account>,
    pub transfers: Vec<(Transfer, Fate)>,
    pub burnt: Vec<u128>,
    /// What accounts with a history keep.
    pub rows: Vec<(u128, AccountBalance)>,
    pub clock: u64,
    /// What others have on a shared server is as old as this, or older.
    pub floor: u64,
    /// The newest timestamp given out.
    pub newest: u64,
}

impl Event {
    fn linked(&self) -> bool {
        match self {
            Event::Account(a) => a.flags.contains(A::Linked),
            Event::Transfer(t) => t.flags.contains(F::Linked),
        }
    }
    fn imported(&self) -> bool {
        match self {
            Event::Account(a) => a.flags.contains(A::Imported),
            Event::Transfer(t) => t.flags.contains(F::Imported),
        }
    }
    fn timestamp(&self) -> u64 {
        match self {
            Event::Account(a) => a.timestamp,
            Event::Transfer(t) => t.timestamp,
        }
    }
}

/// The first check that applies.
fn first(checks: &[(bool, &'static str)]) -> &'static str {
    checks.iter().find(|c| c.0).map_or("Created", |c| c.1)
}

fn over(a: u128, b: u128) -> bool {
    a.checked_add(b).is_none()
}

/// What may pass with time, and therefore burns the id of a transfer.
pub fn passes(word: &str) -> bool {
    matches!(
        word,
        "DebitAccountNotFound"
            | "CreditAccountNotFound"
            | "PendingTransferNotFound"
            | "ExceedsCredits"
            | "ExceedsDebits"
            | "DebitAccountAlreadyClosed"
            | "CreditAccountAlreadyClosed"
    )
}

impl Model {
    pub fn new(floor: u64) -> Model {
        Model {
            accounts: vec![],
            transfers: vec![],
            burnt: vec![],
            rows: vec![],
            clock: floor,
            floor,
            newest: 0,
        }
    }

    pub fn balance(&self, id: u128) -> Balance {
        let mut b = (0, 0, 0, 0);
        for (t, fate) in &self.transfers {
            let reserves = *fate == Fate::Open;
            let moves = *fate == Fate::Settled && !t.flags.contains(F::VoidPendingTransfer);
            if t.debit_account_id == id {
                b.0 += if reserves { t.amount } else { 0 };
                b.1 += if moves { t.amount } else { 0 };
            }
            if t.credit_account_id == id {
                b.2 += if reserves { t.amount } else { 0 };
                b.3 += if moves { t.amount } else { 0 };
            }
        }
        b
    }

    fn closed(&self, id: u128) -> bool {
        self.has(id, A::Closed)
            || self.transfers.iter().any(|(t, fate)| {
                let debit = t.debit_account_id == id && t.flags.contains(F::ClosingDebit);
                let credit = t.credit_account_id == id && t.flags.contains(F::ClosingCredit);
                *fate == Fate::Open && (debit || credit)
            })
    }

    /// The account as it stands now.
    pub fn shown(&self, a: &Account) -> Account {
        let b = self.balance(a.id);
        let flags = if self.closed(a.id) { a.flags | A::Closed } else { a.flags };
        Account {
            debits_pending: b.0,
            debits_posted: b.1,
            credits_pending: b.2,
            credits_posted: b.3,
            flags,
            ..*a
        }
    }

    fn account(&self, id: u128) -> Option<Account> {
        self.accounts.iter().copied().find(|a| a.id == id)
    }

    fn find(&self, id: u128) -> Option<(Transfer, Fate)> {
        self.transfers.iter().copied().find(|(t, _)| t.id == id)
    }

    fn has(&self, id: u128, flag: A) -> bool {
        self.account(id).is_some_and(|a| a.flags.contains(flag))
    }

    /// Releases what is due. An expiry takes a timestamp of its own, which may make the next one due.
    pub fn expire(&mut self) {
        while self.expire_some() {}
    }

    fn expire_some(&mut self) -> bool {
        let now = self.clock.max(self.newest);
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (index, (t, fate)) in self.transfers.iter().enumerate() {
            let at = t.timestamp + u64::from(t.timeout) * SECOND;
            if *fate == Fate::Open && t.timeout > 0 && at <= now {
                due.push((at, index));
            }
        }
        due.sort_unstable();
        for (_, index) in &due {
            self.transfers[*index].1 = Fate::Expired;
            self.newest = (self.newest + 1).max(now);
        }
        !due.is_empty()
    }

    /// The batch's answers. `last` is its timestamp where an engine's own clock gave it.
    pub fn batch(&mut self, events: &[Event], last: Option<u64>) -> Vec<Answer> {
        self.expire();
        let count = events.len() as u64;
        if count == 0 {
            return vec![];
        }
        self.newest = last.unwrap_or((self.newest + count).max(self.clock));
        let begin = self.newest + 1 - count;
        let import = events[0].imported();
        let mut out = Vec::new();
        let mut index = 0;
        while index < events.len() {
            let length = events[index..].iter().take_while(|e| e.linked()).count();
            let open = index + length == events.len();
            let end = if open { events.len() } else { index + length + 1 };
            let before = self.clone();
            let mut broken = None;
            let mut results = Vec::new();
            for (at, event) in events.iter().enumerate().take(end).skip(index) {
                let timestamp = begin + at as u64;
                let (word, existing) = if open && at + 1 == end {
                    ("LinkedEventChainOpen", None)
                } else if broken.is_some() {
                    ("LinkedEventFailed", None)
                } else {
                    self.one(event, timestamp, import)
                };
                if word != "Created" && broken.is_none() {
                    broken = Some((at, word));
                }
                results.push((word, existing.unwrap_or(timestamp)));
            }
            if let Some((at, word)) = broken {
                let newest = self.newest;
                *self = before;
                self.newest = newest;
                for result in &mut results[..at - index] {
                    // The timestamp stays what it was.
                    result.0 = "LinkedEventFailed";
                }
                if let (Event::Transfer(t), true) = (&events[at], passes(word)) {
                    self.burnt.push(t.id);
                }
            }
            out.extend(results);
            index = end;
        }
        out
    }

    fn one(&mut self, event: &Event, at: u64, import: bool) -> (&'static str, Option<u64>) {
        let (imported, timestamp) = (event.imported(), event.timestamp());
        let word = first(&[
            (import && !imported, "ImportedEventExpected"),
            (!import && imported, "ImportedEventNotExpected"),
            (!import && timestamp != 0, "TimestampMustBeZero"),
            (import && (timestamp == 0 || timestamp > LAST), "ImportedEventTimestampOutOfRange"),
            (import && timestamp >= self.newest, "ImportedEventTimestampMustNotAdvance"),
        ]);
        if word != "Created" {
            return (word, None);
        }
        match event {
            Event::Account(a) => self.one_account(a, at),
            Event::Transfer(t) => self.one_transfer(t, at),
        }
    }

    fn one_account(&mut self, a: &Account, at: u64) -> (&'static str, Option<u64>) {
        let word = first(&[
            (a.flags.bits() >> 6 != 0, "ReservedFlag"),
            (a.id == 0, "IdMustNotBeZero"),
            (a.id == u128::MAX, "IdMustNotBeIntMax"),
        ]);
        if word != "Created" {
            return (word, None);
        }
        if let Some(e) = self.account(a.id).map(|e| self.shown(&e)) {
            let word = first(&[
                (a.flags != e.flags, "ExistsWithDifferentFlags"),
                (a.user_data_128 != e.user_data_128, "ExistsWithDifferentUserData128"),
                (a.user_data_64 != e.user_data_64, "ExistsWithDifferentUserData64"),
                (a.user_data_32 != e.user_data_32, "ExistsWithDifferentUserData32"),
                (a.ledger != e.ledger, "ExistsWithDifferentLedger"),
                (a.code != e.code, "ExistsWithDifferentCode"),
                (true, "Exists"),
            ]);
            return (word, (word == "Exists").then_some(e.timestamp));
        }
        let both = A::DebitsMustNotExceedCredits | A::CreditsMustNotExceedDebits;
        let imported = a.flags.contains(A::Imported);
        let newest = self.accounts.iter().map(|e| e.timestamp).max().unwrap_or(self.floor);
        let taken = self.transfers.iter().any(|(t, _)| t.timestamp == a.timestamp);
        let word = first(&[
            (a.flags.contains(both), "FlagsAreMutuallyExclusive"),
            (a.debits_pending != 0, "DebitsPendingMustBeZero"),
            (a.debits_posted != 0, "DebitsPostedMustBeZero"),
            (a.credits_pending != 0, "CreditsPendingMustBeZero"),
            (a.credits_posted != 0, "CreditsPostedMustBeZero"),
            (a.ledger == 0, "LedgerMustNotBeZero"),
            (a.code == 0, "CodeMustNotBeZero"),
            (imported && (a.timestamp <= newest || taken), "ImportedEventTimestampMustNotRegress"),
        ]);
        if word != "Created" {
            return (word, None);
        }
        let timestamp = if imported { a.timestamp } else { at };
        self.accounts.push(Account { timestamp, ..*a });
        (word, Some(timestamp))
    }

    fn one_transfer(&mut self, t: &Transfer, at: u64) -> (&'static str, Option<u64>) {
        let word = self.judge(t, at);
        if word == "Exists" {
            return (word, self.find(t.id).map(|(e, _)| e.timestamp));
        }
        if word != "Created" {
            return (word, None);
        }
        let timestamp = if t.flags.contains(F::Imported) { t.timestamp } else { at };
        let mut kept = Transfer { timestamp, amount: self.amount(t), ..*t };
        let mut fate = if t.flags.contains(F::Pending) { Fate::Open } else { Fate::Settled };
        if let Some((p, _)) = self.find(t.pending_id) {
            let posts = t.flags.contains(F::PostPendingTransfer);
            let resolved = if posts { Fate::Posted } else { Fate::Voided };
            for (q, fate) in &mut self.transfers {
                if q.id == p.id {
                    *fate = resolved;
                }
            }
            kept = Transfer {
                user_data_128: if t.user_data_128 == 0 { p.user_data_128 } else { t.user_data_128 },
                user_data_64: if t.user_data_64 == 0 { p.user_data_64 } else { t.user_data_64 },
                user_data_32: if t.user_data_32 == 0 { p.user_data_32 } else { t.user_data_32 },
                amount: kept.amount,
                timestamp,
                id: t.id,
                pending_id: p.id,
                flags: t.flags,
                timeout: 0,
                ..p
            };
            fate = Fate::Settled;
        }
        self.transfers.push((kept, fate));
        for id in [kept.debit_account_id, kept.credit_account_id] {
            if self.has(id, A::History) {
                let b = self.balance(id);
                let (debits_pending, debits_posted, credits_pending, credits_posted) = b;
                let row = AccountBalance {
                    debits_pending,
                    debits_posted,
                    credits_pending,
                    credits_posted,
                    timestamp,
                };
                self.rows.push((id, row));
            }
        }
        ("Created", Some(timestamp))
    }

    fn amount(&self, t: &Transfer) -> u128 {
        if let Some((p, _)) = self.find(t.pending_id) {
            let whole = if t.flags.contains(F::PostPendingTransfer) { u128::MAX } else { 0 };
            return if t.amount == whole { p.amount } else { t.amount };
        }
        let (d, c) = (self.balance(t.debit_account_id), self.balance(t.credit_account_id));
        let mut amount = t.amount;
        if t.flags.contains(F::BalancingDebit) {
            amount = amount.min(d.3.saturating_sub(d.0 + d.1));
        }
        if t.flags.contains(F::BalancingCredit) {
            amount = amount.min(c.1.saturating_sub(c.2 + c.3));
        }
        amount
    }

    /// An import must be newer than every transfer, and no account may have its timestamp.
    fn regresses(&self, t: &Transfer) -> bool {
        let newest = self.transfers.iter().map(|(e, _)| e.timestamp).max().unwrap_or(self.floor);
        let taken = self.accounts.iter().any(|a| a.timestamp == t.timestamp);
        t.flags.contains(F::Imported) && (t.timestamp <= newest || taken)
    }

    fn judge(&self, t: &Transfer, at: u64) -> &'static str {
        let word = first(&[
            (t.flags.bits() >> 9 != 0, "ReservedFlag"),
            (t.id == 0, "IdMustNotBeZero"),
            (t.id == u128::MAX, "IdMustNotBeIntMax"),
        ]);
        if word != "Created" {
            return word;
        }
        if let Some((e, _)) = self.find(t.id) {
            return self.twin(t, &e);
        }
        if self.burnt.contains(&t.id) {
            return "IdAlreadyFailed";
        }
        if t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
            return self.judge_resolving(t, at);
        }
        let (pending, imported) = (t.flags.contains(F::Pending), t.flags.contains(F::Imported));
        let closing = t.flags.intersects(F::ClosingDebit | F::ClosingCredit);
        let word = first(&[
            (t.debit_account_id == 0, "DebitAccountIdMustNotBeZero"),
            (t.debit_account_id == u128::MAX, "DebitAccountIdMustNotBeIntMax"),
            (t.credit_account_id == 0, "CreditAccountIdMustNotBeZero"),
            (t.credit_account_id == u128::MAX, "CreditAccountIdMustNotBeIntMax"),
            (t.debit_account_id == t.credit_account_id, "AccountsMustBeDifferent"),
            (t.pending_id != 0, "PendingIdMustBeZero"),
            (!pending && t.timeout != 0, "TimeoutReservedForPendingTransfer"),
            (!pending && closing, "ClosingTransferMustBePending"),
            (t.ledger == 0, "LedgerMustNotBeZero"),
            (t.code == 0, "CodeMustNotBeZero"),
        ]);
        if word != "Created" {
            return word;
        }
        let Some(debit) = self.account(t.debit_account_id) else { return "DebitAccountNotFound" };
        let Some(credit) = self.account(t.credit_account_id) else { return "CreditAccountNotFound" };
        let (d, c) = (self.balance(debit.id), self.balance(credit.id));
        let (timestamp, amount) = (if imported { t.timestamp } else { at }, self.amount(t));
        let within = |limit: u128, sum: u128| sum.checked_add(amount).is_some_and(|sum| sum <= limit);
        first(&[
            (debit.ledger != credit.ledger, "AccountsMustHaveTheSameLedger"),
            (t.ledger != debit.ledger, "TransferMustHaveTheSameLedgerAsAccounts"),
            (self.regresses(t), "ImportedEventTimestampMustNotRegress"),
            (imported && t.timestamp <= debit.timestamp, "ImportedEventTimestampMustPostdateDebitAccount"),
            (imported && t.timestamp <= credit.timestamp, "ImportedEventTimestampMustPostdateCreditAccount"),
            (imported && t.timeout != 0, "ImportedEventTimeoutMustBeZero"),
            (self.closed(debit.id), "DebitAccountAlreadyClosed"),
            (self.closed(credit.id), "CreditAccountAlreadyClosed"),
            (pending && over(d.0, amount), "OverflowsDebitsPending"),
            (pending && over(c.2, amount), "OverflowsCreditsPending"),
            (over(d.1, amount), "OverflowsDebitsPosted"),
            (over(c.3, amount), "OverflowsCreditsPosted"),
            (over(d.0 + d.1, amount), "OverflowsDebits"),
            (over(c.2 + c.3, amount), "OverflowsCredits"),
            (timestamp + u64::from(t.timeout) * SECOND > LAST, "OverflowsTimeout"),
            (
                debit.flags.contains(A::DebitsMustNotExceedCredits) && !within(d.3, d.0 + d.1),
                "ExceedsCredits",
            ),
            (
                credit.flags.contains(A::CreditsMustNotExceedDebits) && !within(c.1, c.2 + c.3),
                "ExceedsDebits",
            ),
        ])
    }

    fn judge_resolving(&self, t: &Transfer, at: u64) -> &'static str {
        let void = t.flags.contains(F::VoidPendingTransfer);
        let plain = F::Pending | F::BalancingDebit | F::BalancingCredit | F::ClosingDebit | F::ClosingCredit;
        let both = void && t.flags.contains(F::PostPendingTransfer);
        let word = first(&[
            (both || t.flags.intersects(plain), "FlagsAreMutuallyExclusive"),
            (t.pending_id == 0, "PendingIdMustNotBeZero"),
            (t.pending_id == u128::MAX, "PendingIdMustNotBeIntMax"),
            (t.pending_id == t.id, "PendingIdMustBeDifferent"),
            (t.timeout != 0, "TimeoutReservedForPendingTransfer"),
        ]);
        if word != "Created" {
            return word;
        }
        let Some((p, fate)) = self.find(t.pending_id) else { return "PendingTransferNotFound" };
        let amount = self.amount(t);
        let due = p.timeout > 0 && at >= p.timestamp + u64::from(p.timeout) * SECOND;
        let differs = |given: u128, own: u128| given != 0 && given != own;
        first(&[
            (!p.flags.contains(F::Pending), "PendingTransferNotPending"),
            (differs(t.debit_account_id, p.debit_account_id), "PendingTransferHasDifferentDebitAccountId"),
            (differs(t.credit_account_id, p.credit_account_id), "PendingTransferHasDifferentCreditAccountId"),
            (differs(t.ledger.into(), p.ledger.into()), "PendingTransferHasDifferentLedger"),
            (differs(t.code.into(), p.code.into()), "PendingTransferHasDifferentCode"),
            (amount > p.amount, "ExceedsPendingTransferAmount"),
            (void && amount < p.amount, "PendingTransferHasDifferentAmount"),
            (fate == Fate::Posted, "PendingTransferAlreadyPosted"),
            (fate == Fate::Voided, "PendingTransferAlreadyVoided"),
            (fate == Fate::Expired || due, "PendingTransferExpired"),
            (self.regresses(t), "ImportedEventTimestampMustNotRegress"),
            (!void && self.closed(p.debit_account_id), "DebitAccountAlreadyClosed"),
            (!void && self.closed(p.credit_account_id), "CreditAccountAlreadyClosed"),
        ])
    }

    fn twin(&self, t: &Transfer, e: &Transfer) -> &'static str {
        let word = first(&[
            (t.flags != e.flags, "ExistsWithDifferentFlags"),
            (t.pending_id != e.pending_id, "ExistsWithDifferentPendingId"),
            (t.timeout != e.timeout, "ExistsWithDifferentTimeout"),
        ]);
        if word != "Created" {
            return word;
        }
        let resolves = t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer);
        let mut t = *t;
        if resolves {
            // What is left out stands for what the pending transfer has.
            let p = self.find(e.pending_id).unwrap().0;
            t.amount = self.amount(&t);
            for (field, own) in [
                (&mut t.debit_account_id, p.debit_account_id),
                (&mut t.credit_account_id, p.credit_account_id),
                (&mut t.user_data_128, p.user_data_128),
            ] {
                *field = if *field == 0 { own } else { *field };
            }
            for (field, own) in [(&mut t.user_data_32, p.user_data_32), (&mut t.ledger, p.ledger)] {
                *field = if *field == 0 { own } else { *field };
            }
            t.user_data_64 = if t.user_data_64 == 0 { p.user_data_64 } else { t.user_data_64 };
            t.code = if t.code == 0 { p.code } else { t.code };
        }
        let balancing = t.flags.intersects(F::BalancingDebit | F::BalancingCredit);
        let amount = if balancing { t.amount < e.amount } else { t.amount != e.amount };
        first(&[
            (t.debit_account_id != e.debit_account_id, "ExistsWithDifferentDebitAccountId"),
            (t.credit_account_id != e.credit_account_id, "ExistsWithDifferentCreditAccountId"),
            (amount, "ExistsWithDifferentAmount"),
            (t.user_data_128 != e.user_data_128, "ExistsWithDifferentUserData128"),
            (t.user_data_64 != e.user_data_64, "ExistsWithDifferentUserData64"),
            (t.user_data_32 != e.user_data_32, "ExistsWithDifferentUserData32"),
            (t.ledger != e.ledger, "ExistsWithDifferentLedger"),
            (t.code != e.code, "ExistsWithDifferentCode"),
            (true, "Exists"),
        ])
    }
}
