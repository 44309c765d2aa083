//! Whether two ledgers hold the same: each counted for itself, then account by account and transfer by transfer.

use std::collections::{HashMap, HashSet};

use kernel::Clock;

use super::{MigrateError, Moved, Recount, Waiting, expiry_void_id, transfer_to_import};
use crate::engine::Engine;
use crate::recount::{PAGE, recount};
use crate::types::{Account, AccountFlags, Transfer};

pub async fn verify(
    from: &dyn Engine,
    to: &dyn Engine,
    clock: &dyn Clock,
    waiting: &Waiting,
    moved: Moved,
) -> Result<Moved, MigrateError> {
    let old = recount(from, clock).await.map_err(MigrateError::FromBooks)?;
    let new = recount(to, clock).await.map_err(MigrateError::ToBooks)?;
    accounts(&old, &new)?;
    let voids = transfers(from, to, waiting).await?;
    if old.transfers + voids != new.transfers {
        return Err(MigrateError::Differ(0, "the new ledger has transfers that the old one has not"));
    }
    Ok(Moved {
        accounts: old.accounts.len() as u64,
        transfers: old.transfers,
        voided: voids,
        carried: waiting.carried.len() as u64,
        digest: new.digest(),
        ..moved
    })
}

fn accounts(old: &Recount, new: &Recount) -> Result<(), MigrateError> {
    for (id, a) in &old.accounts {
        let Some(b) = new.accounts.get(id) else {
            return Err(MigrateError::Differ(*id, "the account is not at the new ledger"));
        };
        // Closing and opening again is in the transfers, which each ledger's own count holds it against; an account
        // without any was made so.
        let moves = old.settled.contains_key(id);
        let aside = AccountFlags::Linked | AccountFlags::Imported;
        let aside = if moves { aside | AccountFlags::Closed } else { aside };
        let fields = |a: &Account| {
            let data = (a.user_data_128, a.user_data_64, a.user_data_32);
            (data, a.ledger, a.code, a.flags.without(aside), a.timestamp)
        };
        if fields(a) != fields(b) {
            return Err(MigrateError::Differ(*id, "the account has other fields at the new ledger"));
        }
        let balance = |of: &Recount| of.settled.get(id).copied().unwrap_or_default();
        if balance(old) != balance(new) {
            return Err(MigrateError::Differ(*id, "the account has another balance at the new ledger"));
        }
    }
    match new.accounts.keys().find(|id| !old.accounts.contains_key(id)) {
        Some(id) => Err(MigrateError::Differ(*id, "the account is at the new ledger alone")),
        None => Ok(()),
    }
}

/// Answers how many voids stand for expiries.
async fn transfers(from: &dyn Engine, to: &dyn Engine, waiting: &Waiting) -> Result<u64, MigrateError> {
    let lookup = async |ids: Vec<u128>| {
        let mut found = HashMap::new();
        // A cluster may take smaller questions than a page is.
        for some in ids.chunks(1024) {
            let page = to.lookup_transfers(some.to_vec()).await.map_err(MigrateError::To)?;
            found.extend(page.into_iter().map(|t| (t.id, t)));
        }
        Ok(found)
    };
    let (mut after, mut expired) = (0, HashSet::new());
    expired.extend(waiting.expired.iter().map(|(_, id)| *id));
    loop {
        let page = from.feed(after, PAGE).await.map_err(MigrateError::From)?;
        let Some(last) = page.last() else { break };
        after = last.timestamp();
        let found = lookup(page.iter().map(|item| item.transfer.id).collect()).await?;
        for t in page.iter().map(|item| &item.transfer) {
            let Some(there) = found.get(&t.id) else {
                return Err(MigrateError::Differ(t.id, "the transfer is not at the new ledger"));
            };
            let carried = waiting.carried_ids.contains(&t.id);
            let at = |u: &Transfer| if carried { 0 } else { u.timestamp };
            let same = |u: &Transfer| Transfer { timestamp: at(u), ..transfer_to_import(u) };
            if same(t) != same(there) || (!carried && there.timeout != 0) {
                return Err(MigrateError::Differ(t.id, "the transfer is another at the new ledger"));
            }
        }
    }
    let late = lookup(waiting.carried.iter().map(|p| expiry_void_id(p.id)).collect()).await?;
    let voids = lookup(expired.iter().map(|id| expiry_void_id(*id)).collect()).await?;
    match expired.iter().find(|id| !voids.contains_key(&expiry_void_id(**id))) {
        Some(id) => Err(MigrateError::Differ(*id, "expired at the old ledger, and open at the new one")),
        None => Ok((voids.len() + late.len()) as u64),
    }
}
