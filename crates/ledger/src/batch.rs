//! A batch under way: events decided one after another on top of the committed books.
//!
//! [`Staged`] holds what the batch has done so far apart from the books below it, so that a broken linked
//! chain, or a write that fails, is undone by forgetting. It touches no disk and reads no clock.

use std::collections::{BTreeSet, HashMap};

use crate::posting::{self, Contradiction, Record};
use crate::rules::{self, Books, Known, PendingStatus, Refusal};
use crate::status::{CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus};
use crate::types::{Account, AccountFlags, TIMESTAMP_MAX, Transfer, TransferFlags};

/// Books with uncommitted changes on top.
pub struct Staged<'a, B> {
    below: &'a B,
    accounts: HashMap<u128, Account>,
    transfers: HashMap<u128, Known>,
    pending: HashMap<u128, PendingStatus>,
    account_times: BTreeSet<u64>,
    transfer_times: BTreeSet<u64>,
    records: Vec<Record>,
    /// What to restore if the open linked chain breaks, newest last; `None` outside a chain.
    undo: Option<Vec<Undo>>,
}

enum Undo {
    Account(u128, Option<Account>),
    AccountTime(u64),
    Transfer(u128, u64),
    Pending(u128, Option<PendingStatus>),
    Record,
}

impl<B: Books> Books for Staged<'_, B> {
    fn account(&self, id: u128) -> Option<Account> {
        self.accounts.get(&id).copied().or_else(|| self.below.account(id))
    }
    fn transfer(&self, id: u128) -> Known {
        self.transfers.get(&id).copied().unwrap_or_else(|| self.below.transfer(id))
    }
    fn pending_status(&self, id: u128) -> PendingStatus {
        self.pending.get(&id).copied().unwrap_or_else(|| self.below.pending_status(id))
    }
    fn newest_account(&self) -> u64 {
        self.account_times.last().copied().unwrap_or(0).max(self.below.newest_account())
    }
    fn newest_transfer(&self) -> u64 {
        self.transfer_times.last().copied().unwrap_or(0).max(self.below.newest_transfer())
    }
    fn has_account_at(&self, timestamp: u64) -> bool {
        self.account_times.contains(&timestamp) || self.below.has_account_at(timestamp)
    }
    fn has_transfer_at(&self, timestamp: u64) -> bool {
        self.transfer_times.contains(&timestamp) || self.below.has_transfer_at(timestamp)
    }
}

impl<'a, B: Books> Staged<'a, B> {
    /// Nothing staged yet.
    pub fn new(below: &'a B) -> Self {
        Staged {
            below,
            accounts: HashMap::new(),
            transfers: HashMap::new(),
            pending: HashMap::new(),
            account_times: BTreeSet::new(),
            transfer_times: BTreeSet::new(),
            records: Vec::new(),
            undo: None,
        }
    }

    /// What is to be written, in order.
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Decides a batch of accounts. `timestamp` is that of its last event; each event has its own, one
    /// nanosecond apart.
    pub fn create_accounts(
        &mut self,
        events: &[Account],
        timestamp: u64,
    ) -> Result<Vec<CreateAccountResult>, Contradiction> {
        let results = self.run(events, timestamp)?;
        Ok(results.into_iter().map(|(status, timestamp)| CreateAccountResult { timestamp, status }).collect())
    }

    /// Decides a batch of transfers. `timestamp` is that of its last event.
    pub fn create_transfers(
        &mut self,
        events: &[Transfer],
        timestamp: u64,
    ) -> Result<Vec<CreateTransferResult>, Contradiction> {
        let results = self.run(events, timestamp)?;
        Ok(results
            .into_iter()
            .map(|(status, timestamp)| CreateTransferResult { timestamp, status })
            .collect())
    }

    /// Expires a pending transfer that is due at `timestamp`.
    pub fn expire(&mut self, pending_id: u128, timestamp: u64) -> Result<(), Contradiction> {
        let Known::Created(p) = self.transfer(pending_id) else {
            return Err(Contradiction("an unknown transfer is to expire"));
        };
        let (mut debit, mut credit) = self.sides(&p)?;
        posting::expire(&p, &mut debit, &mut credit)?;
        self.put_account(debit);
        self.put_account(credit);
        self.put_pending(pending_id, PendingStatus::Expired);
        self.put_record(Record::Expired { pending_id, timestamp });
        Ok(())
    }

    /// The batch loop: linked chains around the rules.
    fn run<E: Event>(
        &mut self,
        events: &[E],
        timestamp: u64,
    ) -> Result<Vec<(E::Status, u64)>, Contradiction> {
        let mut results: Vec<(E::Status, u64)> = Vec::with_capacity(events.len());
        let mut chain: Option<usize> = None;
        let mut broken = false;
        // The first event decides whether the whole batch is an import.
        let import = events.first().is_some_and(E::is_imported);
        let first_timestamp = timestamp + 1 - events.len() as u64;
        for (index, event) in events.iter().enumerate() {
            let at = first_timestamp + index as u64;
            if event.is_linked() && chain.is_none() {
                chain = Some(index);
                self.undo = Some(Vec::new());
            }
            let open = event.is_linked() && index + 1 == events.len();
            let outcome = if open {
                Err(E::LINKED_EVENT_CHAIN_OPEN.into())
            } else if broken {
                Err(E::LINKED_EVENT_FAILED.into())
            } else {
                match entry(event, import, timestamp) {
                    Err(status) => Err(status.into()),
                    Ok(()) => event.decide(self, at),
                }
            };
            match outcome {
                Ok(record) => {
                    let at = self.keep(record)?;
                    results.push((E::CREATED, at));
                }
                Err(Refusal { status, existing }) => {
                    if let Some(start) = chain
                        && !broken
                    {
                        broken = true;
                        self.undo_chain();
                        for result in &mut results[start..] {
                            result.0 = E::LINKED_EVENT_FAILED;
                        }
                    }
                    // After the chain is undone: the burnt id outlives it.
                    if E::burns_id(status) {
                        self.transfers.insert(event.id(), Known::Failed);
                        self.records.push(Record::Failed(event.id()));
                    }
                    results.push((status, existing.unwrap_or(at)));
                }
            }
            if chain.is_some() && (!event.is_linked() || open) {
                chain = None;
                broken = false;
                self.undo = None;
            }
        }
        Ok(results)
    }

    /// Takes a decided record into the staged state; answers its timestamp.
    fn keep(&mut self, record: Record) -> Result<u64, Contradiction> {
        let timestamp = match record {
            Record::Account(a) => {
                self.put_account(a);
                self.account_times.insert(a.timestamp);
                self.note(Undo::AccountTime(a.timestamp));
                a.timestamp
            }
            Record::Transfer(t) => {
                let pending = match (t.pending_id, self.transfer(t.pending_id)) {
                    (0, _) => None,
                    (_, Known::Created(p)) => Some(p),
                    _ => return Err(Contradiction("a transfer resolves an unknown one")),
                };
                let (mut debit, mut credit) = self.sides(&t)?;
                posting::post(&t, pending.as_ref(), &mut debit, &mut credit)?;
                self.put_account(debit);
                self.put_account(credit);
                if t.flags.contains(TransferFlags::Pending) {
                    self.put_pending(t.id, PendingStatus::Pending);
                }
                if let Some(p) = pending {
                    let void = t.flags.contains(TransferFlags::VoidPendingTransfer);
                    self.put_pending(p.id, if void { PendingStatus::Voided } else { PendingStatus::Posted });
                }
                self.transfers.insert(t.id, Known::Created(t));
                self.transfer_times.insert(t.timestamp);
                self.note(Undo::Transfer(t.id, t.timestamp));
                t.timestamp
            }
            Record::Failed(_) | Record::Expired { .. } => {
                return Err(Contradiction("a batch creates accounts and transfers only"));
            }
        };
        self.put_record(record);
        Ok(timestamp)
    }

    fn sides(&self, t: &Transfer) -> Result<(Account, Account), Contradiction> {
        let missing = Contradiction("a transfer names an unknown account");
        Ok((
            self.account(t.debit_account_id).ok_or(missing)?,
            self.account(t.credit_account_id).ok_or(missing)?,
        ))
    }

    fn note(&mut self, undo: Undo) {
        if let Some(chain) = &mut self.undo {
            chain.push(undo);
        }
    }
    fn put_account(&mut self, a: Account) {
        let before = self.accounts.insert(a.id, a);
        self.note(Undo::Account(a.id, before));
    }
    fn put_pending(&mut self, id: u128, status: PendingStatus) {
        let before = self.pending.insert(id, status);
        self.note(Undo::Pending(id, before));
    }
    fn put_record(&mut self, record: Record) {
        self.records.push(record);
        self.note(Undo::Record);
    }

    fn undo_chain(&mut self) {
        fn restore<V>(map: &mut HashMap<u128, V>, id: u128, before: Option<V>) {
            match before {
                Some(value) => map.insert(id, value),
                None => map.remove(&id),
            };
        }
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Account(id, before) => restore(&mut self.accounts, id, before),
                Undo::Pending(id, before) => restore(&mut self.pending, id, before),
                Undo::AccountTime(at) => {
                    self.account_times.remove(&at);
                }
                Undo::Transfer(id, at) => {
                    self.transfers.remove(&id);
                    self.transfer_times.remove(&at);
                }
                Undo::Record => {
                    self.records.pop();
                }
            }
        }
    }
}

/// What is checked of every event before the rules for its kind. `timestamp` is that of the batch.
fn entry<E: Event>(event: &E, import: bool, timestamp: u64) -> Result<(), E::Status> {
    match (import, event.is_imported()) {
        (true, false) => Err(E::IMPORTED_EVENT_EXPECTED),
        (false, true) => Err(E::IMPORTED_EVENT_NOT_EXPECTED),
        (false, false) if event.timestamp() != 0 => Err(E::TIMESTAMP_MUST_BE_ZERO),
        (true, true) if event.timestamp() == 0 || event.timestamp() > TIMESTAMP_MAX => {
            Err(E::IMPORTED_OUT_OF_RANGE)
        }
        (true, true) if event.timestamp() >= timestamp => Err(E::IMPORTED_MUST_NOT_ADVANCE),
        _ => Ok(()),
    }
}

/// What accounts and transfers have in common inside a batch.
trait Event {
    type Status: Copy;
    const CREATED: Self::Status;
    const LINKED_EVENT_FAILED: Self::Status;
    const LINKED_EVENT_CHAIN_OPEN: Self::Status;
    const IMPORTED_EVENT_EXPECTED: Self::Status;
    const IMPORTED_EVENT_NOT_EXPECTED: Self::Status;
    const TIMESTAMP_MUST_BE_ZERO: Self::Status;
    const IMPORTED_OUT_OF_RANGE: Self::Status;
    const IMPORTED_MUST_NOT_ADVANCE: Self::Status;
    fn id(&self) -> u128;
    fn timestamp(&self) -> u64;
    fn is_linked(&self) -> bool;
    fn is_imported(&self) -> bool;
    /// Whether a failure with this status burns the id.
    fn burns_id(status: Self::Status) -> bool;
    fn decide(&self, books: &impl Books, at: u64) -> Result<Record, Refusal<Self::Status>>;
}

macro_rules! entry_statuses {
    ($status:ident) => {
        type Status = $status;
        const CREATED: $status = $status::Created;
        const LINKED_EVENT_FAILED: $status = $status::LinkedEventFailed;
        const LINKED_EVENT_CHAIN_OPEN: $status = $status::LinkedEventChainOpen;
        const IMPORTED_EVENT_EXPECTED: $status = $status::ImportedEventExpected;
        const IMPORTED_EVENT_NOT_EXPECTED: $status = $status::ImportedEventNotExpected;
        const TIMESTAMP_MUST_BE_ZERO: $status = $status::TimestampMustBeZero;
        const IMPORTED_OUT_OF_RANGE: $status = $status::ImportedEventTimestampOutOfRange;
        const IMPORTED_MUST_NOT_ADVANCE: $status = $status::ImportedEventTimestampMustNotAdvance;
    };
}

impl Event for Account {
    entry_statuses!(CreateAccountStatus);
    fn id(&self) -> u128 {
        self.id
    }
    fn timestamp(&self) -> u64 {
        self.timestamp
    }
    fn is_linked(&self) -> bool {
        self.flags.contains(AccountFlags::Linked)
    }
    fn is_imported(&self) -> bool {
        self.flags.contains(AccountFlags::Imported)
    }
    fn burns_id(_: CreateAccountStatus) -> bool {
        false // what refuses an account does not pass with time
    }
    fn decide(&self, books: &impl Books, at: u64) -> Result<Record, Refusal<CreateAccountStatus>> {
        rules::create_account(books, self, at).map(Record::Account)
    }
}

impl Event for Transfer {
    entry_statuses!(CreateTransferStatus);
    fn id(&self) -> u128 {
        self.id
    }
    fn timestamp(&self) -> u64 {
        self.timestamp
    }
    fn is_linked(&self) -> bool {
        self.flags.contains(TransferFlags::Linked)
    }
    fn is_imported(&self) -> bool {
        self.flags.contains(TransferFlags::Imported)
    }
    fn burns_id(status: CreateTransferStatus) -> bool {
        status.is_transient()
    }
    fn decide(&self, books: &impl Books, at: u64) -> Result<Record, Refusal<CreateTransferStatus>> {
        rules::create_transfer(books, self, at).map(Record::Transfer)
    }
}
