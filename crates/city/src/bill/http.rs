//! Routes of bills: residents find and pay them, billers hand files over, operators add packs.
//! Settlement and reconciliation have theirs in `reconcile/http.rs`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use kernel::ids::{BillId, BillerId, PaymentId};
use kernel::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::account::Check;
use super::fee::{Line, Why};
use super::pack::{self, AmountRule, Category, FeeOrder, Name, Order, Pack};
use super::parts::Part;
pub(crate) use super::upload::http::{
    ImportAnswer, RowErrorsAnswer, pieces_of_file, read_all, row_errors_of,
};
use super::{BillError, BillView, BillerFilter, PayBill, PayState, Quote, Settled, Standing};
use crate::City;
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::Resident;
use crate::identity::rules::mask_name;

/// Every route of bills.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_billers))
        .routes(routes!(read_biller))
        .routes(routes!(fetch))
        .routes(routes!(read_bill))
        .routes(routes!(quote))
        .routes(routes!(pay_bill))
        .merge(super::arrears::http::routes())
        .merge(super::advance::http::routes())
        .merge(super::collect::http::routes())
        .merge(super::history::http::routes())
        .merge(super::saved::http::routes())
        .merge(super::upload::http::routes())
        .merge(super::reconcile::http::routes())
        .merge(super::exchange::http::routes())
}

/// How a biller's account numbers are called and written.
#[derive(Debug, Serialize, ToSchema)]
struct AccountAnswer {
    /// What the number is called on the biller's paper.
    label: Name,
    /// A regular expression (ECMAScript, also of Rust) that the whole number matches, to be checked while it is typed.
    #[schema(example = "^33[0-9]{8}$")]
    format: String,
    #[schema(example = "3302005198")]
    example: String,
    /// Whether a number that matches may still be refused by its check digit (`account_check_digit`).
    check_digit: bool,
}

/// A biller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillerAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: BillerId,
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: String,
    name: Name,
    category: Category,
    /// GB/T 2260 region code.
    #[schema(example = "330100")]
    region: String,
    /// The city of that region.
    city: Option<Name>,
    /// What an account number looks like: `#` a digit, `@` a letter, `*` either.
    #[schema(example = "33########")]
    account_pattern: String,
    account: AccountAnswer,
    amount_rule: AmountRule,
    /// Whether a bill may be paid in parts.
    parts: bool,
    /// Whether a bill may be paid before those due before it.
    order: Order,
    /// SHA-256 of the pack: the version of its rules.
    rule_version: String,
    /// Whether payments can reach it from here: it hands over files, or a way to it is configured.
    connected: bool,
    /// It takes no new payments.
    closed: bool,
}

impl BillerAnswer {
    pub(crate) fn of(city: &City, pack: &Pack) -> BillerAnswer {
        let spec = &pack.spec;
        BillerAnswer {
            id: pack.biller,
            pack: spec.id.clone(),
            name: spec.name.clone(),
            category: spec.category,
            region: spec.region.clone(),
            city: spec.city.clone(),
            account_pattern: spec.account.pattern.clone(),
            account: AccountAnswer {
                label: spec.account.label.clone().unwrap_or_else(|| spec.category.account_label()),
                format: spec.account.expression(),
                example: spec.account.examples.first().cloned().unwrap_or_default(),
                check_digit: spec.account.check != Check::None,
            },
            amount_rule: spec.bills.amount_rule,
            parts: spec.bills.parts,
            order: spec.bills.order,
            rule_version: pack.hash.clone(),
            connected: super::is_connected(city, pack),
            closed: spec.closed,
        }
    }
}

/// Billers; there are few enough for one page.
#[derive(Debug, Serialize, ToSchema)]
struct BillersAnswer {
    items: Vec<BillerAnswer>,
    next: Option<String>,
}

/// Which billers.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BillersQuery {
    /// The beginning of a GB/T 2260 code: `33` for Zhejiang, `330100` for Hangzhou.
    region: Option<String>,
    /// What they bill.
    category: Option<Category>,
    /// Part of a name, of a city's name or of the pack's name, in any case.
    q: Option<String>,
}

/// Find billers
///
/// By region, category and name. For everybody.
#[utoipa::path(get, path = "/v1/billers", tag = "bill", params(BillersQuery),
    responses((status = 200, body = BillersAnswer), (status = "default", body = Problem)))]
async fn list_billers(
    State(city): State<City>,
    Query(query): Query<BillersQuery>,
) -> Answer<Json<BillersAnswer>> {
    let filter = BillerFilter { region: query.region, category: query.category, text: query.q };
    let found = super::billers(&city, &filter).await?;
    Ok(Json(BillersAnswer { items: found.iter().map(|p| BillerAnswer::of(&city, p)).collect(), next: None }))
}

/// The biller that an address names: by its id, or by that of its pack.
pub(crate) fn biller_named(text: &str) -> Answer<BillerId> {
    let by_pack = || pack::is_pack_id(text).then(|| pack::biller_of(text));
    text.parse().ok().or_else(by_pack).ok_or_else(|| {
        Problem::new(400, "malformed_id", "a biller is named `blr_…`, or by its pack, `hz-power`")
    })
}

/// Read a biller
///
/// By its id (`blr_…`), or by that of its pack (`hz-power`).
#[utoipa::path(get, path = "/v1/billers/{id}", tag = "bill", params(("id" = String, Path)),
    responses((status = 200, body = BillerAnswer), (status = "default", body = Problem)))]
async fn read_biller(State(city): State<City>, Path(id): Path<String>) -> Answer<Json<BillerAnswer>> {
    Ok(Json(BillerAnswer::of(&city, &*super::biller(&city, biller_named(&id)?).await?)))
}

/// One line of a late fee.
#[derive(Debug, Serialize, ToSchema)]
struct LateFeeLineAnswer {
    /// The first day in it that counts.
    #[schema(example = "2026-03-26")]
    from: String,
    /// The last.
    #[schema(example = "2026-04-24")]
    to: String,
    /// How many days count.
    days: u32,
    /// What of the bill was open on them, minor units.
    base_minor: i64,
    /// Basis points of it a day; 0 where the rule is an amount once.
    bps: u32,
    /// What they cost, minor units: the rounded running total after them less that before them. Negative where `paid`.
    amount_minor: i64,
    /// The first day of the version of the rule; absent for one in force ever since.
    #[schema(example = "2026-07-01")]
    rule_version: Option<String>,
    /// The yearly notice by which workdays were counted, `cn-2026`, or `cn-2031-assumed` where that is not known yet;
    /// absent where every day counts.
    #[schema(example = "cn-2026")]
    calendar_version: Option<String>,
    /// `grace` (costs nothing), `daily`, `fixed` (an amount, once), `cap` (the rest up to the cap, then nothing), `paid`
    /// (late fee paid before, taken off).
    why: Why,
}

impl From<&Line> for LateFeeLineAnswer {
    fn from(line: &Line) -> LateFeeLineAnswer {
        LateFeeLineAnswer {
            from: line.from.to_string(),
            to: line.to.to_string(),
            days: line.days,
            base_minor: line.base_minor,
            bps: line.bps,
            amount_minor: line.amount_minor,
            rule_version: line.version.map(|from| from.to_string()),
            calendar_version: line.notice.map(super::fee::Notice::name),
            why: line.why,
        }
    }
}

/// A price that stands.
#[derive(Debug, Serialize, ToSchema)]
struct QuoteAnswer {
    /// Send it with the payment.
    id: String,
    /// What is open of the bill's own amount.
    amount: Amount,
    /// The late fee that is open.
    late_fee: Amount,
    /// How the late fee comes about, line by line; they sum to it.
    late_fee_lines: Vec<LateFeeLineAnswer>,
    /// What a payment of less than the total pays first.
    late_fee_order: FeeOrder,
    /// The least payment, unless the total is less.
    least: Amount,
    /// Both together.
    total: Amount,
    /// What a payment may be.
    amount_rule: AmountRule,
    /// SHA-256 of the pack whose rules made the price.
    rule_version: String,
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
}

impl QuoteAnswer {
    fn of(quote: Quote, currency: Currency) -> QuoteAnswer {
        let amount = |minor| Amount { minor, currency };
        QuoteAnswer {
            id: quote.id,
            amount: amount(quote.amount_minor),
            late_fee: amount(quote.late_fee_minor),
            late_fee_lines: quote.late_fee_lines.iter().map(LateFeeLineAnswer::from).collect(),
            late_fee_order: quote.fee_order,
            least: amount(quote.least_minor.min(quote.total_minor)),
            total: amount(quote.total_minor),
            amount_rule: quote.amount_rule,
            rule_version: quote.rule_version,
            valid_until: quote.valid_until,
        }
    }
}

/// How a bill stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BillState {
    Open,
    Claimed,
    Settled,
}

/// A part of a bill that is paid.
#[derive(Debug, Serialize, ToSchema)]
struct PartAnswer {
    amount: Amount,
    /// The late fee within it.
    late_fee: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What is paid of a bill that is not paid as a whole.
#[derive(Debug, Serialize, ToSchema)]
struct PartlyPaidAnswer {
    /// What is paid, late fees included.
    paid: Amount,
    /// What is open now, late fee included.
    open: Amount,
    parts: Vec<PartAnswer>,
}

impl PartlyPaidAnswer {
    fn of(parts: &[Part], open_minor: i64, currency: Currency) -> PartlyPaidAnswer {
        let amount = |minor| Amount { minor, currency };
        let part = |part: &Part| PartAnswer {
            amount: amount(part.settled.amount_minor),
            late_fee: amount(part.settled.late_fee_minor),
            at: part.settled.at,
        };
        PartlyPaidAnswer {
            paid: amount(parts.iter().map(|part| part.settled.amount_minor).sum()),
            open: amount(open_minor),
            parts: parts.iter().map(part).collect(),
        }
    }
}

/// A bill.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BillAnswer {
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    id: BillId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    account_no: String,
    bill_no: String,
    /// The name on the account, all but its last character masked.
    #[schema(example = "**明")]
    holder: String,
    /// The month billed; absent where the biller gives none.
    #[schema(example = "2026-02")]
    period: Option<String>,
    /// The last day without a late fee.
    #[schema(example = "2026-03-25")]
    due: String,
    /// `open`, `claimed` (somebody is paying it) or `settled`.
    state: BillState,
    /// What is paid of it, while some of it is open; absent before the first part and once it is settled.
    partly_paid: Option<PartlyPaidAnswer>,
    /// What paying it costs now; absent once it is settled.
    quote: Option<QuoteAnswer>,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Timestamp>,
}

impl BillAnswer {
    pub(super) fn of(view: BillView, currency: Currency) -> BillAnswer {
        let (state, settled_at) = match &view.standing {
            Standing::Open => (BillState::Open, None),
            Standing::Claimed { .. } => (BillState::Claimed, None),
            Standing::Settled(settled) => (BillState::Settled, Some(settled.at)),
        };
        let partly = settled_at.is_none() && !view.parts.is_empty();
        let partly_paid = partly.then(|| PartlyPaidAnswer::of(&view.parts, view.quote.total_minor, currency));
        let quote = settled_at.is_none().then(|| QuoteAnswer::of(view.quote, currency));
        let bill = &view.bill;
        BillAnswer {
            id: bill.id,
            biller: bill.biller,
            account_no: bill.account_no.clone(),
            bill_no: bill.bill_no.clone(),
            holder: mask_name(&bill.holder),
            period: period(bill.period),
            due: bill.due.to_string(),
            state,
            partly_paid,
            quote,
            settled_at,
        }
    }
}

pub(crate) fn period(period: u32) -> Option<String> {
    (period > 0).then(|| format!("{:04}-{:02}", period / 100, period % 100))
}

/// The bills of an account, newest due date first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BillsAnswer {
    items: Vec<BillAnswer>,
    next: Option<String>,
}

/// Bills as they are answered.
pub(super) fn bills_answer(found: Vec<BillView>, currency: Currency) -> BillsAnswer {
    let items = found.into_iter().map(|view| BillAnswer::of(view, currency)).collect();
    BillsAnswer { items, next: None }
}

/// Which account.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountQuery {
    /// The number on the biller's paper.
    pub(super) account_no: String,
}

/// Find the bills of an account
///
/// Anyone who knows an account number may find and pay its bills, as on paper. The biller by its id
/// (`blr_…`), or by that of its pack (`hz-power`).
#[utoipa::path(get, path = "/v1/billers/{id}/bills", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path), AccountQuery),
    responses((status = 200, body = BillsAnswer), (status = "default", body = Problem)))]
async fn fetch(
    State(city): State<City>,
    _who: Resident,
    Path(id): Path<String>,
    Query(query): Query<AccountQuery>,
) -> Answer<Json<BillsAnswer>> {
    let found = super::fetch(&city, biller_named(&id)?, &query.account_no).await?;
    let currency = city.settings.currency;
    let items = found.into_iter().map(|view| BillAnswer::of(view, currency)).collect();
    Ok(Json(BillsAnswer { items, next: None }))
}

/// Read a bill
#[utoipa::path(get, path = "/v1/bills/{id}", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = BillAnswer), (status = "default", body = Problem)))]
async fn read_bill(
    State(city): State<City>,
    _who: Resident,
    Path(id): Path<BillId>,
) -> Answer<Json<BillAnswer>> {
    let view = super::bill(&city, id).await?;
    Ok(Json(BillAnswer::of(view, city.settings.currency)))
}

/// Ask what a bill costs
///
/// The price stands until the quote runs out.
#[utoipa::path(post, path = "/v1/bills/{id}/quote", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = QuoteAnswer), (status = "default", body = Problem)))]
async fn quote(
    State(city): State<City>,
    _who: Resident,
    Path(id): Path<BillId>,
) -> Answer<Json<QuoteAnswer>> {
    let quote = super::quote(&city, id).await?;
    Ok(Json(QuoteAnswer::of(quote, city.settings.currency)))
}

/// A wish to pay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayBillRequest {
    /// The id of a quote of this bill.
    quote: String,
    /// What the quote says when absent.
    amount: Option<Amount>,
    /// Needed above the no-PIN limit.
    pin: Option<String>,
    /// Your own id of this payment, 1 to 64 visible ASCII characters, where no `Idempotency-Key` gives
    /// it; the quote's when absent. Asking again with the same one is safe.
    request_id: Option<String>,
}

/// A payment of a bill.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PaymentAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    amount: Amount,
    /// The late fee within it.
    late_fee: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `settled`, or `pending` while the biller is being asked: read the bill again.
    #[schema(example = "settled")]
    state: &'static str,
    /// Whether it had been settled before this request.
    repeated: bool,
}

impl PaymentAnswer {
    pub(super) fn of(
        settled: &Settled,
        state: PayState,
        repeated: bool,
        currency: Currency,
    ) -> PaymentAnswer {
        let amount = |minor| Amount { minor, currency };
        PaymentAnswer {
            id: settled.payment,
            bill: settled.bill,
            biller: settled.biller,
            amount: amount(settled.amount_minor),
            late_fee: amount(settled.late_fee_minor),
            at: settled.at,
            state: if state == PayState::Settled { "settled" } else { "pending" },
            repeated,
        }
    }
}

/// Pay a bill
///
/// At the price of a quote, once: of any number of people and channels that try, one succeeds. The
/// same request again, by its `Idempotency-Key`, `request_id` or quote, is the same payment.
/// 202 where the biller has not answered yet; the money is held until it does.
#[utoipa::path(post, path = "/v1/bills/{id}/pay", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = PayBillRequest,
    responses((status = 200, body = PaymentAnswer), (status = 202, body = PaymentAnswer),
        (status = "default", body = Problem)))]
async fn pay_bill(
    State(city): State<City>,
    who: Resident,
    Path(bill): Path<BillId>,
    headers: HeaderMap,
    Json(request): Json<PayBillRequest>,
) -> Answer<impl IntoResponse> {
    let currency = city.settings.currency;
    if request.amount.is_some_and(|amount| amount.currency != currency) {
        return Err(BillError::AmountUnacceptable.into());
    }
    // What is no text is refused below as every other key that is not visible ASCII.
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default().to_owned());
    let wish = PayBill {
        bill,
        quote: request.quote,
        amount_minor: request.amount.map(|amount| amount.minor),
        pin: request.pin,
        request_id: key.or(request.request_id),
    };
    let paid = super::pay(&city, &who, wish).await?;
    let status = if paid.state == PayState::Settled { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(PaymentAnswer::of(&paid.settled, paid.state, paid.repeated, currency))))
}
