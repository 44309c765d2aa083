//! A small engine that keeps every request in a journal and its books in a [`Model`], and its broken kin.
//!
//! It shows that the histories can be survived, and that each thing they look for is caught: every
//! [`flaw`] is a mistake that engines really make. It shares no code with the engine of the product.

use std::io;
use std::sync::Arc;

use kernel::Clock;
use ledger::disk::{Disk, DiskFile};
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFlags, CreateAccountResult, CreateTransferResult,
    EngineError, FeedItem, QueryFilter, Transfer, TransferFlags,
};

use crate::model::Model;
use crate::stepped::{Kind, Refused, Stepped};

/// What is wrong with an engine.
pub mod flaw {
    pub const NONE: u8 = 0;
    /// Acknowledges what was written and not synced.
    pub const NEVER_SYNCS: u8 = 1;
    /// Forgets that a new file has a name only once its directory is synced.
    pub const NEVER_SYNCS_NAMES: u8 = 2;
    /// Believes what it reads at opening, though it may never have reached the disk.
    pub const OPENS_WITHOUT_SYNC: u8 = 3;
    /// Takes the requests of an unfinished frame that are whole.
    pub const APPLIES_HALF: u8 = 4;
    /// Looks at no checksum.
    pub const IGNORES_ROT: u8 = 5;
    /// Takes damage in the middle for an unfinished write, and cuts.
    pub const CUTS_DAMAGE: u8 = 6;
    /// Believes a snapshot whatever its checksum says.
    pub const BELIEVES_SNAPSHOT: u8 = 7;
    /// Syncs again when a sync has failed.
    pub const RETRIES_SYNC: u8 = 8;
    /// Goes on answering questions after a failed sync.
    pub const ANSWERS_AFTER_FAILED_SYNC: u8 = 9;
    /// Shows what is not synced yet.
    pub const SHOWS_UNSYNCED: u8 = 10;
    /// Keeps what it refused for want of room, and writes it later.
    pub const KEEPS_REFUSED: u8 = 11;
    /// Does not remember burnt ids after opening.
    pub const FORGETS_BURNT: u8 = 12;
    /// An audit that finds everything in order.
    pub const BLIND_AUDIT: u8 = 13;
    /// Stops for good when there is no room once.
    pub const DIES_OF_NO_SPACE: u8 = 14;
    /// Puts a snapshot in place before its bytes are synced, and believes it.
    pub const RENAMES_UNSYNCED: u8 = 15;
    /// Takes a short read for the end of the file.
    pub const SHORT_READ_IS_END: u8 = 16;
    /// Gives up a balance kept for an account's history at opening.
    pub const FORGETS_HISTORY: u8 = 17;
    /// No mistake: shows what is not synced, but is asked only when nothing is.
    pub const WAITS: u8 = 18;
}

const SEGMENT: usize = 4096;
const HEADER: usize = 32;
const MAGIC: u64 = 0x746f_796a_6f75_726e;
const SNAPSHOT: &str = "snapshot";

/// See the module; `FLAW` is one of [`flaw`].
pub struct Toy<const FLAW: u8> {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    durable: Model,
    decided: Model,
    /// Requests decided and not yet written.
    pending: Vec<u8>,
    /// All requests written, for the snapshot.
    written: Vec<u8>,
    segment: Option<Segment>,
    frame: u64,
    parent: u32,
    snapshot_frame: u64,
    dead: bool,
}

struct Segment {
    file: Box<dyn DiskFile>,
    at: usize,
    room: usize,
}

fn put(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    out.extend_from_slice(bytes.as_ref());
}

fn take<const N: usize>(b: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = b.split_first_chunk::<N>()?;
    *b = rest;
    Some(*head)
}
fn take_u128(b: &mut &[u8]) -> Option<u128> {
    take(b).map(u128::from_le_bytes)
}
fn take_u64(b: &mut &[u8]) -> Option<u64> {
    take(b).map(u64::from_le_bytes)
}
fn take_u32(b: &mut &[u8]) -> Option<u32> {
    take(b).map(u32::from_le_bytes)
}
fn take_u16(b: &mut &[u8]) -> Option<u16> {
    take(b).map(u16::from_le_bytes)
}

fn put_request(out: &mut Vec<u8>, accounts: &[Account], transfers: &[Transfer], clock: u64) {
    put(out, clock.to_le_bytes());
    put(out, u32::try_from(accounts.len()).unwrap().to_le_bytes());
    put(out, u32::try_from(transfers.len()).unwrap().to_le_bytes());
    for a in accounts {
        put(out, a.id.to_le_bytes());
        put(out, a.user_data_128.to_le_bytes());
        put(out, a.user_data_64.to_le_bytes());
        put(out, a.user_data_32.to_le_bytes());
        put(out, a.ledger.to_le_bytes());
        put(out, a.code.to_le_bytes());
        put(out, a.flags.bits().to_le_bytes());
        put(out, a.timestamp.to_le_bytes());
    }
    for t in transfers {
        for field in [t.id, t.debit_account_id, t.credit_account_id, t.amount, t.pending_id, t.user_data_128]
        {
            put(out, field.to_le_bytes());
        }
        put(out, t.user_data_64.to_le_bytes());
        for field in [t.user_data_32, t.timeout, t.ledger] {
            put(out, field.to_le_bytes());
        }
        put(out, t.code.to_le_bytes());
        put(out, t.flags.bits().to_le_bytes());
        put(out, t.timestamp.to_le_bytes());
    }
}

fn take_request(b: &mut &[u8]) -> Option<(Vec<Account>, Vec<Transfer>, u64)> {
    let clock = take_u64(b)?;
    let (accounts, transfers) = (take_u32(b)?, take_u32(b)?);
    let account = |b: &mut &[u8]| {
        Some(Account {
            id: take_u128(b)?,
            user_data_128: take_u128(b)?,
            user_data_64: take_u64(b)?,
            user_data_32: take_u32(b)?,
            ledger: take_u32(b)?,
            code: take_u16(b)?,
            flags: AccountFlags(take_u16(b)?),
            timestamp: take_u64(b)?,
            ..Account::default()
        })
    };
    let transfer = |b: &mut &[u8]| {
        Some(Transfer {
            id: take_u128(b)?,
            debit_account_id: take_u128(b)?,
            credit_account_id: take_u128(b)?,
            amount: take_u128(b)?,
            pending_id: take_u128(b)?,
            user_data_128: take_u128(b)?,
            user_data_64: take_u64(b)?,
            user_data_32: take_u32(b)?,
            timeout: take_u32(b)?,
            ledger: take_u32(b)?,
            code: take_u16(b)?,
            flags: TransferFlags(take_u16(b)?),
            timestamp: take_u64(b)?,
        })
    };
    let accounts = (0..accounts).map(|_| account(b)).collect::<Option<Vec<_>>>()?;
    let transfers = (0..transfers).map(|_| transfer(b)).collect::<Option<Vec<_>>>()?;
    Some((accounts, transfers, clock))
}

/// Runs requests again; `None` if the bytes are no requests.
fn replay(model: &mut Model, mut b: &[u8]) -> Option<()> {
    while !b.is_empty() {
        let (accounts, transfers, clock) = take_request(&mut b)?;
        model.release_due(clock);
        if accounts.is_empty() {
            model.create_transfers(&transfers, clock);
        } else {
            model.create_accounts(&accounts, clock);
        }
    }
    Some(())
}

/// A frame at the start of `b`: its number, parent, checksum and payload.
struct Frame<'a> {
    number: u64,
    parent: u32,
    crc: u32,
    payload: &'a [u8],
    sound: bool,
}

fn encode(number: u64, parent: u32, payload: &[u8]) -> (Vec<u8>, u32) {
    let mut out = Vec::new();
    put(&mut out, MAGIC.to_le_bytes());
    put(&mut out, number.to_le_bytes());
    put(&mut out, parent.to_le_bytes());
    put(&mut out, u32::try_from(payload.len()).unwrap().to_le_bytes());
    put(&mut out, [0; 8]);
    put(&mut out, payload);
    let crc = crc32c::crc32c(&out);
    out[24..28].copy_from_slice(&crc.to_le_bytes());
    (out, crc)
}

fn decode(b: &[u8]) -> Option<Frame<'_>> {
    let mut rest = b;
    if take_u64(&mut rest)? != MAGIC {
        return None;
    }
    let (number, parent) = (take_u64(&mut rest)?, take_u32(&mut rest)?);
    let length = take_u32(&mut rest)? as usize;
    let crc = take_u32(&mut rest)?;
    let payload = &b[HEADER.min(b.len())..];
    let payload = payload.get(..length).unwrap_or(payload);
    let sound = payload.len() == length && encode(number, parent, payload).1 == crc;
    Some(Frame { number, parent, crc, payload, sound })
}

fn segment_name(frame: u64) -> String {
    format!("journal-{frame:08}")
}

fn io_error(e: io::Error) -> Refused {
    Refused::Io(e.to_string())
}

fn read<const FLAW: u8>(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, Refused> {
    let file = disk.open(name).map_err(io_error)?;
    let size = usize::try_from(file.size().map_err(io_error)?).unwrap();
    let mut bytes = vec![0; size];
    if FLAW == flaw::SHORT_READ_IS_END {
        let length = file.read_at(&mut bytes, 0).map_err(io_error)?;
        bytes.truncate(length);
    } else {
        file.read_exact_at(&mut bytes, 0).map_err(io_error)?;
    }
    Ok(bytes)
}

/// What a walk through the journal ends with.
struct End {
    frame: u64,
    parent: u32,
    requests: Vec<u8>,
    /// The last segment, where its sound frames end, and whether something unfinished follows.
    last: Option<(String, usize, bool)>,
}

/// Reads the journal; frames up to `trusted` are counted but not looked at closely.
fn walk<const FLAW: u8>(disk: &dyn Disk, trusted: u64) -> Result<End, Refused> {
    let damaged = |name: &str, at: usize| Err(Refused::Damaged(format!("{name} at {at}")));
    let mut names: Vec<String> = disk.list().map_err(io_error)?;
    names.retain(|name| name.starts_with("journal-"));
    names.sort();
    let mut end = End { frame: 0, parent: 0, requests: Vec::new(), last: None };
    for (index, name) in names.iter().enumerate() {
        let bytes = read::<FLAW>(disk, name)?;
        let mut at = 0;
        let mut unfinished = false;
        while at < bytes.len() {
            let frame = decode(&bytes[at..]);
            let trust = FLAW == flaw::IGNORES_ROT || end.frame < trusted;
            let next = frame.filter(|f| f.sound || (trust && f.number == end.frame + 1));
            let Some(frame) = next else {
                let zeros = bytes[at..].iter().all(|b| *b == 0);
                let later = (at + 1..bytes.len()).any(|at| {
                    bytes[at..].starts_with(&MAGIC.to_le_bytes())
                        && decode(&bytes[at..]).is_some_and(|f| f.sound)
                });
                let cuts = FLAW == flaw::CUTS_DAMAGE && index + 1 == names.len();
                if !cuts && (later || (index + 1 < names.len() && !zeros)) {
                    return damaged(name, at);
                }
                if FLAW == flaw::APPLIES_HALF
                    && let Some(mut rest) = decode(&bytes[at..]).map(|f| f.payload)
                {
                    while let Some((accounts, transfers, clock)) = take_request(&mut rest) {
                        if clock == 0 {
                            break;
                        }
                        put_request(&mut end.requests, &accounts, &transfers, clock);
                    }
                }
                unfinished = !zeros;
                break;
            };
            if at == 0 && *name != segment_name(frame.number) {
                return damaged(name, at);
            }
            if frame.number != end.frame + 1 || (frame.parent != end.parent && FLAW != flaw::IGNORES_ROT) {
                return damaged(name, at);
            }
            end.frame = frame.number;
            end.parent = frame.crc;
            if frame.number > trusted {
                put(&mut end.requests, frame.payload);
            }
            at += HEADER + frame.payload.len();
        }
        end.last = Some((name.clone(), at, unfinished));
    }
    Ok(end)
}

impl<const FLAW: u8> Toy<FLAW> {
    /// The frame and the requests of a snapshot that can be believed.
    fn snapshot(disk: &dyn Disk) -> Result<(u64, Vec<u8>), Refused> {
        let names = disk.list().map_err(io_error)?;
        if !names.iter().any(|name| name == SNAPSHOT) {
            return Ok((0, Vec::new()));
        }
        let bytes = read::<FLAW>(disk, SNAPSHOT)?;
        let believes = FLAW == flaw::BELIEVES_SNAPSHOT;
        match decode(&bytes) {
            Some(f) if f.sound || believes => Ok((f.number, f.payload.to_vec())),
            None if FLAW == flaw::RENAMES_UNSYNCED => Err(Refused::Damaged("the snapshot".into())),
            _ => Ok((0, Vec::new())),
        }
    }

    fn alive(&self) -> Result<(), EngineError> {
        if self.dead { Err(EngineError::Unavailable) } else { Ok(()) }
    }

    fn shown(&self) -> Result<&Model, EngineError> {
        if FLAW != flaw::ANSWERS_AFTER_FAILED_SYNC {
            self.alive()?;
        }
        Ok(if matches!(FLAW, flaw::SHOWS_UNSYNCED | flaw::WAITS) { &self.decided } else { &self.durable })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap()
    }

    fn sync_file(file: &dyn DiskFile) -> io::Result<()> {
        if FLAW == flaw::NEVER_SYNCS {
            return Ok(());
        }
        match file.sync() {
            Err(_) if FLAW == flaw::RETRIES_SYNC => file.sync(),
            other => other,
        }
    }

    fn begin_segment(&mut self, length: usize) -> io::Result<()> {
        let name = segment_name(self.frame + 1);
        let file = self.disk.create(&name)?;
        let room = length.max(SEGMENT);
        if let Err(e) = file.reserve(room as u64) {
            self.disk.remove(&name)?;
            return Err(e);
        }
        Self::sync_file(&*file)?;
        if FLAW != flaw::NEVER_SYNCS_NAMES {
            self.disk.sync_names()?;
        }
        self.segment = Some(Segment { file, at: 0, room });
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let (bytes, crc) = encode(self.frame + 1, self.parent, &self.pending);
        if self.segment.as_ref().is_none_or(|s| s.at + bytes.len() > s.room) {
            self.begin_segment(bytes.len())?;
        }
        let segment = self.segment.as_mut().expect("just begun");
        segment.file.write_at(&bytes, segment.at as u64)?;
        Self::sync_file(&*segment.file)?;
        segment.at += bytes.len();
        self.frame += 1;
        self.parent = crc;
        Ok(())
    }

    fn write_snapshot(&mut self) -> io::Result<()> {
        let (bytes, _) = encode(self.frame, 0, &self.written);
        let file = self.disk.create("snapshot.new")?;
        file.write_at(&bytes, 0)?;
        if FLAW != flaw::RENAMES_UNSYNCED {
            Self::sync_file(&*file)?;
        }
        self.disk.rename("snapshot.new", SNAPSHOT)?;
        self.disk.sync_names()?;
        self.snapshot_frame = self.frame;
        Ok(())
    }

    /// Only want of room is no reason to stop.
    fn failed(&mut self, e: &io::Error) {
        if e.kind() != io::ErrorKind::StorageFull || FLAW == flaw::DIES_OF_NO_SPACE {
            self.dead = true;
        }
    }
}

impl<const FLAW: u8> Stepped for Toy<FLAW> {
    const RECORD: usize = 128;
    const ACCOUNTS_RELEASE: bool = true;
    const QUESTIONS_WAIT: bool = FLAW == flaw::WAITS;
    const OPENS_WHEN_FULL: bool = false;

    fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<(Self, bool), Refused> {
        let (snapshot_frame, mut written) = Self::snapshot(&*disk)?;
        let end = walk::<FLAW>(&*disk, snapshot_frame)?;
        if end.frame < snapshot_frame {
            return Err(Refused::Damaged("the journal ends before the snapshot".into()));
        }
        put(&mut written, &end.requests);
        let mut model = Model::default();
        let understood = replay(&mut model, &written);
        if understood.is_none() && FLAW != flaw::IGNORES_ROT {
            return Err(Refused::Damaged("requests that are none".into()));
        }
        if FLAW == flaw::FORGETS_BURNT {
            model.burnt.clear();
        }
        if FLAW == flaw::FORGETS_HISTORY {
            model.forget_newest_balance();
        }
        let mut segment = None;
        let mut torn = false;
        if let Some((name, at, unfinished)) = end.last {
            torn = unfinished;
            let file = disk.open(&name).map_err(io_error)?;
            if unfinished {
                file.set_size(at as u64).map_err(io_error)?;
            }
            if at == 0 {
                disk.remove(&name).map_err(io_error)?;
            } else {
                let room = usize::try_from(file.size().map_err(io_error)?).unwrap();
                if FLAW != flaw::OPENS_WITHOUT_SYNC || unfinished {
                    Self::sync_file(&*file).map_err(io_error)?;
                }
                segment = Some(Segment { file, at, room });
            }
        }
        disk.sync_names().map_err(io_error)?;
        let toy = Toy {
            disk,
            clock,
            durable: model.clone(),
            decided: model,
            pending: Vec::new(),
            written,
            segment,
            frame: end.frame,
            parent: end.parent,
            snapshot_frame,
            dead: false,
        };
        Ok((toy, torn))
    }

    fn create_accounts(&mut self, events: &[Account]) -> Result<Vec<CreateAccountResult>, EngineError> {
        self.alive()?;
        let now = self.now();
        put_request(&mut self.pending, events, &[], now);
        self.decided.release_due(now);
        Ok(self.decided.create_accounts(events, now))
    }

    fn create_transfers(&mut self, events: &[Transfer]) -> Result<Vec<CreateTransferResult>, EngineError> {
        self.alive()?;
        let now = self.now();
        put_request(&mut self.pending, &[], events, now);
        self.decided.release_due(now);
        Ok(self.decided.create_transfers(events, now))
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.alive()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.write() {
            self.failed(&e);
            if FLAW != flaw::KEEPS_REFUSED {
                self.pending.clear();
                self.decided = self.durable.clone();
            }
            return Err(EngineError::Unavailable);
        }
        self.written.append(&mut self.pending);
        self.durable = self.decided.clone();
        Ok(())
    }

    fn tidy(&mut self) -> bool {
        if self.dead || self.snapshot_frame == self.frame {
            return false;
        }
        if let Err(e) = self.write_snapshot() {
            self.failed(&e);
        }
        true
    }

    fn close(mut self) {
        if self.sync().is_ok() {
            self.tidy();
        }
    }

    fn lookup_accounts(&self, ids: &[u128]) -> Result<Vec<Account>, EngineError> {
        Ok(self.shown()?.lookup_accounts(ids))
    }
    fn lookup_transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, EngineError> {
        Ok(self.shown()?.lookup_transfers(ids))
    }
    fn get_account_transfers(&self, filter: AccountFilter) -> Result<Vec<Transfer>, EngineError> {
        Ok(self.shown()?.get_account_transfers(filter))
    }
    fn get_account_balances(&self, filter: AccountFilter) -> Result<Vec<AccountBalance>, EngineError> {
        Ok(self.shown()?.get_account_balances(filter))
    }
    fn query_accounts(&self, filter: QueryFilter) -> Result<Vec<Account>, EngineError> {
        Ok(self.shown()?.query_accounts(filter))
    }
    fn query_transfers(&self, filter: QueryFilter) -> Result<Vec<Transfer>, EngineError> {
        Ok(self.shown()?.query_transfers(filter))
    }
    fn feed(&self, after: u64, limit: u32) -> Result<Vec<FeedItem>, EngineError> {
        Ok(self.shown()?.feed(after, limit))
    }

    fn audit(disk: &dyn Disk) -> Result<(), String> {
        if FLAW == flaw::BLIND_AUDIT {
            return Ok(());
        }
        walk::<FLAW>(disk, 0).map(drop).map_err(|e| format!("{e:?}"))
    }

    fn kind(name: &str) -> Kind {
        if name.starts_with("journal-") { Kind::Journal } else { Kind::Derived }
    }
}
