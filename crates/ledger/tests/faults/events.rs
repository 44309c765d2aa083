//! What the callers of a history ask for: every kind of transfer, retries, nonsense, and questions.

use ledger::{
    Account, AccountFilter, AccountFilterFlags, AccountFlags as A, QueryFilter, QueryFilterFlags, Transfer,
    TransferFlags as F,
};

use crate::dice::Dice;
use crate::model::Model;

/// Most accounts and transfers ask for few different things, so that they meet.
const DATA: [u128; 4] = [0, 0, 7, u128::MAX / 3];

/// The callers, with their memory of what they asked for.
#[derive(Debug, Default)]
pub struct Callers {
    ids: u64,
    accounts: Vec<Account>,
    transfers: Vec<Transfer>,
}

impl Callers {
    /// An id never used before, of which no part looks like anything else on the disk.
    pub fn new_id(&mut self) -> u128 {
        self.ids += 1;
        let mut dice = Dice::new(self.ids);
        u128::from(dice.next()) << 64 | u128::from(dice.next()) | 1
    }

    /// Accounts with which money can move from the start.
    pub fn first_accounts(&mut self) -> Vec<Account> {
        let flags = [A::empty(), A::History, A::empty(), A::History, A::DebitsMustNotExceedCredits];
        let plain = Account { ledger: 1, code: 1, ..Account::default() };
        flags.map(|flags| Account { id: self.new_id(), flags, ..plain }).to_vec()
    }

    pub fn accounts(&mut self, dice: &mut Dice, model: &Model) -> Vec<Account> {
        let imported = dice.one_in(6);
        let count = 1 + dice.index(3);
        let mut out = Vec::new();
        for index in 0..count {
            let mut flags = *dice.pick(&[
                A::empty(),
                A::empty(),
                A::empty(),
                A::History,
                A::History,
                A::DebitsMustNotExceedCredits,
                A::CreditsMustNotExceedDebits,
                A::History | A::DebitsMustNotExceedCredits,
            ]);
            if dice.one_in(10) {
                flags |= A::Linked;
            }
            let mut account = Account {
                id: self.new_id(),
                user_data_128: *dice.pick(&DATA),
                user_data_64: dice.below(2),
                user_data_32: u32::try_from(dice.below(2)).unwrap(),
                ledger: if dice.one_in(12) { 2 } else { 1 },
                code: u16::from(!dice.one_in(20)),
                flags,
                ..Account::default()
            };
            if imported {
                account.flags |= A::Imported;
                account.timestamp = newest(model) + 1 + index as u64 + dice.below(3);
            }
            if dice.one_in(6) && !self.accounts.is_empty() {
                account = *dice.pick(&self.accounts);
            }
            self.accounts.push(account);
            out.push(account);
        }
        out
    }

    pub fn transfers(&mut self, dice: &mut Dice, model: &Model) -> Vec<Transfer> {
        let imported = dice.one_in(8);
        let linked = dice.one_in(5);
        let count = match dice.below(24) {
            0 => 0, // releases what is due, and nothing else
            1 | 2 => 10 + dice.index(12),
            _ => 1 + dice.index(5),
        };
        let mut out = Vec::new();
        for index in 0..count {
            let mut t = if dice.one_in(8) && !self.transfers.is_empty() {
                // A retry, perhaps of what a crash took away, perhaps with other content.
                let mut again = *dice.pick(&self.transfers);
                if dice.one_in(4) {
                    again.amount ^= 1;
                }
                again
            } else {
                self.transfer(dice, model)
            };
            if imported && !dice.one_in(12) {
                t.flags |= F::Imported;
                t.timeout = 0;
                t.timestamp = newest(model) + 1 + index as u64 + dice.below(3);
            }
            if linked && dice.one_in(2) && index + 1 < count {
                t.flags |= F::Linked;
            }
            self.transfers.push(t);
            out.push(t);
        }
        out
    }

    fn transfer(&mut self, dice: &mut Dice, model: &Model) -> Transfer {
        let id = self.new_id();
        let data = (*dice.pick(&DATA), dice.below(2), u32::try_from(dice.below(2)).unwrap());
        let (user_data_128, user_data_64, user_data_32) = data;
        let data = Transfer { user_data_128, user_data_64, user_data_32, ..Transfer::default() };
        let pending = model.transfers.iter().rev().take(40).filter(|t| t.flags.contains(F::Pending));
        let pending: Vec<u128> = pending.map(|t| t.id).collect();
        if dice.permille(350) && !pending.is_empty() {
            let post = dice.one_in(2);
            let whole = if post { u128::MAX } else { 0 };
            let flags = if post { F::PostPendingTransfer } else { F::VoidPendingTransfer };
            let amount = if dice.one_in(4) { u128::from(dice.below(9)) } else { whole };
            return Transfer { id, pending_id: *dice.pick(&pending), amount, flags, ..data };
        }
        let account = |dice: &mut Dice| {
            if model.accounts.is_empty() || dice.one_in(40) { 3 } else { dice.pick(&model.accounts).id }
        };
        let flags = match dice.below(40) {
            0 => F::Pending | F::ClosingDebit,
            1 => F::Pending | F::ClosingCredit,
            2..5 => F::BalancingDebit,
            5..8 => F::BalancingCredit,
            8..10 => F::BalancingDebit | F::BalancingCredit | F::Pending,
            10..24 => F::Pending,
            _ => F::empty(),
        };
        // Closings end with their timeout, or soon nothing would move any more.
        let closes = flags.intersects(F::ClosingDebit | F::ClosingCredit);
        let timeout = if closes { 1 } else { u32::try_from(dice.below(3)).unwrap() };
        let amount = if dice.one_in(100) { u128::MAX } else { u128::from(dice.below(20)) };
        Transfer {
            id,
            debit_account_id: account(dice),
            credit_account_id: account(dice),
            amount,
            timeout: if flags.contains(F::Pending) { timeout } else { 0 },
            ledger: if dice.one_in(30) { 2 } else { 1 },
            code: if dice.one_in(3) { 2 } else { 1 },
            flags,
            ..data
        }
    }

    /// Retries that leave nothing behind: ids that must be known as burnt, as done, or not at all.
    pub fn probes(&mut self, dice: &mut Dice, model: &Model, ids: &[u128]) -> Vec<Transfer> {
        let mut out = vec![Transfer { id: self.new_id(), ..nothing() }];
        out.extend(ids.iter().map(|id| Transfer { id: *id, ..nothing() }));
        let done: Vec<_> =
            model.transfers.iter().filter(|t| !t.flags.intersects(F::Linked | F::Imported)).collect();
        for _ in 0..done.len().min(4) {
            out.push(Transfer { timestamp: 0, ..**dice.pick(&done) });
        }
        out
    }
}

/// A transfer that never succeeds and never burns its id: from an account to itself.
fn nothing() -> Transfer {
    Transfer { debit_account_id: 3, credit_account_id: 3, ledger: 1, code: 1, ..Transfer::default() }
}

fn newest(model: &Model) -> u64 {
    let transfers = model.transfers.last().map_or(0, |t| t.timestamp);
    transfers.max(model.accounts.last().map_or(0, |a| a.timestamp))
}

/// A question to an engine.
#[derive(Debug, Clone)]
pub enum Question {
    Accounts(Vec<u128>),
    Transfers(Vec<u128>),
    AccountTransfers(AccountFilter),
    AccountBalances(AccountFilter),
    QueryAccounts(QueryFilter),
    QueryTransfers(QueryFilter),
    Feed(u64, u32),
}

const BOTH: AccountFilterFlags = AccountFilterFlags(3);

/// Questions whose answers together are everything that the books show, and a few narrow ones.
pub fn everything(dice: &mut Dice, model: &Model, ids: &[u128]) -> Vec<Question> {
    let all = QueryFilter { limit: 8189, ..QueryFilter::default() };
    let mut out = vec![
        Question::QueryAccounts(all),
        Question::QueryTransfers(all),
        Question::Accounts(model.accounts.iter().map(|a| a.id).chain([3]).collect()),
        Question::Transfers(ids.iter().copied().chain([3]).collect()),
        Question::Feed(0, 8189),
    ];
    for a in &model.accounts {
        let filter = AccountFilter { account_id: a.id, limit: 8189, flags: BOTH, ..AccountFilter::default() };
        out.push(Question::AccountTransfers(filter));
        if a.flags.contains(A::History) {
            out.push(Question::AccountBalances(filter));
        }
    }
    for _ in 0..6 {
        out.push(one(dice, model));
    }
    // In any order: an engine that stops at the first damage it sees would never be asked the rest.
    for last in (1..out.len()).rev() {
        out.swap(last, dice.index(last + 1));
    }
    out
}

/// One question at random.
pub fn one(dice: &mut Dice, model: &Model) -> Question {
    let time = |dice: &mut Dice| {
        if model.transfers.is_empty() || dice.one_in(2) {
            0
        } else {
            dice.pick(&model.transfers).timestamp + dice.below(3) - 1
        }
    };
    let limit = *dice.pick(&[1, 3, 100]);
    let account_id = if model.accounts.is_empty() { 3 } else { dice.pick(&model.accounts).id };
    let by_account = AccountFilter {
        account_id,
        user_data_128: *dice.pick(&DATA),
        user_data_64: dice.below(2),
        code: if dice.one_in(4) { 2 } else { 0 },
        timestamp_min: time(dice),
        timestamp_max: time(dice),
        limit,
        flags: AccountFilterFlags(u32::try_from(1 + dice.below(7)).unwrap()),
        ..AccountFilter::default()
    };
    let query = QueryFilter {
        user_data_128: *dice.pick(&DATA),
        user_data_64: dice.below(2),
        user_data_32: u32::try_from(dice.below(2)).unwrap(),
        ledger: u32::try_from(dice.below(3)).unwrap(),
        code: u16::from(dice.one_in(3)),
        timestamp_min: time(dice),
        timestamp_max: time(dice),
        limit,
        flags: QueryFilterFlags(u32::try_from(dice.below(2)).unwrap()),
    };
    let some = |dice: &mut Dice| -> Vec<u128> {
        (0..3).filter(|_| !model.transfers.is_empty()).map(|_| dice.pick(&model.transfers).id).collect()
    };
    match dice.below(7) {
        0 => Question::Accounts(vec![account_id, 3, account_id]),
        1 => Question::Transfers(some(dice)),
        2 => Question::AccountTransfers(by_account),
        3 => Question::AccountBalances(by_account),
        4 => Question::QueryAccounts(query),
        5 => Question::QueryTransfers(query),
        _ => Question::Feed(time(dice), limit),
    }
}
