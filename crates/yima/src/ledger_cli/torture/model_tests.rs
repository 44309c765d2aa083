//! The observer must notice: for each kind of contradiction one history that has it, beside one that holds.

use ledger::{
    Account, CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus as S,
    Transfer, TransferFlags as F,
};

use super::model::{Events, Expected, Model, Settled, Tally};

fn account(id: u128) -> Account {
    Account { id, ledger: 1, code: 1, ..Account::default() }
}

fn transfer(id: u128) -> Transfer {
    Transfer {
        id,
        debit_account_id: 1,
        credit_account_id: 2,
        amount: 5,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    }
}

fn linked(id: u128) -> Transfer {
    Transfer { flags: F::Linked, ..transfer(id) }
}

fn at(timestamp: u64, t: Transfer) -> Transfer {
    Transfer { timestamp, ..t }
}

fn told(timestamp: u64, status: S) -> CreateTransferResult {
    CreateTransferResult { timestamp, status }
}

/// An observer that was told of accounts 1 and 2.
fn observer() -> Model {
    let mut model = Model::default();
    model.sent(1, Events::Accounts(vec![account(1), account(2)]));
    let created = |timestamp| CreateAccountResult { timestamp, status: CreateAccountStatus::Created };
    model.told_accounts(1, vec![created(1), created(2)]).unwrap();
    let there = [Account { timestamp: 1, ..account(1) }, Account { timestamp: 2, ..account(2) }];
    model.settle(&there, &[]).unwrap();
    model
}

/// What settling says if `events` were sent, perhaps answered, and `there` is found.
fn settle(
    events: &[Transfer],
    answer: Option<&[CreateTransferResult]>,
    there: &[Transfer],
) -> Result<(Tally, Vec<Settled>), String> {
    let mut model = observer();
    model.sent(2, Events::Transfers(events.to_vec()));
    if let Some(results) = answer {
        model.told_transfers(2, results.to_vec())?;
    }
    model.settle(&[], there)
}

#[test]
fn what_holds_is_settled_and_what_does_not_is_noticed() {
    let (a, b) = (transfer(10), transfer(11));
    let created = |n| told(n, S::Created);
    let failed = |n| told(n, S::DebitAccountNotFound);
    let chain = [linked(10), b];
    let balancing = Transfer { flags: F::BalancingDebit, ..a };
    type Case<'a> =
        (&'a str, &'a [Transfer], Option<&'a [CreateTransferResult]>, &'a [Transfer], Option<&'a str>);
    let cases: &[Case<'_>] = &[
        ("acknowledged and there", &[a, b], Some(&[created(5), created(6)]), &[at(5, a), at(6, b)], None),
        ("acknowledged and lost", &[a, b], Some(&[created(5), created(6)]), &[at(5, a)], Some("was told")),
        ("another timestamp", &[a], Some(&[created(5)]), &[at(6, a)], Some("was told")),
        (
            "another amount",
            &[a],
            Some(&[created(5)]),
            &[at(5, Transfer { amount: 6, ..a })],
            Some("like that"),
        ),
        ("a failure", &[a], Some(&[failed(5)]), &[], None),
        ("a failure that is there", &[a], Some(&[failed(5)]), &[at(7, a)], Some("was told")),
        ("nobody asked", &[a], None, &[at(5, b)], Some("nobody asked")),
        ("in doubt, all", &[a, b], None, &[at(5, a), at(6, b)], None),
        ("in doubt, some failed", &[a, b], None, &[at(6, b)], None),
        ("in doubt, none", &[a, b], None, &[], None),
        ("in doubt, another order", &[a, b], None, &[at(5, b), at(6, a)], Some("of its place")),
        ("in doubt, a gap", &[a, b], None, &[at(5, a), at(7, b)], Some("of its place")),
        (
            "acknowledged with a gap",
            &[a, b],
            Some(&[created(5), created(7)]),
            &[at(5, a), at(7, b)],
            Some("place"),
        ),
        ("a chain", &chain, None, &[at(5, chain[0]), at(6, b)], None),
        ("no chain", &chain, None, &[], None),
        ("half a chain", &chain, None, &[at(6, b)], Some("of the chain")),
        ("half a chain told", &chain, Some(&[failed(5), created(6)]), &[at(6, b)], Some("of the chain")),
        ("twice", &[a], None, &[at(5, a), at(6, a)], Some("a second time")),
        ("time goes back", &[a, b], None, &[at(6, a), at(5, b)], Some("out of order")),
        ("less, balancing", &[balancing], None, &[at(5, Transfer { amount: 3, ..balancing })], None),
        (
            "more, balancing",
            &[balancing],
            None,
            &[at(5, Transfer { amount: 6, ..balancing })],
            Some("like that"),
        ),
        ("an answer short", &[a, b], Some(&[created(5)]), &[], Some("answers")),
    ];
    for (name, events, answer, there, expected) in cases {
        match (settle(events, *answer, there), expected) {
            (Ok(_), None) => {}
            (Err(why), Some(part)) => assert!(why.contains(part), "{name}: {why}"),
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_a_read_has_shown_stays() {
    for (there, holds) in [(vec![at(5, transfer(10))], true), (vec![], false)] {
        let mut model = observer();
        model.sent(2, Events::Transfers(vec![transfer(10)]));
        model.shown(&[at(5, transfer(10))]);
        assert_eq!(model.settle(&[], &there).is_ok(), holds);
    }
}

#[test]
fn a_request_sent_again_is_answered_as_before() {
    let (a, b, c) = (transfer(10), transfer(11), transfer(12));
    let events = [a, b, c];
    let results = [told(5, S::Created), told(6, S::CreditAccountNotFound), told(7, S::CodeMustNotBeZero)];
    let (tally, mut settled) = settle(&events, Some(&results), &[at(5, a)]).unwrap();
    assert_eq!((tally.acknowledged, tally.acknowledged_events, tally.in_doubt), (1, 3, 0));
    let settled = settled.pop().unwrap();
    assert_eq!(settled.expected, [Expected::Exists(5), Expected::Burnt, Expected::NotCreated]);
    let right = [told(5, S::Exists), told(90, S::IdAlreadyFailed), told(91, S::CodeMustNotBeZero)];
    for (at, wrong) in [(0, told(5, S::Created)), (0, told(6, S::Exists)), (1, told(90, S::Created))] {
        let mut model = observer();
        model.sent_again(3, settled.clone());
        let mut results = right.to_vec();
        results[at] = wrong;
        assert!(model.told_transfers(3, results).unwrap_err().contains("asked for again"));
    }
    let mut model = observer();
    model.sent_again(3, settled);
    model.told_transfers(3, right.to_vec()).unwrap();
}

#[test]
fn balances_are_worked_out_from_what_is_there() {
    let mut model = observer();
    let pending = |id, timeout, flags| Transfer { flags: F::Pending | flags, timeout, ..transfer(id) };
    let post =
        Transfer { id: 13, pending_id: 11, amount: 2, flags: F::PostPendingTransfer, ..Transfer::default() };
    let events = vec![transfer(10), pending(11, 0, F::empty()), pending(12, 1, F::ClosingDebit), post];
    model.sent(2, Events::Transfers(events.clone()));
    let stored = Transfer { debit_account_id: 1, credit_account_id: 2, ledger: 1, code: 1, ..post };
    let there: Vec<_> = (5..).zip([events[0], events[1], events[2], stored]).map(|(n, t)| at(n, t)).collect();
    model.settle(&[], &there).unwrap();
    assert_eq!(model.recognise(&there), Ok(4));
    assert!(model.recognise(&[at(5, Transfer { user_data_64: 1, ..events[0] })]).is_err());
    assert_eq!(model.last_expiry(), Some(1_000_000_007));

    let one = Account { timestamp: 1, debits_posted: 7, ..account(1) };
    let two = Account { timestamp: 2, credits_posted: 7, ..account(2) };
    let open = [
        Account { debits_pending: 5, flags: ledger::AccountFlags::Closed, ..one },
        Account { credits_pending: 5, ..two },
    ];
    model.compare(&open, 1_000_000_006).unwrap();
    model.compare(&[one, two], 1_000_000_007).unwrap();
    for (name, wrong) in [
        ("a balance", vec![one, Account { credits_posted: 8, ..two }]),
        ("an account less", vec![one]),
        ("still pending", open.to_vec()),
    ] {
        assert!(model.compare(&wrong, 1_000_000_007).is_err(), "{name}");
    }
}
