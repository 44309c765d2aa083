//! Routes of the desk for billers: trying out packs, handing in files, imports, settled days, disagreements.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kernel::ids::{BillerId, BreakId, ImportId, OperatorId};
use kernel::{Date, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{BreakFilter, DeskBreak, PackCheck, Place, Trial};
use crate::City;
use crate::bill::http::{ImportAnswer, RowErrorsAnswer, biller_named, pieces_of_file, row_errors_of};
use crate::bill::pack::Name;
use crate::bill::reconcile::rules::{BreakCode, Source};
use crate::bill::reconcile::{self, Report, Totals};
use crate::bill::{self, Bill, Import};
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query};
use crate::identity::rules::mask_name;
use crate::identity::{Operator, Role};
use crate::operator::acts::http::Reason;
use crate::operator::audit::http::names;
use crate::operator::audit::{Act, audited};

/// The largest body of a trial: a pack, and a sample of a bill file in base64.
const TRIAL_BYTES_MAX: usize = 2 << 20;

/// Every route of the desk.
pub fn routes() -> OpenApiRouter<City> {
    let trial =
        OpenApiRouter::new().routes(routes!(check_pack)).layer(DefaultBodyLimit::max(TRIAL_BYTES_MAX));
    OpenApiRouter::new()
        .routes(routes!(upload_for_biller))
        .routes(routes!(list_all_imports))
        .routes(routes!(read_any_import))
        .routes(routes!(list_any_row_errors))
        .routes(routes!(list_ways))
        .routes(routes!(list_providers))
        .routes(routes!(sync_provider))
        .routes(routes!(list_settlements))
        .routes(routes!(bank_statement))
        .routes(routes!(match_day))
        .routes(routes!(list_breaks))
        .routes(routes!(accept_break))
        .merge(trial)
}

/// A pack to try out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrialRequest {
    /// The text of the pack, TOML.
    pack: String,
    /// The bytes of a bill file, base64: some lines of one are enough, if totals are right.
    sample: Option<String>,
}

/// A bill as the pack reads it.
#[derive(Debug, Serialize, ToSchema)]
struct SampleBillAnswer {
    account_no: String,
    bill_no: String,
    /// All but the last character masked.
    holder: String,
    amount: Amount,
    #[schema(example = "2026-03-25")]
    due: String,
}

/// What trying out a pack came to.
#[derive(Debug, Serialize, ToSchema)]
struct TrialAnswer {
    /// Whether everything is right.
    ok: bool,
    /// In order; what stands after the first that is not right may not have been looked at.
    checks: Vec<PackCheck>,
    /// Whose pack it is, where it is one.
    #[schema(value_type = Option<String>, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: Option<BillerId>,
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: Option<String>,
    /// SHA-256 of the pack: the version of its rules.
    rule_version: Option<String>,
    /// The version that is in force now; absent for a new biller.
    in_force: Option<String>,
    /// The first bills of the sample.
    bills: Vec<SampleBillAnswer>,
}

/// Try out a pack
///
/// And a bill file with it. Says of each thing whether it is right, and where and why not. Nothing is changed.
#[utoipa::path(post, path = "/v1/operator/packs/check", tag = "operator", security(("bearer" = [])),
    request_body = TrialRequest,
    responses((status = 200, body = TrialAnswer), (status = "default", body = Problem)))]
async fn check_pack(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<TrialRequest>,
) -> Answer<Json<TrialAnswer>> {
    by.role.require(Role::Staff)?;
    let sample = request.sample.as_deref().map(|text| BASE64_STANDARD.decode(text)).transpose();
    let sample = sample.map_err(|_| Problem::new(400, "malformed_body", "`sample` is not base64"))?;
    let Trial { checks, pack, bills } = super::try_out(&request.pack, sample.as_deref());
    let in_force = match &pack {
        Some(pack) => bill::biller(&city, pack.biller).await.ok().map(|there| there.hash.clone()),
        None => None,
    };
    let currency = city.settings.currency;
    let shown = |bill: Bill| SampleBillAnswer {
        account_no: bill.account_no,
        bill_no: bill.bill_no,
        holder: mask_name(&bill.holder),
        amount: Amount { minor: bill.amount_minor, currency },
        due: bill.due.to_string(),
    };
    Ok(Json(TrialAnswer {
        ok: checks.iter().all(|check| check.ok),
        checks,
        biller: pack.as_ref().map(|pack| pack.biller),
        pack: pack.as_ref().map(|pack| pack.spec.id.clone()),
        rule_version: pack.map(|pack| pack.hash),
        in_force,
        bills: bills.into_iter().map(shown).collect(),
    }))
}

/// An import, as operators see it.
#[derive(Debug, Serialize, ToSchema)]
struct DeskImportAnswer {
    import: ImportAnswer,
    biller_name: Option<Name>,
    /// Whether it is through; else it runs, waits for its turn, or has stopped.
    done: bool,
    /// Why it stopped on this node. It goes on when its file is handed in again, or at the next start.
    stopped: Option<String>,
}

impl DeskImportAnswer {
    async fn of(city: &City, import: Import) -> DeskImportAnswer {
        let name = bill::biller(city, import.biller).await.ok().map(|pack| pack.spec.name.clone());
        let stopped = bill::stopped_imports(city).into_iter().find(|(id, ..)| *id == import.id);
        DeskImportAnswer {
            done: import.finished_at.is_some(),
            import: import.into(),
            biller_name: name,
            stopped: stopped.map(|(.., why)| why),
        }
    }
}

/// What the file is called, and why it is handed in here.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeskUploadQuery {
    /// For people; the content alone decides which import it is.
    name: Option<String>,
    /// Why, 4 to 200 characters; for the audit trail.
    reason: Option<String>,
}

/// Hand in a bill file for a biller
///
/// As the biller could by `POST /v1/imports`: streamed to disk, checked as a whole, then taken in row by row in the
/// background. The biller by its id (`blr_…`), or by that of its pack. By an operator of role staff.
#[utoipa::path(post, path = "/v1/operator/billers/{id}/imports", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), DeskUploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, body = DeskImportAnswer), (status = "default", body = Problem)))]
async fn upload_for_biller(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<String>,
    Query(query): Query<DeskUploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer<(StatusCode, Json<DeskImportAnswer>)> {
    let pieces = pieces_of_file(&headers, body)?;
    let (name, reason) = (query.name.as_deref().unwrap_or("upload"), query.reason.as_deref());
    let import = super::upload(&city, &by, biller_named(&id)?, name, pieces, reason).await?;
    Ok((StatusCode::ACCEPTED, Json(DeskImportAnswer::of(&city, import).await)))
}

/// Which imports.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ImportsQuery {
    /// Of this biller (`blr_…`, or its pack's name); of all when absent.
    biller: Option<String>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Imports of all billers, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct DeskImportsAnswer {
    items: Vec<DeskImportAnswer>,
    next: Option<String>,
}

/// List imports of all billers
#[utoipa::path(get, path = "/v1/operator/imports", tag = "operator", security(("bearer" = [])),
    params(ImportsQuery),
    responses((status = 200, body = DeskImportsAnswer), (status = "default", body = Problem)))]
async fn list_all_imports(
    State(city): State<City>,
    _by: Operator,
    Query(query): Query<ImportsQuery>,
) -> Answer<Json<DeskImportsAnswer>> {
    let before = query.cursor.as_deref().map(str::parse::<Timestamp>).transpose();
    let before = before
        .map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged"))?;
    let biller = query.biller.as_deref().map(biller_named).transpose()?;
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = bill::all_imports(&city, biller, before, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| last.created_at.to_string());
    let mut items = Vec::with_capacity(found.len());
    for import in found {
        items.push(DeskImportAnswer::of(&city, import).await);
    }
    Ok(Json(DeskImportsAnswer { items, next }))
}

/// The connections to service providers.
#[derive(Debug, Serialize, ToSchema)]
struct ProvidersAnswer {
    items: Vec<bill::provider::ProviderView>,
}

/// List the connections to service providers
///
/// With how many billers are behind each, and what came of reading its catalogue last.
#[utoipa::path(get, path = "/v1/operator/providers", tag = "operator", security(("bearer" = [])),
    responses((status = 200, body = ProvidersAnswer), (status = "default", body = Problem)))]
async fn list_providers(State(city): State<City>, _by: Operator) -> Answer<Json<ProvidersAnswer>> {
    Ok(Json(ProvidersAnswer { items: bill::provider::providers(&city).await? }))
}

/// Read a service provider's catalogue now
///
/// Its institutions become billers; one that is gone takes no new payments. It is read once a day by itself; by an
/// operator of role admin. A catalogue that cannot be read changes nothing and says why in `error`.
#[utoipa::path(post, path = "/v1/operator/providers/{connection}/sync", tag = "operator", security(("bearer" = [])),
    params(("connection" = String, Path, description = "As the configuration names it.", example = "east-utilities"), Reason),
    responses((status = 200, body = bill::provider::SyncReport), (status = "default", body = Problem)))]
async fn sync_provider(
    State(city): State<City>,
    by: Operator,
    Path(connection): Path<String>,
    Query(why): Query<Reason>,
) -> Answer<Json<bill::provider::SyncReport>> {
    let reading = bill::provider::sync(&city, &by, &connection);
    let act = Act::on("sync_provider", &connection);
    Ok(Json(audited(&city, &by, why.reason.as_deref(), act, reading).await?))
}

/// A way to a biller that is asked.
#[derive(Debug, Serialize, ToSchema)]
struct WayAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: String,
    name: Name,
    #[serde(flatten)]
    health: bill::route::LaneHealth,
}

/// The ways to billers that are asked.
#[derive(Debug, Serialize, ToSchema)]
struct WaysAnswer {
    items: Vec<WayAnswer>,
}

/// List the ways to billers that are asked
///
/// Each as the node that answers has found it since it started.
#[utoipa::path(get, path = "/v1/operator/ways", tag = "operator", security(("bearer" = [])),
    responses((status = 200, body = WaysAnswer), (status = "default", body = Problem)))]
async fn list_ways(State(city): State<City>, _by: Operator) -> Json<WaysAnswer> {
    let each = |(pack, ways): (std::sync::Arc<bill::Pack>, Vec<bill::route::LaneHealth>)| {
        ways.into_iter().map(move |health| WayAnswer {
            biller: pack.biller,
            pack: pack.spec.id.clone(),
            name: pack.spec.name.clone(),
            health,
        })
    };
    Json(WaysAnswer { items: bill::all_ways(&city).into_iter().flat_map(each).collect() })
}

/// Read any biller's import
#[utoipa::path(get, path = "/v1/operator/imports/{id}", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = DeskImportAnswer), (status = "default", body = Problem)))]
async fn read_any_import(
    State(city): State<City>,
    _by: Operator,
    Path(id): Path<ImportId>,
) -> Answer<Json<DeskImportAnswer>> {
    Ok(Json(DeskImportAnswer::of(&city, bill::lookup(&city, id).await?).await))
}

/// List the rows of any biller's import that were refused
///
/// The first 10,000 of a file are kept; all are counted.
#[utoipa::path(get, path = "/v1/operator/imports/{id}/errors", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), Page),
    responses((status = 200, body = RowErrorsAnswer), (status = "default", body = Problem)))]
async fn list_any_row_errors(
    State(city): State<City>,
    _by: Operator,
    Path(id): Path<ImportId>,
    Query(page): Query<Page>,
) -> Answer<Json<RowErrorsAnswer>> {
    row_errors_of(&city, id, &page).await
}

/// Which day.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DayQuery {
    /// The local day.
    #[param(example = "2026-03-02")]
    day: String,
}

/// A biller's day.
#[derive(Debug, Serialize, ToSchema)]
struct SettlementAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: String,
    name: Name,
    /// What the newest match came to; absent until there is one.
    report: Option<Report>,
    /// Disagreements that nobody has decided about.
    open_breaks: u64,
}

/// A day of every biller.
#[derive(Debug, Serialize, ToSchema)]
struct SettlementsAnswer {
    items: Vec<SettlementAnswer>,
    /// Always absent: billers are one page.
    next: Option<String>,
}

/// List a day's settlements
///
/// How the day stands with every biller: matched or not, paid out, what is open.
#[utoipa::path(get, path = "/v1/operator/settlements", tag = "operator", security(("bearer" = [])),
    params(DayQuery),
    responses((status = 200, body = SettlementsAnswer), (status = "default", body = Problem)))]
async fn list_settlements(
    State(city): State<City>,
    by: Operator,
    Query(query): Query<DayQuery>,
) -> Answer<Json<SettlementsAnswer>> {
    let found = super::settlements(&city, &by, reconcile::day(&query.day)?).await?;
    let items = found.into_iter().map(|(pack, report, open_breaks)| SettlementAnswer {
        biller: pack.biller,
        pack: pack.spec.id.clone(),
        name: pack.spec.name.clone(),
        report,
        open_breaks,
    });
    Ok(Json(SettlementsAnswer { items: items.collect(), next: None }))
}

/// Which disagreements.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BreaksQuery {
    /// Of this biller (`blr_…`, or its pack's name); of all when absent.
    biller: Option<String>,
    /// Of this local day, `2026-03-02`; of all when absent.
    day: Option<String>,
    /// `open` or `accepted`; both when absent.
    #[param(inline)]
    state: Option<BreakState>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Whether somebody has decided about a disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BreakState {
    /// Nobody has.
    Open,
    /// It is taken note of.
    Accepted,
}

/// A disagreement of a biller's day.
#[derive(Debug, Serialize, ToSchema)]
struct DeskBreakAnswer {
    /// The same for whatever match finds it again.
    #[schema(value_type = String, example = "brk_01h2xcejqtf2nbrexx3vqjhp41")]
    id: BreakId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    #[schema(example = "2026-03-02")]
    day: String,
    number: u64,
    source: Source,
    code: BreakCode,
    /// What to do about it.
    #[schema(example = "send_line_again")]
    remedy: &'static str,
    /// The payment.
    reference: String,
    /// In the ledger.
    ours: Option<Amount>,
    /// In their list.
    theirs: Option<Amount>,
    state: BreakState,
    /// Who accepted it.
    #[schema(value_type = Option<String>, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    accepted_by: Option<OperatorId>,
    /// What people call the operator.
    accepted_by_name: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    accepted_at: Option<Timestamp>,
    /// Why, in the operator's own words.
    reason: Option<String>,
}

async fn answers(city: &City, found: Vec<DeskBreak>) -> Answer<Vec<DeskBreakAnswer>> {
    let (names, currency) = (names(city).await?, city.settings.currency);
    let amount = |minor| Amount { minor, currency };
    let answer = |b: DeskBreak| DeskBreakAnswer {
        id: b.id,
        biller: b.biller,
        day: b.day.to_string(),
        number: b.number,
        source: b.found.source,
        code: b.found.code,
        remedy: b.found.code.remedy(b.found.source),
        reference: b.found.reference,
        ours: b.found.ours_minor.map(amount),
        theirs: b.found.theirs_minor.map(amount),
        state: if b.decision.is_some() { BreakState::Accepted } else { BreakState::Open },
        accepted_by: b.decision.as_ref().map(|d| d.by),
        accepted_by_name: b.decision.as_ref().and_then(|d| names.get(&d.by).cloned()),
        accepted_at: b.decision.as_ref().map(|d| d.at),
        reason: b.decision.and_then(|d| d.reason),
    };
    Ok(found.into_iter().map(answer).collect())
}

/// Disagreements, the newest day first.
#[derive(Debug, Serialize, ToSchema)]
struct DeskBreaksAnswer {
    items: Vec<DeskBreakAnswer>,
    next: Option<String>,
}

/// `blr_…,2026-03-02,17`
fn place(text: &str) -> Option<Place> {
    let mut parts = text.split(',');
    let (biller, day, number) = (parts.next()?, parts.next()?, parts.next()?);
    let day: Date = reconcile::day(day).ok()?;
    Some(Place { biller: biller.parse().ok()?, day, number: number.parse().ok()? })
        .filter(|_| parts.next().is_none())
}

/// List disagreements of all billers
///
/// Of the newest match of each day, the newest day first.
#[utoipa::path(get, path = "/v1/operator/breaks", tag = "operator", security(("bearer" = [])),
    params(BreaksQuery),
    responses((status = 200, body = DeskBreaksAnswer), (status = "default", body = Problem)))]
async fn list_breaks(
    State(city): State<City>,
    by: Operator,
    Query(query): Query<BreaksQuery>,
) -> Answer<Json<DeskBreaksAnswer>> {
    let malformed = || Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let after = query.cursor.as_deref().map(|text| place(text).ok_or_else(malformed)).transpose()?;
    let wanted = BreakFilter {
        biller: query.biller.as_deref().map(biller_named).transpose()?,
        day: query.day.as_deref().map(reconcile::day).transpose()?,
        decided: query.state.map(|state| state == BreakState::Accepted),
    };
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = super::breaks(&city, &by, wanted, after, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|b| format!("{},{},{}", b.biller, b.day, b.number));
    Ok(Json(DeskBreaksAnswer { items: answers(&city, found).await?, next }))
}

/// Hand in the bank's statement of a biller's day
///
/// One line a payment, `reference,amount,date`, amounts in yuan, and a last line `TOTAL,count,sum`; in
/// the place of an earlier one. By an operator of role staff.
#[utoipa::path(put, path = "/v1/billers/{id}/settlements/{day}/bank", tag = "operator",
    security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02"), Reason),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Totals), (status = "default", body = Problem)))]
async fn bank_statement(
    State(city): State<City>,
    by: Operator,
    Path((biller, day)): Path<(BillerId, String)>,
    Query(why): Query<Reason>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Totals>> {
    by.role.require(Role::Staff)?;
    let day = reconcile::day(&day)?;
    let bytes = pieces_of_file(&headers, body)?;
    let act = Act::on("put_bank_statement", biller).with(day.to_string());
    let put = reconcile::put_bank_file(&city, &by, biller, day, bytes);
    Ok(Json(audited(&city, &by, why.reason.as_deref(), act, put).await?))
}

/// Close and match a biller's day
///
/// Books the payout (once), matches ledger, biller and bank as far as files have come, and keeps the
/// result. Run it again when another file has come. By an operator of role staff.
#[utoipa::path(post, path = "/v1/billers/{id}/settlements/{day}/reconcile", tag = "operator",
    security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02"), Reason),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
async fn match_day(
    State(city): State<City>,
    by: Operator,
    Path((biller, day)): Path<(BillerId, String)>,
    Query(why): Query<Reason>,
) -> Answer<Json<Report>> {
    by.role.require(Role::Staff)?;
    let day = reconcile::day(&day)?;
    let act = Act::on("match_day", biller).with(day.to_string());
    let run = reconcile::run(&city, &by, biller, day);
    Ok(Json(audited(&city, &by, why.reason.as_deref(), act, run).await?))
}

/// Why a disagreement is accepted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptRequest {
    /// 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Accept a disagreement
///
/// Takes note, in the operator's name, that it is known and that its remedy is under way or done: who, when and why.
/// It is no longer open, nor will it be when a later match finds the same again. No money moves by it. Safe to
/// repeat: the first decision stays. By an operator of role admin.
#[utoipa::path(post, path = "/v1/billers/{id}/settlements/{day}/breaks/{break}/accept", tag = "operator",
    security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02"),
        ("break" = String, Path, description = "brk_…")),
    request_body = AcceptRequest,
    responses((status = 200, body = DeskBreakAnswer), (status = "default", body = Problem)))]
async fn accept_break(
    State(city): State<City>,
    by: Operator,
    Path((biller, day, found)): Path<(BillerId, String, BreakId)>,
    Json(request): Json<AcceptRequest>,
) -> Answer<Json<DeskBreakAnswer>> {
    let day = reconcile::day(&day)?;
    let accepted = super::accept(&city, &by, biller, day, found, request.reason.as_deref()).await?;
    let mut all = answers(&city, vec![accepted]).await?;
    all.pop().map(Json).ok_or_else(|| Problem::new(500, "internal", "the service could not do this now"))
}
