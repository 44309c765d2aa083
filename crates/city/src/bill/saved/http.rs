//! Routes of accounts that residents keep.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Due, Saved};
use crate::City;
use crate::bill::http::{biller_named, period};
use crate::bill::pack::{Category, Name, Pack};
use crate::http::{Amount, Answer, Json, Path, Problem};
use crate::identity::Resident;

/// Every route of accounts that residents keep.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(list_saved)).routes(routes!(save, forget)).routes(routes!(list_due))
}

/// An account at a biller that I keep.
#[derive(Debug, Serialize, ToSchema)]
struct SavedAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    biller_name: Name,
    category: Category,
    #[schema(example = "3302005198")]
    account_no: String,
    /// What I call it.
    #[schema(example = "爸妈家")]
    label: Option<String>,
    /// Whether I want to be reminded of what is due.
    remind: bool,
    #[schema(value_type = String, format = DateTime)]
    saved_at: Timestamp,
}

impl SavedAnswer {
    fn of(saved: Saved, pack: &Pack) -> SavedAnswer {
        SavedAnswer {
            biller: saved.biller,
            biller_name: pack.spec.name.clone(),
            category: pack.spec.category,
            account_no: saved.account_no,
            label: saved.label,
            remind: saved.remind,
            saved_at: saved.saved_at,
        }
    }
}

/// Accounts that I keep; there are few enough for one page.
#[derive(Debug, Serialize, ToSchema)]
struct SavedListAnswer {
    items: Vec<SavedAnswer>,
    next: Option<String>,
}

/// List the bill accounts I keep
///
/// First kept first.
#[utoipa::path(get, path = "/v1/me/bill-accounts", tag = "bill", security(("bearer" = [])),
    responses((status = 200, body = SavedListAnswer), (status = "default", body = Problem)))]
async fn list_saved(State(city): State<City>, who: Resident) -> Answer<Json<SavedListAnswer>> {
    let mut items = Vec::new();
    for saved in super::saved(&city, &who).await? {
        let pack = crate::bill::biller(&city, saved.biller).await?;
        items.push(SavedAnswer::of(saved, &pack));
    }
    Ok(Json(SavedListAnswer { items, next: None }))
}

/// How an account is kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SaveRequest {
    /// 1 to 20 characters.
    label: Option<String>,
    /// Whether I want to be reminded of what is due.
    remind: bool,
}

/// Keep a bill account
///
/// Or change its label and reminder; 50 at most. The biller by its id (`blr_…`), or by that of its pack
/// (`hz-power`); the number must have the form of the biller's account numbers, bills may come later.
#[utoipa::path(put, path = "/v1/me/bill-accounts/{biller}/{account}", tag = "bill", security(("bearer" = [])),
    params(("biller" = String, Path), ("account" = String, Path, description = "the number on the biller's paper")),
    request_body = SaveRequest,
    responses((status = 200, body = SavedAnswer), (status = "default", body = Problem)))]
async fn save(
    State(city): State<City>,
    who: Resident,
    Path((biller, account)): Path<(String, String)>,
    Json(request): Json<SaveRequest>,
) -> Answer<Json<SavedAnswer>> {
    let biller = biller_named(&biller)?;
    let saved = super::save(&city, &who, biller, &account, request.label, request.remind).await?;
    let pack = crate::bill::biller(&city, biller).await?;
    Ok(Json(SavedAnswer::of(saved, &pack)))
}

/// Keep a bill account no longer
#[utoipa::path(delete, path = "/v1/me/bill-accounts/{biller}/{account}", tag = "bill",
    security(("bearer" = [])),
    params(("biller" = String, Path), ("account" = String, Path, description = "the number on the biller's paper")),
    responses((status = 204, description = "not kept, also when it was not before"),
        (status = "default", body = Problem)))]
async fn forget(
    State(city): State<City>,
    who: Resident,
    Path((biller, account)): Path<(String, String)>,
) -> Answer<StatusCode> {
    super::forget(&city, &who, biller_named(&biller)?, &account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An open bill on an account that I keep.
#[derive(Debug, Serialize, ToSchema)]
struct DueAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    biller_name: Name,
    category: Category,
    account_no: String,
    /// What I call the account.
    label: Option<String>,
    /// Whether I want to be reminded.
    remind: bool,
    /// Pay it with `POST /v1/bills/{id}/quote`, then `…/pay`.
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    bill_no: String,
    /// The month billed; absent where the biller gives none.
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
struct DueListAnswer {
    items: Vec<DueAnswer>,
    next: Option<String>,
}

/// List what is due on the bill accounts I keep
///
/// Open bills, soonest due first; a bill that somebody is paying right now is not among them.
#[utoipa::path(get, path = "/v1/me/due", tag = "bill", security(("bearer" = [])),
    responses((status = 200, body = DueListAnswer), (status = "default", body = Problem)))]
async fn list_due(State(city): State<City>, who: Resident) -> Answer<Json<DueListAnswer>> {
    let currency = city.settings.currency;
    let amount = |minor| Amount { minor, currency };
    let item = |Due { saved, pack, view, due_on, overdue }: Due| DueAnswer {
        biller: saved.biller,
        biller_name: pack.spec.name.clone(),
        category: pack.spec.category,
        account_no: saved.account_no,
        label: saved.label,
        remind: saved.remind,
        bill: view.bill.id,
        bill_no: view.bill.bill_no.clone(),
        period: period(view.bill.period),
        amount: amount(view.quote.total_minor),
        late_fee: amount(view.quote.late_fee_minor),
        due_on: due_on.to_string(),
        overdue,
    };
    let items = super::due(&city, &who).await?.into_iter().map(item).collect();
    Ok(Json(DueListAnswer { items, next: None }))
}
