//! Questions and their answers, on either engine: look-ups, an account's transfers and balances, queries.
//!
//! The cases say it by example; the tests below hold every filter against a slow search.

mod common;

use std::sync::Arc;

use common::case;
use common::stage::{Stage, on_each};
use ledger::{
    Account, AccountFilter, AccountFilterFlags, AccountFlags, CreateTransferStatus as S, Engine, QueryFilter,
    QueryFilterFlags, Transfer, TransferFlags,
};

/// Name and text, see `common::case` for the language.
const CASES: &[(&str, &str)] = &[
    (
        "lookups keep the order asked for, repeat, and leave out the unknown",
        "
account 1 => Created
account 2 => Created
transfer 10 1->2 1 => Created
transfer 11 1->2 1 => Created
transfer 12 1->9 1 => CreditAccountNotFound
lookup accounts 2 9 1 2 0 max => 2 1 2
lookup transfers 11 9 10 12 11 0 max => 11 10 11",
    ),
    (
        "an account's transfers: direction, order, limit, fields, time",
        "
setup 1 0/0 0/0
setup 2 0/0 0/0
setup 3 0/0 0/0
transfer 10 1->2 1 code=5 user_data_128=7 => Created
transfer 11 2->1 2 code=6 user_data_64=8 => Created
transfer 12 1->3 3 code=5 user_data_32=9 => Created
transfer 13 3->2 4 code=5 user_data_128=7 => Created
transfer 14 2->1 5 code=5 user_data_128=7 user_data_64=8 user_data_32=9 +pending => Created
void 15 of 14 => Created
transfers of 1 debits credits => 10 11 12 14 15
transfers of 1 debits => 10 12
transfers of 1 credits => 11 14 15
transfers of 1 debits credits reversed => 15 14 12 11 10
transfers of 1 debits credits limit=2 => 10 11
transfers of 1 debits credits reversed limit=2 => 15 14
transfers of 1 debits credits code=5 => 10 12 14 15
transfers of 1 debits credits user_data_128=7 => 10 14 15
transfers of 1 debits credits user_data_64=8 => 11 14 15
transfers of 1 debits credits user_data_32=9 => 12 14 15
transfers of 1 debits credits user_data_64=8 user_data_32=9 code=5 reversed => 15 14
transfers of 1 debits credits from=11 => 11 12 14 15
transfers of 1 debits credits to=12 => 10 11 12
transfers of 1 debits credits from=11 to=14 reversed => 14 12 11
transfers of 1 debits credits from=12 to=12 => 12
transfers of 1 debits credits from=13 limit=1 => 14
transfers of 1 => 
transfers of 1 reversed =>
transfers of 1 debits limit=0 =>
transfers of 1 debits from=12 to=11 =>
transfers of 1 debits unknown =>
transfers of 1 debits from=ns:18446744073709551615 =>
transfers of 1 debits to=ns:18446744073709551615 =>
transfers of 9 debits credits =>
transfers of 0 debits credits =>
transfers of max debits credits =>",
    ),
    (
        "an account's balances: kept after each of its transfers, if it keeps a history",
        "
setup 1 0/0 0/0 +history
setup 2 0/0 0/0
setup 3 0/0 0/0 +history
transfer 10 1->2 10 code=5 => Created
transfer 11 3->1 20 user_data_64=8 => Created
transfer 12 1->3 5 +pending code=5 => Created
transfer 13 1->2 7 +pending timeout=1 => Created
post 14 of 12 3 => Created
transfer 15 2->3 1 => Created
transfer 16 1->2 0 => Created
balances of 1 debits credits => 10:0/10:0/0 11:0/10:0/20 12:5/10:0/20 13:12/10:0/20 14:7/13:0/20 16:7/13:0/20
balances of 1 debits => 10:0/10:0/0 12:5/10:0/20 13:12/10:0/20 14:7/13:0/20 16:7/13:0/20
balances of 1 credits => 11:0/10:0/20
balances of 1 debits credits reversed limit=2 => 16:7/13:0/20 14:7/13:0/20
balances of 1 debits credits code=5 => 10:0/10:0/0 12:5/10:0/20 14:7/13:0/20
balances of 1 debits credits user_data_64=8 => 11:0/10:0/20
balances of 1 debits credits from=11 to=13 => 11:0/10:0/20 12:5/10:0/20 13:12/10:0/20
balances of 3 debits credits => 11:0/20:0/0 12:0/20:5/0 14:0/20:0/3 15:0/20:0/4
balances of 2 debits credits =>
balances of 9 debits credits =>
balances of 1 =>
balances of 1 debits limit=0 =>
# an expiry is no transfer and leaves no row
wait 2
transfer 17 1->2 1 => Created
balances of 1 debits credits from=16 => 16:7/13:0/20 17:0/14:0/20",
    ),
    (
        "queries over everything: fields, order, limit, time",
        "
account 1 ledger=7 code=5 user_data_128=1 => Created
account 2 ledger=7 code=6 user_data_64=2 => Created
account 3 ledger=8 code=5 user_data_32=3 => Created
account 4 ledger=8 code=6 user_data_128=1 user_data_64=2 user_data_32=3 => Created
transfer 10 1->2 1 ledger=7 code=5 user_data_128=1 => Created
transfer 11 1->2 1 ledger=7 code=6 user_data_64=2 => Created
transfer 12 3->4 1 ledger=8 code=5 user_data_32=3 => Created
transfer 13 3->4 1 ledger=8 code=6 user_data_128=1 user_data_64=2 user_data_32=3 +pending => Created
post 14 of 13 => Created
query accounts => 1 2 3 4
query accounts reversed => 4 3 2 1
query accounts limit=2 => 1 2
query accounts ledger=8 => 3 4
query accounts code=6 => 2 4
query accounts user_data_128=1 => 1 4
query accounts user_data_64=2 => 2 4
query accounts user_data_32=3 => 3 4
query accounts user_data_128=1 user_data_64=2 user_data_32=3 ledger=8 code=6 => 4
query accounts user_data_128=1 ledger=7 code=6 =>
query accounts from=account:2 to=account:3 => 2 3
query accounts from=account:3 limit=1 => 3
query accounts from=account:3 to=account:2 =>
query accounts limit=0 =>
query accounts unknown =>
query transfers => 10 11 12 13 14
query transfers reversed => 14 13 12 11 10
query transfers reversed limit=2 => 14 13
query transfers ledger=8 => 12 13 14
query transfers code=6 => 11 13 14
query transfers user_data_128=1 => 10 13 14
query transfers user_data_64=2 => 11 13 14
query transfers user_data_32=3 => 12 13 14
query transfers user_data_64=2 ledger=7 => 11
query transfers from=11 to=13 => 11 12 13
query transfers from=11 to=13 reversed limit=2 => 13 12
query transfers to=10 => 10
query transfers limit=0 =>
query transfers unknown =>
query transfers from=13 to=12 =>
feed after 0 limit=3 => 10 11 12
feed after 12 limit=3 => 13 14
feed after 14 limit=3 =>
feed after 10 limit=0 =>",
    ),
    (
        "balances set up: what a row starts from",
        "
setup 1 5/10 7/20 +no_overdraft
setup 2 max-9/0 0/9
setup 3 0/50 3/40 +no_overcredit
balance 1 5/10 7/20
balance 2 max-9/0 0/9
balance 3 0/50 3/40
transfer 10 1->2 6 => ExceedsCredits
transfer 11 1->2 5 => Created
transfer 12 2->1 10 => OverflowsDebits
transfer 13 2->1 9 => Created
transfer 14 2->3 1 => OverflowsDebits
transfer 15 1->3 8 => ExceedsDebits
transfer 16 1->3 7 => Created
balance 1 5/22 7/29
balance 2 max-9/9 0/14
balance 3 0/50 3/47",
    ),
];

#[test]
fn every_case_holds() {
    for (name, text) in CASES {
        case::run_embedded(name, text);
    }
}

#[test]
fn every_case_holds_on_tigerbeetle() {
    case::run_cluster(CASES);
}

async fn create(engine: &dyn Engine, events: Vec<Transfer>) {
    let results = engine.create_transfers(events).await.unwrap();
    assert!(results.iter().all(|r| r.status == S::Created), "{results:?}");
}

/// Many accounts and transfers with few distinct values in every field.
async fn populated(stage: &Stage) -> (Vec<Account>, Vec<Transfer>) {
    let engine = &*stage.engine;
    let some = |i: u128, of: u128| u32::try_from(i % of).unwrap();
    let accounts = (1..=40).map(|i| Account {
        user_data_128: i % 5,
        user_data_64: some(i, 3).into(),
        user_data_32: some(i, 2),
        ledger: 1 + some(i, 2),
        code: u16::try_from(1 + i % 4).unwrap(),
        flags: if i % 2 == 0 { AccountFlags::History } else { AccountFlags::empty() },
        ..stage.account(i)
    });
    engine.create_accounts(accounts.collect()).await.unwrap();
    for batch in 0..6 {
        let events = (0..100).map(|n| {
            let i = batch * 100 + n + 1;
            let (debit, credit) = (1 + i % 7, 1 + (i + 2 + 2 * (i % 3)) % 7);
            Transfer {
                user_data_128: i % 5,
                user_data_64: some(i, 3).into(),
                user_data_32: some(i, 2),
                ledger: 1 + some(debit, 2),
                code: u16::try_from(1 + i % 4).unwrap(),
                flags: if i % 11 == 0 { TransferFlags::Pending } else { TransferFlags::empty() },
                ..stage.transfer(i, debit, credit, i)
            }
        });
        engine.create_transfers(events.collect()).await.unwrap();
    }
    let all = stage.everything().await;
    assert!(all.1.len() > 100, "{} transfers", all.1.len());
    all
}

/// What a filter must find, worked out the slow way.
fn expected<T: Copy>(
    all: &[T],
    timestamp: impl Fn(&T) -> u64,
    matches: impl Fn(&T) -> bool,
    (min, max): (u64, u64),
    limit: u32,
    reversed: bool,
) -> Vec<T> {
    let max = if max == 0 { u64::MAX } else { max };
    let mut found: Vec<T> =
        all.iter().copied().filter(|e| matches(e) && (min..=max).contains(&timestamp(e))).collect();
    if reversed {
        found.reverse();
    }
    found.truncate(limit as usize);
    found
}

#[tokio::test]
async fn queries_find_what_a_slow_search_finds() {
    on_each("queries", queries).await;
}

async fn queries(stage: Arc<Stage>) {
    let engine = &stage.engine;
    let (accounts, transfers) = populated(&stage).await;
    // Nothing older than the test: a server holds other tests' books too.
    let since = stage.since + u64::from(stage.since > 0);
    let middle = transfers[transfers.len() / 2].timestamp;
    let mut nonempty = 0;
    for bits in 0..32_u32 {
        let field = |bit: u32| bits >> bit & 1;
        for (range, limit) in
            [((since, 0), 8189), ((middle, 0), 7), ((since, middle), 9), ((middle, middle), 5)]
        {
            for flags in [QueryFilterFlags::empty(), QueryFilterFlags::Reversed] {
                let f = QueryFilter {
                    user_data_128: u128::from(field(0)) * 2,
                    user_data_64: field(1).into(),
                    user_data_32: field(2),
                    ledger: field(3) * 2,
                    code: u16::try_from(field(4)).unwrap() * 3,
                    timestamp_min: range.0,
                    timestamp_max: range.1,
                    limit,
                    flags,
                };
                let reversed = flags == QueryFilterFlags::Reversed;
                let any = |want: u128, have: u128| want == 0 || want == have;
                let want = expected(
                    &transfers,
                    |t| t.timestamp,
                    |t| {
                        any(f.user_data_128, t.user_data_128)
                            && any(f.user_data_64.into(), t.user_data_64.into())
                            && any(f.user_data_32.into(), t.user_data_32.into())
                            && any(f.ledger.into(), t.ledger.into())
                            && any(f.code.into(), t.code.into())
                    },
                    range,
                    limit,
                    reversed,
                );
                nonempty += usize::from(!want.is_empty());
                assert_eq!(engine.query_transfers(f).await.unwrap(), want, "{f:?}");
                let want = expected(
                    &accounts,
                    |a| a.timestamp,
                    |a| {
                        any(f.user_data_128, a.user_data_128)
                            && any(f.user_data_64.into(), a.user_data_64.into())
                            && any(f.user_data_32.into(), a.user_data_32.into())
                            && any(f.ledger.into(), a.ledger.into())
                            && any(f.code.into(), a.code.into())
                    },
                    range,
                    limit,
                    reversed,
                );
                assert_eq!(engine.query_accounts(f).await.unwrap(), want, "{f:?}");
            }
        }
    }
    assert!(nonempty > 100, "the filters must mostly find something: {nonempty}");
}

#[tokio::test]
async fn account_transfers_and_balances_find_what_a_slow_search_finds() {
    on_each("account transfers and balances", account_transfers_and_balances).await;
}

async fn account_transfers_and_balances(stage: Arc<Stage>) {
    use AccountFilterFlags as F;
    let engine = &stage.engine;
    let (_, transfers) = populated(&stage).await;
    let middle = transfers[transfers.len() / 2].timestamp;
    for number in 1..=8 {
        let account_id = stage.ids.real(number);
        for direction in [F::Debits, F::Credits, F::Debits | F::Credits] {
            for (range, limit) in [((0, 0), 8189), ((middle, 0), 7), ((0, middle), 9)] {
                for (user_data_128, code) in [(0, 0), (2, 0), (0, 3), (2, 3)] {
                    for reversed in [false, true] {
                        let flags = if reversed { direction | F::Reversed } else { direction };
                        let f = AccountFilter {
                            account_id,
                            user_data_128,
                            code,
                            timestamp_min: range.0,
                            timestamp_max: range.1,
                            limit,
                            flags,
                            ..AccountFilter::default()
                        };
                        let side = |t: &Transfer| {
                            (flags.contains(F::Debits) && t.debit_account_id == account_id)
                                || (flags.contains(F::Credits) && t.credit_account_id == account_id)
                        };
                        let fields = |t: &Transfer| {
                            (user_data_128 == 0 || user_data_128 == t.user_data_128)
                                && (code == 0 || code == t.code)
                        };
                        let want = expected(
                            &transfers,
                            |t| t.timestamp,
                            |t| side(t) && fields(t),
                            range,
                            limit,
                            reversed,
                        );
                        assert_eq!(engine.get_account_transfers(f).await.unwrap(), want, "{f:?}");

                        let balances = engine.get_account_balances(f).await.unwrap();
                        if number % 2 == 1 {
                            assert_eq!(balances, [], "account {account_id} keeps no history");
                            continue;
                        }
                        assert_eq!(balances.len(), want.len());
                        for (balance, t) in balances.iter().zip(&want) {
                            assert_eq!(balance.timestamp, t.timestamp);
                            let until = transfers.iter().filter(|u| u.timestamp <= t.timestamp);
                            let posted = |u: &&Transfer| !u.flags.contains(TransferFlags::Pending);
                            let debits: u128 = until
                                .clone()
                                .filter(posted)
                                .filter(|u| u.debit_account_id == account_id)
                                .map(|u| u.amount)
                                .sum();
                            let reserved: u128 = until
                                .filter(|u| !posted(u) && u.credit_account_id == account_id)
                                .map(|u| u.amount)
                                .sum();
                            assert_eq!((balance.debits_posted, balance.credits_pending), (debits, reserved));
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn invalid_filters_find_nothing() {
    on_each("invalid filters", invalid_filters).await;
}

async fn invalid_filters(stage: Arc<Stage>) {
    use AccountFilterFlags as F;
    let engine = &stage.engine;
    populated(&stage).await;
    let good = AccountFilter {
        account_id: stage.ids.real(2),
        limit: 5,
        flags: F::Debits,
        ..AccountFilter::default()
    };
    assert_eq!(engine.get_account_transfers(good).await.unwrap().len(), 5);
    for bad in [
        AccountFilter { account_id: 0, ..good },
        AccountFilter { account_id: u128::MAX, ..good },
        AccountFilter { limit: 0, ..good },
        AccountFilter { flags: F::empty(), ..good },
        AccountFilter { flags: F::Reversed, ..good },
        AccountFilter { flags: F::Debits | F(1 << 3), ..good },
        AccountFilter { timestamp_min: 2, timestamp_max: 1, ..good },
        AccountFilter { timestamp_min: u64::MAX, ..good },
        AccountFilter { timestamp_max: u64::MAX, ..good },
    ] {
        assert_eq!(engine.get_account_transfers(bad).await.unwrap(), [], "{bad:?}");
        assert_eq!(engine.get_account_balances(bad).await.unwrap(), [], "{bad:?}");
    }
    let good = QueryFilter { limit: 5, ..QueryFilter::default() };
    assert_eq!(engine.query_transfers(good).await.unwrap().len(), 5);
    for bad in [
        QueryFilter { limit: 0, ..good },
        QueryFilter { flags: QueryFilterFlags(2), ..good },
        QueryFilter { timestamp_min: 2, timestamp_max: 1, ..good },
        QueryFilter { timestamp_max: 1 << 63, ..good },
    ] {
        assert_eq!(engine.query_transfers(bad).await.unwrap(), [], "{bad:?}");
        assert_eq!(engine.query_accounts(bad).await.unwrap(), [], "{bad:?}");
    }
}

#[tokio::test]
async fn a_scan_longer_than_one_step_misses_nothing_and_repeats_nothing() {
    on_each("long scans", long_scans).await;
}

async fn long_scans(stage: Arc<Stage>) {
    let engine = &stage.engine;
    engine.create_accounts((1..=3).map(|n| stage.account(n)).collect()).await.unwrap();
    // Every third is marked, so that the last entry of a step (8,192 forward, 15,809 backward) is one of them.
    for batch in 0..3_u128 {
        let marked = |i: u128| u64::from(i % 3 == 2);
        let ids = batch * 8000 + 1..=(batch + 1) * 8000;
        let events = ids.map(|i| Transfer { user_data_64: marked(i), ..stage.transfer(i, 1, 2 + i % 2, 1) });
        create(&**engine, events.collect()).await;
    }
    let want: Vec<u128> = (1..=24_000).filter(|i| i % 3 == 2).collect();
    let newest_first = |count: usize| want.iter().rev().take(count).copied().collect::<Vec<_>>();
    let ids = |found: Vec<Transfer>| found.iter().map(|t| stage.ids.written(t.id)).collect::<Vec<_>>();
    let filter =
        QueryFilter { user_data_64: 1, limit: 8189, timestamp_min: stage.since, ..QueryFilter::default() };
    assert_eq!(ids(engine.query_transfers(filter).await.unwrap()), want);
    for limit in [8189, 5000] {
        let back = QueryFilter { limit, flags: QueryFilterFlags::Reversed, ..filter };
        assert_eq!(ids(engine.query_transfers(back).await.unwrap()), newest_first(limit as usize));
        let of_account = AccountFilter {
            account_id: stage.ids.real(1),
            user_data_64: 1,
            limit,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Reversed,
            ..AccountFilter::default()
        };
        assert_eq!(
            ids(engine.get_account_transfers(of_account).await.unwrap()),
            newest_first(limit as usize)
        );
    }
}

/// Segments of the usual size, so that all of it lies in memory and takes several steps.
#[tokio::test]
async fn balances_of_the_past_in_memory_are_what_each_transfer_left() {
    let dir = tempfile::tempdir().unwrap();
    let engine = common::open(dir.path(), &common::clock());
    let accounts = (1..=40).map(|id| Account { flags: AccountFlags::History, ..common::account(id) });
    engine.create_accounts(accounts.collect()).await.unwrap();
    let of_account = |id: u128| {
        let amount = id % 7 + 1;
        match id % 5 {
            // Reserved, and posted in part by the next but one.
            0 => Transfer { flags: TransferFlags::Pending, ..common::transfer(id, 1, 2, 10) },
            2 if id > 5 => {
                let flags = TransferFlags::PostPendingTransfer;
                Transfer { pending_id: id - 2, flags, ..common::transfer(id, 1, 2, amount) }
            }
            3 => common::transfer(id, 2 + id % 38, 1, amount),
            // Of others, whose marks lie in between.
            4 => common::transfer(id, 3 + id % 30, 40, amount),
            _ => common::transfer(id, 1, 3 + id % 30, amount),
        }
    };
    let (mut want, mut sums) = (Vec::new(), [0, 0, 0]);
    for ids in (1..=16_000_u128).collect::<Vec<_>>().chunks(8000) {
        create(&engine, ids.iter().map(|id| of_account(*id)).collect()).await;
    }
    for id in 1..=16_000 {
        let t = of_account(id);
        match () {
            () if t.flags == TransferFlags::Pending => sums[0] += t.amount,
            () if t.debit_account_id == 1 => {
                sums[0] -= if t.pending_id == 0 { 0 } else { 10 };
                sums[1] += t.amount;
            }
            () if t.credit_account_id == 1 => sums[2] += t.amount,
            () => continue,
        }
        want.push(sums);
    }
    let shown = |found: Vec<ledger::AccountBalance>| {
        assert!(found.iter().all(|b| b.credits_pending == 0));
        found.iter().map(|b| [b.debits_pending, b.debits_posted, b.credits_posted]).collect::<Vec<_>>()
    };
    let both = AccountFilterFlags::Debits | AccountFilterFlags::Credits;
    let filter = AccountFilter { account_id: 1, limit: 8189, flags: both, ..AccountFilter::default() };
    let found = engine.get_account_balances(filter).await.unwrap();
    let after = found.last().unwrap().timestamp;
    assert_eq!(shown(found), want[..8189]);
    let rest = AccountFilter { timestamp_min: after + 1, ..filter };
    assert_eq!(shown(engine.get_account_balances(rest).await.unwrap()), want[8189..]);
    let back = AccountFilter { flags: both | AccountFilterFlags::Reversed, ..filter };
    let newest_first: Vec<_> = want.iter().rev().take(8189).copied().collect();
    assert_eq!(shown(engine.get_account_balances(back).await.unwrap()), newest_first);
}
