//! Routes of exchanged files: how every folder stands, what came in, what went out.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{BillerId, ImportId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{Kind, Missing, Outcome};
use super::{After, Gap, Overview, Received, Sent};
use crate::City;
use crate::bill::http::biller_named;
use crate::bill::pack::Name;
use crate::bill::reconcile;
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query};
use crate::identity::Operator;

/// Every route of exchanged files.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_exchanges))
        .routes(routes!(list_exchange_in))
        .routes(routes!(list_exchange_out))
}

/// A file that came.
#[derive(Debug, Serialize, ToSchema)]
struct ReceivedFileAnswer {
    #[schema(example = "BILL_20260302_0007.txt")]
    name: String,
    /// Of its content, hexadecimal.
    sha256: String,
    kind: Kind,
    /// The date in its name.
    #[schema(example = "2026-03-02")]
    day: Option<String>,
    /// The number in its name.
    sequence: Option<u32>,
    bytes: u64,
    /// How it ended; absent while it is taken in.
    outcome: Option<Outcome>,
    /// Why it was refused.
    #[schema(example = "file_sum_differs")]
    code: Option<String>,
    /// Bills: the import it became; its counts and row errors are there.
    #[schema(value_type = Option<String>, example = "imp_01h2xcejqtf2nbrexx3vqjhp41")]
    import: Option<ImportId>,
    /// Records in it.
    records: u64,
    /// Their sum, as far as amounts can be read.
    amount: Amount,
    /// When it was taken up.
    #[schema(value_type = String, format = DateTime)]
    arrived_at: Timestamp,
    /// When it was accepted or refused.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// When its acknowledgement was written.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
}

impl ReceivedFileAnswer {
    fn of(city: &City, file: Received) -> ReceivedFileAnswer {
        ReceivedFileAnswer {
            name: file.name,
            sha256: file.sha256,
            kind: file.kind,
            day: file.day.map(|day| day.to_string()),
            sequence: file.seq,
            bytes: file.bytes,
            outcome: file.outcome,
            code: file.code,
            import: file.import,
            records: file.records,
            amount: Amount { minor: file.amount_minor, currency: city.settings.currency },
            arrived_at: file.arrived_at,
            ended_at: file.ended_at,
            acknowledged_at: file.told_at,
        }
    }
}

/// A settlement file that went out.
#[derive(Debug, Serialize, ToSchema)]
struct SentFileAnswer {
    #[schema(example = "SETT_20260302_0007.txt")]
    name: String,
    /// Of its content, hexadecimal.
    sha256: String,
    /// Whose day it is.
    #[schema(example = "2026-03-02")]
    day: String,
    sequence: u32,
    bytes: u64,
    /// When it lay in the folder.
    #[schema(value_type = Option<String>, format = DateTime)]
    written_at: Option<Timestamp>,
    /// When the biller acknowledged it.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
    /// What the biller says of it; absent until it does.
    outcome: Option<Outcome>,
    /// Why the biller refused it, in its words.
    code: Option<String>,
}

impl From<Sent> for SentFileAnswer {
    fn from(file: Sent) -> SentFileAnswer {
        SentFileAnswer {
            name: file.name,
            sha256: file.sha256,
            day: file.day.to_string(),
            sequence: file.seq,
            bytes: file.bytes,
            written_at: file.written_at,
            acknowledged_at: file.acked_at,
            outcome: file.outcome,
            code: file.code,
        }
    }
}

/// Numbers that are missing in a series of files.
#[derive(Debug, Serialize, ToSchema)]
struct GapAnswer {
    kind: Kind,
    /// Whose day, where every day counts from the start.
    #[schema(example = "2026-03-02")]
    day: Option<String>,
    /// Which, both ends included.
    #[serde(flatten)]
    missing: Missing,
    /// When the file after them came.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Why a folder cannot be worked.
#[derive(Debug, Serialize, ToSchema)]
struct FailingAnswer {
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    detail: String,
}

/// How the exchange with a biller stands.
#[derive(Debug, Serialize, ToSchema)]
struct ExchangeAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: String,
    name: Name,
    /// The folder, on the server.
    directory: String,
    /// Numbers that are missing.
    gaps: Vec<GapAnswer>,
    /// The newest file that came.
    received: Option<ReceivedFileAnswer>,
    /// The newest file that went.
    sent: Option<SentFileAnswer>,
    /// Files of ours that the biller refused or did not acknowledge in time; the newest 50.
    unaccepted: Vec<SentFileAnswer>,
    /// Why the node that answers cannot work the folder; absent while it can, or another node works it.
    failing: Option<FailingAnswer>,
}

impl ExchangeAnswer {
    fn of(city: &City, seen: Overview) -> ExchangeAnswer {
        let gap = |gap: Gap| GapAnswer {
            kind: gap.kind,
            day: gap.day.map(|day| day.to_string()),
            missing: gap.missing,
            since: gap.since,
        };
        ExchangeAnswer {
            biller: seen.pack.biller,
            pack: seen.pack.spec.id.clone(),
            name: seen.pack.spec.name.clone(),
            directory: seen.directory.display().to_string(),
            gaps: seen.gaps.into_iter().map(gap).collect(),
            received: seen.received.map(|file| ReceivedFileAnswer::of(city, file)),
            sent: seen.sent.map(Into::into),
            unaccepted: seen.unaccepted.into_iter().map(Into::into).collect(),
            failing: seen.failing.map(|(since, detail)| FailingAnswer { since, detail }),
        }
    }
}

/// The folders; there are few enough for one page.
#[derive(Debug, Serialize, ToSchema)]
struct ExchangesAnswer {
    items: Vec<ExchangeAnswer>,
    /// Always absent.
    next: Option<String>,
}

/// List the folders that files are exchanged through
///
/// One for every biller whose pack has `[exchange]`: numbers that are missing, the newest files, files that the biller
/// did not accept. By an operator of any role.
#[utoipa::path(get, path = "/v1/operator/exchange", tag = "operator", security(("bearer" = [])),
    responses((status = 200, body = ExchangesAnswer), (status = "default", body = Problem)))]
async fn list_exchanges(State(city): State<City>, _by: Operator) -> Answer<Json<ExchangesAnswer>> {
    let items = super::overviews(&city).await?;
    let items = items.into_iter().map(|seen| ExchangeAnswer::of(&city, seen)).collect();
    Ok(Json(ExchangesAnswer { items, next: None }))
}

/// Files that came, the newest first.
#[derive(Debug, Serialize, ToSchema)]
struct ReceivedFilesAnswer {
    items: Vec<ReceivedFileAnswer>,
    next: Option<String>,
}

fn cursor_of(file: &Received) -> String {
    format!("{}~{}~{}", file.arrived_at.as_millis(), file.sha256, file.name)
}

fn after(page: &Page) -> Answer<After> {
    let Some(cursor) = &page.cursor else { return Ok(super::newest()) };
    let mut parts = cursor.splitn(3, '~');
    let mut read = || {
        let at_ms = parts.next()?.parse().ok()?;
        let (sha256, name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(After { at_ms, name, sha256 })
    };
    read().ok_or_else(|| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged"))
}

/// List the files that a biller put into its folder
///
/// The biller by its id (`blr_…`), or by that of its pack. By an operator of any role.
#[utoipa::path(get, path = "/v1/operator/exchange/{id}/in", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), Page),
    responses((status = 200, body = ReceivedFilesAnswer), (status = "default", body = Problem)))]
async fn list_exchange_in(
    State(city): State<City>,
    _by: Operator,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Answer<Json<ReceivedFilesAnswer>> {
    let found = super::received(&city, biller_named(&id)?, &after(&page)?, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(cursor_of);
    let items = found.into_iter().map(|file| ReceivedFileAnswer::of(&city, file)).collect();
    Ok(Json(ReceivedFilesAnswer { items, next }))
}

/// Settlement files that went out, the newest day first.
#[derive(Debug, Serialize, ToSchema)]
struct SentFilesAnswer {
    items: Vec<SentFileAnswer>,
    next: Option<String>,
}

/// List the settlement files that were put into a biller's folder
///
/// The biller by its id (`blr_…`), or by that of its pack. By an operator of any role.
#[utoipa::path(get, path = "/v1/operator/exchange/{id}/out", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), Page),
    responses((status = 200, body = SentFilesAnswer), (status = "default", body = Problem)))]
async fn list_exchange_out(
    State(city): State<City>,
    _by: Operator,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Answer<Json<SentFilesAnswer>> {
    let before = page.cursor.as_deref().map(reconcile::day).transpose();
    let before = before
        .map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged"))?;
    let found = super::sent(&city, biller_named(&id)?, before, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|file| file.day.to_string());
    Ok(Json(SentFilesAnswer { items: found.into_iter().map(Into::into).collect(), next }))
}
