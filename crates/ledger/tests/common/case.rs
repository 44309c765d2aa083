//! The test language: a case is text, one event a line with the status it must earn, so that the same case runs on
//! any engine.
//!
//! ```text
//! embedded only: why                     # first line of a case that no cluster can play
//! setup 1 0/60 5/100 +no_overdraft       # an account that has these balances (as in `balance`)
//! account 1 +history user_data_64=7      => Created      # defaults: ledger=1 code=1
//! transfer 10 1->2 100 +pending timeout=5 => Created     # id, debit->credit, amount; `max`, `max-3`
//! post 11 of 10 60                        => Created     # amount optional: whole
//! void 12 of 10                           => PendingTransferAlreadyPosted
//!                                                        # an empty line ends the batch
//! wait 5                                                 # seconds; what is due by then expires
//! clock 9000000000000000000                              # nanoseconds since the epoch (embedded only)
//! balance 1 0/60 0/0                                     # debits pending/posted, credits pending/posted
//! flags 1 +history                                       # the account's flags now
//! stored 11 1->2 60 pending=10 +post                     # the transfer as it is kept, timestamp aside
//! missing 12                                             # no such transfer
//! lookup accounts 2 9 1                   => 2 1         # ids found, in this order; also `lookup transfers`
//! transfers of 1 debits credits limit=9   => 10 11       # get_account_transfers: ids; `reversed`, fields to match,
//!                                                        # from=10 to=11: times of transfers, or of `account:2`
//! balances of 1 debits                    => 10:0/60:0/0 # get_account_balances
//! query transfers code=7 reversed         => 11 10       # also `query accounts`
//! feed after 10 limit=1                   => 11
//! ```
//!
//! On a shared server ids are moved to a range of the case's own, and timestamps (`timestamp=10`) to its beginning; zero and
//! the greatest values stay. There `wait` waits.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel::Timestamp;
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, CreateAccountStatus,
    CreateTransferStatus, QueryFilter, QueryFilterFlags, Transfer, TransferFlags,
};

use super::stage::Stage;
use super::{account, cluster, everything, open_small, transfer};

/// Statuses that a run met, by name.
pub type Met = BTreeSet<String>;

/// Runs a case on a fresh embedded engine; then reopens and audits it.
pub fn run_embedded(name: &str, text: &str) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stage = Stage::embedded();
        let met = Case::play(name, text, &stage).await;
        let before = stage.everything().await;
        let Stage { engine, dir, manual, .. } = stage;
        drop(engine);
        let (dir, clock) = (dir.unwrap(), manual.unwrap());
        let engine = open_small(dir.path(), &clock);
        assert_eq!(before, everything(&engine).await, "{name}: reopened, the books differ");
        let report = ledger::audit::verify(dir.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        report.compare(&engine).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        met
    })
}

/// Runs the cases on TigerBeetle where there is a server; answers `None` where there is none.
pub fn run_cluster(cases: &[(&str, &str)]) -> Option<Met> {
    if cluster::server().is_none() {
        cluster::skipped(&format!("{} cases", cases.len()), "TIGERBEETLE_ADDRESSES names no server");
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut met, mut played) = (Met::new(), 0);
        for (name, text) in cases {
            if let Some(why) = text.trim_start().strip_prefix("embedded only:") {
                cluster::skipped(name, why.lines().next().unwrap().trim());
                continue;
            }
            let stage = Stage::cluster(name).await.expect("a server");
            met.extend(Case::play(name, text, &stage).await);
            played += 1;
        }
        eprintln!("played on TigerBeetle: {played} of {} cases", cases.len());
        Some(met)
    })
}

enum Batch {
    None,
    Accounts(Vec<(usize, Account, String)>),
    Transfers(Vec<(usize, Transfer, String)>),
}

struct Case<'a> {
    name: &'a str,
    stage: &'a Stage,
    met: Met,
    batch: Batch,
}

impl Case<'_> {
    async fn play(name: &str, text: &str, stage: &Stage) -> Met {
        let mut case = Case { name, stage, met: Met::new(), batch: Batch::None };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap().trim();
            case.line(index + 1, line).await;
        }
        case.submit().await;
        case.met
    }

    fn id(&self, text: &str) -> u128 {
        self.stage.ids.real(int(text))
    }

    fn own_account(&self, a: Account) -> Account {
        Account { id: self.stage.ids.real(a.id), timestamp: self.stage.time(a.timestamp), ..a }
    }

    fn own_transfer(&self, t: Transfer) -> Transfer {
        let real = |id| self.stage.ids.real(id);
        Transfer {
            id: real(t.id),
            debit_account_id: real(t.debit_account_id),
            credit_account_id: real(t.credit_account_id),
            pending_id: real(t.pending_id),
            timestamp: self.stage.time(t.timestamp),
            ..t
        }
    }

    async fn line(&mut self, number: usize, line: &str) {
        let at = format!("{} on {}, line {number}: {line}", self.name, self.stage.name());
        let (event, wanted) = line.split_once("=>").unwrap_or((line, ""));
        let wanted = wanted.trim().to_owned();
        let words: Vec<&str> = event.split_whitespace().collect();
        match words.as_slice() {
            ["account", id, rest @ ..] => {
                let event = self.own_account(account_fields(account(int(id)), rest));
                if let Batch::Accounts(batch) = &mut self.batch {
                    return batch.push((number, event, wanted));
                }
                self.submit().await;
                self.batch = Batch::Accounts(vec![(number, event, wanted)]);
                return;
            }
            ["transfer" | "post" | "void", ..] => {
                let event = self.own_transfer(parse_transfer(&words));
                if let Batch::Transfers(batch) = &mut self.batch {
                    return batch.push((number, event, wanted));
                }
                self.submit().await;
                self.batch = Batch::Transfers(vec![(number, event, wanted)]);
                return;
            }
            _ => self.submit().await,
        }
        let engine = &*self.stage.engine;
        match words.as_slice() {
            [] => {}
            ["embedded", "only:", ..] => assert_eq!(self.stage.name(), "embedded", "{at}"),
            ["setup", id, debits, credits, rest @ ..] => self.set_up(&at, id, debits, credits, rest).await,
            ["wait", seconds] => self.stage.pass(Duration::from_secs(seconds.parse().unwrap())).await,
            ["clock", ns] => {
                let clock = self.stage.manual.as_ref().expect("a clock moved by hand");
                clock.set(Timestamp::from_nanos(ns.parse().unwrap()));
            }
            ["balance", id, debits, credits] => {
                let a = engine.lookup_accounts(vec![self.id(id)]).await.unwrap()[0];
                assert_eq!((a.debits_pending, a.debits_posted), pair(debits), "{at}");
                assert_eq!((a.credits_pending, a.credits_posted), pair(credits), "{at}");
            }
            ["flags", id, rest @ ..] => {
                let a = engine.lookup_accounts(vec![self.id(id)]).await.unwrap()[0];
                assert_eq!(a.flags, account_fields(Account::default(), rest).flags, "{at}");
            }
            ["stored", rest @ ..] => {
                let expected = self.own_transfer(parse_transfer(&[&["transfer"], rest].concat()));
                let stored = engine.lookup_transfers(vec![expected.id]).await.unwrap();
                let stored = stored.into_iter().map(|t| Transfer { timestamp: 0, ..t }).collect::<Vec<_>>();
                assert_eq!(stored, [expected], "{at}");
            }
            ["missing", id] => {
                assert_eq!(engine.lookup_transfers(vec![self.id(id)]).await.unwrap(), [], "{at}");
            }
            _ => {
                let found = self.read(&words).await.unwrap_or_else(|| panic!("{at}: not understood"));
                assert_eq!(found.join(" "), wanted, "{at}");
            }
        }
    }

    /// What a question finds, as the case writes it.
    async fn read(&self, words: &[&str]) -> Option<Vec<String>> {
        let engine = &*self.stage.engine;
        let written = |id: u128| self.stage.ids.written(id).to_string();
        let of_accounts = |a: Vec<Account>| a.iter().map(|a| written(a.id)).collect();
        let of_transfers = |t: &[Transfer]| t.iter().map(|t| written(t.id)).collect();
        Some(match words {
            ["lookup", "accounts", ids @ ..] => {
                of_accounts(engine.lookup_accounts(ids.iter().map(|id| self.id(id)).collect()).await.unwrap())
            }
            ["lookup", "transfers", ids @ ..] => of_transfers(
                &engine.lookup_transfers(ids.iter().map(|id| self.id(id)).collect()).await.unwrap(),
            ),
            ["transfers", "of", id, rest @ ..] => {
                let filter = self.account_filter(id, rest).await;
                of_transfers(&engine.get_account_transfers(filter).await.unwrap())
            }
            ["balances", "of", id, rest @ ..] => {
                let filter = self.account_filter(id, rest).await;
                let balances = engine.get_account_balances(filter).await.unwrap();
                let all = QueryFilter {
                    limit: 8189,
                    timestamp_min: self.stage.since + 1,
                    ..QueryFilter::default()
                };
                let transfers = engine.query_transfers(all).await.unwrap();
                let row = |b: &AccountBalance| {
                    let of = transfers.iter().find(|t| t.timestamp == b.timestamp).map_or(0, |t| t.id);
                    let (debits, credits) =
                        ((b.debits_pending, b.debits_posted), (b.credits_pending, b.credits_posted));
                    format!("{}:{}/{}:{}/{}", written(of), debits.0, debits.1, credits.0, credits.1)
                };
                balances.iter().map(row).collect()
            }
            ["query", "accounts", rest @ ..] => {
                let filter = self.query_filter(rest).await;
                let found = engine.query_accounts(filter).await.unwrap();
                of_accounts(found.into_iter().filter(|a| self.stage.ids.owns(a.id)).collect())
            }
            ["query", "transfers", rest @ ..] => {
                of_transfers(&engine.query_transfers(self.query_filter(rest).await).await.unwrap())
            }
            ["feed", "after", id, limit] => {
                let after = if *id == "0" { self.stage.since } else { self.time_of(id).await };
                let limit = limit.strip_prefix("limit=")?.parse().ok()?;
                let items = engine.feed(after, limit).await.unwrap();
                items.iter().map(|item| written(item.transfer.id)).collect()
            }
            _ => return None,
        })
    }

    /// When a transfer, or `account:ID`, was created; a number of digits beyond ids is a time itself.
    async fn time_of(&self, text: &str) -> u64 {
        if let Some(id) = text.strip_prefix("account:") {
            return self.stage.engine.lookup_accounts(vec![self.id(id)]).await.unwrap()[0].timestamp;
        }
        match text.strip_prefix("ns:") {
            Some(time) => time.parse().unwrap(),
            None => self.stage.engine.lookup_transfers(vec![self.id(text)]).await.unwrap()[0].timestamp,
        }
    }

    async fn query_filter(&self, words: &[&str]) -> QueryFilter {
        let since = self.stage.since;
        let since = if since == 0 { 0 } else { since + 1 };
        let mut f = QueryFilter { limit: 8189, timestamp_min: since, ..QueryFilter::default() };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("user_data_128", v) => f.user_data_128 = int(v),
                ("user_data_64", v) => f.user_data_64 = small(v),
                ("user_data_32", v) => f.user_data_32 = small(v),
                ("ledger", v) => f.ledger = small(v),
                ("code", v) => f.code = small(v),
                ("limit", v) => f.limit = small(v),
                ("from", v) => f.timestamp_min = self.time_of(v).await,
                ("to", v) => f.timestamp_max = self.time_of(v).await,
                ("reversed", _) => f.flags |= QueryFilterFlags::Reversed,
                ("unknown", _) => f.flags |= QueryFilterFlags(1 << 1),
                _ => panic!("{word}: no field of a query"),
            }
        }
        f
    }

    async fn account_filter(&self, id: &str, words: &[&str]) -> AccountFilter {
        let mut f = AccountFilter { account_id: self.id(id), limit: 8189, ..AccountFilter::default() };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("user_data_128", v) => f.user_data_128 = int(v),
                ("user_data_64", v) => f.user_data_64 = small(v),
                ("user_data_32", v) => f.user_data_32 = small(v),
                ("code", v) => f.code = small(v),
                ("limit", v) => f.limit = small(v),
                ("from", v) => f.timestamp_min = self.time_of(v).await,
                ("to", v) => f.timestamp_max = self.time_of(v).await,
                ("debits", _) => f.flags |= AccountFilterFlags::Debits,
                ("credits", _) => f.flags |= AccountFilterFlags::Credits,
                ("reversed", _) => f.flags |= AccountFilterFlags::Reversed,
                ("unknown", _) => f.flags |= AccountFilterFlags(1 << 3),
                _ => panic!("{word}: no field of a filter"),
            }
        }
        f
    }

    /// Makes an account and gives it its balances, each from an account of its own, so that no sum but the wanted
    /// ones grows. What a limit needs first comes first.
    async fn set_up(&self, at: &str, id: &str, debits: &str, credits: &str, fields: &[&str]) {
        const BESIDE: u128 = 1 << 32;
        let wanted = self.own_account(account_fields(account(int(id)), fields));
        let beside = |k: u128| BESIDE + int(id) * 4 + k;
        let other = |k: u128| self.stage.account(beside(k));
        let others = (0..4).map(|k| Account { ledger: wanted.ledger, ..other(k) });
        let made =
            self.stage.engine.create_accounts(std::iter::once(wanted).chain(others).collect()).await.unwrap();
        assert!(made.iter().all(|r| r.status == CreateAccountStatus::Created), "{at}: {made:?}");
        let ((debits_pending, debits_posted), (credits_pending, credits_posted)) =
            (pair(debits), pair(credits));
        let of = |k: u128, debit: bool, amount: u128, pending: bool| {
            let (debit, credit) = if debit { (int(id), beside(k)) } else { (beside(k), int(id)) };
            let flags = if pending { TransferFlags::Pending } else { TransferFlags::empty() };
            Transfer { flags, ledger: wanted.ledger, ..self.stage.transfer(beside(k), debit, credit, amount) }
        };
        let mut rows = vec![of(0, true, debits_posted, false), of(1, false, credits_posted, false)];
        if wanted.flags.contains(AccountFlags::DebitsMustNotExceedCredits) {
            rows.reverse();
        }
        rows.extend([of(2, true, debits_pending, true), of(3, false, credits_pending, true)]);
        rows.retain(|t| t.amount > 0);
        let made = self.stage.engine.create_transfers(rows).await.unwrap();
        assert!(made.iter().all(|r| r.status == CreateTransferStatus::Created), "{at}: {made:?}");
    }

    async fn submit(&mut self) {
        let (name, engine, now) = (self.name, self.stage.name(), self.stage.now());
        let mut wrong = Vec::new();
        let mut check = |number: usize, expected: &str, status: String, timestamp: u64| {
            if status != expected || timestamp == 0 || timestamp > now {
                wrong.push(format!("line {number}: {status} at {timestamp}, not {expected}"));
            }
            self.met.insert(status);
        };
        match std::mem::replace(&mut self.batch, Batch::None) {
            Batch::None => {}
            Batch::Accounts(batch) => {
                let events = batch.iter().map(|(_, e, _)| *e).collect();
                let results = self.stage.engine.create_accounts(events).await.unwrap();
                assert_eq!(results.len(), batch.len());
                for ((number, _, expected), result) in batch.iter().zip(results) {
                    check(*number, expected, result.status.to_string(), result.timestamp);
                }
            }
            Batch::Transfers(batch) => {
                let events = batch.iter().map(|(_, e, _)| *e).collect();
                let results = self.stage.engine.create_transfers(events).await.unwrap();
                assert_eq!(results.len(), batch.len());
                for ((number, _, expected), result) in batch.iter().zip(results) {
                    check(*number, expected, result.status.to_string(), result.timestamp);
                }
            }
        }
        assert!(wrong.is_empty(), "{name} on {engine}:\n{}", wrong.join("\n"));
    }
}

/// Reads `pending/posted`.
fn pair(text: &str) -> (u128, u128) {
    text.split_once('/').map(|(a, b)| (int(a), int(b))).unwrap()
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
