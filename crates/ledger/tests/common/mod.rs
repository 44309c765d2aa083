//! The test language: a case is text, one event a line with the status it must earn, so that the same case
//! can run on any engine.
//!
//! ```text
//! account 1 +history user_data_64=7      => Created      # defaults: ledger=1 code=1
//! transfer 10 1->2 100 +pending timeout=5 => Created     # id, debit->credit, amount; `max`, `max-3`
//! post 11 of 10 60                        => Created     # amount optional: whole
//! void 12 of 10                           => PendingTransferAlreadyPosted
//!                                                        # an empty line ends the batch
//! wait 5                                                 # seconds; the engine then gets an empty batch
//! clock 9000000000000000000                              # nanoseconds since the epoch
//! balance 1 0/60 0/0                                     # debits pending/posted, credits pending/posted
//! flags 1 +history                                       # the account's flags now
//! stored 11 1->2 60 pending=10 +post                     # the transfer as it is kept, timestamp aside
//! missing 12                                             # no such transfer
//! ```
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, ManualClock, Timestamp};
use ledger::{
    Account, AccountFlags, CreateAccountResult, CreateTransferResult, Embedded, Engine, Options, QueryFilter,
    Transfer, TransferFlags,
};

/// Where every test's clock begins, in nanoseconds.
pub const START: i64 = 1_700_000_000_000_000_000;

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_nanos(START)))
}

pub fn open(dir: &Path, clock: &Arc<ManualClock>) -> Embedded {
    Embedded::open(dir, clock.clone()).expect("the ledger opens").0
}

/// Segments of some records, so that a test meets indexes, merges and snapshots.
pub fn small_segments() -> Options {
    Options { file_bytes: 2048, merge: 4, snapshot_bytes: 16384 }
}

/// Small files, so that a test crosses from one to the next.
pub fn open_small(dir: &Path, clock: &Arc<ManualClock>) -> Embedded {
    Embedded::open_with(dir, clock.clone(), small_segments()).expect("the ledger opens").0
}

pub fn account(id: u128) -> Account {
    Account { id, ledger: 1, code: 1, ..Account::default() }
}

pub fn transfer(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    let accounts = Transfer { debit_account_id: debit, credit_account_id: credit, ..Transfer::default() };
    Transfer { id, amount, ledger: 1, code: 1, ..accounts }
}

/// Everything an engine shows.
pub async fn everything(engine: &dyn Engine) -> (Vec<Account>, Vec<Transfer>) {
    let all = QueryFilter { limit: 8189, ..QueryFilter::default() };
    (engine.query_accounts(all).await.unwrap(), engine.query_transfers(all).await.unwrap())
}

/// Runs a case on a fresh embedded engine; then reopens and audits it. Answers the statuses it met.
pub fn run(name: &str, text: &str) -> BTreeSet<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let clock = clock();
        let engine = open_small(dir.path(), &clock);
        let mut case =
            Case { name, engine: &engine, clock: &clock, met: BTreeSet::new(), batch: Batch::None };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap().trim();
            case.line(index + 1, line).await;
        }
        case.submit().await;
        let met = case.met;
        let before = everything(&engine).await;
        drop(engine);
        let engine = open_small(dir.path(), &clock);
        assert_eq!(before, everything(&engine).await, "{name}: reopened, the books differ");
        let report = ledger::audit::verify(dir.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        report.compare(&engine).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        met
    })
}

enum Batch {
    None,
    Accounts(Vec<(usize, Account, String)>),
    Transfers(Vec<(usize, Transfer, String)>),
}

struct Case<'a> {
    name: &'a str,
    engine: &'a Embedded,
    clock: &'a ManualClock,
    met: BTreeSet<String>,
    batch: Batch,
}

impl Case<'_> {
    async fn line(&mut self, number: usize, line: &str) {
        let at = format!("{}, line {number}: {line}", self.name);
        let (event, status) = line.split_once("=>").unwrap_or((line, ""));
        let status = status.trim().to_owned();
        let words: Vec<&str> = event.split_whitespace().collect();
        match words.as_slice() {
            [] => self.submit().await,
            ["account", id, rest @ ..] => {
                let event = account_fields(Account { ..account(int(id)) }, rest);
                if let Batch::Accounts(batch) = &mut self.batch {
                    return batch.push((number, event, status));
                }
                self.submit().await;
                self.batch = Batch::Accounts(vec![(number, event, status)]);
            }
            ["transfer" | "post" | "void", ..] => {
                let event = parse_transfer(&words);
                if let Batch::Transfers(batch) = &mut self.batch {
                    return batch.push((number, event, status));
                }
                self.submit().await;
                self.batch = Batch::Transfers(vec![(number, event, status)]);
            }
            ["wait", seconds] => {
                self.submit().await;
                self.clock.advance(Duration::from_secs(seconds.parse().unwrap()));
                self.engine.create_transfers(vec![]).await.unwrap();
            }
            ["clock", ns] => {
                self.submit().await;
                self.clock.set(Timestamp::from_nanos(ns.parse().unwrap()));
            }
            ["balance", id, debits, credits] => {
                self.submit().await;
                let a = self.engine.lookup_accounts(vec![int(id)]).await.unwrap()[0];
                let pair = |text: &str| text.split_once('/').map(|(a, b)| (int(a), int(b))).unwrap();
                assert_eq!((a.debits_pending, a.debits_posted), pair(debits), "{at}");
                assert_eq!((a.credits_pending, a.credits_posted), pair(credits), "{at}");
            }
            ["flags", id, rest @ ..] => {
                self.submit().await;
                let a = self.engine.lookup_accounts(vec![int(id)]).await.unwrap()[0];
                assert_eq!(a.flags, account_fields(Account::default(), rest).flags, "{at}");
            }
            ["stored", rest @ ..] => {
                self.submit().await;
                let expected = parse_transfer(&[&["transfer"], rest].concat());
                let stored = self.engine.lookup_transfers(vec![expected.id]).await.unwrap();
                let stored = stored.into_iter().map(|t| Transfer { timestamp: 0, ..t }).collect::<Vec<_>>();
                assert_eq!(stored, [expected], "{at}");
            }
            ["missing", id] => {
                self.submit().await;
                assert_eq!(self.engine.lookup_transfers(vec![int(id)]).await.unwrap(), [], "{at}");
            }
            _ => panic!("{at}: not understood"),
        }
    }

    async fn submit(&mut self) {
        let (name, now) = (self.name, u64::try_from(self.clock.now().as_nanos()).unwrap());
        let mut check = |number: usize, expected: &str, status: String, timestamp: u64| {
            assert_eq!(status, expected, "{name}, line {number}");
            assert!(timestamp > 0 && timestamp <= now + 1_000_000, "{name}, line {number}: at {timestamp}");
            self.met.insert(status);
        };
        match std::mem::replace(&mut self.batch, Batch::None) {
            Batch::None => {}
            Batch::Accounts(batch) => {
                let events = batch.iter().map(|(_, e, _)| *e).collect();
                let results = self.engine.create_accounts(events).await.unwrap();
                assert_eq!(results.len(), batch.len());
                for ((number, _, expected), CreateAccountResult { timestamp, status }) in
                    batch.iter().zip(results)
                {
                    check(*number, expected, format!("{status}"), timestamp);
                }
            }
            Batch::Transfers(batch) => {
                let events = batch.iter().map(|(_, e, _)| *e).collect();
                let results = self.engine.create_transfers(events).await.unwrap();
                assert_eq!(results.len(), batch.len());
                for ((number, _, expected), CreateTransferResult { timestamp, status }) in
                    batch.iter().zip(results)
                {
                    check(*number, expected, format!("{status}"), timestamp);
                }
            }
        }
    }
}

fn int(text: &str) -> u128 {
    match text.strip_prefix("max") {
        Some("") => u128::MAX,
        Some(rest) => u128::MAX - rest.strip_prefix('-').unwrap().parse::<u128>().unwrap(),
        None => text.parse().unwrap_or_else(|e| panic!("{text}: {e}")),
    }
}

fn small<T: TryFrom<u128>>(text: &str) -> T {
    T::try_from(int(text)).ok().unwrap_or_else(|| panic!("{text} is too large for its field"))
}

fn parse_transfer(words: &[&str]) -> Transfer {
    match words {
        ["transfer", id, sides, amount, rest @ ..] => {
            let (debit, credit) = sides.split_once("->").unwrap();
            transfer_fields(transfer(int(id), int(debit), int(credit), int(amount)), rest)
        }
        [verb @ ("post" | "void"), id, "of", pending, rest @ ..] => {
            let post = *verb == "post";
            let flags =
                if post { TransferFlags::PostPendingTransfer } else { TransferFlags::VoidPendingTransfer };
            let whole = if post { u128::MAX } else { 0 };
            let t = Transfer {
                id: int(id),
                pending_id: int(pending),
                flags,
                amount: whole,
                ..Transfer::default()
            };
            match rest.first() {
                Some(amount) if !amount.contains(['=', '+', '>']) => {
                    transfer_fields(Transfer { amount: int(amount), ..t }, &rest[1..])
                }
                _ => transfer_fields(t, rest),
            }
        }
        _ => panic!("{words:?}: no transfer"),
    }
}

fn account_fields(mut a: Account, words: &[&str]) -> Account {
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("user_data_128", v) => a.user_data_128 = int(v),
            ("user_data_64", v) => a.user_data_64 = small(v),
            ("user_data_32", v) => a.user_data_32 = small(v),
            ("ledger", v) => a.ledger = small(v),
            ("code", v) => a.code = small(v),
            ("timestamp", v) => a.timestamp = small(v),
            ("debits_pending", v) => a.debits_pending = int(v),
            ("debits_posted", v) => a.debits_posted = int(v),
            ("credits_pending", v) => a.credits_pending = int(v),
            ("credits_posted", v) => a.credits_posted = int(v),
            ("+linked", _) => a.flags |= AccountFlags::Linked,
            ("+no_overdraft", _) => a.flags |= AccountFlags::DebitsMustNotExceedCredits,
            ("+no_overcredit", _) => a.flags |= AccountFlags::CreditsMustNotExceedDebits,
            ("+history", _) => a.flags |= AccountFlags::History,
            ("+imported", _) => a.flags |= AccountFlags::Imported,
            ("+closed", _) => a.flags |= AccountFlags::Closed,
            ("+unknown", _) => a.flags |= AccountFlags(1 << 6),
            _ => panic!("{word}: no field of an account"),
        }
    }
    a
}

fn transfer_fields(mut t: Transfer, words: &[&str]) -> Transfer {
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("pending", v) => t.pending_id = int(v),
            ("debit", v) => t.debit_account_id = int(v),
            ("credit", v) => t.credit_account_id = int(v),
            ("user_data_128", v) => t.user_data_128 = int(v),
            ("user_data_64", v) => t.user_data_64 = small(v),
            ("user_data_32", v) => t.user_data_32 = small(v),
            ("timeout", v) => t.timeout = small(v),
            ("ledger", v) => t.ledger = small(v),
            ("code", v) => t.code = small(v),
            ("timestamp", v) => t.timestamp = small(v),
            ("+linked", _) => t.flags |= TransferFlags::Linked,
            ("+pending", _) => t.flags |= TransferFlags::Pending,
            ("+post", _) => t.flags |= TransferFlags::PostPendingTransfer,
            ("+void", _) => t.flags |= TransferFlags::VoidPendingTransfer,
            ("+balancing_debit", _) => t.flags |= TransferFlags::BalancingDebit,
            ("+balancing_credit", _) => t.flags |= TransferFlags::BalancingCredit,
            ("+closing_debit", _) => t.flags |= TransferFlags::ClosingDebit,
            ("+closing_credit", _) => t.flags |= TransferFlags::ClosingCredit,
            ("+imported", _) => t.flags |= TransferFlags::Imported,
            ("+unknown", _) => t.flags |= TransferFlags(1 << 9),
            _ => panic!("{word}: no field of a transfer"),
        }
    }
    t
}
