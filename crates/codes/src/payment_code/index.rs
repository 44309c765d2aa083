//! The server's side of the payment code: from digits to the one device that made them.
//!
//! For each epoch a live code may come from, a table maps locators to devices. Tables are built ahead of time and in
//! portions, so no request waits for ten million HMACs; until a table is complete, codes of its epoch are
//! [`Refused::NotReady`], never guessed at. Must never resolve to one device when another could have made the code.
//!
//! Threads: [`LocatorIndex::resolve`] takes `&self`; everything that changes the index takes `&mut self`. Behind a
//! read-write lock, call [`LocatorIndex::maintain`] every second with a budget of a hundredth of the devices, but at
//! least ten thousand: everything is ready in time and readers never wait longer than one portion (0.35 µs a device).
//! Devices may be spread over several indexes; every one is asked, and two answers mean [`Refused::Ambiguous`].

use super::table::Table;
use super::{CLOCK_AHEAD_S, CLOCK_BEHIND_S, DeviceSecret, EPOCH_S, PaymentCode, STEP_S, VALID_S, burn_id};

/// How long after its life a code is still told apart as [`Refused::Expired`] from [`Refused::Unknown`], in seconds.
const REMEMBER_S: u64 = 120;
/// From the start of its step a code lives less than this, in seconds.
const LIFE_S: u64 = VALID_S + CLOCK_BEHIND_S;

/// Whose code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// As given to [`LocatorIndex::insert`].
    pub device_id: u128,
    /// The ten seconds the code was made for: unix time / [`STEP_S`] by the phone's clock.
    pub step: u64,
    /// Transfer id of the one try, see [`burn_id`].
    pub burn_id: u128,
}

/// Why nobody pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No device made this code in the last minutes. Tills that scan many of these are guessing.
    Unknown,
    /// A device made it, but too long ago: show a fresh code.
    Expired,
    /// Two devices could have made it: show a fresh code. About one code in 10^8 with ten million devices.
    Ambiguous,
    /// The tables for this time are still being built: ask again in a moment.
    NotReady,
}

impl Refused {
    /// Stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "payment_code_unknown",
            Self::Expired => "payment_code_expired",
            Self::Ambiguous => "payment_code_ambiguous",
            Self::NotReady => "payment_code_not_ready",
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no device made this payment code",
            Self::Expired => "the payment code is too old; show a fresh one",
            Self::Ambiguous => "the payment code is not unique; show a fresh one",
            Self::NotReady => "payment codes are being prepared; try again in a moment",
        })
    }
}

impl std::error::Error for Refused {}

/// What a portion of upkeep left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upkeep {
    /// Locators still to compute before every table wanted now is complete.
    pub remaining: usize,
}

/// The id is kept as bytes, which need no alignment: ten million devices save 150 MB.
struct Device {
    id: [u8; 16],
    secret: DeviceSecret,
}

impl Device {
    fn id(&self) -> u128 {
        u128::from_ne_bytes(self.id)
    }
}

/// Locators of one epoch. Slots below `table.len()` are in; the rest follow.
struct Epoch {
    epoch: u64,
    table: Table,
}

/// Devices and their locators in the epochs that matter now.
#[derive(Default)]
pub struct LocatorIndex {
    /// A removed device leaves `None`, which the next insertion fills.
    devices: Vec<Option<Device>>,
    free: Vec<u32>,
    by_id: Table,
    /// At most three, in no order.
    epochs: Vec<Epoch>,
    /// Memory of the last epoch given up, for the next one.
    spare: Option<Table>,
}

impl LocatorIndex {
    /// An index without devices.
    pub fn new() -> Self {
        Self::default()
    }

    /// An index with room for `devices`, so that none of the insertions up to there has to move the others.
    pub fn with_capacity(devices: usize) -> Self {
        Self { devices: Vec::with_capacity(devices), by_id: Table::with_room(devices), ..Self::default() }
    }

    /// Number of devices.
    pub fn len(&self) -> usize {
        self.devices.len() - self.free.len()
    }

    /// Whether there is no device.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a device, or gives a known one a new secret. Its codes resolve at once in every table already complete.
    pub fn insert(&mut self, device_id: u128, secret: &DeviceSecret) {
        self.remove(device_id);
        let device = Device { id: device_id.to_ne_bytes(), secret: secret.clone() };
        let slot = if let Some(slot) = self.free.pop() {
            let slot = slot as usize;
            self.by_id.link(slot, id_key(device_id));
            self.devices[slot] = Some(device);
            slot
        } else {
            self.by_id.push(Some(id_key(device_id)));
            self.devices.push(Some(device));
            self.devices.len() - 1
        };
        for Epoch { epoch, table } in &mut self.epochs {
            let key = secret.locator(*epoch);
            if slot < table.len() {
                table.link(slot, key);
            } else if slot == table.len() {
                table.push(Some(key));
            }
        }
    }

    /// Takes a device out, its secret wiped: none of its codes resolves from now on. Says whether it was there.
    pub fn remove(&mut self, device_id: u128) -> bool {
        let Some(slot) = self.slot_of(device_id) else { return false };
        self.devices[slot] = None;
        self.free.push(u32::try_from(slot).expect("fewer than 2^32 devices"));
        self.by_id.unlink(slot);
        for Epoch { table, .. } in &mut self.epochs {
            if slot < table.len() {
                table.unlink(slot);
            }
        }
        true
    }

    /// Gives up tables no longer needed at `now_unix_s` and computes at most `budget` locators of those that are:
    /// first the ones codes may already come from, then the next epoch's.
    pub fn maintain(&mut self, now_unix_s: u64, mut budget: usize) -> Upkeep {
        let wanted = wanted_epochs(now_unix_s);
        for at in (0..self.epochs.len()).rev() {
            if !wanted.contains(&self.epochs[at].epoch) {
                let mut table = self.epochs.swap_remove(at).table;
                table.retire();
                self.spare = Some(table);
            }
        }
        let mut remaining = 0;
        for epoch in wanted {
            let known = self.epochs.iter().any(|e| e.epoch == epoch);
            if !known && budget == 0 && !self.devices.is_empty() {
                remaining += self.devices.len();
                continue;
            }
            let at = self.epochs.iter().position(|e| e.epoch == epoch).unwrap_or_else(|| {
                let slots = self.devices.len();
                let table = self.spare.take().map_or_else(|| Table::with_room(slots), |t| t.reuse(slots));
                self.epochs.push(Epoch { epoch, table });
                self.epochs.len() - 1
            });
            let table = &mut self.epochs[at].table;
            while table.len() < self.devices.len() && budget > 0 {
                let device = self.devices[table.len()].as_ref();
                table.push(device.map(|d| d.secret.locator(epoch)));
                budget -= 1;
            }
            remaining += self.devices.len() - table.len();
        }
        // What is left of the budget wipes the spare table, some forty chains in the time of a locator.
        if let Some(spare) = &mut self.spare {
            spare.wipe(budget.saturating_mul(40));
        }
        Upkeep { remaining }
    }

    /// Whose code it is at `now_unix_s`. Costs a table look-up and eight HMACs per device with this locator (0.1 by
    /// chance among ten million).
    pub fn resolve(&self, code: &PaymentCode, now_unix_s: u64) -> Result<Resolved, Refused> {
        let live = live_steps(now_unix_s);
        let mut found: Option<Resolved> = None;
        for (slot, step) in self.makers(*code, live.clone())? {
            let Some(device) = &self.devices[slot] else { continue };
            match found {
                Some(earlier) if earlier.device_id != device.id() => return Err(Refused::Ambiguous),
                // The same digits in two steps of one device: one code, one burn id, whichever step it came from.
                Some(_) => {}
                None => {
                    let device_id = device.id();
                    found = Some(Resolved { device_id, step, burn_id: burn_id(device_id, code) });
                }
            }
        }
        if let Some(resolved) = found {
            return Ok(resolved);
        }
        let earlier = live.start.saturating_sub(REMEMBER_S / STEP_S)..live.start;
        match self.makers(*code, earlier) {
            Ok(makers) if !makers.is_empty() => Err(Refused::Expired),
            _ => Err(Refused::Unknown),
        }
    }

    /// [`LocatorIndex::maintain`] without a budget, then [`LocatorIndex::resolve`]: for tests and small places, where
    /// waiting for the whole table is nothing.
    pub fn resolve_now(&mut self, code: &PaymentCode, now_unix_s: u64) -> Result<Resolved, Refused> {
        self.maintain(now_unix_s, usize::MAX);
        self.resolve(code, now_unix_s)
    }

    /// Bytes of memory held by devices and tables.
    pub fn bytes(&self) -> usize {
        self.devices.capacity() * size_of::<Option<Device>>()
            + self.free.capacity() * size_of::<u32>()
            + self.by_id.bytes()
            + self.epochs.iter().map(|e| e.table.bytes()).sum::<usize>()
            + self.spare.as_ref().map_or(0, Table::bytes)
    }

    /// The slots that made `code` in one of `steps`, with the step.
    fn makers(&self, code: PaymentCode, steps: std::ops::Range<u64>) -> Result<Vec<(usize, u64)>, Refused> {
        let mut makers = Vec::new();
        let mut from = steps.start;
        while from < steps.end {
            let epoch = from * STEP_S / EPOCH_S;
            let to = ((epoch + 1) * EPOCH_S / STEP_S).min(steps.end);
            let table = self.epochs.iter().find(|e| e.epoch == epoch).map(|e| &e.table);
            let table = table.filter(|t| t.len() == self.devices.len()).ok_or(Refused::NotReady)?;
            for slot in table.find(code.locator) {
                let Some(device) = &self.devices[slot] else { continue };
                makers.extend(device.secret.steps_of(code, from..to).map(|step| (slot, step)));
            }
            from = to;
        }
        Ok(makers)
    }

    fn slot_of(&self, device_id: u128) -> Option<usize> {
        self.by_id
            .find(id_key(device_id))
            .find(|slot| self.devices[*slot].as_ref().is_some_and(|d| d.id() == device_id))
    }
}

/// Steps whose codes are alive: started less than [`LIFE_S`] ago and at most [`CLOCK_AHEAD_S`] from now.
fn live_steps(now_unix_s: u64) -> std::ops::Range<u64> {
    let oldest = (now_unix_s + 1).saturating_sub(LIFE_S).div_ceil(STEP_S);
    oldest..(now_unix_s + CLOCK_AHEAD_S) / STEP_S + 1
}

/// Epochs of the live steps and of those remembered, then the one to prepare; without repetitions.
fn wanted_epochs(now_unix_s: u64) -> Vec<u64> {
    let live = live_steps(now_unix_s);
    let epoch = |step: u64| step * STEP_S / EPOCH_S;
    let mut wanted = vec![
        epoch(live.end - 1),
        epoch(live.start),
        epoch(live.start.saturating_sub(REMEMBER_S / STEP_S)),
        now_unix_s / EPOCH_S + 1,
    ];
    let mut kept = Vec::with_capacity(wanted.len());
    wanted.retain(|epoch| {
        let new = !kept.contains(epoch);
        kept.push(*epoch);
        new
    });
    wanted
}

/// Device ids are made by the server (UUIDv7), so their low bits are random and nobody chooses them.
fn id_key(device_id: u128) -> u32 {
    let folded = device_id ^ (device_id >> 64);
    u32::try_from((folded ^ (folded >> 32)) & 0xFFFF_FFFF).expect("32 bits")
}
