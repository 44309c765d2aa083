//! A whole small ledger: journal, index and snapshot from one input, opened by the engine. It is refused, or it
//! answers every kind of question, takes a payment, does its chores, and opens again with that payment.
#![no_main]

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ManualClock, Timestamp};
use ledger::{
    Account, AccountFilter, AccountFilterFlags, EngineError, Inline, JournalError, OpenError, Options,
    QueryFilter, QueryFilterFlags, Transfer,
};
use libfuzzer_sys::fuzz_target;
use yima_fuzz::disk::Memory;
use yima_fuzz::files::unpack_disk;

fn open(disk: &Memory, clock: &Arc<ManualClock>) -> Result<Inline, OpenError> {
    let options = Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 };
    Ok(Inline::open(Arc::new(disk.clone()), clock.clone(), options)?.0)
}

/// Everything that can be asked about accounts 0 to 7 and what they did.
fn ask(engine: &Inline) -> Result<(), EngineError> {
    let ids: Vec<u128> = (0..64).collect();
    engine.lookup_transfers(&ids)?;
    let accounts = engine.lookup_accounts(&ids)?;
    for limit in [3, 8190] {
        for account_id in 0..8 {
            let flags = AccountFilterFlags::Debits | AccountFilterFlags::Credits;
            for flags in [flags, flags | AccountFilterFlags::Reversed] {
                let filter = AccountFilter { account_id, limit, flags, ..AccountFilter::default() };
                let transfers = engine.get_account_transfers(filter)?;
                let found =
                    transfers.iter().all(|t| [t.debit_account_id, t.credit_account_id].contains(&account_id));
                assert!(found, "a transfer of another account");
                let balances = engine.get_account_balances(filter)?;
                let history = accounts.iter().find(|a| a.id == account_id);
                let history = history.is_some_and(|a| a.flags.contains(ledger::AccountFlags::History));
                assert!(history || balances.is_empty());
            }
        }
        for user_data_64 in [0, 8] {
            for flags in [QueryFilterFlags::empty(), QueryFilterFlags::Reversed] {
                let filter = QueryFilter { user_data_64, limit, flags, ..QueryFilter::default() };
                let found = engine.query_transfers(filter)?;
                let wanted = |t: &Transfer| user_data_64 == 0 || t.user_data_64 == user_data_64;
                assert!(found.iter().all(wanted), "a transfer that does not match");
                engine.query_accounts(filter)?;
            }
        }
        engine.feed(0, limit)?;
    }
    Ok(())
}

/// Questions, a payment, chores; answers the id of what was paid.
fn live(engine: &mut Inline) -> Result<u128, EngineError> {
    ask(engine)?;
    let account = |id| Account { id, ledger: 9, code: 1, ..Account::default() };
    let (from, to, id) = (1 << 100, 2 << 100, 3 << 100);
    engine.create_accounts(&[account(from), account(to)])?;
    let (debit_account_id, credit_account_id) = (from, to);
    let transfer = Transfer {
        id,
        debit_account_id,
        credit_account_id,
        amount: 1,
        ledger: 9,
        code: 1,
        ..Transfer::default()
    };
    engine.create_transfers(&[transfer])?;
    engine.expire()?;
    engine.sync()?;
    while engine.tidy()? {}
    ask(engine)?;
    Ok(id)
}

fuzz_target!(|data: &[u8]| {
    let disk = unpack_disk(data);
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1_700_000_000_000_000_000)));
    clock.advance(Duration::from_secs(100));
    let mut engine = match open(&disk, &clock) {
        Ok(engine) => engine,
        // A segment may be missing; other than that the disk does not fail.
        Err(OpenError::Io(file, e) | OpenError::Journal(JournalError::Io(file, e))) => {
            assert_eq!(e.kind(), ErrorKind::NotFound, "{}: {e}", file.display());
            return;
        }
        Err(_) => return,
    };
    // What a forged snapshot says of balances is found out only by an audit; that it leads to an end is enough.
    let Ok(id) = live(&mut engine) else { return };
    let transfers = engine.lookup_transfers(&[id]).expect("it answered just now");
    engine.close().expect("the disk does not fail");
    let engine = open(&disk, &clock).expect("what was opened, used and closed opens again");
    assert_eq!(engine.lookup_transfers(&[id]).expect("and answers"), transfers);
});
