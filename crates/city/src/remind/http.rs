//! Routes of reminders: the inbox, and how a resident wants to be told.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, MandateId, NoteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{NoteKind, NoteLanguage, Preferences, Quiet, clock, minutes};
use super::{Note, RemindError, send};
use crate::City;
use crate::bill::pack::Name;
use crate::http::{Amount, Answer, Json, Page, Problem, Query};
use crate::identity::Resident;

/// Every route of reminders.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(inbox))
        .routes(routes!(inbox_read))
        .routes(routes!(preferences, put_preferences))
}

/// A note in my inbox.
#[derive(Debug, Serialize, ToSchema)]
struct NoteAnswer {
    #[schema(value_type = String, example = "nte_01h2xcejqtf2nbrexx3vqjhp41")]
    id: NoteId,
    kind: NoteKind,
    /// What it says, in both languages.
    text: Name,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    account_no: String,
    /// Whether it is about an account of somebody I look after.
    family: bool,
    /// The bill, where it is about one.
    #[schema(value_type = Option<String>, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: Option<BillId>,
    /// The mandate, in notes of auto-pay.
    #[schema(value_type = Option<String>, example = "mdt_01h2xcejqtf2nbrexx3vqjhp41")]
    mandate: Option<MandateId>,
    /// What was owed when it was sent.
    amount: Option<Amount>,
    /// The day it is about: due, debited, tried again or cut.
    #[schema(example = "2026-03-25")]
    on: Option<String>,
    /// In `autopay_failed`: the code of the refusal, as in the list of errors.
    #[schema(example = "insufficient_balance")]
    reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    read_at: Option<Timestamp>,
}

impl NoteAnswer {
    async fn of(city: &City, note: Note) -> Answer<NoteAnswer> {
        let text = send::text(city, &note, None).await?;
        let (tell, currency) = (note.tell, city.settings.currency);
        Ok(NoteAnswer {
            id: note.id,
            kind: tell.kind,
            text,
            biller: tell.biller,
            account_no: tell.account_no,
            family: tell.resident != tell.owner,
            bill: tell.bill,
            mandate: tell.mandate,
            amount: tell.amount_minor.map(|minor| Amount { minor, currency }),
            on: tell.on.map(|on| on.to_string()),
            reason: tell.reason,
            sent_at: note.sent_at,
            read_at: note.read_at,
        })
    }
}

/// My inbox, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct InboxAnswer {
    items: Vec<NoteAnswer>,
    /// How many of all are unread.
    unread: i64,
    /// Cursor of the next page; absent on the last.
    next: Option<String>,
}

fn place(page: &Page) -> Answer<Option<(Timestamp, NoteId)>> {
    let malformed = || Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let Some(text) = page.cursor.as_deref() else { return Ok(None) };
    let (at, id) = text.split_once('.').ok_or_else(malformed)?;
    let at = at.parse().map_err(|_| malformed())?;
    Ok(Some((Timestamp::from_millis(at), id.parse().map_err(|_| malformed())?)))
}

/// Read my inbox
///
/// What I was reminded of and what auto-pay did, newest first. A bill that was paid before its note went out has none.
#[utoipa::path(get, path = "/v1/inbox", tag = "remind", security(("bearer" = [])), params(Page),
    responses((status = 200, body = InboxAnswer), (status = "default", body = Problem)))]
async fn inbox(
    State(city): State<City>,
    who: Resident,
    Query(page): Query<Page>,
) -> Answer<Json<InboxAnswer>> {
    let (notes, unread) = super::inbox(&city, &who, place(&page)?, page.limit()).await?;
    let full = notes.len() == page.limit() as usize;
    let last = notes.last().and_then(|note| Some((note.sent_at?, note.id)));
    let next = last.filter(|_| full).map(|(at, id)| format!("{}.{id}", at.as_millis()));
    let mut items = Vec::with_capacity(notes.len());
    for note in notes {
        items.push(NoteAnswer::of(&city, note).await?);
    }
    Ok(Json(InboxAnswer { items, unread, next }))
}

/// Which notes I have read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InboxReadRequest {
    /// At most 200; all of the inbox when absent.
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<NoteId>>,
}

/// How many are unread now.
#[derive(Debug, Serialize, ToSchema)]
struct InboxReadAnswer {
    unread: i64,
}

/// Mark notes as read
///
/// These, or all. What is not mine, or read already, stays as it is.
#[utoipa::path(post, path = "/v1/inbox/read", tag = "remind", security(("bearer" = [])),
    request_body = InboxReadRequest,
    responses((status = 200, body = InboxReadAnswer), (status = "default", body = Problem)))]
async fn inbox_read(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<InboxReadRequest>,
) -> Answer<Json<InboxReadAnswer>> {
    if request.ids.as_ref().is_some_and(|ids| ids.len() > 200) {
        return Err(Problem::new(400, "malformed_body", "`ids` has at most 200 entries"));
    }
    Ok(Json(InboxReadAnswer { unread: super::read(&city, &who, request.ids).await? }))
}

/// Hours in which nothing is sent; over midnight where `from` is the later.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuietHours {
    /// Local time.
    #[schema(example = "21:30")]
    from: String,
    /// Local time; what waited is sent then.
    #[schema(example = "08:00")]
    to: String,
}

/// How I want to be told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReminderPreferences {
    /// Also by SMS; the inbox always has every note.
    sms: bool,
    /// Absent: never quiet.
    quiet: Option<QuietHours>,
    /// The language of SMS.
    language: NoteLanguage,
    /// `due_soon` comes so many days before, 1 to 15, and on the day itself.
    #[schema(example = 3)]
    due_days: u32,
    /// Kinds I do not want; not those of auto-pay.
    muted: Vec<NoteKind>,
}

impl From<Preferences> for ReminderPreferences {
    fn from(p: Preferences) -> ReminderPreferences {
        let quiet = p.quiet.map(|q| QuietHours { from: clock(q.from), to: clock(q.to) });
        ReminderPreferences { sms: p.sms, quiet, language: p.language, due_days: p.due_days, muted: p.muted }
    }
}

/// Look at how I am reminded
///
/// For a new resident: inbox only, quiet from 21:30 to 08:00, three days before. Which accounts: those kept with
/// `remind` (`PUT /v1/me/bill-accounts/…`), and those of whoever lets me watch.
#[utoipa::path(get, path = "/v1/me/reminders", tag = "remind", security(("bearer" = [])),
    responses((status = 200, body = ReminderPreferences), (status = "default", body = Problem)))]
async fn preferences(State(city): State<City>, who: Resident) -> Answer<Json<ReminderPreferences>> {
    Ok(Json(super::preferences(&city, who.id).await?.into()))
}

/// Set how I am reminded
///
/// Counts from the next note on, also for those that wait. Errors: `preference_malformed`.
#[utoipa::path(put, path = "/v1/me/reminders", tag = "remind", security(("bearer" = [])),
    request_body = ReminderPreferences,
    responses((status = 200, body = ReminderPreferences), (status = "default", body = Problem)))]
async fn put_preferences(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<ReminderPreferences>,
) -> Answer<Json<ReminderPreferences>> {
    let quiet = match request.quiet {
        Some(hours) => {
            let both = minutes(&hours.from).zip(minutes(&hours.to));
            let (from, to) = both.ok_or(RemindError::Malformed("quiet"))?;
            Some(Quiet { from, to })
        }
        None => None,
    };
    let ReminderPreferences { sms, language, due_days, muted, .. } = request;
    let wanted = Preferences { sms, quiet, language, due_days, muted };
    Ok(Json(super::prefer(&city, &who, wanted).await?.into()))
}
