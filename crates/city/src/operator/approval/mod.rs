//! Four eyes: a deposit, withdrawal, pay-out or campaign's budget above the limit is asked for by one operator and approved by
//! another.
//!
//! ```text
//! waiting ──reject──▶ rejected
//!    └─────approve──▶ approved ──ledger took it──▶ booked
//!                         └──────ledger refused──▶ failed
//! ```
//!
//! Invariants:
//! - Approving and rejecting compete by one guarded UPDATE of a row that waits, and neither is the asker's, nor
//!   of a key that somebody may hold who may hold the asker's: keys are seen by whoever makes them.
//! - Money moves after that, through the direct verb and with its id: any number of approvers, nodes and crashes
//!   move it once. What was approved is never rejected, so nothing that is called rejected has moved.
//! - How an approval ends is decided in the ledger: its marker is in the chain that moves the money, or is written
//!   when the ledger has refused. Whichever comes first stands, so what has failed is never booked by a node held up.
//! - An approved row whose booking was cut off is driven to its end by [`run`], or by approving again.
//! - For a reference of the bank one request is open at a time; what was rejected or failed may be asked anew.

pub mod http;
mod store;

use std::collections::HashMap;
use std::time::Duration;

use kernel::ids::{
    ApprovalId, CampaignId, CollectorId, KeyId, MerchantId, OperatorId, PaymentId, ResidentId,
};
use kernel::{Money, Timestamp, derive_u128};
use ledger::Transfer;
use tokio::sync::watch;

use super::audit::{Act, audited};
use super::{OperatorError, rules};
use crate::bill::{advance, collect};
use crate::books::transfer_code;
use crate::identity::{self, Operator, Role};
use crate::wallet::{Moved, WalletError};
use crate::{City, Refusal, books, coupon, merchant, wallet};

/// What kind of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// Bank → wallet.
    Deposit,
    /// Wallet → bank.
    Withdrawal,
    /// Shop → bank.
    Payout,
    /// Bank → campaign of coupons.
    Campaign,
    /// Collector → bank: what it collected, handed over.
    Collector,
    /// Advance → whoever paid it in.
    AdvanceReturn,
}

impl MovementKind {
    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            MovementKind::Deposit => "deposit",
            MovementKind::Withdrawal => "withdrawal",
            MovementKind::Payout => "payout",
            MovementKind::Campaign => "campaign",
            MovementKind::Collector => "collector",
            MovementKind::AdvanceReturn => "advance_return",
        }
    }

    fn from_name(name: &str) -> Option<MovementKind> {
        use MovementKind as K;
        [K::Deposit, K::Withdrawal, K::Payout, K::Campaign, K::Collector, K::AdvanceReturn]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// How an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// For a second operator.
    Waiting,
    /// Said no to.
    Rejected,
    /// Said yes to; the ledger is being asked.
    Approved,
    /// The ledger has it.
    Booked,
    /// The ledger refused it.
    Failed,
}

impl ApprovalState {
    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            ApprovalState::Waiting => "waiting",
            ApprovalState::Rejected => "rejected",
            ApprovalState::Approved => "approved",
            ApprovalState::Booked => "booked",
            ApprovalState::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Option<ApprovalState> {
        use ApprovalState as S;
        [S::Waiting, S::Rejected, S::Approved, S::Booked, S::Failed].into_iter().find(|s| s.name() == name)
    }
}

/// A movement as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Which way.
    pub kind: MovementKind,
    /// The resident's, the shop's or the campaign's 128 bits.
    pub subject: u128,
    /// How much.
    pub amount: Money,
    /// The bank's own reference, or for a campaign its id: moved once.
    pub reference: String,
}

impl Movement {
    /// What the direct way knows it by in the ledger.
    pub fn payment(&self) -> PaymentId {
        match self.kind {
            MovementKind::Deposit => wallet::deposit_id(&self.reference),
            MovementKind::Withdrawal => wallet::withdrawal_id(&self.reference),
            MovementKind::Payout => merchant::payout_id(&self.reference),
            MovementKind::Campaign => coupon::budget_id(CampaignId::from_u128(self.subject)),
            MovementKind::Collector => {
                collect::settlement_id(CollectorId::from_u128(self.subject), &self.reference)
            }
            MovementKind::AdvanceReturn => advance::return_id(PaymentId::from_u128(self.subject)),
        }
    }

    /// Whose money, as people write it.
    pub fn subject_text(&self) -> String {
        match self.kind {
            MovementKind::Payout => MerchantId::from_u128(self.subject).to_string(),
            MovementKind::Campaign => CampaignId::from_u128(self.subject).to_string(),
            MovementKind::Collector => CollectorId::from_u128(self.subject).to_string(),
            MovementKind::AdvanceReturn => PaymentId::from_u128(self.subject).to_string(),
            MovementKind::Deposit | MovementKind::Withdrawal => {
                ResidentId::from_u128(self.subject).to_string()
            }
        }
    }

    /// Refuses what the ledger need not be asked about.
    async fn check(&self, city: &City) -> Result<(), OperatorError> {
        let (subject, amount) = (self.subject, self.amount);
        match self.kind {
            MovementKind::Payout => {
                let shop = MerchantId::from_u128(subject);
                merchant::check_payout(city, shop, amount, &self.reference).await?;
            }
            MovementKind::Campaign => {
                coupon::check_funding(city, CampaignId::from_u128(subject), amount).await?;
            }
            MovementKind::Collector => {
                let collector = CollectorId::from_u128(subject);
                collect::check_settlement(city, collector, amount, &self.reference).await?;
            }
            MovementKind::AdvanceReturn => {
                advance::check_return(city, PaymentId::from_u128(subject), amount).await?;
            }
            MovementKind::Deposit | MovementKind::Withdrawal => {
                let resident = ResidentId::from_u128(subject);
                wallet::check_booking(city, resident, amount, &self.reference).await?;
            }
        }
        Ok(())
    }

    /// The direct way; with a marker in the same chain where one is given.
    async fn book(
        &self,
        city: &City,
        by: &Operator,
        beside: Option<Transfer>,
    ) -> Result<Moved, OperatorError> {
        let (resident, shop) = (ResidentId::from_u128(self.subject), MerchantId::from_u128(self.subject));
        let (amount, reference) = (self.amount, self.reference.as_str());
        Ok(match self.kind {
            MovementKind::Deposit => {
                wallet::deposit_beside(city, by, resident, amount, reference, beside).await?
            }
            MovementKind::Withdrawal => {
                wallet::withdraw_beside(city, by, resident, amount, reference, beside).await?
            }
            MovementKind::Payout => {
                merchant::pay_out_beside(city, by, shop, amount, reference, beside).await?
            }
            MovementKind::Campaign => {
                let campaign = CampaignId::from_u128(self.subject);
                coupon::fund_beside(city, by, campaign, amount, beside).await?
            }
            MovementKind::Collector => {
                let collector = CollectorId::from_u128(self.subject);
                collect::settle_beside(city, by, collector, amount, reference, beside).await?
            }
            MovementKind::AdvanceReturn => {
                let payment = PaymentId::from_u128(self.subject);
                advance::give_back_beside(city, by, payment, amount, beside).await?
            }
        })
    }
}

/// A request for a movement above the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Which.
    pub id: ApprovalId,
    /// As it was asked.
    pub movement: Movement,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// Who asked.
    pub asked_by: OperatorId,
    /// With which key.
    pub asked_key: KeyId,
    /// When.
    pub asked_at: Timestamp,
    /// How it stands.
    pub state: ApprovalState,
    /// Who approved or rejected it, with which key, when.
    pub decided: Option<(OperatorId, KeyId, Timestamp)>,
    /// Why, in the decider's words.
    pub decision_reason: Option<String>,
    /// The code of the refusal that made it fail.
    pub outcome: Option<String>,
}

/// What came of asking for a movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booking {
    /// It happened.
    Moved(Moved),
    /// It waits for a second operator.
    Waits(Box<Approval>),
}

/// How often a request is looked for that somebody decides meanwhile.
const TRIES: u32 = 3;

/// Books a movement, or above the limit asks for it. What was booked before is answered as it was.
pub async fn book(
    city: &City,
    by: &Operator,
    wanted: Movement,
    reason: Option<&str>,
) -> Result<Booking, OperatorError> {
    by.role.require(Role::Staff)?;
    wanted.check(city).await?;
    let alone = !rules::needs_four_eyes(wanted.amount.minor, city.settings.four_eyes_limit_minor);
    if alone || books::find_once(&city.ledger, wanted.payment().as_u128()).await?.is_some() {
        // What a program books is in the ledger, with its operator; what a person books, and gave a reason for, in the trail too.
        if !by.browser && reason.is_none() {
            return Ok(Booking::Moved(wanted.book(city, by, None).await?));
        }
        let act = Act::on(wanted.kind.name(), wanted.subject_text());
        let act = act.with(format!("{} {}", wanted.amount.minor, wanted.reference));
        return Ok(Booking::Moved(audited(city, by, reason, act, wanted.book(city, by, None)).await?));
    }
    let act = Act::on("ask_approval", wanted.subject_text());
    let what = format!("{} {} {}", wanted.kind.name(), wanted.amount.minor, wanted.reference);
    // The asker's own reason is welcome; the second operator's is the one that counts.
    let asker = Operator { browser: false, ..*by };
    let reason_text = rules::reason(reason, false)?;
    let asking = ask(city, by, wanted, reason_text);
    Ok(Booking::Waits(Box::new(audited(city, &asker, reason, act.with(what), asking).await?)))
}

async fn ask(
    city: &City,
    by: &Operator,
    wanted: Movement,
    reason: Option<String>,
) -> Result<Approval, OperatorError> {
    let now = city.now();
    let new = Approval {
        id: ApprovalId::new(now, &*city.rng),
        movement: wanted,
        reason,
        asked_by: by.id,
        asked_key: by.key,
        asked_at: now,
        state: ApprovalState::Waiting,
        decided: None,
        decision_reason: None,
        outcome: None,
    };
    for _ in 0..TRIES {
        let row = new.clone();
        let there: Result<Option<Approval>, OperatorError> = city
            .store
            .write(move |conn| {
                Box::pin(async move {
                    store::add(conn, &row).await?;
                    Ok(store::open(conn, &row.movement).await?)
                })
            })
            .await;
        match there? {
            Some(open) if open.movement == new.movement => return Ok(open),
            Some(_) => return Err(OperatorError::ApprovalDiffers),
            None => {} // the one that was in the way has been decided since
        }
    }
    Err(crate::Fault::Books(format!("{} neither waits nor can wait", new.id)).into())
}

/// The approval of this id.
pub async fn get(city: &City, by: &Operator, id: ApprovalId) -> Result<Approval, OperatorError> {
    by.role.require(Role::Staff)?;
    read(city, id).await
}

async fn read(city: &City, id: ApprovalId) -> Result<Approval, OperatorError> {
    let mut conn = city.store.read().await?;
    store::get(&mut conn, id).await?.ok_or(OperatorError::ApprovalUnknown)
}

/// Approvals, newest first, in one state or in any, before one.
pub async fn list(
    city: &City,
    by: &Operator,
    state: Option<ApprovalState>,
    before: Option<ApprovalId>,
    limit: u32,
) -> Result<Vec<Approval>, OperatorError> {
    by.role.require(Role::Staff)?;
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, state, before, limit).await?)
}

/// Approvals that wait and were asked for before one, newest first.
pub(super) async fn waiting_before(
    city: &City,
    before: ApprovalId,
    limit: u32,
) -> Result<Vec<Approval>, OperatorError> {
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, Some(ApprovalState::Waiting), Some(before), limit).await?)
}

/// The transfers that booked approvals, by their own ids; what is not in the ledger is left out.
pub async fn payments(
    city: &City,
    approvals: &[Approval],
) -> Result<HashMap<ApprovalId, PaymentId>, OperatorError> {
    let mut of = HashMap::new();
    for approval in approvals.iter().filter(|a| a.state == ApprovalState::Booked) {
        let base = approval.movement.payment().as_u128();
        of.extend((0..=books::ATTEMPTS_MAX).map(|k| (books::attempt_id(base, k), approval.id)));
    }
    let found = city.ledger.lookup_transfers(of.keys().copied().collect()).await?;
    Ok(found.iter().map(|t| (of[&t.id], PaymentId::from_u128(t.id))).collect())
}

/// Approves a request and moves its money. Safe to repeat: what is approved is driven to its end, what is booked
/// is answered as it is.
pub async fn approve(
    city: &City,
    by: &Operator,
    id: ApprovalId,
    reason: Option<&str>,
) -> Result<Approval, OperatorError> {
    let deciding = async {
        let decided = decide(city, by, id, ApprovalState::Approved, reason).await?;
        match decided.state {
            ApprovalState::Approved => finish(city, decided).await,
            ApprovalState::Booked => Ok(decided),
            other => Err(OperatorError::ApprovalDecided(other.name())),
        }
    };
    audited(city, by, reason, Act::on("approve", id), deciding).await
}

/// Rejects a request: no money moves. Safe to repeat.
pub async fn reject(
    city: &City,
    by: &Operator,
    id: ApprovalId,
    reason: Option<&str>,
) -> Result<Approval, OperatorError> {
    let deciding = async {
        let decided = decide(city, by, id, ApprovalState::Rejected, reason).await?;
        match decided.state {
            ApprovalState::Rejected => Ok(decided),
            other => Err(OperatorError::ApprovalDecided(other.name())),
        }
    };
    audited(city, by, reason, Act::on("reject", id), deciding).await
}

/// Decides a request that waits; answers with how it stands then, decided by whomever.
async fn decide(
    city: &City,
    by: &Operator,
    id: ApprovalId,
    to: ApprovalState,
    reason: Option<&str>,
) -> Result<Approval, OperatorError> {
    by.role.require(Role::Staff)?;
    let (who, now, reason) = (*by, city.now(), rules::reason(reason, by.browser)?);
    // What is looked at here never changes: who asked with which key, and with which key a key was made.
    let asked = read(city, id).await?;
    if asked.asked_by == by.id {
        return Err(OperatorError::ApprovalOwn);
    }
    let asking = identity::hands(city, asked.asked_key).await?;
    let deciding = identity::hands(city, by.key).await?;
    if !rules::two_pairs_of_eyes(asked.asked_by, &asking, by.id, &deciding) {
        return Err(OperatorError::ApprovalOneHand);
    }
    let decided: Result<Option<Approval>, OperatorError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::decide(conn, id, to, &who, reason.as_deref(), now).await?;
                Ok(store::get(conn, id).await?)
            })
        })
        .await;
    decided?.ok_or(OperatorError::ApprovalUnknown)
}

/// The marker that decides in the ledger how an approval ends: with its movement, or without.
fn marker_of(id: ApprovalId) -> u128 {
    derive_u128("approval", &[&id.to_bytes()])
}

/// Asks the ledger for what was approved, and keeps what it said. Without an answer the approval stays as it is. What
/// it refuses has failed once the approval's marker says so: from then on no node that was held up can book it.
async fn finish(city: &City, approval: Approval) -> Result<Approval, OperatorError> {
    let Some((id, key, _)) = approval.decided else {
        return Err(crate::Fault::Books(format!("{} is approved by nobody", approval.id)).into());
    };
    let by = Operator { id, role: Role::Staff, key, browser: false };
    let (id, mark) = (approval.id, marker_of(approval.id));
    let beside = books::marker(mark, transfer_code::APPROVAL_BOOKED);
    let refused = match approval.movement.book(city, &by, Some(beside)).await {
        Ok(_) => None,
        Err(unknown) if unknown.status() >= 500 => return Err(unknown),
        Err(refused) => Some(refused),
    };
    if let Some(refused) = &refused {
        let code = refused.code();
        let noted: Result<(), OperatorError> = city
            .store
            .write(move |conn| Box::pin(async move { Ok(store::note_refusal(conn, id, code).await?) }))
            .await;
        noted?;
    }
    let ended = match &refused {
        Some(_) => books::mark(&city.ledger, mark, transfer_code::APPROVAL_FAILED).await?,
        None => transfer_code::APPROVAL_BOOKED,
    };
    let (failed, now) = (ended == transfer_code::APPROVAL_FAILED, city.now());
    let ended: Result<Option<Approval>, OperatorError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::end(conn, id, failed, now).await?;
                Ok(store::get(conn, id).await?)
            })
        })
        .await;
    let approval = ended?.ok_or(OperatorError::ApprovalUnknown)?;
    let given_up = |refused: &OperatorError| refused.code() == WalletError::GivenUp.code();
    match refused.filter(|_| failed) {
        // Somebody else heard the refusal that made it fail.
        Some(refused) if given_up(&refused) => Err(OperatorError::ApprovalDecided(approval.state.name())),
        Some(refused) => Err(refused),
        None => Ok(approval),
    }
}

/// How many are read at once.
const BATCH: u32 = 100;
/// How often what is approved and not booked is looked for.
const EVERY: Duration = Duration::from_secs(20);

/// Drives everything that was approved and not booked to its end, the oldest first. Says how many it ended.
pub async fn resume(city: &City) -> Result<usize, OperatorError> {
    let (mut ended, mut after) = (0, ApprovalId::from_u128(0));
    loop {
        let open = {
            let mut conn = city.store.read().await?;
            store::approved_after(&mut conn, after, BATCH).await?
        };
        let Some(last) = open.last() else { return Ok(ended) };
        after = last.id;
        for approval in open {
            let id = approval.id;
            match finish(city, approval).await {
                Ok(_) => ended += 1,
                Err(refused) if refused.status() < 500 => ended += 1,
                Err(why) => {
                    tracing::error!(approval = %id, %why, "an approved movement could not be booked yet");
                }
            }
        }
    }
}

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(why) = resume(&city).await {
            tracing::error!(%why, "approved movements could not be looked for");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
