//! Routes of mandates.

use axum::extract::State;
use kernel::ids::{BillId, BillerId, FamilyId, MandateId, PaymentId};
use kernel::{Timestamp, ids::ResidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{self, MandateRunState, Target, Terms, When};
use super::{Change, Mandate, MandateError, Run};
use crate::City;
use crate::bill::http::biller_named;
use crate::bill::pack::{Category, Name};
use crate::family::FamilyError;
use crate::http::{Amount, Answer, IdempotencyKey, Json, Page, Path, Problem, Query, day};
use crate::identity::Resident;
use crate::identity::rules::mask_name;
use crate::{bill, family, identity};

/// Every route of mandates.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_mandates, create_mandate))
        .routes(routes!(get_mandate, change_mandate))
        .routes(routes!(skip_bill))
        .routes(routes!(pause_mandate))
        .routes(routes!(resume_mandate))
        .routes(routes!(revoke_mandate))
        .routes(routes!(mandate_runs))
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MandateAccount {
    /// `blr_…`, or the name of the biller's pack.
    #[schema(example = "hz-power")]
    biller: String,
    #[schema(example = "3302005198")]
    account_no: String,
}

/// What I let the city pay for me.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MandateRequest {
    /// This account; or else `categories`.
    account: Option<MandateAccount>,
    /// The accounts I keep, of these categories; an empty list: all of them.
    categories: Option<Vec<Category>>,
    /// A family link that lets me pay: then the other's accounts are meant.
    #[schema(value_type = Option<String>, example = "fam_01h2xcejqtf2nbrexx3vqjhp41")]
    family: Option<FamilyId>,
    /// The most for one bill, late fee included.
    cap_bill: Amount,
    /// The most in a calendar month.
    cap_month: Amount,
    /// The first day; today when absent.
    #[schema(example = "2026-03-02")]
    valid_from: Option<String>,
    /// The last day; until revoked when absent.
    #[schema(example = "2026-12-31")]
    valid_until: Option<String>,
    /// A debit is told of so many days before, 0 to 14; 2 when absent.
    notice_days: Option<u32>,
    /// Debited so many days before the due day, 0 to 30; at once (after the notice) when absent.
    days_before_due: Option<u32>,
    /// My PIN.
    #[schema(example = "135790")]
    pin: Option<String>,
}

/// A mandate.
#[derive(Debug, Serialize, ToSchema)]
struct MandateAnswer {
    #[schema(value_type = String, example = "mdt_01h2xcejqtf2nbrexx3vqjhp41")]
    id: MandateId,
    /// `active` also before `valid_from` and after `valid_until`.
    state: rules::MandateState,
    /// The account, where it is for one.
    account: Option<MandateAccount>,
    /// The biller's name, where it is for one account.
    biller_name: Option<Name>,
    /// The categories, where it is for kept accounts; empty: all.
    categories: Option<Vec<Category>>,
    /// The masked name of the family member whose accounts are meant.
    #[schema(example = "**明")]
    member_name: Option<String>,
    cap_bill: Amount,
    cap_month: Amount,
    /// What of this month's cap is left.
    left: Amount,
    #[schema(example = "2026-03-02")]
    valid_from: String,
    valid_until: Option<String>,
    notice_days: u32,
    days_before_due: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

impl MandateAnswer {
    async fn of(city: &City, mandate: Mandate) -> Answer<MandateAnswer> {
        let currency = city.settings.currency;
        let amount = |minor| Amount { minor, currency };
        let left = super::left(city, &mandate).await?;
        let terms = mandate.terms;
        let member_name = match terms.member {
            Some(member) => Some(mask_name(&identity::name_and_tier(city, member).await?.0)),
            None => None,
        };
        let (account, biller_name, categories) = match terms.target {
            Target::Account { biller, account_no } => {
                let name = bill::biller(city, biller).await?.spec.name.clone();
                (Some(MandateAccount { biller: biller.to_string(), account_no }), Some(name), None)
            }
            Target::Kept { categories } => (None, None, Some(categories)),
        };
        Ok(MandateAnswer {
            id: mandate.id,
            state: mandate.state,
            account,
            biller_name,
            categories,
            member_name,
            cap_bill: amount(terms.cap_bill),
            cap_month: amount(terms.cap_month),
            left: amount(left),
            valid_from: terms.valid_from.to_string(),
            valid_until: terms.valid_until.map(|until| until.to_string()),
            notice_days: terms.notice_days,
            days_before_due: days(terms.pay),
            created_at: mandate.created_at,
            changed_at: mandate.changed_at,
        })
    }
}

fn days(pay: When) -> Option<u32> {
    match pay {
        When::AtOnce => None,
        When::BeforeDue(days) => Some(days),
    }
}

fn minor(city: &City, amount: Amount, field: &'static str) -> Answer<i64> {
    let same = amount.currency == city.settings.currency;
    Ok(same.then_some(amount.minor).ok_or(MandateError::Malformed(field))?)
}

/// My mandates, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct MandatesAnswer {
    items: Vec<MandateAnswer>,
    /// Cursor of the next page; absent on the last.
    next: Option<String>,
}

fn place<K: kernel::Kind>(page: &Page) -> Answer<Option<(Timestamp, kernel::Id<K>)>> {
    let malformed = || Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let Some(text) = page.cursor.as_deref() else { return Ok(None) };
    let (at, id) = text.split_once('.').ok_or_else(malformed)?;
    let at = at.parse().map_err(|_| malformed())?;
    Ok(Some((Timestamp::from_millis(at), id.parse().map_err(|_| malformed())?)))
}

/// List my mandates
///
/// Newest first, revoked ones too.
#[utoipa::path(get, path = "/v1/mandates", tag = "mandate", security(("bearer" = [])), params(Page),
    responses((status = 200, body = MandatesAnswer), (status = "default", body = Problem)))]
async fn list_mandates(
    State(city): State<City>,
    who: Resident,
    Query(page): Query<Page>,
) -> Answer<Json<MandatesAnswer>> {
    let found = super::list(&city, &who, place(&page)?, page.limit()).await?;
    let last = found.last().filter(|_| found.len() == page.limit() as usize);
    let next = last.map(|mandate| format!("{}.{}", mandate.created_at.as_millis(), mandate.id));
    let mut items = Vec::with_capacity(found.len());
    for mandate in found {
        items.push(MandateAnswer::of(&city, mandate).await?);
    }
    Ok(Json(MandatesAnswer { items, next }))
}

async fn member(city: &City, who: &Resident, link: FamilyId) -> Answer<ResidentId> {
    let link = family::link(city, who, link).await?;
    if link.helper != who.id {
        return Err(FamilyError::NoConsent.into());
    }
    Ok(link.owner)
}

/// Make a mandate
///
/// Bills are then paid from my wallet by themselves: each is told of `notice_days` before, debited at 09:00 of its day, and
/// can be skipped until then. With my PIN; the debits ask for none, whatever the no-PIN limit is: the caps are what the PIN is
/// given for. A refused debit is tried again one, three and seven days after the first. The same `Idempotency-Key` again is
/// the same mandate. Amounts are minor units. Errors: `mandate_malformed`, `pin_required`, `family_no_consent`,
/// `mandate_too_many` (20).
#[utoipa::path(post, path = "/v1/mandates", tag = "mandate", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "1 to 64 visible ASCII characters")),
    request_body = MandateRequest,
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn create_mandate(
    State(city): State<City>,
    who: Resident,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<MandateRequest>,
) -> Answer<Json<MandateAnswer>> {
    let target = match (request.account, request.categories) {
        (Some(account), None) => {
            Target::Account { biller: biller_named(&account.biller)?, account_no: account.account_no }
        }
        (None, Some(categories)) => Target::Kept { categories },
        _ => return Err(MandateError::Malformed("account").into()),
    };
    let today = city.now().date(city.settings.offset);
    let terms = Terms {
        member: match request.family {
            Some(link) => Some(member(&city, &who, link).await?),
            None => None,
        },
        target,
        cap_bill: minor(&city, request.cap_bill, "cap_bill")?,
        cap_month: minor(&city, request.cap_month, "cap_month")?,
        valid_from: request.valid_from.as_deref().map(day).transpose()?.unwrap_or(today),
        valid_until: request.valid_until.as_deref().map(day).transpose()?,
        notice_days: request.notice_days.unwrap_or(2),
        pay: request.days_before_due.map_or(When::AtOnce, When::BeforeDue),
    };
    let made = super::create(&city, &who, &key, terms, request.pin.as_deref()).await?;
    Ok(Json(MandateAnswer::of(&city, made).await?))
}

/// Look at a mandate
///
/// With what of this month's cap is left.
#[utoipa::path(get, path = "/v1/mandates/{id}", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn get_mandate(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
) -> Answer<Json<MandateAnswer>> {
    let found = super::find(&city, &who, id).await?;
    Ok(Json(MandateAnswer::of(&city, found).await?))
}

/// How a mandate is to be changed; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MandateChangeRequest {
    cap_bill: Option<Amount>,
    /// Counts at once: what was debited this month counts against it.
    cap_month: Option<Amount>,
    #[schema(example = "2026-12-31")]
    valid_until: Option<String>,
    /// No last day any more; not together with `valid_until`.
    #[serde(default)]
    without_end: bool,
    notice_days: Option<u32>,
    days_before_due: Option<u32>,
    /// Debit at once (after the notice); not together with `days_before_due`.
    #[serde(default)]
    at_once: bool,
    /// My PIN.
    #[schema(example = "135790")]
    pin: Option<String>,
}

/// Change a mandate
///
/// With my PIN. Which bills it is for cannot be changed: make another. Runs that were told of keep their day. Errors:
/// `mandate_malformed`, `mandate_revoked`, `mandate_changed`, and `mandate_run_under_way` where the month's cap is to be
/// lowered while a debit is under way.
#[utoipa::path(patch, path = "/v1/mandates/{id}", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = MandateChangeRequest,
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn change_mandate(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
    Json(request): Json<MandateChangeRequest>,
) -> Answer<Json<MandateAnswer>> {
    let valid_until = match (request.valid_until.as_deref(), request.without_end) {
        (Some(_), true) => return Err(MandateError::Malformed("valid_until").into()),
        (Some(until), false) => Some(Some(day(until)?)),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let pay = match (request.days_before_due, request.at_once) {
        (Some(_), true) => return Err(MandateError::Malformed("pay").into()),
        (Some(days), false) => Some(When::BeforeDue(days)),
        (None, true) => Some(When::AtOnce),
        (None, false) => None,
    };
    let change = Change {
        cap_bill: request.cap_bill.map(|a| minor(&city, a, "cap_bill")).transpose()?,
        cap_month: request.cap_month.map(|a| minor(&city, a, "cap_month")).transpose()?,
        valid_until,
        notice_days: request.notice_days,
        pay,
    };
    let changed = super::change(&city, &who, id, change, request.pin.as_deref()).await?;
    Ok(Json(MandateAnswer::of(&city, changed).await?))
}

/// Let a mandate rest
///
/// What it would have debited waits. Safe to repeat.
#[utoipa::path(post, path = "/v1/mandates/{id}/pause", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn pause_mandate(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
) -> Answer<Json<MandateAnswer>> {
    let paused = super::pause(&city, &who, id).await?;
    Ok(Json(MandateAnswer::of(&city, paused).await?))
}

/// Let a mandate debit again
///
/// Needs no PIN: the caps are those that it was given for. Safe to repeat.
#[utoipa::path(post, path = "/v1/mandates/{id}/resume", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn resume_mandate(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
) -> Answer<Json<MandateAnswer>> {
    let resumed = super::resume(&city, &who, id).await?;
    Ok(Json(MandateAnswer::of(&city, resumed).await?))
}

/// End a mandate for good
///
/// What waits is not debited any more; a debit that was begun is finished. Safe to repeat.
#[utoipa::path(post, path = "/v1/mandates/{id}/revoke", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = MandateAnswer), (status = "default", body = Problem)))]
async fn revoke_mandate(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
) -> Answer<Json<MandateAnswer>> {
    let revoked = super::revoke(&city, &who, id).await?;
    Ok(Json(MandateAnswer::of(&city, revoked).await?))
}

/// What a mandate does about a bill.
#[derive(Debug, Serialize, ToSchema)]
struct MandateRunAnswer {
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    biller_name: Name,
    account_no: String,
    /// As last seen; once debited, what was paid.
    amount: Amount,
    /// The last day without a late fee.
    #[schema(example = "2026-03-25")]
    due_on: String,
    /// The day of the debit, as told.
    #[schema(example = "2026-03-22")]
    debit_on: String,
    state: MandateRunState,
    /// Whether it can be skipped now.
    can_be_skipped: bool,
    /// How often it was refused.
    tries: i64,
    /// The code of the last refusal, as in the list of errors.
    #[schema(example = "insufficient_balance")]
    reason: Option<String>,
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    payment: Option<PaymentId>,
    /// When it is debited, tried again or asked about next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    found_at: Timestamp,
}

impl MandateRunAnswer {
    async fn of(city: &City, run: Run) -> Answer<MandateRunAnswer> {
        let under_way = matches!(run.state, MandateRunState::Debiting | MandateRunState::Pending);
        Ok(MandateRunAnswer {
            bill: run.bill,
            biller: run.biller,
            biller_name: bill::biller(city, run.biller).await?.spec.name.clone(),
            account_no: run.account_no,
            amount: Amount { minor: run.amount_minor, currency: city.settings.currency },
            due_on: run.due.to_string(),
            debit_on: run.debit_on.to_string(),
            state: run.state,
            can_be_skipped: !under_way && !run.state.is_final(),
            tries: run.tries,
            reason: run.reason,
            payment: run.payment,
            next_at: run.next_at,
            found_at: run.found_at,
        })
    }
}

/// What a mandate did and will do, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct MandateRunsAnswer {
    items: Vec<MandateRunAnswer>,
    /// Cursor of the next page; absent on the last.
    next: Option<String>,
}

/// List what a mandate did and will do
///
/// One entry a bill, newest found first.
#[utoipa::path(get, path = "/v1/mandates/{id}/runs", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path), Page),
    responses((status = 200, body = MandateRunsAnswer), (status = "default", body = Problem)))]
async fn mandate_runs(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
    Query(page): Query<Page>,
) -> Answer<Json<MandateRunsAnswer>> {
    let found = super::runs(&city, &who, id, place(&page)?, page.limit()).await?;
    let last = found.last().filter(|_| found.len() == page.limit() as usize);
    let next = last.map(|run| format!("{}.{}", run.found_at.as_millis(), run.bill));
    let mut items = Vec::with_capacity(found.len());
    for run in found {
        items.push(MandateRunAnswer::of(&city, run).await?);
    }
    Ok(Json(MandateRunsAnswer { items, next }))
}

/// The bill to let be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MandateSkipRequest {
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
}

/// Skip one bill
///
/// This once: the mandate does not debit it. Safe to repeat. Errors: `mandate_run_unknown`, `mandate_run_under_way`,
/// `mandate_run_final`.
#[utoipa::path(post, path = "/v1/mandates/{id}/skip", tag = "mandate", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = MandateSkipRequest,
    responses((status = 200, body = MandateRunAnswer), (status = "default", body = Problem)))]
async fn skip_bill(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<MandateId>,
    Json(request): Json<MandateSkipRequest>,
) -> Answer<Json<MandateRunAnswer>> {
    let run = super::skip(&city, &who, id, request.bill).await?;
    Ok(Json(MandateRunAnswer::of(&city, run).await?))
}
