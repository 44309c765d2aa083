//! The proof: holds the ledger on disk against what the benchmark was told. Reads the journal with the
//! independent auditor, opens the engine on it, and wants every acknowledged payment there exactly once,
//! with its amount and parties; nothing there that nobody was told of; every balance what the payments
//! make it; and all money accounted for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use city::books::{self, account_code, transfer_code};
use kernel::{Currency, SystemClock};
use ledger::audit::{self, AuditReport};
use ledger::{Account, BATCH_MAX, Embedded, Engine as _, Transfer, TransferFlags};

use super::book::Book;
use super::town::{DEPOSIT_MINOR, Town};
use crate::config::Fail;

/// How many violations are told in words; the rest are counted.
pub const TOLD_MAX: usize = 20;

/// What the ledger was found to hold.
#[derive(Debug, Default)]
pub struct Proof {
    /// Transfers in the journal, of every kind.
    pub transfers: u64,
    /// Payments among them.
    pub payments: u64,
    /// What is at the bank, minor units: the same as in wallets, with shops and billers, and fees.
    pub at_bank: u128,
    /// What does not hold.
    pub violations: Vec<String>,
}

/// A payment as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    from: u128,
    to: u128,
    amount: u128,
    times: u32,
}

/// Proves the ledger in `dir`, which nobody has open.
pub async fn prove(dir: &Path, town: &Town, book: &Book) -> Result<Proof, Fail> {
    let report = audit::verify(dir)?;
    let (engine, recovery) = Embedded::open(dir, Arc::new(SystemClock))?;
    let mut proof = Proof { transfers: report.transfers, ..Proof::default() };
    if let Err(e) = report.compare(&engine).await {
        proof.violations.push(format!("engine and auditor disagree: {e}"));
    }
    if let Some(torn) = &recovery.torn {
        proof.violations.push(format!("{} bytes at the end of a ledger that was closed", torn.bytes));
    }
    if report.open() > 0 {
        proof.violations.push(format!("{} pending transfers are open", report.open()));
    }
    let (mut payments, mut closed) = (HashMap::new(), HashMap::new());
    let mut after = 0;
    loop {
        let page = engine.feed(after, u32::try_from(BATCH_MAX)?).await?;
        let Some(last) = page.last() else { break };
        after = last.timestamp();
        for item in &page {
            enter(&item.transfer, &mut payments, &mut closed);
        }
    }
    engine.close();
    proof.payments = payments.len() as u64;
    proof.violations.extend(compare(book, payments, closed));
    balances(&report, town, book, &mut proof);
    Ok(proof)
}

/// Enters a transfer of the feed where it belongs; what is no payment is left out.
fn enter(t: &Transfer, payments: &mut HashMap<u128, Found>, closed: &mut HashMap<u128, u32>) {
    let key = match t.code {
        transfer_code::TRADE_PAYMENT => t.user_data_128,
        transfer_code::WALLET_TRANSFER => t.id,
        // A bill's payment is known by its pending transfer, and made when that is posted.
        transfer_code::BILL_PAYMENT if t.flags.contains(TransferFlags::PostPendingTransfer) => t.pending_id,
        transfer_code::TRADE_CLOSED => {
            *closed.entry(t.id).or_default() += 1;
            return;
        }
        _ => return,
    };
    let found = Found { from: t.debit_account_id, to: t.credit_account_id, amount: t.amount, times: 1 };
    match payments.entry(key) {
        Entry::Vacant(free) => drop(free.insert(found)),
        Entry::Occupied(mut there) => there.get_mut().times += 1,
    }
}

fn compare(book: &Book, mut payments: HashMap<u128, Found>, mut closed: HashMap<u128, u32>) -> Vec<String> {
    let mut violations = Vec::new();
    for acked in &book.acked {
        let what = || format!("{} {} of {}", acked.kind.name(), acked.index, acked.amount);
        match payments.remove(&acked.id) {
            None => {
                violations.push(format!("{}: acknowledged, and not in the ledger (or twice told)", what()));
            }
            Some(Found { times, .. }) if times != 1 => {
                violations.push(format!("{}: paid {times} times", what()));
            }
            Some(found) => {
                let same =
                    (found.from, found.to, found.amount) == (acked.from, acked.to, u128::from(acked.amount));
                if !same {
                    violations.push(format!("{}: the ledger has other parties or amount", what()));
                }
            }
        }
    }
    for order in &book.closed {
        if closed.remove(&order.id) != Some(1) {
            violations.push(format!("order {}: told to be closed, and not closed", order.index));
        }
        if payments.contains_key(&order.id) {
            violations.push(format!("order {}: told to be closed, and paid", order.index));
        }
    }
    let untold = payments.len() + closed.len();
    if untold > 0 {
        let amounts: Vec<u128> = payments.values().take(5).map(|f| f.amount).collect();
        violations
            .push(format!("{untold} payments or closings that nobody was told of, such as {amounts:?}"));
    }
    violations
}

/// What the acknowledged payments make of each account: debits and credits, minor units, gross.
pub fn movements(book: &Book) -> HashMap<u128, (u128, u128)> {
    let mut sums: HashMap<u128, (u128, u128)> = HashMap::new();
    for acked in &book.acked {
        sums.entry(acked.from).or_default().0 += u128::from(acked.amount);
        sums.entry(acked.to).or_default().1 += u128::from(acked.amount);
    }
    sums
}

/// Whether the audited balances have at least what was acknowledged: what holds at any moment, also
/// when answers were lost. One line for each account that has less.
pub fn covered(report: &AuditReport, book: &Book) -> Vec<String> {
    let mut violations = Vec::new();
    for (id, (debits, credits)) in movements(book) {
        let there = report.accounts.get(&id).copied().unwrap_or_default();
        if there.debits_posted < debits || there.credits_posted < credits {
            violations.push(format!("account {id:032x} has less than was acknowledged"));
        }
    }
    violations
}

fn balances(report: &AuditReport, town: &Town, book: &Book, proof: &mut Proof) {
    let money = books::money(Currency::CNY);
    let sums = movements(book);
    let told = |id: u128| sums.get(&id).copied().unwrap_or_default();
    let there = |id: u128| report.accounts.get(&id).copied().unwrap_or_default();
    let deposit = u128::from(DEPOSIT_MINOR.unsigned_abs());
    for person in &town.people {
        let id = person.id.as_u128();
        let (account, (debits, credits)) = (there(id), told(id));
        if (account.debits_posted, account.credits_posted) != (debits, deposit + credits) {
            proof.violations.push(format!("the wallet of {} is not what its payments make it", person.id));
        }
    }
    for till in &town.tills {
        let id = till.shop.as_u128();
        if there(id).credits_posted != told(id).1 {
            proof.violations.push(format!("{} has not what it was paid", till.shop));
        }
    }
    if let Some(bills) = &town.bills {
        let id = bills.biller.as_u128();
        if there(id).credits_posted != told(id).1 {
            proof.violations.push(format!("{} has not what its bills were paid", bills.biller));
        }
    }
    // What is at the bank is what everybody has.
    let owed = |a: &Account| a.credits_posted.wrapping_sub(a.debits_posted);
    let clearing = there(books::bank_clearing(Currency::CNY));
    let everybody =
        report.accounts.values().filter(|a| a.ledger == money && a.code != account_code::BANK_CLEARING);
    let held = everybody.map(owed).fold(0u128, u128::wrapping_add);
    proof.at_bank = clearing.debits_posted.wrapping_sub(clearing.credits_posted);
    if held != proof.at_bank {
        proof.violations.push(format!("money is not conserved: {} at the bank, {held} held", proof.at_bank));
    }
    if clearing.debits_posted != deposit * town.people.len() as u128 {
        proof.violations.push("the bank clearing account is not what was deposited".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::book::{Acked, Closed};
    use super::super::plan::Kind;
    use super::*;
    use std::time::Duration;

    fn payment(id: u128, trade: u128, amount: u128) -> Transfer {
        let code = transfer_code::TRADE_PAYMENT;
        Transfer {
            id,
            user_data_128: trade,
            debit_account_id: 1,
            credit_account_id: 2,
            amount,
            code,
            ..Transfer::default()
        }
    }

    fn check(transfers: &[Transfer], acked: &[u128], closed: &[u128]) -> Vec<String> {
        let mut book = Book::new().unwrap();
        for id in acked {
            let acked = Acked { kind: Kind::Order, index: 0, id: *id, from: 1, to: 2, amount: 5 };
            book.ack(acked, Duration::ZERO);
        }
        book.closed = closed.iter().map(|id| Closed { index: 0, id: *id, shop: 0 }).collect();
        let (mut payments, mut markers) = (HashMap::new(), HashMap::new());
        for t in transfers {
            enter(t, &mut payments, &mut markers);
        }
        compare(&book, payments, markers)
    }

    #[test]
    fn every_kind_of_lie_is_found() {
        let marker = Transfer { id: 9, code: transfer_code::TRADE_CLOSED, ..Transfer::default() };
        let fee = Transfer { id: 8, code: transfer_code::TRADE_FEE, ..Transfer::default() };
        let other = Transfer { credit_account_id: 3, ..payment(7, 7, 5) };
        let bill = Transfer { code: transfer_code::BILL_PAYMENT, ..payment(7, 70, 5) };
        let claim = Transfer { flags: TransferFlags::Pending, ..bill };
        let post = Transfer { id: 71, pending_id: 7, flags: TransferFlags::PostPendingTransfer, ..bill };
        for (transfers, acked, closed, wanted) in [
            (vec![claim, post], vec![7], vec![], ""),
            (vec![claim], vec![7], vec![], "not in the ledger"),
            (vec![payment(7, 7, 5), marker, fee], vec![7], vec![9], ""),
            (vec![], vec![7], vec![], "not in the ledger"),
            (vec![payment(7, 7, 5), payment(70, 7, 5)], vec![7], vec![], "paid 2 times"),
            (vec![payment(7, 7, 6)], vec![7], vec![], "other parties or amount"),
            (vec![other], vec![7], vec![], "other parties or amount"),
            (vec![payment(7, 7, 5)], vec![], vec![], "nobody was told of"),
            (vec![payment(7, 7, 5)], vec![7, 7], vec![], "twice told"),
            (vec![marker], vec![], vec![], "nobody was told of"),
            (vec![], vec![], vec![9], "not closed"),
            (vec![payment(9, 9, 5), marker], vec![], vec![9], "and paid"),
        ] {
            let found = check(&transfers, &acked, &closed).join("; ");
            assert!(found.contains(wanted) && found.is_empty() == wanted.is_empty(), "{wanted}: {found}");
        }
    }
}
