//! Routes of supply: billers tell what is cut and fetch orders to restore, residents see how an account stands.

use axum::body::Body;
use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{BillerId, RestoreOrderId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Cause, Change, Order, OrderState, Supply, SupplyError, SupplyState, rules};
use crate::City;
use crate::bill::http::{biller_named, read_all};
use crate::http::{Answer, Json, Page, Path, Problem, Query};
use crate::identity::{Biller, Resident};

/// The largest file of notices, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Every route of supply.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(supply_notice))
        .routes(routes!(supply_notices))
        .routes(routes!(restore_orders))
        .routes(routes!(confirm_restored))
        .routes(routes!(read_supply))
        .routes(routes!(supply_history))
}

/// How supply to an account stands.
#[derive(Debug, Serialize, ToSchema)]
struct SupplyAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    account_no: String,
    state: SupplyState,
    /// The day on which it will be cut, while that is announced.
    #[schema(example = "2026-03-31")]
    cut_on: Option<String>,
    /// Since when; absent where the biller never told of the account.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// The newest order to restore it.
    order: Option<RestoreOrderAnswer>,
}

/// An order to restore supply.
#[derive(Debug, Serialize, ToSchema)]
struct RestoreOrderAnswer {
    #[schema(value_type = String, example = "rst_01h2xcejqtf2nbrexx3vqjhp41")]
    id: RestoreOrderId,
    account_no: String,
    state: OrderState,
    #[schema(value_type = String, format = DateTime)]
    ordered_at: Timestamp,
    /// The biller should have confirmed by then.
    #[schema(value_type = String, format = DateTime)]
    confirm_by: Timestamp,
    /// How often it was sent to the biller.
    sent: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<Timestamp>,
}

impl From<Order> for RestoreOrderAnswer {
    fn from(order: Order) -> RestoreOrderAnswer {
        let Order { id, account_no, state, ordered_at, confirm_by, sent, confirmed_at, .. } = order;
        RestoreOrderAnswer { id, account_no, state, ordered_at, confirm_by, sent, confirmed_at }
    }
}

fn answer(supply: Supply, order: Option<Order>) -> Json<SupplyAnswer> {
    Json(SupplyAnswer {
        biller: supply.biller,
        account_no: supply.account_no,
        state: supply.state,
        cut_on: supply.cut_on.map(|day| day.to_string()),
        since: supply.since,
        order: order.map(RestoreOrderAnswer::from),
    })
}

/// What a biller tells of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoticeRequest {
    account_no: String,
    /// `cut_announced`, `cut` or `restored`; the last also withdraws an announcement.
    #[schema(example = "cut_announced")]
    kind: String,
    /// The day of the cut; with `cut_announced`, and only there.
    #[schema(example = "2026-03-31")]
    on: Option<String>,
}

/// Tell that supply will be cut, is cut or is restored
///
/// By a biller's key of role staff. Telling again what is so changes nothing.
#[utoipa::path(post, path = "/v1/biller/supply", tag = "biller", security(("bearer" = [])),
    request_body = NoticeRequest,
    responses((status = 200, body = SupplyAnswer), (status = "default", body = Problem)))]
async fn supply_notice(
    State(city): State<City>,
    who: Biller,
    Json(request): Json<NoticeRequest>,
) -> Answer<Json<SupplyAnswer>> {
    let notice =
        rules::notice(&request.kind, request.on.as_deref()).ok_or(SupplyError::NoticeMalformed(1))?;
    let supply = super::notify(&city, &who, &request.account_no, notice).await?;
    let order = super::newest_order(&city, who.id, &request.account_no).await?;
    Ok(answer(supply, order))
}

/// What came of a file of notices.
#[derive(Debug, Serialize, ToSchema)]
struct NoticesAnswer {
    /// Lines taken, those included that told what was so already.
    taken: u64,
    /// Lines refused.
    refused: Vec<RefusedNotice>,
}

/// A line that was refused.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedNotice {
    line: usize,
    #[schema(example = "supply_already_cut")]
    code: String,
}

/// Tell of many accounts at once
///
/// CSV in UTF-8 without a header, `account_no,kind,day` a line, the day empty but for `cut_announced`; 4 MiB at most. A
/// malformed line refuses the file as a whole; a line that cannot be so is listed and the others are taken. The same file
/// again changes nothing.
#[utoipa::path(post, path = "/v1/biller/supply/file", tag = "biller", security(("bearer" = [])),
    request_body(content = Vec<u8>, content_type = "text/csv"),
    responses((status = 200, body = NoticesAnswer), (status = "default", body = Problem)))]
async fn supply_notices(State(city): State<City>, who: Biller, body: Body) -> Answer<Json<NoticesAnswer>> {
    let bytes = read_all(body, FILE_BYTES_MAX).await?;
    let text = String::from_utf8(bytes).map_err(|_| SupplyError::NoticeMalformed(1))?;
    let lines: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| Ok((at + 1, rules::line(line).ok_or(SupplyError::NoticeMalformed(at + 1))?)))
        .collect::<Result<_, SupplyError>>()?;
    let mut done = NoticesAnswer { taken: 0, refused: Vec::new() };
    for (line, (account_no, notice)) in lines {
        match super::notify(&city, &who, account_no, notice).await {
            Ok(_) => done.taken += 1,
            Err(refused) => {
                let problem = Problem::from(refused);
                if problem.status >= 500 || problem.status == 403 {
                    return Err(problem);
                }
                done.refused.push(RefusedNotice { line, code: problem.code });
            }
        }
    }
    Ok(Json(done))
}

/// Orders to restore, by id.
#[derive(Debug, Serialize, ToSchema)]
struct RestoreOrdersAnswer {
    items: Vec<RestoreOrderAnswer>,
    next: Option<String>,
}

/// List the orders to restore supply
///
/// Those not confirmed yet.
#[utoipa::path(get, path = "/v1/biller/restore-orders", tag = "biller", security(("bearer" = [])),
    params(Page), responses((status = 200, body = RestoreOrdersAnswer), (status = "default", body = Problem)))]
async fn restore_orders(
    State(city): State<City>,
    who: Biller,
    Query(page): Query<Page>,
) -> Answer<Json<RestoreOrdersAnswer>> {
    let malformed = |_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let after = page.cursor.as_deref().map(|text| text.parse().map_err(malformed)).transpose()?;
    let found = super::open_orders(&city, &who, after, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|order| order.id.to_string());
    Ok(Json(RestoreOrdersAnswer { items: found.into_iter().map(Into::into).collect(), next }))
}

/// Confirm that supply is restored
///
/// By a biller's key of role staff. Confirming again changes nothing.
#[utoipa::path(post, path = "/v1/biller/restore-orders/{id}/confirm", tag = "biller",
    security(("bearer" = [])), params(("id" = String, Path, description = "rst_…")),
    responses((status = 200, body = RestoreOrderAnswer), (status = "default", body = Problem)))]
async fn confirm_restored(
    State(city): State<City>,
    who: Biller,
    Path(id): Path<RestoreOrderId>,
) -> Answer<Json<RestoreOrderAnswer>> {
    Ok(Json(super::confirm(&city, &who, id).await?.into()))
}

/// Read how supply to an account stands
///
/// Anyone who knows the number may ask, as for its bills. The biller by its id (`blr_…`), or by that of its pack
/// (`hz-power`).
#[utoipa::path(get, path = "/v1/billers/{id}/supply/{account}", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path), ("account" = String, Path, description = "the number on the biller's paper")),
    responses((status = 200, body = SupplyAnswer), (status = "default", body = Problem)))]
async fn read_supply(
    State(city): State<City>,
    _who: Resident,
    Path((id, account)): Path<(String, String)>,
) -> Answer<Json<SupplyAnswer>> {
    let biller = biller_named(&id)?;
    let supply = super::supply(&city, biller, &account).await?;
    let order = super::newest_order(&city, biller, &account).await?;
    Ok(answer(supply, order))
}

/// A change of supply.
#[derive(Debug, Serialize, ToSchema)]
struct SupplyChangeAnswer {
    /// Counted by account, from 1.
    step: i64,
    state: SupplyState,
    #[schema(example = "2026-03-31")]
    cut_on: Option<String>,
    cause: Cause,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Changes of supply, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct SupplyChangesAnswer {
    items: Vec<SupplyChangeAnswer>,
    next: Option<String>,
}

/// List how supply to an account changed
#[utoipa::path(get, path = "/v1/billers/{id}/supply/{account}/changes", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path), ("account" = String, Path, description = "the number on the biller's paper"), Page),
    responses((status = 200, body = SupplyChangesAnswer), (status = "default", body = Problem)))]
async fn supply_history(
    State(city): State<City>,
    _who: Resident,
    Path((id, account)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Answer<Json<SupplyChangesAnswer>> {
    let before = crate::http::ledger_cursor(&page)?.map(|step| i64::try_from(step).unwrap_or(i64::MAX));
    let found = super::changes(&city, biller_named(&id)?, &account, before, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|change| change.step.to_string());
    let item = |c: Change| SupplyChangeAnswer {
        step: c.step,
        state: c.state,
        cut_on: c.cut_on.map(|day| day.to_string()),
        cause: c.cause,
        at: c.at,
    };
    Ok(Json(SupplyChangesAnswer { items: found.into_iter().map(item).collect(), next }))
}
