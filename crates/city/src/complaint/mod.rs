//! Complaints about bills and their payments: paid but still due, paid twice, for a wrong account, with a wrong amount.
//!
//! ```text
//!  raised ─▶ biller ──answers, or its time is over──▶ operator ──time is over──▶ supervisor
//!                                                        │                          │ ▲
//!             ┌──────────corrected, dismissed────────────┴────────────┬─────────────┘ └─reopened, once
//!             ▼                                                       ▼
//!           ended ◀──refunded── refunding ◀──(second, above the four-eyes limit)
//! ```
//!
//! Invariants:
//! - Every step is one guarded change with a record of its own, and says until when the next is due. Of two at once the
//!   second looks again.
//! - A complaint is one of a resident, a bill and a kind: its id is derived from them, so raising it again is the same one.
//! - A refund is made once: its id is derived from the complaint and the number of the decision, and a decision is either
//!   booked or closed in the ledger before there can be another. The biller that is asked is asked first, with that id.
//!   What all refunds of a payment come to is bounded by an account: see [`bill::refund`].
//! - Whether money went back is read from the ledger: a row ends as refunded only after that.
//! - Evidence is put together, never typed in; the finding is a pure rule over it, and decides nothing.

mod error;
pub mod http;
pub mod rules;
mod store;
mod work;

use ::store::{StoreError, jobs};
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, ComplaintId, KeyId, OperatorId, PaymentId, RefundId, ResidentId};

pub use error::ComplaintError;
pub use rules::{ComplaintKind, ComplaintState, Finding, Proposal, StepActor, StepKind};
pub use work::{start, work};

use crate::bill::dispute::{self, Evidence};
use crate::identity::{Biller, Operator, Resident, Role};
use crate::{City, Fault, bill};

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Which.
    pub id: ComplaintId,
    /// Who complains.
    pub resident: ResidentId,
    /// Of whom.
    pub biller: BillerId,
    /// About which bill.
    pub bill: BillId,
    /// And which payment of it by this resident.
    pub payment: Option<PaymentId>,
    /// Of what.
    pub kind: ComplaintKind,
    /// In the resident's words.
    pub words: String,
    /// The [`Evidence`] as it was when it was raised, JSON.
    evidence: String,
    /// What it came to then.
    pub finding: Finding,
    /// How it should end by that.
    pub proposal: Proposal,
    /// And what should be given back, minor units.
    pub proposed_minor: Option<i64>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// The number of its newest step.
    pub step: i64,
    /// Whose turn it is, or how it ended.
    pub state: ComplaintState,
    /// Who decides: operator or supervisor.
    pub level: ComplaintState,
    /// Whoever's turn it is should be done by then.
    pub due_at: Option<Timestamp>,
    /// What the biller answered.
    pub answer: Option<Answer>,
    /// The number of the newest decision on a refund; 0 where there was none.
    decision: i64,
    /// What it gives back, minor units.
    pub amount_minor: Option<i64>,
    /// Who made it, with which key.
    pub decided: Option<(OperatorId, KeyId)>,
    /// Whether the biller is asked for the money first.
    pub ask_biller: bool,
    /// Why a refund that was decided is not made yet: `biller_silent`, `biller_funds`.
    pub problem: Option<String>,
    /// Why it ended so, in the operator's words.
    pub verdict: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether it was reopened.
    pub reopened: bool,
}

impl Complaint {
    /// The evidence as it was when it was raised.
    pub fn evidence(&self) -> Result<Evidence, Fault> {
        serde_json::from_str(&self.evidence)
            .map_err(|_| Fault::Store(StoreError::Corrupt("complaint.evidence")))
    }

    /// The refund of its newest decision.
    pub fn refund(&self) -> Option<RefundId> {
        let number = self.decision.to_be_bytes();
        (self.decision > 0).then(|| RefundId::derive(&[&self.id.to_bytes(), &number]))
    }
}

/// What a biller answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the resident is right.
    pub accepts: bool,
    /// What should be given back, minor units.
    pub amount_minor: Option<i64>,
    /// Why.
    pub words: String,
}

/// A step of a complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted by complaint, from 1.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who took it.
    pub actor: StepActor,
    /// Which operator.
    pub operator: Option<OperatorId>,
    /// What happened.
    pub what: StepKind,
    /// What they wrote.
    pub words: Option<String>,
    /// An amount that was named, minor units.
    pub amount_minor: Option<i64>,
    /// Whose turn it was from then on.
    pub state: ComplaintState,
    /// And until when.
    pub due_at: Option<Timestamp>,
}

/// What somebody wants to complain of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Of what kind.
    pub kind: ComplaintKind,
    /// About this payment; or else
    pub payment: Option<PaymentId>,
    /// about this bill.
    pub bill: Option<BillId>,
    /// What happened.
    pub words: String,
}

/// How an operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Money goes back.
    Refund {
        /// Minor units.
        amount_minor: i64,
        /// Whether a biller that is asked is asked for it first; not where it has agreed otherwise.
        ask_biller: bool,
    },
    /// The biller has put its books right.
    Correct,
    /// There is nothing to put right.
    Dismiss,
}

/// Whose complaints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Everybody's.
    All,
    /// This resident's.
    Resident(ResidentId),
    /// Those about this biller.
    Biller(BillerId),
}

/// A complaint with everything there is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The complaint.
    pub complaint: Complaint,
    /// What was known when it was raised.
    pub raised: Evidence,
    /// What is known now.
    pub now: Evidence,
    /// What that comes to: finding, proposal, minor units to give back.
    pub found: (Finding, Proposal, Option<i64>),
    /// Its steps, oldest first.
    pub steps: Vec<Step>,
}

/// How often a step is tried again that another came in before.
const TRIES: usize = 8;
/// Jobs: making a refund.
const REFUND: &str = "complaint_refund";

/// Takes a complaint. Safe to repeat: the same bill and kind are the same complaint.
pub async fn raise(city: &City, who: &Resident, wish: Raise) -> Result<Complaint, ComplaintError> {
    let words = rules::words(&wish.words).ok_or(ComplaintError::WordsMalformed)?;
    let (bill, payment) = match (wish.payment, wish.bill) {
        (Some(payment), None) => {
            let settled = bill::refund::settled(city, payment).await?;
            if settled.payer != who.id {
                return Err(bill::BillError::PaymentUnknown.into());
            }
            (settled.bill, Some(payment))
        }
        (None, Some(id)) => {
            (bill::bill(city, id).await?.bill.id, dispute::payment_by(city, id, who.id).await?)
        }
        _ => return Err(ComplaintError::SubjectMissing),
    };
    if payment.is_none() && wish.kind != ComplaintKind::PaidButDue {
        return Err(ComplaintError::NothingPaid);
    }
    let id = ComplaintId::derive(&[&who.id.to_bytes(), &bill.to_bytes(), wish.kind.name().as_bytes()]);
    if let Some(there) = read(city, id).await? {
        return Ok(there);
    }
    let biller = bill::bill(city, bill).await?.bill.biller;
    let evidence = dispute::evidence(city, bill, payment, who.id, true).await?;
    let (finding, proposal, proposed_minor) = rules::find(wish.kind, &evidence);
    let (now, state) = (city.now(), ComplaintState::Biller);
    let new = Complaint {
        id,
        resident: who.id,
        biller,
        bill,
        payment,
        kind: wish.kind,
        words,
        evidence: serde_json::to_string(&evidence).map_err(|e| Fault::Books(e.to_string()))?,
        finding,
        proposal,
        proposed_minor,
        raised_at: now,
        step: 1,
        state,
        level: ComplaintState::Operator,
        due_at: rules::due_at(state, now, city.settings.offset),
        answer: None,
        decision: 0,
        amount_minor: None,
        decided: None,
        ask_biller: true,
        problem: None,
        verdict: None,
        ended_at: None,
        reopened: false,
    };
    let step = Step {
        number: 1,
        at: now,
        actor: StepActor::Resident,
        operator: None,
        what: StepKind::Raised,
        words: Some(new.words.clone()),
        amount_minor: None,
        state,
        due_at: new.due_at,
    };
    let added: Result<bool, ComplaintError> =
        city.store.write(move |conn| Box::pin(async move { Ok(store::add(conn, &new, &step).await?) })).await;
    added?;
    read(city, id).await?.ok_or(ComplaintError::Unknown)
}

async fn read(city: &City, id: ComplaintId) -> Result<Option<Complaint>, ComplaintError> {
    let mut conn = city.store.read().await?;
    Ok(store::by_id(&mut conn, id).await?)
}

/// The complaint, if it is one of these.
async fn one_of(city: &City, of: Of, id: ComplaintId) -> Result<Complaint, ComplaintError> {
    let theirs = |c: &Complaint| match of {
        Of::All => true,
        Of::Resident(resident) => c.resident == resident,
        Of::Biller(biller) => c.biller == biller,
    };
    read(city, id).await?.filter(theirs).ok_or(ComplaintError::Unknown)
}

/// A step to be taken.
struct Move {
    /// The complaint after it; number, state and time are set by whoever takes it.
    to: Complaint,
    state: ComplaintState,
    actor: StepActor,
    operator: Option<OperatorId>,
    what: StepKind,
    words: Option<String>,
    amount_minor: Option<i64>,
}

impl Move {
    fn new(to: &Complaint, state: ComplaintState, actor: StepActor, what: StepKind) -> Move {
        Move { to: to.clone(), state, actor, operator: None, what, words: None, amount_minor: None }
    }
}

/// Takes the step that `next` makes of the complaint as it stands; as it stands where there is none.
async fn advance(
    city: &City,
    of: Of,
    id: ComplaintId,
    next: impl Fn(&Complaint) -> Result<Option<Move>, ComplaintError>,
) -> Result<Complaint, ComplaintError> {
    for _ in 0..TRIES {
        let there = one_of(city, of, id).await?;
        let Some(Move { mut to, state, actor, operator, what, words, amount_minor }) = next(&there)? else {
            return Ok(there);
        };
        let now = city.now();
        let due_at = rules::due_at(state, now, city.settings.offset);
        (to.step, to.state, to.due_at) = (there.step + 1, state, due_at);
        to.ended_at = state.is_end().then_some(now);
        if matches!(state, ComplaintState::Operator | ComplaintState::Supervisor) {
            to.level = state;
        }
        let number = to.step;
        let step = Step { number, at: now, actor, operator, what, words, amount_minor, state, due_at };
        let after = to.clone();
        let taken: Result<(), ComplaintError> = city
            .store
            .write(move |conn| {
                Box::pin(async move {
                    store::take_step(&mut *conn, &to, &step).await?;
                    if let (ComplaintState::Refunding, Some(refund)) = (to.state, to.refund()) {
                        jobs::enqueue(conn, REFUND, &refund.to_bytes(), &to.id.to_string(), now).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match taken {
            Ok(()) => return Ok(after),
            Err(ComplaintError::Fault(Fault::Store(StoreError::Guard))) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Fault::Store(StoreError::Guard).into())
}

/// The biller answers. Safe to repeat.
pub async fn answer(
    city: &City,
    who: &Biller,
    id: ComplaintId,
    given: Answer,
) -> Result<Complaint, ComplaintError> {
    who.role.require(Role::Staff)?;
    let words = rules::words(&given.words).ok_or(ComplaintError::WordsMalformed)?;
    let given = Answer { words, ..given };
    advance(city, Of::Biller(who.id), id, |c| {
        match &c.answer {
            Some(before) if *before == given => return Ok(None),
            Some(_) => return Err(ComplaintError::Answered),
            None => {}
        }
        if c.state != ComplaintState::Biller {
            return Err(ComplaintError::NotYourTurn(c.state));
        }
        if given.amount_minor.is_some_and(|minor| minor <= 0 || !given.accepts) {
            return Err(ComplaintError::AmountUnacceptable);
        }
        if given.amount_minor.is_some() && c.payment.is_none() {
            return Err(ComplaintError::NothingToRefund);
        }
        let what = if given.accepts { StepKind::BillerAccepted } else { StepKind::BillerRejected };
        let moved = Move::new(c, ComplaintState::Operator, StepActor::Biller, what);
        let to = Complaint { answer: Some(given.clone()), ..moved.to };
        Ok(Some(Move { to, words: Some(given.words.clone()), amount_minor: given.amount_minor, ..moved }))
    })
    .await
}

/// An operator decides; a refund above the four-eyes limit waits for another. Safe to repeat.
pub async fn decide(
    city: &City,
    by: &Operator,
    id: ComplaintId,
    decision: Decision,
    words: &str,
) -> Result<Complaint, ComplaintError> {
    by.role.require(Role::Staff)?;
    let words = rules::words(words).ok_or(ComplaintError::WordsMalformed)?;
    let complaint = one_of(city, Of::All, id).await?;
    if let Decision::Refund { amount_minor, .. } = decision
        && !is_decided(&complaint, by, decision)
    {
        let payment = complaint.payment.ok_or(ComplaintError::NothingToRefund)?;
        let settled = bill::refund::settled(city, payment).await?;
        let left = settled.amount_minor - bill::refund::refunded(city, payment).await?;
        if !(1..=left).contains(&amount_minor) {
            return Err(ComplaintError::AmountUnacceptable);
        }
    }
    advance(city, Of::All, id, |c| {
        if is_decided(c, by, decision) {
            return Ok(None);
        }
        match c.state {
            ComplaintState::Operator => {}
            ComplaintState::Supervisor => by.role.require(Role::Admin)?,
            other => return Err(ComplaintError::NotYourTurn(other)),
        }
        let above = |minor: i64| minor > city.settings.four_eyes_limit_minor;
        let (state, what) = match decision {
            Decision::Refund { amount_minor, .. } if above(amount_minor) => {
                (ComplaintState::Second, StepKind::RefundProposed)
            }
            Decision::Refund { .. } => (ComplaintState::Refunding, StepKind::RefundDecided),
            Decision::Correct => (ComplaintState::Corrected, StepKind::Corrected),
            Decision::Dismiss => (ComplaintState::Dismissed, StepKind::Dismissed),
        };
        let moved = Move::new(c, state, StepActor::Operator, what);
        let mut to = moved.to;
        (to.verdict, to.decided, to.problem) = (Some(words.clone()), Some((by.id, by.key)), None);
        let mut named = None;
        if let Decision::Refund { amount_minor, ask_biller } = decision {
            (to.decision, to.amount_minor, to.ask_biller) = (to.decision + 1, Some(amount_minor), ask_biller);
            named = Some(amount_minor);
        }
        Ok(Some(Move { to, operator: Some(by.id), words: Some(words.clone()), amount_minor: named, ..moved }))
    })
    .await
}

/// Whether this operator has decided so already, and it stands.
fn is_decided(c: &Complaint, by: &Operator, decision: Decision) -> bool {
    use ComplaintState as S;
    let same = match decision {
        Decision::Refund { amount_minor, .. } => {
            matches!(c.state, S::Second | S::Refunding | S::Refunded) && c.amount_minor == Some(amount_minor)
        }
        Decision::Correct => c.state == S::Corrected,
        Decision::Dismiss => c.state == S::Dismissed,
    };
    same && c.decided.is_some_and(|(who, _)| who == by.id)
}

/// A second operator agrees to a refund above the limit, or does not. Callers make sure that the two keys are two
/// people's. Safe to repeat.
pub async fn second(
    city: &City,
    by: &Operator,
    id: ComplaintId,
    agrees: bool,
    words: Option<&str>,
) -> Result<Complaint, ComplaintError> {
    by.role.require(Role::Staff)?;
    let words = words.map(|text| rules::words(text).ok_or(ComplaintError::WordsMalformed)).transpose()?;
    advance(city, Of::All, id, |c| {
        if agrees && matches!(c.state, ComplaintState::Refunding | ComplaintState::Refunded) {
            return Ok(None);
        }
        if c.state != ComplaintState::Second {
            return Err(ComplaintError::NotYourTurn(c.state));
        }
        if c.decided.is_none_or(|(who, _)| who == by.id) {
            return Err(ComplaintError::Own);
        }
        let (state, what) = if agrees {
            (ComplaintState::Refunding, StepKind::RefundDecided)
        } else {
            (c.level, StepKind::RefundDeclined)
        };
        let moved = Move::new(c, state, StepActor::Operator, what);
        Ok(Some(Move { operator: Some(by.id), words: words.clone(), amount_minor: c.amount_minor, ..moved }))
    })
    .await
}

/// The resident does not agree with how it ended: once. Safe to repeat.
pub async fn reopen(
    city: &City,
    who: &Resident,
    id: ComplaintId,
    words: &str,
) -> Result<Complaint, ComplaintError> {
    let words = rules::words(words).ok_or(ComplaintError::WordsMalformed)?;
    advance(city, Of::Resident(who.id), id, |c| {
        match (c.reopened, c.state.is_end()) {
            (true, false) => return Ok(None),
            (true, true) => return Err(ComplaintError::ReopenedBefore),
            (false, false) => return Err(ComplaintError::NotYourTurn(c.state)),
            (false, true) => {}
        }
        let moved = Move::new(c, ComplaintState::Supervisor, StepActor::Resident, StepKind::Reopened);
        let to = Complaint { reopened: true, decided: None, amount_minor: None, problem: None, ..moved.to };
        Ok(Some(Move { to, words: Some(words.clone()), ..moved }))
    })
    .await
}

/// Complaints, newest first, in one state or in any, before one. Callers check who may see that.
pub async fn list(
    city: &City,
    of: Of,
    state: Option<ComplaintState>,
    before: Option<(Timestamp, ComplaintId)>,
    limit: u32,
) -> Result<Vec<Complaint>, ComplaintError> {
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, of, state, before, limit).await?)
}

/// A complaint with everything there is to know; `ask` says whether the biller is asked again. A resident is not told of
/// payments by others. Callers check who may see that.
pub async fn view(city: &City, of: Of, id: ComplaintId, ask: bool) -> Result<View, ComplaintError> {
    let complaint = one_of(city, of, id).await?;
    let mut raised = complaint.evidence()?;
    let mut now = dispute::evidence(city, complaint.bill, complaint.payment, complaint.resident, ask).await?;
    if !ask {
        now.biller.clone_from(&raised.biller);
    }
    let found = rules::find(complaint.kind, &now);
    if let Of::Resident(_) = of {
        for evidence in [&mut raised, &mut now] {
            evidence.others.retain(|other| other.same_payer);
        }
    }
    let mut conn = city.store.read().await?;
    let steps = store::steps(&mut conn, id).await?;
    Ok(View { complaint, raised, now, found, steps })
}

/// Complaints that nobody above is left for, and whose time is over: the oldest first. Callers check who may see that.
pub async fn overdue(city: &City, limit: u32) -> Result<Vec<Complaint>, Fault> {
    let states = [ComplaintState::Supervisor, ComplaintState::Second, ComplaintState::Refunding];
    let mut conn = city.store.read().await?;
    Ok(store::lapsed(&mut conn, &states, city.now(), limit).await?)
}
