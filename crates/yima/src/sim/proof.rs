//! What is held against what: the ledger's whole feed, the books of the other sides, the wallets and the inboxes. Reads
//! the ledger as a stranger would; nothing that the simulation noted on the way is believed, it is compared.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use city::books::{self, transfer_code};
use city::remind::{self, NoteKind};
use hdrhistogram::Histogram;
use kernel::ids::PaymentId;
use ledger::TransferFlags;
use sha2::{Digest as _, Sha256};

use super::close::Closed;
use super::day::Diary;
use super::town::{DEPOSIT_MINOR, Town};
use crate::config::Fail;

/// The stated bound: so long after its claim a payment has its end, silent billers included.
pub const BOUND: Duration = Duration::from_mins(5);
/// How many transfers or accounts are read at once.
const PAGE: u32 = 8_000;
/// Violations that are told; more are counted.
const TOLD: usize = 20;

/// What the books say.
#[derive(Default)]
pub struct Proof {
    /// Payments that settled, by way.
    pub by_way: BTreeMap<&'static str, u64>,
    /// Claims that were let go.
    pub voided: u64,
    /// Payments into advances.
    pub advances: u64,
    /// Settled, minor units.
    pub paid_minor: i64,
    /// Notes in inboxes.
    pub notes: u64,
    /// The same for the same seed.
    pub digest: String,
    /// Milliseconds from claim to end, of payments that somebody was asked about.
    pub ends: Option<Histogram<u64>>,
    /// What must not be.
    pub violations: Vec<String>,
    more: u64,
}

impl Proof {
    fn wrong(&mut self, why: impl FnOnce() -> String) {
        if self.violations.len() < TOLD {
            self.violations.push(why());
        } else {
            self.more += 1;
        }
    }
}

#[derive(Clone, Copy)]
struct Claim {
    bill: u128,
    amount: u128,
    from: u128,
    to: u128,
    at: u64,
}

/// A payment that settled.
struct Posted {
    bill: u128,
    amount: u128,
    at: u64,
}

/// Looks at everything.
pub async fn prove(town: &Arc<Town>, diary: &Diary, closed: &Closed) -> Result<Proof, Fail> {
    let mut proof = Proof::default();
    let (posted, by_wallet) = feed(town, &mut proof).await?;
    acked(&mut proof, diary, &posted);
    others(town, &mut proof, &posted);
    money(town, &mut proof, closed, &posted, by_wallet).await?;
    let mut hash = Sha256::new();
    let mut all: Vec<_> = posted.iter().map(|(id, p)| (p.bill, *id, p.amount)).collect();
    all.sort_unstable();
    for (bill, payment, amount) in &all {
        hash.update(bill.to_be_bytes());
        hash.update(payment.to_be_bytes());
        hash.update(amount.to_be_bytes());
    }
    notes(town, &mut proof, &posted, &mut hash).await?;
    for (code, count) in &closed.breaks {
        hash.update(format!("{code} {count}\n"));
    }
    proof.digest = kernel::hex(&hash.finalize());
    if proof.more > 0 {
        let more = format!("and {} more", proof.more);
        proof.violations.push(more);
    }
    Ok(proof)
}

/// Every claim has one end within the bound, and no bill was paid twice.
async fn feed(town: &Town, proof: &mut Proof) -> Result<(HashMap<u128, Posted>, i64), Fail> {
    let mut open: HashMap<u128, Claim> = HashMap::new();
    let (mut posted, mut bills) = (HashMap::new(), HashSet::new());
    let mut ends = Histogram::<u64>::new_with_max(86_400_000, 3)?;
    let asked: HashMap<u128, bool> =
        town.billers.iter().map(|side| (books::biller(side.pack.biller), side.far.is_some())).collect();
    let collector = books::collector(town.collector.id);
    let (mut after, mut by_wallet) = (0, 0);
    loop {
        let items = town.city.ledger.feed(after, PAGE).await?;
        let Some(last) = items.last() else { break };
        after = last.timestamp();
        for t in items.iter().map(|item| &item.transfer) {
            proof.advances += u64::from(t.code == transfer_code::ADVANCE_IN);
            if t.flags.contains(TransferFlags::Pending) {
                if t.code == transfer_code::BILL_PAYMENT {
                    let claim = Claim {
                        bill: t.user_data_128,
                        amount: t.amount,
                        from: t.debit_account_id,
                        to: t.credit_account_id,
                        at: t.timestamp,
                    };
                    // What is held for a counter ends when it says so.
                    open.insert(t.id, claim);
                }
                continue;
            }
            let Some(claim) = open.remove(&t.pending_id).filter(|_| t.pending_id != 0) else { continue };
            let took = Duration::from_nanos(t.timestamp.saturating_sub(claim.at));
            if asked.get(&claim.to).copied().unwrap_or(false) {
                ends.saturating_record(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            }
            if took > BOUND {
                proof.wrong(|| format!("payment {} took {took:?}", PaymentId::from_u128(t.pending_id)));
            }
            if t.flags.contains(TransferFlags::VoidPendingTransfer) {
                proof.voided += 1;
                continue;
            }
            if !bills.insert(claim.bill) {
                proof.wrong(|| format!("bill {:032x} was paid twice", claim.bill));
            }
            let minor = i64::try_from(claim.amount).unwrap_or(i64::MAX);
            proof.paid_minor += minor;
            if claim.from != collector {
                by_wallet += minor;
            }
            if !asked.get(&claim.to).copied().unwrap_or(false) {
                *proof.by_way.entry("file").or_default() += 1;
            }
            posted.insert(t.pending_id, Posted { bill: claim.bill, amount: claim.amount, at: t.timestamp });
        }
    }
    for id in open.keys() {
        proof.wrong(|| format!("payment {} has no end", PaymentId::from_u128(*id)));
    }
    proof.ends = Some(ends);
    Ok((posted, by_wallet))
}

/// What somebody was told is settled, is.
fn acked(proof: &mut Proof, diary: &Diary, posted: &HashMap<u128, Posted>) {
    for payment in &diary.acked {
        if !posted.contains_key(&payment.as_u128()) {
            proof.wrong(|| format!("payment {payment} was acknowledged and is not settled"));
        }
    }
}

/// The other sides have taken what the ledger has, each once, and nothing else.
fn others(town: &Town, proof: &mut Proof, posted: &HashMap<u128, Posted>) {
    let mut taken = 0;
    for side in &town.billers {
        let Some(far) = &side.far else { continue };
        for entry in far.taken() {
            taken += 1;
            let payment = &entry.payment;
            let here = payment.id.parse::<PaymentId>().ok().and_then(|id| posted.get(&id.as_u128()));
            let same = here.is_some_and(|here| u128::try_from(payment.amount_minor) == Ok(here.amount));
            if !same || entry.times != 1 {
                proof.wrong(|| {
                    format!("{}: {} is taken there and not settled here", side.pack.spec.id, payment.id)
                });
            }
            let of = |c: &&city::bill::route::spec::Channel| c.institution() == payment.institution;
            let way = side.pack.spec.channels.iter().find(of).map_or("unknown", |c| c.way().name());
            *proof.by_way.entry(way).or_default() += 1;
        }
    }
    let by_file = proof.by_way.get("file").copied().unwrap_or(0);
    if taken + by_file != posted.len() as u64 {
        let here = posted.len() as u64 - by_file;
        proof.wrong(|| {
            format!("{here} payments are settled with billers that are asked, and {taken} taken there")
        });
    }
}

/// No money came from nowhere, none is held, and every biller has been paid out.
async fn money(
    town: &Town,
    proof: &mut Proof,
    closed: &Closed,
    posted: &HashMap<u128, Posted>,
    by_wallet: i64,
) -> Result<(), Fail> {
    let (mut left, mut held) = (0u128, 0u128);
    for first in (0..town.shape.residents).step_by(PAGE as usize) {
        let last = first.saturating_add(PAGE).min(town.shape.residents);
        let ids = (first..last).map(|n| books::wallet(town.resident(n).id)).collect();
        for account in town.city.ledger.lookup_accounts(ids).await? {
            left += account.credits_posted - account.debits_posted;
            held += account.debits_pending + account.credits_pending;
        }
    }
    let brought = u128::from(town.shape.residents) * u128::from(DEPOSIT_MINOR.unsigned_abs());
    if left + u128::from(by_wallet.unsigned_abs()) != brought {
        proof.wrong(|| format!("{brought} fen were brought, {left} are left and {by_wallet} paid"));
    }
    let ids = town.billers.iter().map(|side| books::biller(side.pack.biller)).collect();
    for account in town.city.ledger.lookup_accounts(ids).await? {
        held += account.debits_pending + account.credits_pending;
        if account.credits_posted != account.debits_posted {
            proof.wrong(|| format!("account {:032x} of a biller is not paid out", account.id));
        }
    }
    if held > 0 {
        proof.wrong(|| format!("{held} fen are still held"));
    }
    if (closed.payments, closed.gross_minor) != (posted.len() as u64, proof.paid_minor) {
        let (count, gross, paid) = (closed.payments, closed.gross_minor, proof.paid_minor);
        proof.wrong(|| format!("{count} payments of {gross} fen are in settlements, {paid} fen were paid"));
    }
    Ok(())
}

/// Nobody is told of a paid bill, of anything twice, or in the quiet hours; everybody is told of a new bill.
async fn notes(
    town: &Town,
    proof: &mut Proof,
    posted: &HashMap<u128, Posted>,
    hash: &mut Sha256,
) -> Result<(), Fail> {
    let paid: HashMap<u128, u64> = posted.values().map(|p| (p.bill, p.at)).collect();
    let quiet = remind::Preferences::default().quiet;
    for n in (0..town.shape.residents).filter(|n| town.shape.keeps(*n)) {
        let (mut before, mut seen) = (None, HashSet::new());
        loop {
            let (page, _) = remind::inbox(&town.city, &town.resident(n), before, 100).await?;
            let Some(last) = page.last() else { break };
            before = last.sent_at.map(|at| (at, last.id));
            for note in &page {
                let (tell, Some(at)) = (&note.tell, note.sent_at) else { continue };
                proof.notes += 1;
                let bill = tell.bill.map(kernel::ids::BillId::as_u128);
                hash.update(format!("{n} {} {bill:?} {}\n", tell.kind.name(), tell.step));
                if !seen.insert((tell.kind, bill, tell.step)) {
                    proof.wrong(|| format!("resident {n} was told twice: {:?}", tell.kind));
                }
                let paid_at = bill.and_then(|bill| paid.get(&bill));
                let late = paid_at.is_some_and(|paid| books::ledger_time(at) > *paid);
                if late && !matches!(tell.kind, NoteKind::AutopayNotice | NoteKind::AutopayFailed) {
                    proof.wrong(|| format!("resident {n} was told of a paid bill: {:?}", tell.kind));
                }
                if remind::rules::send_at(at, quiet, town.city.settings.offset) != at {
                    proof.wrong(|| format!("resident {n} was told in the quiet hours, at {at}"));
                }
            }
            if page.len() < 100 {
                break;
            }
        }
        let (biller, _) = town.shape.account(n);
        let by_file = town.billers[biller as usize].far.is_none();
        if by_file && town.shape.billed_on(biller) < town.shape.days && seen.is_empty() {
            proof.wrong(|| format!("resident {n} was told of no bill"));
        }
    }
    Ok(())
}
