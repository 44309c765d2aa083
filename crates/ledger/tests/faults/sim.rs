//! A disk that does everything a real one is allowed to do at the worst moment, and repeats it for a seed.
//!
//! Each file has the bytes that would survive a crash and the bytes that a reader sees now; in between lie
//! the writes not yet synced. The directory likewise. [`SimDisk::crash`] answers what a machine that lost
//! power would find: every unsynced 512-byte sector kept, lost or torn for itself, so also in any order, and
//! every unsynced create, rename and remove kept or lost for itself. It promises no more than the contract
//! of [`ledger::disk`] does, and must never lose what that contract promises.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::disk::{Disk, DiskFile};

use crate::dice::Dice;

/// What is written or lost as a whole, unless it tears.
pub const SECTOR: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What goes wrong from now on. Chances are in a thousand calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A read fails.
    pub read: u64,
    /// A write fails, part of it done.
    pub write: u64,
    /// A sync of a file or of the names fails; what it should have kept is kept or lost.
    pub sync: u64,
    /// A read gives fewer bytes than it could.
    pub short: u64,
    /// There is no room for anything new.
    pub full: bool,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met {
    pub operations: u64,
    pub read_errors: u64,
    pub write_errors: u64,
    pub sync_errors: u64,
    pub no_space: u64,
    pub short_reads: u64,
    /// Syncs asked for after one had failed.
    pub syncs_after_error: u64,
}

/// A part of a file: name, first byte, one after the last.
pub type Region = (String, usize, usize);

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Size(usize),
}

#[derive(Debug, Clone, Default)]
struct Node {
    durable: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<Change>,
    /// There is room for this many bytes.
    reserved: usize,
}

#[derive(Debug, Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String, usize),
}

#[derive(Debug, Clone)]
struct State {
    nodes: Vec<Node>,
    durable_names: BTreeMap<String, usize>,
    names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    dice: Dice,
    faults: Faults,
    met: Met,
    /// Operations until the power goes.
    fuse: Option<u64>,
    crashed: bool,
    /// Node, first byte, one after the last.
    marked: Vec<(usize, usize, usize)>,
}

/// The disk of one machine. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: usize,
}

fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
fn small(n: u64) -> usize {
    usize::try_from(n).expect("simulated files are small")
}

fn write(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, new) => write(bytes, *at, new),
            Change::Size(size) => bytes.resize(*size, 0),
        }
    }
}

/// How a crash treats what was not synced; drawn once for each, so that every mood is met.
#[derive(Debug, Clone, Copy)]
struct Mood {
    keep: u64,
    tear: u64,
}

impl Mood {
    fn draw(dice: &mut Dice) -> Mood {
        let keep = *dice.pick(&[0, 100, 500, 900, 1000]);
        let tear = if keep == 1000 { 0 } else { *dice.pick(&[0, 0, 100]) };
        Mood { keep, tear }
    }

    /// Does part of the changes, each sector of a write for itself.
    fn apply(self, changes: &[Change], bytes: &mut Vec<u8>, dice: &mut Dice) {
        for change in changes {
            let Change::Write(at, new) = change else {
                if dice.permille(self.keep) {
                    change.apply(bytes);
                }
                continue;
            };
            let mut from = 0;
            while from < new.len() {
                let length = (SECTOR - (at + from) % SECTOR).min(new.len() - from);
                let piece = &new[from..from + length];
                if dice.permille(self.tear) {
                    let mut torn = piece.to_vec();
                    let cut = dice.index(length);
                    if dice.one_in(2) {
                        torn[cut..].fill_with(|| dice.next().to_le_bytes()[0]);
                        write(bytes, at + from, &torn);
                    } else {
                        write(bytes, at + from, &torn[..cut]);
                    }
                } else if dice.permille(self.keep) {
                    write(bytes, at + from, piece);
                } else if bytes.len() < at + from + length && dice.permille(self.keep) {
                    bytes.resize(at + from + length, 0); // the length was kept, the bytes were not
                }
                from += length;
            }
        }
    }
}

impl State {
    /// Counts an operation. The one at which the power goes is done in part, if it is a write.
    fn operation(&mut self) -> io::Result<bool> {
        if self.crashed {
            return Err(error(EIO));
        }
        self.met.operations += 1;
        match &mut self.fuse {
            None => Ok(false),
            Some(0) => {
                self.crashed = true;
                Ok(true)
            }
            Some(left) => {
                *left -= 1;
                Ok(false)
            }
        }
    }
    fn begin(&mut self) -> io::Result<()> {
        if self.operation()? { Err(error(EIO)) } else { Ok(()) }
    }
    fn change(&mut self, node: usize, change: Change) {
        let node = &mut self.nodes[node];
        change.apply(&mut node.seen);
        node.unsynced.push(change);
    }
    fn sync_fails(&mut self) -> bool {
        if self.met.sync_errors > 0 {
            self.met.syncs_after_error += 1;
        }
        let fails = self.dice.permille(self.faults.sync);
        self.met.sync_errors += u64::from(fails);
        fails
    }
    fn apply_name(names: &mut BTreeMap<String, usize>, change: &NameChange) {
        match change {
            NameChange::Create(name, node) => {
                names.insert(name.clone(), *node);
            }
            NameChange::Rename(from, to, node) => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
            NameChange::Remove(name, node) => {
                if names.get(name) == Some(node) {
                    names.remove(name);
                }
            }
        }
    }
    fn change_name(&mut self, change: NameChange) {
        Self::apply_name(&mut self.names, &change);
        self.unsynced_names.push(change);
    }
    fn node(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl SimDisk {
    /// An empty disk whose luck follows from the seed.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::from_state(State {
            nodes: Vec::new(),
            durable_names: BTreeMap::new(),
            names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            dice: Dice::new(seed),
            faults: Faults::default(),
            met: Met::default(),
            fuse: None,
            crashed: false,
            marked: Vec::new(),
        })
    }
    fn from_state(state: State) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(state)))
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }
    pub fn met(&self) -> Met {
        self.state().met
    }
    /// The power goes during the operation after the next `operations`.
    pub fn crash_after(&self, operations: u64) {
        self.state().fuse = Some(operations);
    }
    pub fn disarm(&self) {
        self.state().fuse = None;
    }
    /// Whether the power is gone: nothing works any more.
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// The disk as it is found after the power went. The old one is dead.
    pub fn crash(&self) -> SimDisk {
        let mut state = self.state();
        state.crashed = true;
        let mut dice = Dice::new(state.dice.next());
        let names_kept = *dice.pick(&[0, 500, 1000]);
        let mut names = state.durable_names.clone();
        for change in &state.unsynced_names {
            if dice.permille(names_kept) {
                State::apply_name(&mut names, change);
            }
        }
        let mut nodes = Vec::new();
        for node in &state.nodes {
            let mut found = node.durable.clone();
            Mood::draw(&mut dice).apply(&node.unsynced, &mut found, &mut dice);
            nodes.push(Node { reserved: found.len(), seen: found.clone(), durable: found, unsynced: vec![] });
        }
        Self::found(nodes, names, dice)
    }

    /// The disk as the next process finds it when only the process died: unsynced writes are still seen, and
    /// still unsynced.
    pub fn kill(&self) -> SimDisk {
        let mut state = self.state();
        let next = State {
            dice: Dice::new(state.dice.next()),
            faults: Faults::default(),
            met: Met::default(),
            fuse: None,
            crashed: false,
            marked: Vec::new(),
            ..state.clone()
        };
        state.crashed = true;
        Self::from_state(next)
    }

    /// A copy that lives on by itself, without faults.
    pub fn fork(&self) -> SimDisk {
        let mut copy = self.state().clone();
        copy.faults = Faults::default();
        copy.met = Met::default();
        copy.fuse = None;
        Self::from_state(copy)
    }

    /// Only what has a name is left: numbers change, so that a long history stays small.
    fn found(nodes: Vec<Node>, names: BTreeMap<String, usize>, dice: Dice) -> SimDisk {
        let mut kept = Vec::new();
        let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
        let mut renumbered = BTreeMap::new();
        for (name, node) in names {
            let number = *moved.entry(node).or_insert_with(|| {
                kept.push(nodes[node].clone());
                kept.len() - 1
            });
            renumbered.insert(name, number);
        }
        Self::from_state(State {
            nodes: kept,
            durable_names: renumbered.clone(),
            names: renumbered,
            unsynced_names: Vec::new(),
            dice,
            faults: Faults::default(),
            met: Met::default(),
            fuse: None,
            crashed: false,
            marked: Vec::new(),
        })
    }

    /// Starts to note where is written.
    pub fn mark(&self) {
        self.state().marked.clear();
    }
    /// Where was written since [`SimDisk::mark`], by the names of now; what has none is left out.
    pub fn marked(&self) -> Vec<Region> {
        let state = self.state();
        let name = |node| state.names.iter().find(|(_, n)| **n == node).map(|(name, _)| name.clone());
        state.marked.iter().filter_map(|(node, from, to)| Some((name(*node)?, *from, *to))).collect()
    }

    /// Every file with the bytes that a reader sees.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        state.names.iter().map(|(name, node)| (name.clone(), state.nodes[*node].seen.clone())).collect()
    }

    /// Rots bytes where they lie: each is combined with `mask` by exclusive or.
    pub fn rot(&self, name: &str, at: usize, masks: &[u8]) {
        let mut state = self.state();
        let node = state.names[name];
        let node = &mut state.nodes[node];
        for bytes in [&mut node.durable, &mut node.seen] {
            for (byte, mask) in bytes.iter_mut().skip(at).zip(masks) {
                *byte ^= mask;
            }
        }
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.begin()?;
        Ok(state.names.keys().cloned().collect())
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.begin()?;
        if state.faults.full {
            state.met.no_space += 1;
            return Err(error(ENOSPC));
        }
        state.nodes.push(Node::default());
        let node = state.nodes.len() - 1;
        state.change_name(NameChange::Create(name.to_owned(), node));
        Ok(Box::new(SimFile { disk: self.clone(), node }))
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.begin()?;
        let node = state.node(name)?;
        Ok(Box::new(SimFile { disk: self.clone(), node }))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        let node = state.node(from)?;
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        let node = state.node(name)?;
        state.change_name(NameChange::Remove(name.to_owned(), node));
        Ok(())
    }
    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        let fails = state.sync_fails();
        let changes = std::mem::take(&mut state.unsynced_names);
        for change in &changes {
            if !fails || state.dice.one_in(2) {
                State::apply_name(&mut state.durable_names, change);
            }
        }
        if fails { Err(error(EIO)) } else { Ok(()) }
    }
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("sim").join(name)
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.begin()?;
        Ok(state.nodes[self.node].seen.len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.begin()?;
        let faults = state.faults;
        if state.dice.permille(faults.read) {
            state.met.read_errors += 1;
            return Err(error(EIO));
        }
        let size = state.nodes[self.node].seen.len();
        let from = small(offset.min(size as u64));
        let mut length = buffer.len().min(size - from);
        if length > 1 && state.dice.permille(faults.short) {
            state.met.short_reads += 1;
            length = 1 + state.dice.index(length - 1);
        }
        buffer[..length].copy_from_slice(&state.nodes[self.node].seen[from..from + length]);
        Ok(length)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let power_goes = state.operation()?;
        let at = small(offset);
        let faults = state.faults;
        let mut done = bytes.len();
        let mut failure = None;
        if power_goes {
            failure = Some(EIO); // whole, among the unsynced: the crash decides what is left of it
        } else if state.dice.permille(faults.write) {
            state.met.write_errors += 1;
            done = state.dice.index(bytes.len());
            failure = Some(EIO);
        } else if faults.full && at + bytes.len() > state.nodes[self.node].reserved {
            state.met.no_space += 1;
            let room = state.nodes[self.node].reserved.saturating_sub(at);
            done = state.dice.index(room.min(bytes.len()));
            failure = Some(ENOSPC);
        }
        if done > 0 {
            state.change(self.node, Change::Write(at, bytes[..done].to_vec()));
            state.nodes[self.node].reserved = state.nodes[self.node].reserved.max(at + done);
            state.marked.push((self.node, at, at + done));
        }
        failure.map_or(Ok(()), |code| Err(error(code)))
    }
    fn reserve(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin()?;
        let size = small(size);
        if state.faults.full && size > state.nodes[self.node].reserved {
            state.met.no_space += 1;
            return Err(error(ENOSPC));
        }
        let node = &mut state.nodes[self.node];
        node.reserved = node.reserved.max(size);
        if node.seen.len() < size {
            state.change(self.node, Change::Size(size));
        }
        Ok(())
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin()?;
        let size = small(size);
        let reserved = state.nodes[self.node].reserved.min(size);
        state.nodes[self.node].reserved = reserved;
        state.change(self.node, Change::Size(size));
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin()?;
        let fails = state.sync_fails();
        let state = &mut *state;
        let node = &mut state.nodes[self.node];
        let changes = std::mem::take(&mut node.unsynced);
        if fails {
            // The pages count as clean from now on, whether they reached the disk or not.
            Mood::draw(&mut state.dice).apply(&changes, &mut node.durable, &mut state.dice);
            return Err(error(EIO));
        }
        for change in &changes {
            change.apply(&mut node.durable);
        }
        Ok(())
    }
}
