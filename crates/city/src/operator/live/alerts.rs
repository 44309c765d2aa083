//! What needs somebody's attention, from the state of things as it is now: nothing here is remembered but since
//! when an import stands still.

use std::collections::HashMap;
use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::{ApprovalId, ImportId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Feed, Health};
use crate::complaint::{self, ComplaintState};
use crate::operator::OperatorError;
use crate::operator::approval::{self, ApprovalState};
use crate::operator::check::{self, CheckOutcome};
use crate::operator::desk;
use crate::{City, bill, event, supply};

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Wake somebody.
    Critical,
    /// Today.
    Warning,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alert {
    /// Stable: `database_down`, `ledger_down`, `ledger_no_space`, `feed_lag`, `books_check_failed`,
    /// `books_check_old`, `import_failed`, `import_stuck`, `breaks_open`, `webhook_disabled`, `approval_waiting`,
    /// `biller_silent`, `restore_overdue`,
    /// `exchange_gap`, `exchange_refused`, `exchange_unacknowledged`, `exchange_refused_there`, `exchange_failing`,
    /// `complaint_overdue`.
    #[schema(example = "approval_waiting")]
    pub code: &'static str,
    /// `critical` or `warning`.
    pub severity: Severity,
    /// Since when, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The id of what it is about; may be empty.
    #[schema(example = "apr_01h2xcejqtf2nbrexx3vqjhp41")]
    pub subject: String,
    /// One sentence for people.
    pub detail: String,
}

/// How many alerts of one kind are told one by one.
const TOLD: usize = 50;
/// An approval that waits so long is forgotten by somebody.
const WAITS_MAX: Duration = Duration::from_hours(1);
/// The books are counted at least so often.
const CHECK_EVERY: Duration = Duration::from_hours(24);
/// An import that has not moved for so long stands still.
const STILL: Duration = Duration::from_mins(5);
/// A follower may be so far behind the ledger.
const LAG_MAX: Duration = Duration::from_mins(1);
/// The bill follower stands before the oldest payment that its biller has not answered: it may be so old.
const SILENT_MAX: Duration = Duration::from_mins(10);
/// A refusal for want of room counts for so long.
const ROOM_AGAIN: Duration = Duration::from_mins(10);

/// Where each unfinished import stood, and since when it stands there.
#[derive(Debug, Default)]
pub struct Standing(HashMap<ImportId, (u64, Timestamp)>);

impl Standing {
    /// Takes note of the unfinished imports as they stand now; answers with those that stand still, and since when.
    fn look(&mut self, now: Timestamp, unfinished: &[bill::Import]) -> Vec<(ImportId, Timestamp)> {
        let before = std::mem::take(&mut self.0);
        for import in unfinished.iter().take(TOLD) {
            let same = before.get(&import.id).filter(|(at_byte, _)| *at_byte == import.at_byte);
            self.0.insert(import.id, (import.at_byte, same.map_or(now, |(_, since)| *since)));
        }
        let still = |since: Timestamp| now >= since.plus(STILL);
        self.0.iter().filter(|(_, (_, since))| still(*since)).map(|(id, (_, since))| (*id, *since)).collect()
    }
}

/// Takes note of how far unfinished imports are.
pub(super) async fn look_at_imports(city: &City) -> Result<Vec<(ImportId, Timestamp)>, OperatorError> {
    let unfinished = bill::unfinished_imports(city).await?;
    let mut standing = city.operator.standing.lock().expect("no panic while held");
    Ok(standing.look(city.now(), &unfinished))
}

/// Everything that needs attention now, the most urgent first.
pub(super) async fn alerts(city: &City, health: Health, feed: &Feed) -> Result<Vec<Alert>, OperatorError> {
    let mut found = Vec::new();
    engines(city, health, &mut found);
    lags(city, feed, &mut found);
    if health.database {
        books(city, &mut found).await?;
        imports(city, &mut found).await?;
        breaks(city, &mut found).await?;
        billers(city, &mut found);
        restores(city, &mut found).await?;
        exchanges(city, &mut found).await?;
        complaints(city, &mut found).await?;
        webhooks(city, &mut found).await?;
        approvals(city, &mut found).await?;
    }
    found.sort_by_key(|alert| alert.severity);
    Ok(found)
}

fn alert(
    code: &'static str,
    severity: Severity,
    since: Option<Timestamp>,
    subject: impl ToString,
    detail: impl Into<String>,
) -> Alert {
    Alert { code, severity, since, subject: subject.to_string(), detail: detail.into() }
}

fn engines(city: &City, health: Health, found: &mut Vec<Alert>) {
    for (well, code, what) in [
        (health.database, "database_down", "the database does not answer"),
        (health.ledger, "ledger_down", "the ledger does not answer"),
    ] {
        if !well {
            found.push(alert(code, Severity::Critical, None, "", what));
        }
    }
    let full = *city.operator.no_space.lock().expect("no panic while held");
    if let Some((since, last)) = full.filter(|(_, last)| city.now() < last.plus(ROOM_AGAIN)) {
        let detail = format!("the disk has no room for the ledger; last refused for it at {last}");
        found.push(alert("ledger_no_space", Severity::Critical, Some(since), "", detail));
    }
}

fn lags(city: &City, feed: &Feed, found: &mut Vec<Alert>) {
    for follower in &feed.followers {
        let lag = Duration::from_millis(follower.lag_ms);
        let most = if follower.name == "bill" { SILENT_MAX } else { LAG_MAX };
        if lag > most {
            let since = Some(city.now().minus(lag));
            let detail = match follower.name {
                "bill" => "a bill payment is open and its biller silent, or the follower is behind",
                _ => "the follower is behind the ledger",
            };
            found.push(alert("feed_lag", Severity::Warning, since, follower.name, detail));
        }
    }
}

async fn books(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    let newest = check::newest(city).await?;
    let Some(check) = newest else {
        let detail = "the books have not been counted yet";
        found.push(alert("books_check_old", Severity::Warning, None, "", detail));
        return Ok(());
    };
    let at = Some(check.finished_at);
    match check.outcome {
        CheckOutcome::Failed => {
            let detail = format!("the books do not hold: {} differences", check.report.differences);
            found.push(alert("books_check_failed", Severity::Critical, at, "", detail));
        }
        CheckOutcome::Stopped => {
            let why = check.report.stopped.unwrap_or_default();
            let detail = format!("the books could not be counted: {why}");
            found.push(alert("books_check_failed", Severity::Warning, at, "", detail));
        }
        CheckOutcome::Passed => {}
    }
    if city.now() >= check.finished_at.plus(CHECK_EVERY) {
        let detail = "the books were last counted more than a day ago";
        found.push(alert("books_check_old", Severity::Warning, at, "", detail));
    }
    Ok(())
}

async fn imports(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    let stopped = bill::stopped_imports(city);
    for (import, at, why) in stopped.iter().take(TOLD) {
        found.push(alert("import_failed", Severity::Warning, Some(*at), import, why.clone()));
    }
    for (import, since) in look_at_imports(city).await? {
        if !stopped.iter().any(|(id, ..)| *id == import) {
            let detail = "the import stands still";
            found.push(alert("import_stuck", Severity::Warning, Some(since), import, detail));
        }
    }
    Ok(())
}

async fn breaks(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    for day in desk::open_days(city).await?.into_iter().take(TOLD) {
        let detail = format!("{}: {} disagreements nobody has decided on", day.day, day.open);
        found.push(alert("breaks_open", Severity::Warning, Some(day.run_at), day.biller, detail));
    }
    Ok(())
}

fn billers(city: &City, found: &mut Vec<Alert>) {
    for (pack, ways) in bill::all_ways(city) {
        for way in ways.into_iter().filter(|way| way.gate != "closed") {
            let detail =
                format!("{} by {} does not answer; it is asked again by and by", pack.spec.id, way.channel);
            found.push(alert("biller_silent", Severity::Warning, way.last_answer, pack.biller, detail));
        }
    }
}

async fn restores(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    for order in supply::late_orders(city, u32::try_from(TOLD).unwrap_or(u32::MAX)).await? {
        let detail = "a biller was told to restore supply and has not confirmed in time";
        found.push(alert("restore_overdue", Severity::Warning, Some(order.confirm_by), order.id, detail));
    }
    Ok(())
}

async fn exchanges(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    for concern in bill::exchange::concerns(city).await?.into_iter().take(TOLD) {
        let since = Some(concern.since);
        found.push(alert(concern.code, Severity::Warning, since, concern.biller, concern.detail));
    }
    Ok(())
}

async fn complaints(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    for late in complaint::overdue(city, u32::try_from(TOLD).unwrap_or(u32::MAX)).await? {
        let detail = match (late.state, late.problem.as_deref()) {
            (ComplaintState::Refunding, Some("biller_funds")) => {
                "a refund waits: what its biller is owed does not cover it"
            }
            (ComplaintState::Refunding, _) => "a refund waits: its biller does not answer",
            (ComplaintState::Second, _) => "a refund waits for a second operator",
            _ => "a complaint waits for a supervisor",
        };
        found.push(alert("complaint_overdue", Severity::Warning, late.due_at, late.id, detail));
    }
    Ok(())
}

async fn webhooks(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    let most = u32::try_from(TOLD).unwrap_or(u32::MAX);
    for endpoint in event::disabled(city, most).await? {
        let Some((at, why)) = endpoint.disabled else { continue };
        let detail = format!("a webhook of {} is disabled: {why}", endpoint.merchant);
        found.push(alert("webhook_disabled", Severity::Warning, Some(at), endpoint.id, detail));
    }
    Ok(())
}

async fn approvals(city: &City, found: &mut Vec<Alert>) -> Result<(), OperatorError> {
    // In the order of time, so those before this id have waited long enough.
    let most = u32::try_from(TOLD).unwrap_or(u32::MAX);
    let oldest = ApprovalId::from_u128(first_id_at(city.now().minus(WAITS_MAX)));
    for approval in approval::waiting_before(city, oldest, most).await? {
        debug_assert_eq!(approval.state, ApprovalState::Waiting);
        let what = format!("a {} waits for a second operator", approval.movement.kind.name());
        found.push(alert("approval_waiting", Severity::Warning, Some(approval.asked_at), approval.id, what));
    }
    Ok(())
}

/// The least id that can have been made in this millisecond: its time stands in the first 48 bits (UUIDv7).
fn first_id_at(at: Timestamp) -> u128 {
    u128::try_from(at.as_millis()).unwrap_or(0) << 80
}
