//! What is known of a bill and its payment when somebody complains, put together from the ledger, the tables and, where
//! wanted, the biller itself; and the door through which a biller is asked to give a payment back. Decides nothing and
//! changes nothing: what follows from it is the complaint slice's to say.

use channel::{Meaning, Reply};
use kernel::ids::{BillId, BillerId, ImportId, PaymentId, RefundId, ResidentId};
use kernel::{Date, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, Transfer, TransferFlags};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connector::Claim;
use super::query::known_bill;
use super::reconcile::rules::{BreakCode, Source};
use super::rules::Bill;
use super::standing::{self, Settled};
use super::{BillError, Standing, parts, reconcile, refund, routes, store};
use crate::books::{self, transfer_code};
use crate::wallet::instant;
use crate::{City, Fault};

/// What is known of a bill and its payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// When it was put together.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The bill.
    pub bill: BillFacts,
    /// The payment complained of; absent where there is none.
    pub payment: Option<PaymentFacts>,
    /// What the biller itself says; absent where it was not asked, or hands over files.
    pub biller: Option<BillerSays>,
    /// Other payments: of this account by anybody, and by this payer to this biller; the newest first, 20 at most.
    pub others: Vec<OtherPayment>,
    /// The newest file of bills that the biller had handed over when it was paid.
    pub import: Option<ImportFacts>,
    /// The day on which the payment was settled.
    pub settlement: Option<SettlementFacts>,
}

/// The bill, as the biller handed it over, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BillFacts {
    /// Which.
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    pub id: BillId,
    /// The account at the biller.
    pub account_no: String,
    /// The biller's number of the bill.
    pub bill_no: String,
    /// The month billed, `202603`; 0 where there is none.
    pub period: u32,
    /// Minor units.
    pub amount_minor: i64,
    /// The last day without a late fee.
    #[schema(example = "2026-03-25")]
    pub due: String,
    /// How it stands.
    pub state: BillStanding,
}

/// How a bill stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BillStanding {
    /// Nobody has paid it.
    Open,
    /// A payment is under way.
    Claimed,
    /// It is paid.
    Settled,
}

/// A payment in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentFacts {
    /// Which.
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    pub id: PaymentId,
    /// Minor units, late fee included.
    pub amount_minor: i64,
    /// The late fee within it, minor units.
    pub late_fee_minor: i64,
    /// When the money was held.
    #[schema(value_type = String, format = DateTime)]
    pub claimed_at: Timestamp,
    /// When it became the biller's.
    #[schema(value_type = String, format = DateTime)]
    pub settled_at: Timestamp,
    /// The way it was sent, by its name in the pack; absent for billers who hand over files.
    pub way: Option<String>,
    /// What of it was given back, minor units.
    pub refunded_minor: i64,
    /// What of it may still be given back, minor units.
    pub left_minor: i64,
}

/// What the biller itself says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BillerSays {
    /// Of the payment; absent where there is none.
    pub payment: Option<SaysOfPayment>,
    /// Whether the bill is owed; absent without an answer.
    pub listed: Option<bool>,
    /// What it asks for, minor units, where the bill is owed.
    pub listed_minor: Option<i64>,
}

/// What a biller says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaysOfPayment {
    /// It has it.
    Taken,
    /// It has no such payment, or refused it.
    NotTaken,
    /// It does not know yet, or did not answer.
    NoAnswer,
}

/// Another payment that may have to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherPayment {
    /// Which.
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    pub payment: PaymentId,
    /// The account at the biller.
    pub account_no: String,
    /// The biller's number of the bill.
    pub bill_no: String,
    /// The month billed, `202603`; 0 where there is none.
    pub period: u32,
    /// Minor units.
    pub amount_minor: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether the same resident paid it.
    pub same_payer: bool,
    /// Whether it is of the same account.
    pub same_account: bool,
}

/// A file of bills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportFacts {
    /// Which.
    #[schema(value_type = String, example = "imp_01h2xcejqtf2nbrexx3vqjhp41")]
    pub id: ImportId,
    /// The name of the file.
    pub name: String,
    /// When it was handed over.
    #[schema(value_type = String, format = DateTime)]
    pub begun_at: Timestamp,
}

/// How the day of a payment was settled and matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettlementFacts {
    /// The local day.
    #[schema(example = "2026-03-02")]
    pub day: String,
    /// Whether the day was matched with what was returned.
    pub matched: bool,
    /// The payout that the payment is in.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    pub payout: Option<PaymentId>,
    /// Disagreements about this payment.
    pub breaks: Vec<BreakFacts>,
}

/// A disagreement about a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakFacts {
    /// Who disagrees with the ledger.
    pub source: Source,
    /// How.
    pub code: BreakCode,
    /// In the ledger, minor units.
    pub ours_minor: Option<i64>,
    /// In their list, minor units.
    pub theirs_minor: Option<i64>,
}

/// How many other payments are told of.
const OTHERS_MAX: usize = 20;
/// How many of a payer's movements are looked at for them.
const LOOK_BACK: u32 = 500;

/// Puts together what is known: of a bill, of a payment of it, and around. `ask` says whether its biller is asked too.
pub async fn evidence(
    city: &City,
    bill: BillId,
    payment: Option<PaymentId>,
    payer: ResidentId,
    ask: bool,
) -> Result<Evidence, BillError> {
    let bill = known_bill(city, bill).await?;
    let state = match standing::standing(city, &[bill.id]).await?.first() {
        Some(Standing::Settled(_)) => BillStanding::Settled,
        Some(Standing::Claimed { .. }) => BillStanding::Claimed,
        Some(Standing::Open) | None => BillStanding::Open,
    };
    let settled = match payment {
        Some(payment) => Some(refund::settled(city, payment).await?),
        None => None,
    };
    let claim = match &settled {
        Some(settled) => claim_of(city, &bill, settled.payment).await?,
        None => None,
    };
    let payment = match &settled {
        Some(settled) => Some(payment_facts(city, settled, claim.as_ref()).await?),
        None => None,
    };
    Ok(Evidence {
        at: city.now(),
        payment,
        biller: if ask { asked(city, &bill, claim.as_ref()).await } else { None },
        others: others(city, &bill, settled.as_ref(), payer).await?,
        import: import_before(city, bill.biller, settled.as_ref()).await?,
        settlement: match &settled {
            Some(settled) => Some(settlement(city, settled).await?),
            None => None,
        },
        bill: BillFacts {
            id: bill.id,
            account_no: bill.account_no.clone(),
            bill_no: bill.bill_no.clone(),
            period: bill.period,
            amount_minor: bill.amount_minor,
            due: bill.due.to_string(),
            state,
        },
    })
}

/// The claim that a payment was.
async fn claim_of(city: &City, bill: &Bill, payment: PaymentId) -> Result<Option<Claim>, Fault> {
    let found = city.ledger.lookup_transfers(vec![payment.as_u128()]).await?;
    let is_claim =
        |t: &Transfer| t.code == transfer_code::BILL_PAYMENT && t.flags.contains(TransferFlags::Pending);
    let Some(pending) = found.into_iter().find(is_claim) else { return Ok(None) };
    let draws = standing::draws_of(city, pending.id).await?;
    Ok(Some(Claim {
        payment,
        bill: bill.id,
        payer: ResidentId::from_u128(pending.debit_account_id),
        account_no: bill.account_no.clone(),
        bill_no: bill.bill_no.clone(),
        period: bill.period,
        amount_minor: i64::try_from(pending.amount).unwrap_or(i64::MAX),
        at: instant(pending.timestamp),
        way: draws.first().map_or(0, |draw| draw.user_data_32),
    }))
}

async fn payment_facts(
    city: &City,
    settled: &Settled,
    claim: Option<&Claim>,
) -> Result<PaymentFacts, BillError> {
    let refunded_minor = refund::refunded(city, settled.payment).await?;
    let way = routes(city, settled.biller).zip(claim).and_then(|(routes, claim)| routes.name_of(claim.way));
    Ok(PaymentFacts {
        id: settled.payment,
        amount_minor: settled.amount_minor,
        late_fee_minor: settled.late_fee_minor,
        claimed_at: claim.map_or(settled.at, |claim| claim.at),
        settled_at: settled.at,
        way,
        refunded_minor,
        left_minor: settled.amount_minor - refunded_minor,
    })
}

/// What the biller says now, of the payment and of the bill; nothing where it is not one that is asked.
async fn asked(city: &City, bill: &Bill, claim: Option<&Claim>) -> Option<BillerSays> {
    let routes = routes(city, bill.biller)?;
    let payment = match claim {
        Some(claim) => routes.look(claim).await.map(|reply| match reply {
            Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate) => SaysOfPayment::Taken,
            Reply::Meant(Meaning::Pending | Meaning::Busy | Meaning::Closed)
            | Reply::Silent(_)
            | Reply::NotSent(_) => SaysOfPayment::NoAnswer,
            Reply::Meant(_) => SaysOfPayment::NotTaken,
        }),
        None => None,
    };
    let (listed, listed_minor) = match routes.query(&bill.account_no).await {
        Some(Reply::Said(debts)) => {
            let debt = debts.iter().find(|debt| debt.bill_no == bill.bill_no);
            (Some(debt.is_some()), debt.map(|debt| debt.amount_minor))
        }
        Some(Reply::Meant(Meaning::NothingDue)) => (Some(false), None),
        _ => (None, None),
    };
    Some(BillerSays { payment, listed, listed_minor })
}

/// Other payments of the account, and of the payer to this biller.
async fn others(
    city: &City,
    bill: &Bill,
    settled: Option<&Settled>,
    payer: ResidentId,
) -> Result<Vec<OtherPayment>, BillError> {
    let (least, greatest) = super::rules::account_range(bill.biller, &bill.account_no);
    let mut conn = city.store.read().await?;
    let mut siblings = store::bills_between(&mut conn, least, greatest).await?;
    drop(conn);
    siblings.retain(|b| b.biller == bill.biller && b.account_no == bill.account_no);
    let ids: Vec<BillId> = siblings.iter().map(|b| b.id).collect();
    let mut found = Vec::new();
    for (sibling, standing) in siblings.iter().zip(standing::standing(city, &ids).await?) {
        if let Standing::Settled(one) = standing {
            found.push(other(sibling, &one, payer, true));
        }
    }
    let look = AccountFilter {
        account_id: books::wallet(payer),
        code: transfer_code::BILL_PAYMENT,
        limit: LOOK_BACK,
        flags: AccountFilterFlags::Debits | AccountFilterFlags::Reversed,
        ..AccountFilter::default()
    };
    for post in city.ledger.get_account_transfers(look).await? {
        let to_it = post.credit_account_id == books::biller(bill.biller);
        if to_it && post.flags.contains(TransferFlags::PostPendingTransfer) {
            let one = Settled::of(&post);
            let of = known_bill(city, one.bill).await?;
            if of.account_no != bill.account_no {
                found.push(other(&of, &one, payer, false));
            }
        }
    }
    found.retain(|one| settled.is_none_or(|settled| settled.payment != one.payment));
    found.sort_by_key(|one| std::cmp::Reverse(one.at));
    found.truncate(OTHERS_MAX);
    Ok(found)
}

fn other(bill: &Bill, settled: &Settled, payer: ResidentId, same_account: bool) -> OtherPayment {
    OtherPayment {
        payment: settled.payment,
        account_no: bill.account_no.clone(),
        bill_no: bill.bill_no.clone(),
        period: bill.period,
        amount_minor: settled.amount_minor,
        at: settled.at,
        same_payer: settled.payer == payer,
        same_account,
    }
}

async fn import_before(
    city: &City,
    biller: BillerId,
    settled: Option<&Settled>,
) -> Result<Option<ImportFacts>, BillError> {
    let before = settled.map(|settled| settled.at);
    let newest = super::imports(city, biller, before, 1).await?.pop();
    Ok(newest.map(|import| ImportFacts { id: import.id, name: import.name, begun_at: import.created_at }))
}

/// How many disagreements of a day are looked through.
const BREAKS_MAX: u64 = 5_000;

async fn settlement(city: &City, settled: &Settled) -> Result<SettlementFacts, BillError> {
    let day: Date = settled.at.date(city.settings.offset);
    let mut facts =
        SettlementFacts { day: day.to_string(), matched: false, payout: None, breaks: Vec::new() };
    let report = match reconcile::report(city, settled.biller, day).await {
        Err(BillError::NotReconciled) => return Ok(facts),
        report => report?,
    };
    facts.matched = report.billers.is_some() || report.banks.is_some();
    facts.payout = report.payout;
    let reference = settled.payment.to_string();
    let mut after = 0;
    while after < report.breaks.min(BREAKS_MAX) {
        let page = reconcile::breaks(city, settled.biller, day, after, 200).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let ours = page.into_iter().filter(|(_, found)| found.reference == reference);
        facts.breaks.extend(ours.map(|(_, found)| BreakFacts {
            source: found.source,
            code: found.code,
            ours_minor: found.ours_minor,
            theirs_minor: found.theirs_minor,
        }));
    }
    Ok(facts)
}

/// Asks a biller to give a payment or a part of it back; `None` where it is not asked for such things: it has agreed
/// otherwise, and bears it at its next payout. Safe to repeat with the same refund.
pub async fn ask_back(
    city: &City,
    settled: &Settled,
    refund: RefundId,
    amount_minor: i64,
) -> Result<Option<Reply>, BillError> {
    let Some(routes) = routes(city, settled.biller) else { return Ok(None) };
    let bill = known_bill(city, settled.bill).await?;
    let Some(claim) = claim_of(city, &bill, settled.payment).await? else { return Ok(None) };
    Ok(routes.refund(&claim, &refund.to_string(), amount_minor).await)
}

/// The newest payment of a bill, or of a part of it, by this payer.
pub async fn payment_by(
    city: &City,
    bill: BillId,
    payer: ResidentId,
) -> Result<Option<PaymentId>, BillError> {
    let posted = parts::progress_of(city, bill).await?.posted;
    let theirs = posted.iter().rev().find(|part| part.settled.payer == payer);
    Ok(theirs.map(|part| part.settled.payment))
}
