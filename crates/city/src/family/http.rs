//! Routes of families.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, FamilyId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{FamilyMay, Link, rules};
use crate::City;
use crate::bill::http::period;
use crate::bill::pack::{Category, Name};
use crate::bill::saved::Due;
use crate::http::{Amount, Answer, IdempotencyKey, Json, Path, Problem};
use crate::identity::rules::{mask_name, mask_phone};
use crate::identity::{self, Resident};

/// Every route of families.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(family_links, family_invite))
        .routes(routes!(family_link))
        .routes(routes!(family_consent))
        .routes(routes!(family_end))
        .routes(routes!(family_due))
}

/// Which of the two I am.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FamilyRole {
    /// I asked, and look after the other's bills.
    Helper,
    /// They are my accounts.
    Owner,
}

/// A link between me and another resident.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyLinkAnswer {
    #[schema(value_type = String, example = "fam_01h2xcejqtf2nbrexx3vqjhp41")]
    id: FamilyId,
    role: FamilyRole,
    /// The other's name, masked.
    #[schema(example = "**明")]
    other_name: String,
    /// The other's phone, masked.
    #[schema(example = "138****0001")]
    other_phone: String,
    /// What the helper calls the owner; for the helper only.
    label: Option<String>,
    /// What was asked for.
    asked: FamilyMay,
    /// What the owner consented to; counts while `state` is `active`.
    granted: Option<FamilyMay>,
    state: rules::FamilyState,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// An invitation nobody answers ends then.
    #[schema(value_type = String, format = DateTime)]
    lapses_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    consented_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Whether it was I who ended it; absent where nobody did.
    ended_by_me: Option<bool>,
}

impl FamilyLinkAnswer {
    async fn of(city: &City, who: &Resident, link: Link) -> Answer<FamilyLinkAnswer> {
        let helps = link.helper == who.id;
        let other = identity::resident(city, if helps { link.owner } else { link.helper }).await?;
        Ok(FamilyLinkAnswer {
            id: link.id,
            role: if helps { FamilyRole::Helper } else { FamilyRole::Owner },
            other_name: mask_name(&other.name),
            other_phone: mask_phone(&other.phone),
            label: link.label.filter(|_| helps),
            asked: link.asked,
            granted: link.granted,
            state: link.state,
            created_at: link.created_at,
            lapses_at: link.created_at.plus(rules::INVITATION),
            consented_at: link.consented_at,
            ended_at: link.ended_at,
            ended_by_me: link.ended_by.map(|by| by == who.id),
        })
    }
}

/// My links, those that are not over first.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyLinksAnswer {
    items: Vec<FamilyLinkAnswer>,
    next: Option<String>,
}

/// List my family links
///
/// Invitations, links and what became of them, in both directions: those that are not over first, then the newest,
/// 200 at most.
#[utoipa::path(get, path = "/v1/family", tag = "family", security(("bearer" = [])),
    responses((status = 200, body = FamilyLinksAnswer), (status = "default", body = Problem)))]
async fn family_links(State(city): State<City>, who: Resident) -> Answer<Json<FamilyLinksAnswer>> {
    let mut items = Vec::new();
    for link in super::links(&city, &who).await? {
        items.push(FamilyLinkAnswer::of(&city, &who, link).await?);
    }
    Ok(Json(FamilyLinksAnswer { items, next: None }))
}

/// Whom I want to look after.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FamilyInviteRequest {
    /// The other's phone.
    #[schema(example = "13800000001")]
    phone: String,
    /// `watch`: see the open bills and be reminded; `pay`: also pay them by a mandate, from my wallet.
    may: FamilyMay,
    /// What I call the other, 1 to 20 characters.
    #[schema(example = "妈妈")]
    label: Option<String>,
}

/// Ask to look after somebody's bills
///
/// The other consents in the app, within seven days. The same `Idempotency-Key` again is the same invitation. Errors:
/// `resident_unknown`, `family_oneself`, `family_exists`, `family_too_many` (20).
#[utoipa::path(post, path = "/v1/family", tag = "family", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "1 to 64 visible ASCII characters")),
    request_body = FamilyInviteRequest,
    responses((status = 200, body = FamilyLinkAnswer), (status = "default", body = Problem)))]
async fn family_invite(
    State(city): State<City>,
    who: Resident,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<FamilyInviteRequest>,
) -> Answer<Json<FamilyLinkAnswer>> {
    let link = super::invite(&city, &who, &key, &request.phone, request.may, request.label).await?;
    Ok(Json(FamilyLinkAnswer::of(&city, &who, link).await?))
}

/// What happened to a link.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyEventAnswer {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `invited`, `consented_watch`, `consented_pay`, `declined`, `ended` or `lapsed`.
    #[schema(example = "consented_pay")]
    what: String,
    /// Whether it was I; absent where time did it.
    by_me: Option<bool>,
}

/// A link and its history.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyDetailAnswer {
    link: FamilyLinkAnswer,
    /// Oldest first.
    events: Vec<FamilyEventAnswer>,
}

/// Look at a family link
///
/// With what happened to it, oldest first.
#[utoipa::path(get, path = "/v1/family/{id}", tag = "family", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = FamilyDetailAnswer), (status = "default", body = Problem)))]
async fn family_link(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<FamilyId>,
) -> Answer<Json<FamilyDetailAnswer>> {
    let link = super::link(&city, &who, id).await?;
    let events = super::history(&city, &who, id).await?.into_iter().map(|event| FamilyEventAnswer {
        at: event.at,
        what: event.what,
        by_me: event.by.map(|by| by == who.id),
    });
    let events = events.collect();
    Ok(Json(FamilyDetailAnswer { link: FamilyLinkAnswer::of(&city, &who, link).await?, events }))
}

/// What I consent to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FamilyConsentRequest {
    /// At most what was asked for.
    may: FamilyMay,
    /// My PIN.
    #[schema(example = "135790")]
    pin: Option<String>,
}

/// Let somebody look after my bills
///
/// With my PIN. The other sees the open bills on the accounts I keep, never my balance or history. Consenting again
/// changes what I let the other do. Errors: `family_not_the_owner`, `family_more_than_asked`, `family_over`.
#[utoipa::path(post, path = "/v1/family/{id}/consent", tag = "family", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = FamilyConsentRequest,
    responses((status = 200, body = FamilyLinkAnswer), (status = "default", body = Problem)))]
async fn family_consent(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<FamilyId>,
    Json(request): Json<FamilyConsentRequest>,
) -> Answer<Json<FamilyLinkAnswer>> {
    let link = super::consent(&city, &who, id, request.may, request.pin.as_deref()).await?;
    Ok(Json(FamilyLinkAnswer::of(&city, &who, link).await?))
}

/// End a family link
///
/// Either side, at any time: reminders and mandates that stand on it stop at once. An owner who has not consented
/// declines. Safe to repeat.
#[utoipa::path(post, path = "/v1/family/{id}/end", tag = "family", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = FamilyLinkAnswer), (status = "default", body = Problem)))]
async fn family_end(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<FamilyId>,
) -> Answer<Json<FamilyLinkAnswer>> {
    let link = super::end(&city, &who, id).await?;
    Ok(Json(FamilyLinkAnswer::of(&city, &who, link).await?))
}

/// An open bill on an account that somebody lets me watch.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyDueAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    biller_name: Name,
    category: Category,
    account_no: String,
    /// Pay it with `POST /v1/bills/{id}/quote`, then `…/pay`.
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    bill_no: String,
    #[schema(example = "2026-02")]
    period: Option<String>,
    /// What paying it costs today, late fee included.
    amount: Amount,
    /// The late fee within it.
    late_fee: Amount,
    /// The last day without a late fee.
    #[schema(example = "2026-03-25")]
    due_on: String,
    overdue: bool,
}

/// What is due, soonest first.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyDueListAnswer {
    items: Vec<FamilyDueAnswer>,
    next: Option<String>,
}

/// List what is due on the accounts of somebody I look after
///
/// Open bills, soonest due first. Errors: `family_no_consent` where the owner does not consent, or not any more.
#[utoipa::path(get, path = "/v1/family/{id}/due", tag = "family", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = FamilyDueListAnswer), (status = "default", body = Problem)))]
async fn family_due(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<FamilyId>,
) -> Answer<Json<FamilyDueListAnswer>> {
    let currency = city.settings.currency;
    let amount = |minor| Amount { minor, currency };
    let item = |due: Due| FamilyDueAnswer {
        biller: due.saved.biller,
        biller_name: due.pack.spec.name.clone(),
        category: due.pack.spec.category,
        account_no: due.saved.account_no,
        bill: due.view.bill.id,
        bill_no: due.view.bill.bill_no.clone(),
        period: period(due.view.bill.period),
        amount: amount(due.view.quote.total_minor),
        late_fee: amount(due.view.quote.late_fee_minor),
        due_on: due.due_on.to_string(),
        overdue: due.overdue,
    };
    let items = super::due(&city, &who, id).await?.into_iter().map(item).collect();
    Ok(Json(FamilyDueListAnswer { items, next: None }))
}
