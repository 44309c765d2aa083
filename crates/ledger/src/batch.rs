//! A batch: events decided one after another, each on top of the books that the one before it left.
//!
//! What an event leaves is taken into the books at once and put into the frame that will be written; a
//! broken linked chain is taken back from both. It touches no disk and reads no clock.

use crate::accounts::Slot;
use crate::books::Books;
use crate::fault::Fault;
use crate::frame::{ALIGN, Builder};
use crate::posting::Record;
use crate::rules::Refusal;
use crate::status::{CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus};
use crate::types::{Account, AccountFlags, TIMESTAMP_MAX, Transfer, TransferFlags};

/// The frame being filled, and where in the segment it will stand.
#[derive(Debug)]
pub struct OpenFrame {
    /// The frame.
    pub builder: Builder,
    /// Its offset in bytes.
    pub offset: u64,
}

impl OpenFrame {
    fn push(&mut self, books: &mut Books, record: Record) -> Result<(), Fault> {
        let at = self.offset + u64::from(self.builder.push(&record));
        let position = u32::try_from(at / ALIGN as u64).expect("a segment is shorter than 2^32 units");
        books.apply(record, Some(position))
    }
}

/// The most bytes that the records of so many events take in a frame.
pub const fn most_bytes(events: usize) -> u64 {
    // A transfer may be followed by a burnt id and the header of its run, and the other way round.
    (events as u64 + 1) * 192
}

/// Decides a batch of accounts. `timestamp` is that of its last event; each event has its own, one
/// nanosecond apart.
pub fn create_accounts(
    books: &mut Books,
    frame: &mut OpenFrame,
    events: &[Account],
    timestamp: u64,
) -> Result<Vec<CreateAccountResult>, Fault> {
    let mut results = Vec::with_capacity(events.len());
    run(books, frame, events, timestamp, &mut results)?;
    Ok(results)
}

/// Decides a batch of transfers. `timestamp` is that of its last event.
pub fn create_transfers(
    books: &mut Books,
    frame: &mut OpenFrame,
    events: &[Transfer],
    timestamp: u64,
) -> Result<Vec<CreateTransferResult>, Fault> {
    let mut results = Vec::with_capacity(events.len());
    run(books, frame, events, timestamp, &mut results)?;
    Ok(results)
}

/// Expires a pending transfer at `timestamp`.
pub fn expire(
    books: &mut Books,
    frame: &mut OpenFrame,
    pending_id: u128,
    timestamp: u64,
) -> Result<(), Fault> {
    frame.push(books, Record::Expired { pending_id, timestamp })
}

/// So many events' accounts are looked up before the first of them is decided: the look-ups are
/// independent, and wait for memory at the same time.
const AHEAD: usize = 64;

/// The batch loop: linked chains around the rules.
fn run<E: Event>(
    books: &mut Books,
    frame: &mut OpenFrame,
    events: &[E],
    timestamp: u64,
    results: &mut Vec<E::Result>,
) -> Result<(), Fault> {
    let mut chain: Option<usize> = None;
    let mut mark = frame.builder.mark();
    let mut broken = false;
    // The first event decides whether the whole batch is an import.
    let import = events.first().is_some_and(E::is_imported);
    let first_timestamp = timestamp + 1 - events.len() as u64;
    let mut slots = [[None; 2]; AHEAD];
    for (index, event) in events.iter().enumerate() {
        if index % AHEAD == 0 {
            for (slots, event) in slots.iter_mut().zip(&events[index..]) {
                *slots = event.slots(books);
            }
        }
        let at = first_timestamp + index as u64;
        if event.is_linked() && chain.is_none() {
            chain = Some(index);
            mark = frame.builder.mark();
            books.open_chain();
        }
        let open = event.is_linked() && index + 1 == events.len();
        let outcome = if open {
            Err(E::LINKED_EVENT_CHAIN_OPEN.into())
        } else if broken {
            Err(E::LINKED_EVENT_FAILED.into())
        } else {
            match entry(event, import, timestamp) {
                Err(status) => Err(status.into()),
                Ok(()) => event.decide(books, slots[index % AHEAD], at)?,
            }
        };
        match outcome {
            Ok((record, at)) => {
                frame.push(books, record)?;
                results.push(E::result(E::CREATED, at));
            }
            Err(Refusal { status, existing }) => {
                if let Some(start) = chain
                    && !broken
                {
                    broken = true;
                    books.break_chain();
                    frame.builder.back_to(mark);
                    results[start..].iter_mut().for_each(E::fail);
                }
                // After the chain is undone: the burnt id outlives it.
                if E::burns_id(status) {
                    frame.push(books, Record::Failed(event.id()))?;
                }
                results.push(E::result(status, existing.unwrap_or(at)));
            }
        }
        if chain.is_some() && (!event.is_linked() || open) {
            chain = None;
            broken = false;
            books.close_chain();
        }
    }
    Ok(())
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

type Decision<S> = Result<(Record, u64), Refusal<S>>;

/// What accounts and transfers have in common inside a batch.
trait Event: Sized {
    type Status: Copy;
    type Result;
    const CREATED: Self::Status;
    const LINKED_EVENT_FAILED: Self::Status;
    const LINKED_EVENT_CHAIN_OPEN: Self::Status;
    const IMPORTED_EVENT_EXPECTED: Self::Status;
    const IMPORTED_EVENT_NOT_EXPECTED: Self::Status;
    const TIMESTAMP_MUST_BE_ZERO: Self::Status;
    const IMPORTED_OUT_OF_RANGE: Self::Status;
    const IMPORTED_MUST_NOT_ADVANCE: Self::Status;
    fn result(status: Self::Status, timestamp: u64) -> Self::Result;
    /// Turns the result of an event into that of one whose chain broke.
    fn fail(result: &mut Self::Result);
    fn id(&self) -> u128;
    fn timestamp(&self) -> u64;
    fn is_linked(&self) -> bool;
    fn is_imported(&self) -> bool;
    /// Whether a failure with this status burns the id.
    fn burns_id(status: Self::Status) -> bool;
    /// The slots of the accounts it names.
    fn slots(&self, books: &Books) -> [Option<Slot>; 2];
    fn decide(
        &self,
        books: &Books,
        slots: [Option<Slot>; 2],
        at: u64,
    ) -> Result<Decision<Self::Status>, Fault>;
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
    type Result = CreateAccountResult;
    fn result(status: CreateAccountStatus, timestamp: u64) -> CreateAccountResult {
        CreateAccountResult { timestamp, status }
    }
    fn fail(result: &mut CreateAccountResult) {
        result.status = Self::LINKED_EVENT_FAILED;
    }
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
    fn slots(&self, _: &Books) -> [Option<Slot>; 2] {
        [None; 2]
    }
    fn decide(
        &self,
        books: &Books,
        _: [Option<Slot>; 2],
        at: u64,
    ) -> Result<Decision<CreateAccountStatus>, Fault> {
        Ok(books.decide_account(self, at)?.map(|a| (Record::Account(a), a.timestamp)))
    }
}

impl Event for Transfer {
    entry_statuses!(CreateTransferStatus);
    type Result = CreateTransferResult;
    fn result(status: CreateTransferStatus, timestamp: u64) -> CreateTransferResult {
        CreateTransferResult { timestamp, status }
    }
    fn fail(result: &mut CreateTransferResult) {
        result.status = Self::LINKED_EVENT_FAILED;
    }
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
    fn slots(&self, books: &Books) -> [Option<Slot>; 2] {
        books.slots(self)
    }
    fn decide(
        &self,
        books: &Books,
        slots: [Option<Slot>; 2],
        at: u64,
    ) -> Result<Decision<CreateTransferStatus>, Fault> {
        Ok(books.decide_transfer(self, slots, at)?.map(|t| (Record::Transfer(t), t.timestamp)))
    }
}
