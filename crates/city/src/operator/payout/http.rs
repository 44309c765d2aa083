//! Routes of payouts by bank.

use axum::body::Body;
use axum::extract::State as Has;
use axum::http::header;
use axum::response::IntoResponse;
use channel::iso20022::{Agent, Number, Party};
use kernel::Timestamp;
use kernel::ids::{BillerId, BreakId, PaymentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::City;
use crate::bill::http::{biller_named, read_all};
use crate::bill::pack::Name;
use crate::bill::payout::rules::{Code, State};
use crate::bill::payout::{self, Batch, Order, Taken};
use crate::bill::{self, reconcile};
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query};
use crate::identity::{Operator, Role};
use crate::operator::acts::http::Reason;
use crate::operator::audit::{Act, audited};

/// The largest message of a bank, in bytes; it is read as a whole.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// Every route of payouts by bank.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_payouts))
        .routes(routes!(read_payout))
        .routes(routes!(send_payout_again))
        .routes(routes!(list_payout_batches))
        .routes(routes!(make_payout_batch))
        .routes(routes!(payout_batch_file))
        .routes(routes!(take_payout_status))
        .routes(routes!(take_payout_statement))
        .routes(routes!(list_payout_breaks))
}

/// Where a payout was sent.
#[derive(Debug, Serialize, ToSchema)]
struct CreditorAnswer {
    /// The owner of the account.
    name: String,
    /// All but the last four characters masked.
    #[schema(example = "******1234")]
    account: String,
    /// BIC or CNAPS number of its bank.
    #[schema(example = "102331000010")]
    agent: String,
}

impl From<Party> for CreditorAnswer {
    fn from(party: Party) -> CreditorAnswer {
        let (Number::Iban(number) | Number::Account(number)) = party.account;
        let (Agent::Bic(agent) | Agent::Cnaps(agent)) = party.agent;
        let hidden = number.len().saturating_sub(4);
        let account = format!("{}{}", "*".repeat(hidden), number.get(hidden..).unwrap_or_default());
        CreditorAnswer { name: party.name, account, agent }
    }
}

/// A payout.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutAnswer {
    /// Also the bank's `EndToEndId`.
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    name: Option<Name>,
    /// The local day that was settled.
    #[schema(example = "2026-03-02")]
    day: String,
    /// From when on the bank may be asked.
    #[schema(example = "2026-03-03")]
    due: String,
    amount: Amount,
    state: State,
    /// Why it was rejected or returned, in the bank's code and words; empty otherwise.
    #[schema(example = "AC04 account closed")]
    reason: String,
    /// Whether the money is the biller's again.
    back: bool,
    creditor: Option<CreditorAnswer>,
    /// The batch it is in.
    #[schema(example = "YIMA-20260303-1")]
    batch: Option<String>,
    /// The payout that it is sent instead of.
    #[schema(value_type = Option<String>)]
    instead_of: Option<PaymentId>,
    /// The payout that is sent instead of it.
    #[schema(value_type = Option<String>)]
    again: Option<PaymentId>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

async fn answer(city: &City, order: Order) -> PayoutAnswer {
    let name = bill::biller(city, order.biller).await.ok().map(|pack| pack.spec.name.clone());
    PayoutAnswer {
        id: order.id,
        biller: order.biller,
        name,
        day: order.day.to_string(),
        due: order.due.to_string(),
        amount: Amount { minor: order.amount_minor, currency: city.settings.currency },
        state: order.state,
        reason: order.reason,
        back: order.back,
        creditor: order.creditor.map(CreditorAnswer::from),
        batch: order.batch,
        instead_of: order.instead_of,
        again: order.again,
        updated_at: order.updated_at,
    }
}

fn malformed_cursor() -> Problem {
    Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged")
}

/// Which payouts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PayoutsQuery {
    /// In this state; all when absent.
    #[param(inline)]
    state: Option<State>,
    /// To this biller (`blr_…`, or its pack's name); to all when absent.
    biller: Option<String>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Payouts.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutsAnswer {
    items: Vec<PayoutAnswer>,
    next: Option<String>,
}

/// List payouts to billers by bank
///
/// In the order of their ids. A payout appears when its biller's day is closed, where the biller's pack names an account.
#[utoipa::path(get, path = "/v1/operator/payouts", tag = "operator", security(("bearer" = [])), params(PayoutsQuery),
    responses((status = 200, body = PayoutsAnswer), (status = "default", body = Problem)))]
async fn list_payouts(
    Has(city): Has<City>,
    _by: Operator,
    Query(query): Query<PayoutsQuery>,
) -> Answer<Json<PayoutsAnswer>> {
    let after = query.cursor.as_deref().map(str::parse::<PaymentId>).transpose();
    let after = after.map_err(|_| malformed_cursor())?;
    let biller = query.biller.as_deref().map(biller_named).transpose()?;
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = payout::orders(&city, query.state, biller, after, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    let mut items = Vec::with_capacity(found.len());
    for order in found {
        items.push(answer(&city, order).await);
    }
    Ok(Json(PayoutsAnswer { items, next }))
}

/// Read a payout by bank
#[utoipa::path(get, path = "/v1/operator/payouts/{id}", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "pay_…")),
    responses((status = 200, body = PayoutAnswer), (status = "default", body = Problem)))]
async fn read_payout(
    Has(city): Has<City>,
    _by: Operator,
    Path(id): Path<PaymentId>,
) -> Answer<Json<PayoutAnswer>> {
    let order = payout::find(&city, id).await?;
    Ok(Json(answer(&city, order).await))
}

/// Send a payout again
///
/// One that the bank rejected or that came back: as another payout, to the account that the biller's pack names when the next
/// batch is made. Answers with the new one; safe to repeat. By an operator of role admin.
#[utoipa::path(post, path = "/v1/operator/payouts/{id}/again", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "pay_…"), Reason),
    responses((status = 200, body = PayoutAnswer), (status = "default", body = Problem)))]
async fn send_payout_again(
    Has(city): Has<City>,
    by: Operator,
    Path(id): Path<PaymentId>,
    Query(why): Query<Reason>,
) -> Answer<Json<PayoutAnswer>> {
    by.role.require(Role::Admin)?;
    let again = payout::send_again(&city, &by, id);
    let order = audited(&city, &by, why.reason.as_deref(), Act::on("send_payout_again", id), again).await?;
    Ok(Json(answer(&city, order).await))
}

/// A batch of payouts.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutBatchAnswer {
    /// The bank's `MsgId`.
    #[schema(example = "YIMA-20260303-1")]
    name: String,
    /// When the bank is asked to pay.
    #[schema(example = "2026-03-03")]
    day: String,
    /// Of the day, from 1.
    number: u32,
    /// How many payouts.
    payouts: u64,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
}

fn batch_answer(city: &City, batch: Batch) -> PayoutBatchAnswer {
    PayoutBatchAnswer {
        name: batch.name,
        day: batch.day.to_string(),
        number: batch.number,
        payouts: batch.orders,
        amount: Amount { minor: batch.amount_minor, currency: city.settings.currency },
        made_at: batch.made_at,
    }
}

/// Batches of payouts.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutBatchesAnswer {
    items: Vec<PayoutBatchAnswer>,
    next: Option<String>,
}

/// List batches of payouts
///
/// The newest first.
#[utoipa::path(get, path = "/v1/operator/payout-batches", tag = "operator", security(("bearer" = [])), params(Page),
    responses((status = 200, body = PayoutBatchesAnswer), (status = "default", body = Problem)))]
async fn list_payout_batches(
    Has(city): Has<City>,
    _by: Operator,
    Query(page): Query<Page>,
) -> Answer<Json<PayoutBatchesAnswer>> {
    let before = page.cursor.as_deref().map(str::parse::<Timestamp>).transpose();
    let before = before.map_err(|_| malformed_cursor())?;
    let found = payout::batches(&city, before, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.made_at.to_string());
    let items = found.into_iter().map(|batch| batch_answer(&city, batch)).collect();
    Ok(Json(PayoutBatchesAnswer { items, next }))
}

/// Make a batch of payouts
///
/// Puts every payout that is due on the day, or was before, into one message for the bank: at most 5,000, the rest into the
/// day's next batch. Refused with `payout_nothing_due` where none waits, so an answer that was lost is found in the list of
/// batches. By an operator of role staff.
#[utoipa::path(post, path = "/v1/operator/payout-batches/{day}", tag = "operator", security(("bearer" = [])),
    params(("day" = String, Path, example = "2026-03-03"), Reason),
    responses((status = 200, body = PayoutBatchAnswer), (status = "default", body = Problem)))]
async fn make_payout_batch(
    Has(city): Has<City>,
    by: Operator,
    Path(day): Path<String>,
    Query(why): Query<Reason>,
) -> Answer<Json<PayoutBatchAnswer>> {
    by.role.require(Role::Staff)?;
    let day = reconcile::day(&day)?;
    let made = payout::make_batch(&city, &by, day);
    let act = Act::on("make_payout_batch", day);
    let batch = audited(&city, &by, why.reason.as_deref(), act, made).await?;
    Ok(Json(batch_answer(&city, batch)))
}

/// Download a batch of payouts
///
/// As ISO 20022 `pain.001.001.09`; the same bytes at any time. By an operator of role staff.
#[utoipa::path(get, path = "/v1/operator/payout-batches/{name}/file", tag = "operator", security(("bearer" = [])),
    params(("name" = String, Path, example = "YIMA-20260303-1")),
    responses((status = 200, body = String, content_type = "application/xml"),
        (status = "default", body = Problem)))]
async fn payout_batch_file(
    Has(city): Has<City>,
    by: Operator,
    Path(name): Path<String>,
) -> Answer<impl IntoResponse> {
    by.role.require(Role::Staff)?;
    let bytes = payout::batch_file(&city, &name).await?;
    let disposition = format!("attachment; filename=\"{name}.xml\"");
    let headers =
        [(header::CONTENT_TYPE, "application/xml".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, bytes))
}

/// What taking a message in came to.
#[derive(Debug, Serialize, ToSchema)]
struct TakenAnswer {
    /// Payouts that stand otherwise now.
    changed: u64,
    /// Disagreements found.
    breaks: u64,
    /// Whether the message had been taken before: then it has changed nothing.
    repeated: bool,
}

impl From<Taken> for TakenAnswer {
    fn from(taken: Taken) -> TakenAnswer {
        TakenAnswer { changed: taken.changed, breaks: taken.breaks, repeated: taken.repeated }
    }
}

/// Hand in a status report of the bank
///
/// ISO 20022 `pain.002` or `pacs.002`. What was rejected is booked back to the biller. Safe to repeat. By an operator of role
/// staff.
#[utoipa::path(post, path = "/v1/operator/payout-statuses", tag = "operator", security(("bearer" = [])), params(Reason),
    request_body(content = String, content_type = "application/xml"),
    responses((status = 200, body = TakenAnswer), (status = "default", body = Problem)))]
async fn take_payout_status(
    Has(city): Has<City>,
    by: Operator,
    Query(why): Query<Reason>,
    body: Body,
) -> Answer<Json<TakenAnswer>> {
    by.role.require(Role::Staff)?;
    let bytes = read_all(body, MESSAGE_BYTES_MAX).await?;
    let taken = payout::take_status(&city, &by, &bytes);
    let act = Act::on("take_payout_status", kernel::hex(&digest(&bytes)));
    Ok(Json(audited(&city, &by, why.reason.as_deref(), act, taken).await?.into()))
}

/// Hand in a statement of the bank
///
/// ISO 20022 `camt.053` or `camt.054` of the account that payouts leave. What is on it is `booked`; what came back is booked
/// back to the biller; what does not agree is listed. Safe to repeat. By an operator of role staff.
#[utoipa::path(post, path = "/v1/operator/payout-statements", tag = "operator", security(("bearer" = [])),
    params(Reason),
    request_body(content = String, content_type = "application/xml"),
    responses((status = 200, body = TakenAnswer), (status = "default", body = Problem)))]
async fn take_payout_statement(
    Has(city): Has<City>,
    by: Operator,
    Query(why): Query<Reason>,
    body: Body,
) -> Answer<Json<TakenAnswer>> {
    by.role.require(Role::Staff)?;
    let bytes = read_all(body, MESSAGE_BYTES_MAX).await?;
    let taken = payout::take_statement(&city, &by, &bytes);
    let act = Act::on("take_payout_statement", kernel::hex(&digest(&bytes)));
    Ok(Json(audited(&city, &by, why.reason.as_deref(), act, taken).await?.into()))
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

/// Which disagreements.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PayoutBreaksQuery {
    /// Only those that no later message explained.
    #[serde(default)]
    open: bool,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Where the bank and the books disagree.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutBreakAnswer {
    #[schema(value_type = String, example = "brk_01h2xcejqtf2nbrexx3vqjhp41")]
    id: BreakId,
    code: Code,
    /// What to do about it.
    #[schema(example = "ask_bank_to_trace")]
    remedy: &'static str,
    /// `MsgId` of the message that says so.
    message: String,
    /// The payout, `pay_…`; else as the bank calls it.
    reference: String,
    /// In the books.
    ours: Option<Amount>,
    /// At the bank.
    theirs: Option<Amount>,
    #[schema(value_type = String, format = DateTime)]
    found_at: Timestamp,
    /// When a later message explained it.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
}

/// Disagreements about payouts.
#[derive(Debug, Serialize, ToSchema)]
struct PayoutBreaksAnswer {
    items: Vec<PayoutBreakAnswer>,
    next: Option<String>,
}

/// List disagreements about payouts
///
/// The newest first.
#[utoipa::path(get, path = "/v1/operator/payout-breaks", tag = "operator", security(("bearer" = [])),
    params(PayoutBreaksQuery),
    responses((status = 200, body = PayoutBreaksAnswer), (status = "default", body = Problem)))]
async fn list_payout_breaks(
    Has(city): Has<City>,
    _by: Operator,
    Query(query): Query<PayoutBreaksQuery>,
) -> Answer<Json<PayoutBreaksAnswer>> {
    let place = |text: &str| {
        let (at, id) = text.split_once(',')?;
        Some((at.parse::<Timestamp>().ok()?, id.parse::<BreakId>().ok()?))
    };
    let before = query.cursor.as_deref().map(|text| place(text).ok_or_else(malformed_cursor)).transpose()?;
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = payout::breaks(&city, query.open, before, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| format!("{},{}", last.found_at, last.id));
    let amount = |minor| Amount { minor, currency: city.settings.currency };
    let items = found.into_iter().map(|found| PayoutBreakAnswer {
        id: found.id,
        code: found.code,
        remedy: found.code.remedy(),
        message: found.message,
        reference: found.reference,
        ours: found.ours_minor.map(amount),
        theirs: found.theirs_minor.map(amount),
        found_at: found.found_at,
        resolved_at: found.resolved_at,
    });
    Ok(Json(PayoutBreaksAnswer { items: items.collect(), next }))
}
