//! Routes of complaints: residents raise them, billers answer. Those of operators are the operator slice's.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, ComplaintId, OperatorId, PaymentId, RefundId, ResidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    Answer as BillersAnswer, Complaint, ComplaintKind, ComplaintState, Finding, Of, Proposal, Raise, Step,
    StepActor, StepKind, View,
};
use crate::City;
use crate::bill::dispute::Evidence;
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::{Biller, Resident};

/// Every route of complaints but those of operators.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(raise_complaint, own_complaints))
        .routes(routes!(own_complaint))
        .routes(routes!(reopen_complaint))
        .routes(routes!(biller_complaints))
        .routes(routes!(biller_complaint))
        .routes(routes!(answer_complaint))
}

/// A complaint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintAnswer {
    #[schema(value_type = String, example = "cmp_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ComplaintId,
    /// Who complains; billers are not told.
    #[schema(value_type = Option<String>, example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    resident: Option<ResidentId>,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    /// The payment complained of; absent where nothing was paid here.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    payment: Option<PaymentId>,
    kind: ComplaintKind,
    /// In the resident's words.
    words: String,
    /// What the evidence came to when it was raised.
    finding: Finding,
    /// How it should end by that.
    proposal: Proposal,
    /// What should be given back by that.
    proposed: Option<Amount>,
    #[schema(value_type = String, format = DateTime)]
    raised_at: Timestamp,
    /// Whose turn it is, or how it ended.
    state: ComplaintState,
    /// Whoever's turn it is should be done by then: the end of a workday. Absent once it has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// What the biller answered; absent until it did.
    answer: Option<BillersAnswerAnswer>,
    /// What was decided to be given back, or was.
    refund_amount: Option<Amount>,
    /// The refund that was decided last; the transfer in the ledger is derived from it.
    #[schema(value_type = Option<String>, example = "rfd_01h2xcejqtf2nbrexx3vqjhp41")]
    refund: Option<RefundId>,
    /// Why a refund that was decided is not made yet: `biller_silent`, or `biller_funds` where what the biller is owed does
    /// not cover it now. It is tried again by itself.
    problem: Option<String>,
    /// Why it was decided so, in the operator's words.
    verdict: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Whether it was reopened: once is all.
    reopened: bool,
}

/// What a biller answered.
#[derive(Debug, Serialize, ToSchema)]
struct BillersAnswerAnswer {
    /// Whether the resident is right.
    accepts: bool,
    /// What it would give back.
    amount: Option<Amount>,
    words: String,
}

impl ComplaintAnswer {
    pub(crate) fn of(city: &City, c: Complaint, of: Of) -> ComplaintAnswer {
        let amount = |minor: i64| Amount { minor, currency: city.settings.currency };
        let refund = c.refund();
        ComplaintAnswer {
            id: c.id,
            resident: (!matches!(of, Of::Biller(_))).then_some(c.resident),
            biller: c.biller,
            bill: c.bill,
            payment: c.payment,
            kind: c.kind,
            words: c.words,
            finding: c.finding,
            proposal: c.proposal,
            proposed: c.proposed_minor.map(amount),
            raised_at: c.raised_at,
            state: c.state,
            due_at: c.due_at,
            answer: c.answer.map(|a| BillersAnswerAnswer {
                accepts: a.accepts,
                amount: a.amount_minor.map(amount),
                words: a.words,
            }),
            refund_amount: c.amount_minor.map(amount),
            refund,
            problem: c.problem,
            verdict: c.verdict,
            ended_at: c.ended_at,
            reopened: c.reopened,
        }
    }
}

/// A step of a complaint.
#[derive(Debug, Serialize, ToSchema)]
struct ComplaintStepAnswer {
    /// Counted by complaint, from 1.
    step: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    actor: StepActor,
    /// Which operator; told to operators only.
    #[schema(value_type = Option<String>, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    operator: Option<OperatorId>,
    what: StepKind,
    words: Option<String>,
    amount: Option<Amount>,
    /// Whose turn it was from then on.
    state: ComplaintState,
    /// And until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
}

/// A complaint with its evidence and its steps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintViewAnswer {
    complaint: ComplaintAnswer,
    /// What was known when it was raised.
    evidence: Evidence,
    /// What is known now; what the biller says is as it was then, unless it was asked again.
    evidence_now: Evidence,
    /// What that comes to.
    finding_now: Finding,
    proposal_now: Proposal,
    proposed_now: Option<Amount>,
    /// Oldest first.
    steps: Vec<ComplaintStepAnswer>,
}

impl ComplaintViewAnswer {
    pub(crate) fn of(city: &City, view: View, of: Of) -> ComplaintViewAnswer {
        let amount = |minor: i64| Amount { minor, currency: city.settings.currency };
        let step = |step: Step| ComplaintStepAnswer {
            step: step.number,
            at: step.at,
            actor: step.actor,
            operator: step.operator.filter(|_| of == Of::All),
            what: step.what,
            words: step.words,
            amount: step.amount_minor.map(amount),
            state: step.state,
            due_at: step.due_at,
        };
        let (finding_now, proposal_now, proposed) = view.found;
        ComplaintViewAnswer {
            complaint: ComplaintAnswer::of(city, view.complaint, of),
            evidence: view.raised,
            evidence_now: view.now,
            finding_now,
            proposal_now,
            proposed_now: proposed.map(amount),
            steps: view.steps.into_iter().map(step).collect(),
        }
    }
}

/// Which complaints.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComplaintsQuery {
    /// In this state; in any when absent.
    #[param(inline)]
    state: Option<ComplaintState>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// A page of complaints, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintsAnswer {
    items: Vec<ComplaintAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// A page of complaints, as this reader sees them.
pub(crate) async fn page(
    city: &City,
    of: Of,
    reader: Of,
    query: ComplaintsQuery,
) -> Answer<Json<ComplaintsAnswer>> {
    let before = match query.cursor.as_deref() {
        None => None,
        Some(text) => Some(place(text).ok_or_else(|| {
            Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged")
        })?),
    };
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = super::list(city, of, query.state, before, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|c| format!("{}.{}", c.raised_at.as_millis(), c.id));
    let items = found.into_iter().map(|c| ComplaintAnswer::of(city, c, reader)).collect();
    Ok(Json(ComplaintsAnswer { items, next }))
}

fn place(cursor: &str) -> Option<(Timestamp, ComplaintId)> {
    let (at, id) = cursor.split_once('.')?;
    let millis: i64 = at.parse().ok().filter(|ms| (0..1 << 43).contains(ms))?;
    Some((Timestamp::from_millis(millis), id.parse().ok()?))
}

/// What somebody complains of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ComplaintRequest {
    kind: ComplaintKind,
    /// About a payment of one's own; this or `bill`.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    payment: Option<PaymentId>,
    /// About a bill: with `paid_but_due` also one that was not paid here.
    #[schema(value_type = Option<String>, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: Option<BillId>,
    /// What happened, 4 to 500 characters.
    words: String,
}

/// Complain about a bill or its payment
///
/// The evidence is put together by itself: bill, payment, ledger, what the biller says if it is one that is asked, other
/// payments around, the day's match. The biller has 5 workdays to answer, then an operator 3 to decide, then a supervisor
/// 2. The same bill and kind again is the same complaint.
#[utoipa::path(post, path = "/v1/complaints", tag = "bill", security(("bearer" = [])),
    request_body = ComplaintRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn raise_complaint(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<ComplaintRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    let ComplaintRequest { kind, payment, bill, words } = request;
    let raised = super::raise(&city, &who, Raise { kind, payment, bill, words }).await?;
    Ok(Json(ComplaintAnswer::of(&city, raised, Of::Resident(who.id))))
}

/// List my complaints
#[utoipa::path(get, path = "/v1/complaints", tag = "bill", security(("bearer" = [])), params(ComplaintsQuery),
    responses((status = 200, body = ComplaintsAnswer), (status = "default", body = Problem)))]
async fn own_complaints(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<ComplaintsQuery>,
) -> Answer<Json<ComplaintsAnswer>> {
    page(&city, Of::Resident(who.id), Of::Resident(who.id), query).await
}

/// Read my complaint
///
/// With its evidence and every step. Payments by others are not told of.
#[utoipa::path(get, path = "/v1/complaints/{id}", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")),
    responses((status = 200, body = ComplaintViewAnswer), (status = "default", body = Problem)))]
async fn own_complaint(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<ComplaintId>,
) -> Answer<Json<ComplaintViewAnswer>> {
    let of = Of::Resident(who.id);
    Ok(Json(ComplaintViewAnswer::of(&city, super::view(&city, of, id, false).await?, of)))
}

/// Why it is not settled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReopenRequest {
    /// 4 to 500 characters.
    words: String,
}

/// Reopen my complaint
///
/// Once, after it has ended; a supervisor decides then.
#[utoipa::path(post, path = "/v1/complaints/{id}/reopen", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")), request_body = ReopenRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn reopen_complaint(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<ComplaintId>,
    Json(request): Json<ReopenRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    let reopened = super::reopen(&city, &who, id, &request.words).await?;
    Ok(Json(ComplaintAnswer::of(&city, reopened, Of::Resident(who.id))))
}

/// List the complaints about my bills
#[utoipa::path(get, path = "/v1/biller/complaints", tag = "biller", security(("bearer" = [])),
    params(ComplaintsQuery),
    responses((status = 200, body = ComplaintsAnswer), (status = "default", body = Problem)))]
async fn biller_complaints(
    State(city): State<City>,
    who: Biller,
    Query(query): Query<ComplaintsQuery>,
) -> Answer<Json<ComplaintsAnswer>> {
    page(&city, Of::Biller(who.id), Of::Biller(who.id), query).await
}

/// Read a complaint about my bill
///
/// With its evidence and every step; not who complains.
#[utoipa::path(get, path = "/v1/biller/complaints/{id}", tag = "biller", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")),
    responses((status = 200, body = ComplaintViewAnswer), (status = "default", body = Problem)))]
async fn biller_complaint(
    State(city): State<City>,
    who: Biller,
    Path(id): Path<ComplaintId>,
) -> Answer<Json<ComplaintViewAnswer>> {
    let of = Of::Biller(who.id);
    Ok(Json(ComplaintViewAnswer::of(&city, super::view(&city, of, id, false).await?, of)))
}

/// What the biller says to it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnswerRequest {
    /// Whether the resident is right.
    accepts: bool,
    /// What should be given back; only with `accepts`, and absent where the books are put right instead.
    amount: Option<Amount>,
    /// Why, 4 to 500 characters.
    words: String,
}

/// Answer a complaint
///
/// By a biller's key of role staff, while it is the biller's turn. An operator decides then.
#[utoipa::path(post, path = "/v1/biller/complaints/{id}/answer", tag = "biller", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")), request_body = AnswerRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn answer_complaint(
    State(city): State<City>,
    who: Biller,
    Path(id): Path<ComplaintId>,
    Json(request): Json<AnswerRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    let AnswerRequest { accepts, amount, words } = request;
    let amount_minor = amount.map(|amount| minor(&city, amount)).transpose()?;
    let given = BillersAnswer { accepts, amount_minor, words };
    let answered = super::answer(&city, &who, id, given).await?;
    Ok(Json(ComplaintAnswer::of(&city, answered, Of::Biller(who.id))))
}

/// An amount in the city's currency.
pub(crate) fn minor(city: &City, amount: Amount) -> Answer<i64> {
    if amount.currency == city.settings.currency {
        Ok(amount.minor)
    } else {
        Err(super::ComplaintError::AmountUnacceptable.into())
    }
}
