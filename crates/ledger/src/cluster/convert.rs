//! Between this crate's types and those of TigerBeetle's client: field by field, bit by bit. Decides nothing;
//! flags without a meaning pass through, so that the cluster refuses them itself.

use tigerbeetle as tb;

use crate::engine::EngineError;
use crate::status::{CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus};
use crate::types::{
    Account, AccountBalance, AccountFilter, AccountFlags, BATCH_MAX, QueryFilter, Transfer, TransferFlags,
};

/// The account as the official client takes it.
pub fn account_out(a: &Account) -> tb::Account {
    tb::Account {
        id: a.id,
        debits_pending: a.debits_pending,
        debits_posted: a.debits_posted,
        credits_pending: a.credits_pending,
        credits_posted: a.credits_posted,
        user_data_128: a.user_data_128,
        user_data_64: a.user_data_64,
        user_data_32: a.user_data_32,
        reserved: tb::Reserved::default(),
        ledger: a.ledger,
        code: a.code,
        flags: tb::AccountFlags(a.flags.bits()),
        timestamp: a.timestamp,
    }
}

pub fn account_in(a: &tb::Account) -> Account {
    Account {
        id: a.id,
        debits_pending: a.debits_pending,
        debits_posted: a.debits_posted,
        credits_pending: a.credits_pending,
        credits_posted: a.credits_posted,
        user_data_128: a.user_data_128,
        user_data_64: a.user_data_64,
        user_data_32: a.user_data_32,
        ledger: a.ledger,
        code: a.code,
        flags: AccountFlags(a.flags.0),
        timestamp: a.timestamp,
    }
}

/// The transfer as the official client takes it.
pub fn transfer_out(t: &Transfer) -> tb::Transfer {
    tb::Transfer {
        id: t.id,
        debit_account_id: t.debit_account_id,
        credit_account_id: t.credit_account_id,
        amount: t.amount,
        pending_id: t.pending_id,
        user_data_128: t.user_data_128,
        user_data_64: t.user_data_64,
        user_data_32: t.user_data_32,
        timeout: t.timeout,
        ledger: t.ledger,
        code: t.code,
        flags: tb::TransferFlags(t.flags.bits()),
        timestamp: t.timestamp,
    }
}

/// The transfer as the official client gives it.
pub fn transfer_in(t: &tb::Transfer) -> Transfer {
    Transfer {
        id: t.id,
        debit_account_id: t.debit_account_id,
        credit_account_id: t.credit_account_id,
        amount: t.amount,
        pending_id: t.pending_id,
        user_data_128: t.user_data_128,
        user_data_64: t.user_data_64,
        user_data_32: t.user_data_32,
        timeout: t.timeout,
        ledger: t.ledger,
        code: t.code,
        flags: TransferFlags(t.flags.0),
        timestamp: t.timestamp,
    }
}

pub fn balance_in(b: &tb::AccountBalance) -> AccountBalance {
    AccountBalance {
        debits_pending: b.debits_pending,
        debits_posted: b.debits_posted,
        credits_pending: b.credits_pending,
        credits_posted: b.credits_posted,
        timestamp: b.timestamp,
    }
}

/// The client refuses a limit beyond one message; this crate's door cuts it.
fn limit(limit: u32) -> u32 {
    u32::try_from(BATCH_MAX).map_or(limit, |most| limit.min(most))
}

pub fn account_filter(f: &AccountFilter) -> tb::AccountFilter {
    tb::AccountFilter {
        account_id: f.account_id,
        user_data_128: f.user_data_128,
        user_data_64: f.user_data_64,
        user_data_32: f.user_data_32,
        code: f.code,
        reserved: tb::Reserved::default(),
        timestamp_min: f.timestamp_min,
        timestamp_max: f.timestamp_max,
        limit: limit(f.limit),
        flags: tb::AccountFilterFlags(f.flags.bits()),
    }
}

pub fn query_filter(f: &QueryFilter) -> tb::QueryFilter {
    tb::QueryFilter {
        user_data_128: f.user_data_128,
        user_data_64: f.user_data_64,
        user_data_32: f.user_data_32,
        ledger: f.ledger,
        code: f.code,
        reserved: tb::Reserved::default(),
        timestamp_min: f.timestamp_min,
        timestamp_max: f.timestamp_max,
        limit: limit(f.limit),
        flags: tb::QueryFilterFlags(f.flags.bits()),
    }
}

/// A status that this crate does not know cannot come from a release that the client accepted.
pub fn account_result(r: &tb::CreateAccountResult) -> Result<CreateAccountResult, EngineError> {
    let status = CreateAccountStatus::from_code(r.status.into()).ok_or(EngineError::Incompatible)?;
    Ok(CreateAccountResult { timestamp: r.timestamp, status })
}

pub fn transfer_result(r: &tb::CreateTransferResult) -> Result<CreateTransferResult, EngineError> {
    let status = CreateTransferStatus::from_code(r.status.into()).ok_or(EngineError::Incompatible)?;
    Ok(CreateTransferResult { timestamp: r.timestamp, status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AccountFilterFlags, QueryFilterFlags};

    #[test]
    fn every_status_has_the_client_s_name_and_number() {
        for status in CreateAccountStatus::ALL {
            let theirs = tb::CreateAccountStatus::from(status.code());
            assert_eq!((theirs.to_string(), u32::from(theirs)), (status.to_string(), status.code()));
            let result =
                tb::CreateAccountResult { timestamp: 7, status: theirs, reserved: tb::Reserved::default() };
            let expected = CreateAccountResult { timestamp: 7, status: *status };
            assert_eq!(account_result(&result), Ok(expected));
        }
        for status in CreateTransferStatus::ALL {
            let theirs = tb::CreateTransferStatus::from(status.code());
            assert_eq!((theirs.to_string(), u32::from(theirs)), (status.to_string(), status.code()));
            let result =
                tb::CreateTransferResult { timestamp: 7, status: theirs, reserved: tb::Reserved::default() };
            let expected = CreateTransferResult { timestamp: 7, status: *status };
            assert_eq!(transfer_result(&result), Ok(expected));
        }
    }

    /// The client's conversion panics on a number that it does not know: so both know the same numbers.
    #[test]
    fn the_client_knows_no_status_that_this_crate_does_not() {
        let known = |convert: fn(u32) -> u32, code: u32| std::panic::catch_unwind(|| convert(code)).is_ok();
        for code in 0..=100 {
            let theirs = known(|c| tb::CreateAccountStatus::from(c).into(), code);
            assert_eq!(theirs, CreateAccountStatus::from_code(code).is_some(), "account status {code}");
            let theirs = known(|c| tb::CreateTransferStatus::from(c).into(), code);
            assert_eq!(theirs, CreateTransferStatus::from_code(code).is_some(), "transfer status {code}");
        }
    }

    #[test]
    fn every_flag_has_the_client_s_name_and_bit() {
        macro_rules! same {
            ($($flags:ident: $($flag:ident)+;)+) => { $(
                $(assert_eq!($flags::$flag.bits(), tb::$flags::$flag.0, stringify!($flag));)+
                assert_eq!($flags::ALL.bits(), 0 $(| tb::$flags::$flag.0)+, stringify!($flags));
            )+ };
        }
        same! {
            AccountFlags: Linked DebitsMustNotExceedCredits CreditsMustNotExceedDebits History Imported Closed;
            TransferFlags: Linked Pending PostPendingTransfer VoidPendingTransfer BalancingDebit BalancingCredit
                ClosingDebit ClosingCredit Imported;
            AccountFilterFlags: Debits Credits Reversed;
            QueryFilterFlags: Reversed;
        }
    }

    #[test]
    fn every_field_arrives_and_comes_back() {
        let a = Account {
            id: 1,
            debits_pending: 2,
            debits_posted: 3,
            credits_pending: 4,
            credits_posted: 5,
            user_data_128: 6,
            user_data_64: 7,
            user_data_32: 8,
            ledger: 9,
            code: 10,
            flags: AccountFlags(11),
            timestamp: 12,
        };
        assert_eq!(account_in(&account_out(&a)), a);
        let t = Transfer {
            id: 1,
            debit_account_id: 2,
            credit_account_id: 3,
            amount: 4,
            pending_id: 5,
            user_data_128: 6,
            user_data_64: 7,
            user_data_32: 8,
            timeout: 9,
            ledger: 10,
            code: 11,
            flags: TransferFlags(12),
            timestamp: 13,
        };
        assert_eq!(transfer_in(&transfer_out(&t)), t);
        let f = account_filter(&AccountFilter {
            account_id: 1,
            user_data_128: 2,
            user_data_64: 3,
            user_data_32: 4,
            code: 5,
            timestamp_min: 6,
            timestamp_max: 7,
            limit: 8,
            flags: AccountFilterFlags(9),
        });
        let data = (f.user_data_128, f.user_data_64, f.user_data_32);
        let times = (f.timestamp_min, f.timestamp_max);
        assert_eq!((f.account_id, data, f.code, times, f.limit, f.flags.0), (1, (2, 3, 4), 5, (6, 7), 8, 9));
        let f = query_filter(&QueryFilter {
            user_data_128: 1,
            user_data_64: 2,
            user_data_32: 3,
            ledger: 4,
            code: 5,
            timestamp_min: 6,
            timestamp_max: 7,
            limit: u32::MAX,
            flags: QueryFilterFlags(9),
        });
        let data = (f.user_data_128, f.user_data_64, f.user_data_32);
        let times = (f.timestamp_min, f.timestamp_max);
        assert_eq!((data, f.ledger, f.code, times, f.limit, f.flags.0), ((1, 2, 3), 4, 5, (6, 7), 8189, 9));
    }
}
