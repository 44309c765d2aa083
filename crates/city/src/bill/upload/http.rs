//! Routes of bill files: a biller hands one in and sees what became of it.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use kernel::Timestamp;
use kernel::ids::{BillerId, ImportId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Upload;
use crate::City;
use crate::bill::{self, BillError, Import, RowError};
use crate::http::{Answer, BrokenBody, Json, Page, Path, Pieces, Problem, Query, ledger_cursor};
use crate::identity::Biller;

/// The largest bill file, in bytes.
pub const IMPORT_BYTES_MAX: u64 = 4 << 30;

/// Every route of bill files.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, upload))
        .routes(routes!(read_import))
        .routes(routes!(list_row_errors))
}

/// A file on its way in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportAnswer {
    #[schema(value_type = String, example = "imp_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ImportId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    name: String,
    /// Of the file, hexadecimal.
    sha256: String,
    bytes: u64,
    /// Records in the file.
    records: u64,
    /// Lines taken in so far.
    line: u64,
    /// Bytes taken in so far.
    at_byte: u64,
    /// Bills that were new.
    added: u64,
    /// Bills that were there, the same.
    unchanged: u64,
    /// Rows with an error.
    refused: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Absent while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<Import> for ImportAnswer {
    fn from(i: Import) -> ImportAnswer {
        ImportAnswer {
            id: i.id,
            biller: i.biller,
            name: i.name,
            sha256: i.sha256,
            bytes: i.bytes,
            records: i.records,
            line: i.line,
            at_byte: i.at_byte,
            added: i.added,
            unchanged: i.unchanged,
            refused: i.refused,
            created_at: i.created_at,
            finished_at: i.finished_at,
        }
    }
}

/// What the file is called.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct UploadQuery {
    /// For people; the content alone decides which import it is.
    name: Option<String>,
}

/// The body of a bill file, piece by piece; refused at once where it says that it is larger than any may be.
pub(crate) fn pieces_of_file(headers: &HeaderMap, body: Body) -> Answer<Pieces> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > IMPORT_BYTES_MAX) {
        return Err(BrokenBody::TooLarge.into());
    }
    Ok(Pieces::of(body, IMPORT_BYTES_MAX))
}

impl Upload for Pieces {
    async fn next(&mut self) -> Option<Result<Vec<u8>, io::Error>> {
        Some(Pieces::next(self).await?.map(|data| data.to_vec()).map_err(|broken| match broken {
            BrokenBody::TooLarge => io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"),
            BrokenBody::BrokeOff => io::Error::other("the upload broke off"),
        }))
    }
}

/// Reads a body of at most `max` bytes.
pub(crate) async fn read_all(body: Body, max: u64) -> Answer<Vec<u8>> {
    let mut pieces = Pieces::of(body, max);
    let mut bytes = Vec::new();
    while let Some(piece) = Pieces::next(&mut pieces).await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

/// Hand in a bill file
///
/// Streamed to disk, checked as a whole (a malformed file is refused here and changes nothing), then
/// taken in row by row in the background: read the import to see how far it is. The same file again
/// is the same import. By a biller's key of role staff.
#[utoipa::path(post, path = "/v1/imports", tag = "biller", security(("bearer" = [])), params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, body = ImportAnswer), (status = "default", body = Problem)))]
async fn upload(
    State(city): State<City>,
    who: Biller,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer<impl IntoResponse> {
    let pieces = pieces_of_file(&headers, body)?;
    let name = query.name.as_deref().unwrap_or("upload");
    let import = bill::receive(&city, &who, name, pieces).await?;
    Ok((StatusCode::ACCEPTED, Json(ImportAnswer::from(import))))
}

/// Imports, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct ImportsAnswer {
    items: Vec<ImportAnswer>,
    next: Option<String>,
}

/// List my imports
#[utoipa::path(get, path = "/v1/imports", tag = "biller", security(("bearer" = [])), params(Page),
    responses((status = 200, body = ImportsAnswer), (status = "default", body = Problem)))]
async fn list_imports(
    State(city): State<City>,
    who: Biller,
    Query(page): Query<Page>,
) -> Answer<Json<ImportsAnswer>> {
    let before = page.cursor.as_deref().map(str::parse).transpose();
    let before = before
        .map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged"))?;
    let found = bill::imports(&city, who.id, before, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.created_at.to_string());
    Ok(Json(ImportsAnswer { items: found.into_iter().map(ImportAnswer::from).collect(), next }))
}

/// Read an import
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "biller", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = ImportAnswer), (status = "default", body = Problem)))]
async fn read_import(
    State(city): State<City>,
    who: Biller,
    Path(id): Path<ImportId>,
) -> Answer<Json<ImportAnswer>> {
    Ok(Json(own_import(&city, &who, id).await?.into()))
}

async fn own_import(city: &City, who: &Biller, id: ImportId) -> Result<Import, BillError> {
    let import = bill::lookup(city, id).await?;
    if import.biller == who.id { Ok(import) } else { Err(BillError::ImportUnknown) }
}

/// A row that was not taken in.
#[derive(Debug, Serialize, ToSchema)]
struct RowErrorAnswer {
    /// The line in the file, from 1.
    line: u64,
    /// Empty for the line as a whole.
    field: String,
    /// The reason.
    #[schema(example = "account_check_digit")]
    code: String,
}

impl From<RowError> for RowErrorAnswer {
    fn from(e: RowError) -> RowErrorAnswer {
        RowErrorAnswer { line: e.line, field: e.field, code: e.code }
    }
}

/// Rows that were not taken in, by line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowErrorsAnswer {
    items: Vec<RowErrorAnswer>,
    next: Option<String>,
}

/// List the rows of an import that were refused
///
/// The first 10,000 of a file are kept; all are counted.
#[utoipa::path(get, path = "/v1/imports/{id}/errors", tag = "biller", security(("bearer" = [])),
    params(("id" = String, Path), Page),
    responses((status = 200, body = RowErrorsAnswer), (status = "default", body = Problem)))]
async fn list_row_errors(
    State(city): State<City>,
    who: Biller,
    Path(id): Path<ImportId>,
    Query(page): Query<Page>,
) -> Answer<Json<RowErrorsAnswer>> {
    own_import(&city, &who, id).await?;
    row_errors_of(&city, id, &page).await
}

/// A page of the rows of an import that were refused.
pub(crate) async fn row_errors_of(city: &City, id: ImportId, page: &Page) -> Answer<Json<RowErrorsAnswer>> {
    let after = ledger_cursor(page)?.unwrap_or(0);
    let found = bill::row_errors(city, id, after, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.line.to_string());
    Ok(Json(RowErrorsAnswer { items: found.into_iter().map(RowErrorAnswer::from).collect(), next }))
}
