//! The embedded engine without threads: whoever holds it takes each step.
//!
//! The same decider, syncer and keeper as [`crate::Embedded`], one step at a time and so the same at every
//! run: what a simulation of failing disks needs.

use std::sync::Arc;

use kernel::Clock;

use crate::disk::Disk;
use crate::embedded::{OpenError, Options, accounts, step, transfers};
use crate::engine::EngineError;
use crate::journal::Recovery;
use crate::keeper::Keeper;
use crate::past::AccountBalances;
use crate::query::{self, AccountTransfers, Feed, QueryTransfers, Question};
use crate::recover::{self, Opened};
use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{Account, AccountBalance, AccountFilter, FeedItem, QueryFilter, Transfer};
use crate::writer::{Decided, Decider, Room, Shared, Syncer};

/// See the module.
pub struct Inline {
    shared: Arc<Shared>,
    decider: Decider,
    syncer: Syncer,
    keeper: Keeper,
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inline").field("state", &self.shared.check()).finish_non_exhaustive()
    }
}

impl Inline {
    /// Opens the ledger on `disk`.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Inline, Recovery), OpenError> {
        let Opened { shared, log, newest, snapshot, recovery } = recover::open(disk, options, false)?;
        let shared = Arc::new(shared);
        let decider = Decider::new(shared.clone(), clock, newest);
        let syncer = Syncer::new(shared.clone(), log);
        let keeper = Keeper::new(shared.clone(), snapshot);
        Ok((Inline { shared, decider, syncer, keeper }, recovery))
    }

    /// Decides a batch of accounts. Nothing of it is on disk, or shown, before [`Inline::sync`]. When a
    /// segment is full, what was decided before is synced first.
    pub fn create_accounts(&mut self, events: &[Account]) -> Result<Vec<CreateAccountResult>, EngineError> {
        self.make_room(events.len())?;
        let mut out = Vec::new();
        self.decider.create_accounts(events, |results| {
            out = results;
            Decided::Nobody
        })?;
        Ok(out)
    }

    /// Decides a batch of transfers; as [`Inline::create_accounts`].
    pub fn create_transfers(
        &mut self,
        events: &[Transfer],
    ) -> Result<Vec<CreateTransferResult>, EngineError> {
        self.expire()?;
        self.make_room(events.len())?;
        let mut out = Vec::new();
        self.decider.create_transfers(events, |results| {
            out = results;
            Decided::Nobody
        })?;
        Ok(out)
    }

    /// Expires pending transfers that are due.
    pub fn expire(&mut self) -> Result<(), EngineError> {
        let due = self.decider.due()?;
        if due > 0 {
            match self.make_room(due) {
                Err(EngineError::NoSpace) => return Ok(()),
                other => other?,
            }
            self.decider.expire()?;
        }
        Ok(())
    }

    /// Does beforehand what the decider would wait for others to do.
    fn make_room(&mut self, events: usize) -> Result<(), EngineError> {
        loop {
            match self.decider.wants(events)? {
                Room::Enough => return Ok(()),
                Room::Write => self.syncer.flush()?,
                Room::Segment(size) => {
                    self.decider.ask_for(size);
                    while !self.decider.can_begin(size) {
                        if !self.keeper.tidy()? {
                            return Err(EngineError::NoSpace);
                        }
                    }
                    self.decider.begin_segment()?;
                }
            }
        }
    }

    /// Writes and syncs everything decided so far: from now on it is acknowledged.
    pub fn sync(&mut self) -> Result<(), EngineError> {
        self.syncer.flush()
    }

    /// One unit of the work behind the scenes; `false` if there was none.
    pub fn tidy(&mut self) -> Result<bool, EngineError> {
        self.keeper.tidy()
    }

    /// See [`crate::Engine::has_room`].
    pub fn has_room(&self) -> bool {
        self.shared.has_room()
    }

    /// A clean stop: syncs, and takes a snapshot.
    pub fn close(mut self) -> Result<(), EngineError> {
        self.syncer.flush()?;
        self.keeper.close()
    }

    /// The accounts of these ids that are on disk as they are; an account with changes that are not is an
    /// error of the caller, who must sync first.
    pub fn lookup_accounts(&self, ids: &[u128]) -> Result<Vec<Account>, EngineError> {
        let (found, stamp) = accounts(&self.shared, ids)?;
        if stamp > *self.shared.durable.borrow() { Err(EngineError::Unavailable) } else { Ok(found) }
    }
    /// See [`crate::Engine`]; and so on.
    pub fn lookup_transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, EngineError> {
        transfers(&self.shared, ids)
    }
    /// See [`crate::Engine`].
    pub fn get_account_transfers(&self, filter: AccountFilter) -> Result<Vec<Transfer>, EngineError> {
        self.ask(AccountTransfers(filter))
    }
    /// See [`crate::Engine`].
    pub fn get_account_balances(&self, filter: AccountFilter) -> Result<Vec<AccountBalance>, EngineError> {
        self.ask(AccountBalances(filter))
    }
    /// See [`crate::Engine`].
    pub fn query_transfers(&self, filter: QueryFilter) -> Result<Vec<Transfer>, EngineError> {
        self.ask(QueryTransfers(filter))
    }
    /// See [`crate::Engine`]; as with [`Inline::lookup_accounts`], the caller has synced.
    pub fn query_accounts(&self, filter: QueryFilter) -> Result<Vec<Account>, EngineError> {
        let mut found = Vec::new();
        let mut rest = Some(filter);
        while let Some(filter) = rest {
            let (step, stamp) = self.shared.read(|books| query::query_accounts(books, filter))?;
            if stamp > *self.shared.durable.borrow() {
                return Err(EngineError::Unavailable);
            }
            found.extend(step.found);
            rest = step.rest;
        }
        Ok(found)
    }
    /// See [`crate::Engine`].
    pub fn feed(&self, after: u64, limit: u32) -> Result<Vec<FeedItem>, EngineError> {
        match Feed::new(after, limit) {
            None => Ok(Vec::new()),
            Some(feed) => Ok(query::feed_items(self.ask(feed)?)),
        }
    }

    fn ask<Q: Question>(&self, mut question: Q) -> Result<Vec<Q::Item>, EngineError> {
        let mut found = Vec::new();
        loop {
            let step = step(&self.shared, &question)?;
            found.extend(step.found);
            let Some(rest) = step.rest else { return Ok(found) };
            question = question.with(rest);
        }
    }
}
