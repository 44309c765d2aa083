//! Bits that turn at rest or under a running engine, and what must come of it: never a wrong answer, and in
//! the journal before its last frame never silence.

use std::sync::Arc;

use kernel::Clock;

use super::{History, Violation, World, violation};
use crate::sim::{SECTOR, SimDisk};
use crate::stepped::{Kind, Refused, Stepped};

#[derive(Debug)]
struct Rot {
    name: String,
    at: usize,
    masks: Vec<u8>,
    must_be_found: bool,
}

impl<E: Stepped> History<E> {
    pub(super) fn rot(&mut self) -> Result<(), Violation> {
        self.calm();
        self.sync()?;
        let world = self.worlds[0].clone();
        let doubt = self.worlds.len() > 1 || !world.in_flight.is_empty();
        if doubt || world.decided.records > world.durable.records || self.wounded() {
            return Ok(());
        }
        let at_rest = self.dice.one_in(2);
        if at_rest {
            self.end_session_softly();
            self.end_session()?;
            self.disk = if self.dice.one_in(2) { self.disk.kill() } else { self.disk.crash() };
        }
        let sound = self.disk.fork();
        let Some(rot) = self.place(&world) else {
            return self.after_rot(world, sound);
        };
        self.note(|| format!("rot, at rest: {at_rest}: {rot:?}"));
        self.summary.rots += 1;
        self.summary.rots_that_must_be_found += u64::from(rot.must_be_found);
        self.disk.rot(&rot.name, rot.at, &rot.masks);
        self.rotten = true;
        self.errors = 0;
        if !at_rest {
            self.verify()?;
            self.tidy()?;
            self.verify()?;
            self.end_session()?;
            self.disk = if self.dice.one_in(2) { self.disk.kill() } else { self.disk.crash() };
        }
        self.stop_faults();
        self.pass_all_timestamps();
        let end = rot.at + rot.masks.len();
        if world.last_frame.iter().any(|(name, from, to)| *name == rot.name && rot.at < *to && end > *from) {
            let before = world.before_last.iter().cloned();
            self.worlds.extend(before.map(|durable| World { durable, ..World::default() }));
        }
        let mut found_by_opening = false;
        match E::open(Arc::new(self.disk.clone()), self.clock.clone() as Arc<dyn Clock>) {
            Err(Refused::Damaged(reason)) => {
                self.note(|| format!("found: {reason}"));
                found_by_opening = true;
            }
            Err(Refused::Io(reason)) => {
                return violation(format!("rot is reported as a failing disk: {reason}"));
            }
            Ok((engine, _)) => {
                self.engine = Some(engine);
                self.settle()?;
                for _ in 0..3 {
                    self.tidy()?;
                }
                self.verify()?;
            }
        }
        self.end_session()?;
        let audit = E::audit(&self.disk.kill());
        let errors = self.errors;
        self.note(|| format!("rot: {errors} errors, audit {audit:?}"));
        match () {
            () if found_by_opening => self.summary.rots_found_by_opening += 1,
            () if self.errors > 0 => self.summary.rots_found_by_answers += 1,
            () if audit.is_err() => self.summary.rots_found_by_audit += 1,
            () if rot.must_be_found => return violation(format!("rot was never found: {rot:?}")),
            () => self.summary.rots_made_good_or_harmless += 1,
        }
        if rot.must_be_found && audit.is_ok() {
            return violation(format!("the audit finds nothing wrong: {rot:?}"));
        }
        self.after_rot(world, sound)
    }

    /// A stop before rot at rest: clean, or not.
    fn end_session_softly(&mut self) {
        if self.dice.one_in(2)
            && let Some(engine) = self.engine.take()
        {
            engine.close();
        }
    }

    /// The copy from before the rot takes its place, as from a backup.
    fn after_rot(&mut self, world: World, sound: SimDisk) -> Result<(), Violation> {
        self.rotten = false;
        self.errors = 0;
        drop(self.engine.take());
        self.worlds = vec![World { decided: world.durable.clone(), ..world }];
        self.reopen(sound.crash())
    }

    /// Where to rot, if there is anything.
    fn place(&mut self, world: &World) -> Option<Rot> {
        let files: Vec<_> = self
            .disk
            .files()
            .into_iter()
            .filter(|(name, b)| E::kind(name) != Kind::Scrap && !b.is_empty())
            .collect();
        let dice = &mut self.dice;
        let certain = world.before_last.first().map_or(&[][..], |model| &model.transfers);
        if dice.one_in(2) && !certain.is_empty() {
            // In a transfer known to be before the last frame, if its bytes are found in one place only.
            for _ in 0..4 {
                let id = dice.pick(certain).id.to_le_bytes();
                let journal = files.iter().filter(|(name, _)| E::kind(name) == Kind::Journal);
                let mut places = journal.flat_map(|(name, bytes)| {
                    let found = bytes.windows(16).enumerate().filter(|(_, w)| *w == id);
                    found.map(move |(at, _)| (name.clone(), at))
                });
                if let (Some((name, at)), None) = (places.next(), places.next()) {
                    let at = at + dice.index(E::RECORD);
                    return Some(Rot { name, at, masks: vec![1 << dice.below(8)], must_be_found: true });
                }
            }
        }
        if files.is_empty() {
            return None;
        }
        let derived: Vec<_> = files.iter().filter(|(name, _)| E::kind(name) == Kind::Derived).collect();
        let (name, bytes) =
            if derived.is_empty() || dice.one_in(3) { dice.pick(&files) } else { *dice.pick(&derived) };
        let at = dice.index(bytes.len());
        let mut masks: Vec<u8> = match dice.below(6) {
            0..3 => vec![1 << dice.below(8)],
            3 => (0..=dice.below(8)).map(|_| dice.next().to_le_bytes()[0]).collect(),
            4 => bytes[at..].iter().copied().take(SECTOR).collect(), // zeros
            _ => {
                // What belongs elsewhere in the file.
                let other = &bytes[dice.index(bytes.len())..];
                bytes[at..].iter().zip(other).map(|(a, b)| a ^ b).take(SECTOR).collect()
            }
        };
        // Rot that spoils the last frame and the one before it looks like one unfinished write.
        for (frame, from, _) in &world.last_frame {
            if frame == name && at < *from {
                masks.truncate(*from - at);
            }
        }
        if masks.iter().all(|mask| *mask == 0) {
            return None;
        }
        Some(Rot { name: name.clone(), at, masks, must_be_found: false })
    }
}
