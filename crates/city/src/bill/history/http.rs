//! Routes of the bills that a resident has paid, and their receipts.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use kernel::ids::PaymentId;
use kernel::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{HistoryEntry, HistoryFilter, Month};
use crate::City;
use crate::bill::http::{PaymentAnswer, biller_named, period};
use crate::bill::pack::{Category, Name};
use crate::bill::{self, PayState, Receipt};
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query, days, ledger_cursor};
use crate::identity::Resident;
use crate::identity::rules::mask_name;

/// Every route of paid bills.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(bill_history))
        .routes(routes!(bill_months))
        .routes(routes!(receipt))
        .routes(routes!(receipt_page))
        .routes(routes!(receipt_pdf))
}

/// A bill that was paid, and its payment.
#[derive(Debug, Serialize, ToSchema)]
struct PaidBillAnswer {
    payment: PaymentAnswer,
    account_no: String,
    bill_no: String,
    #[schema(example = "2026-02")]
    period: Option<String>,
    /// The biller's name.
    biller_name: Option<Name>,
}

impl PaidBillAnswer {
    async fn of(city: &City, entry: &HistoryEntry) -> Answer<PaidBillAnswer> {
        let pack = bill::biller(city, entry.bill.biller).await?;
        Ok(PaidBillAnswer {
            payment: PaymentAnswer::of(&entry.settled, PayState::Settled, false, city.settings.currency),
            account_no: entry.bill.account_no.clone(),
            bill_no: entry.bill.bill_no.clone(),
            period: period(entry.bill.period),
            biller_name: Some(pack.spec.name.clone()),
        })
    }
}

/// Bills that were paid, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct BillHistoryAnswer {
    items: Vec<PaidBillAnswer>,
    /// Cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Which payments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BillPaymentsQuery {
    /// First local day, `2026-03-02`.
    from: Option<String>,
    /// Last local day, included.
    to: Option<String>,
    /// What was billed.
    category: Option<Category>,
    /// `blr_…`, or the name of the biller's pack, `hz-power`.
    biller: Option<String>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many at most, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// List the bills I paid
///
/// Newest first. With a filter a page may be shorter than asked for, even empty, and still have a `next`.
#[utoipa::path(get, path = "/v1/bill-payments", tag = "bill", security(("bearer" = [])),
    params(BillPaymentsQuery),
    responses((status = 200, body = BillHistoryAnswer), (status = "default", body = Problem)))]
async fn bill_history(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<BillPaymentsQuery>,
) -> Answer<Json<BillHistoryAnswer>> {
    let BillPaymentsQuery { from, to, category, biller, cursor, limit } = query;
    let page = Page { cursor, limit };
    let biller = biller.as_deref().map(biller_named).transpose()?;
    let at = days(&city, from.as_deref(), to.as_deref())?;
    let filter = HistoryFilter { at, category, biller };
    let (entries, next) = super::history(&city, &who, &filter, ledger_cursor(&page)?, page.limit()).await?;
    let mut items = Vec::with_capacity(entries.len());
    for entry in &entries {
        items.push(PaidBillAnswer::of(&city, entry).await?);
    }
    Ok(Json(BillHistoryAnswer { items, next: next.map(|t| t.to_string()) }))
}

/// A receipt.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptAnswer {
    payment: PaymentAnswer,
    biller_name: Name,
    account_no: String,
    bill_no: String,
    /// All but the last character masked.
    #[schema(example = "**明")]
    holder: String,
    #[schema(example = "2026-02")]
    period: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    drawn_at: Timestamp,
}

impl ReceiptAnswer {
    fn of(receipt: &Receipt, currency: Currency) -> ReceiptAnswer {
        ReceiptAnswer {
            payment: PaymentAnswer::of(&receipt.settled, PayState::Settled, false, currency),
            biller_name: receipt.pack.spec.name.clone(),
            account_no: receipt.bill.account_no.clone(),
            bill_no: receipt.bill.bill_no.clone(),
            holder: mask_name(&receipt.bill.holder),
            period: period(receipt.bill.period),
            drawn_at: receipt.drawn_at,
        }
    }
}

/// Read a receipt
#[utoipa::path(get, path = "/v1/bill-payments/{id}", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = ReceiptAnswer), (status = "default", body = Problem)))]
async fn receipt(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<PaymentId>,
) -> Answer<Json<ReceiptAnswer>> {
    let receipt = bill::receipt(&city, &who, id).await?;
    Ok(Json(ReceiptAnswer::of(&receipt, city.settings.currency)))
}

/// Print a receipt
#[utoipa::path(get, path = "/v1/bill-payments/{id}/receipt.html", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"), (status = "default", body = Problem)))]
async fn receipt_page(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<PaymentId>,
) -> Answer<impl IntoResponse> {
    let receipt = bill::receipt(&city, &who, id).await?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, receipt.html(&city)))
}

/// Download a receipt
///
/// A5, to print or to keep; its text can be searched and copied.
#[utoipa::path(get, path = "/v1/bill-payments/{id}/receipt.pdf", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, description = "the receipt", body = String, content_type = "application/pdf"),
        (status = "default", body = Problem)))]
async fn receipt_pdf(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<PaymentId>,
) -> Answer<impl IntoResponse> {
    let receipt = bill::receipt(&city, &who, id).await?;
    let name = format!("inline; filename=\"receipt-{id}.pdf\"");
    let headers = [(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, receipt.pdf(&city)))
}

/// Which year.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MonthsQuery {
    #[param(example = 2026)]
    year: i16,
}

/// What I paid in a month.
#[derive(Debug, Serialize, ToSchema)]
struct MonthAnswer {
    #[schema(example = "2026-02")]
    month: String,
    count: u64,
    /// Late fees included.
    amount: Amount,
}

/// What I paid in the months of a year.
#[derive(Debug, Serialize, ToSchema)]
struct MonthsAnswer {
    year: i16,
    /// Twelve, January first.
    items: Vec<MonthAnswer>,
}

/// Sum up the bills I paid in a year
///
/// Month by month, by the local day of the payment.
#[utoipa::path(get, path = "/v1/bill-payments/months", tag = "bill", security(("bearer" = [])),
    params(MonthsQuery),
    responses((status = 200, body = MonthsAnswer), (status = "default", body = Problem)))]
async fn bill_months(
    State(city): State<City>,
    who: Resident,
    Query(MonthsQuery { year }): Query<MonthsQuery>,
) -> Answer<Json<MonthsAnswer>> {
    let months = super::months(&city, &who, year).await?;
    let months = months.ok_or_else(|| Problem::new(400, "malformed_query", "no calendar has this year"))?;
    let currency = city.settings.currency;
    let item = |(number, Month { count, amount_minor }): (u32, Month)| MonthAnswer {
        month: format!("{year:04}-{number:02}"),
        count,
        amount: Amount { minor: amount_minor, currency },
    };
    Ok(Json(MonthsAnswer { year, items: (1..).zip(months).map(item).collect() }))
}
