//! Routes of what happens now and of the books' check, and the counting of refusals.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use kernel::ids::OperatorId;
use kernel::{Currency, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Alert, Live, LiveChannel, Slot};
use crate::City;
use crate::http::{Amount, Answer, Json, Problem, ProblemCode, Query};
use crate::identity::Operator;
use crate::operator::acts::http::Reason;
use crate::operator::check::{self, Check, CheckOutcome, CheckReport, Running};

/// Every route of what happens now.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(read_live)).routes(routes!(start_check))
}

/// The routes that ask for a payment.
const PAYING: [&str; 5] = [
    "/v1/payments",
    "/v1/payments/waiting/{trade}/confirm",
    "/v1/charges",
    "/v1/transfers",
    "/v1/bills/{id}/pay",
];

/// Takes note of an answer: whether a request to pay succeeded or why not, and that the ledger is out of room.
/// For the server to call with every answer, by method and route pattern.
pub fn note(city: &City, method: &Method, route: &str, answer: &Response) {
    let code = answer.extensions().get::<ProblemCode>().map(|code| code.0.as_str());
    if code == Some("ledger_no_space") {
        super::no_space(city);
    }
    if method != Method::POST || !PAYING.contains(&route) {
        return;
    }
    match code {
        Some(code) => super::answered(city, Some(code)),
        // 202 is neither: a charge that waits for a PIN, a bill whose biller is being asked.
        None if answer.status() == StatusCode::OK => super::answered(city, None),
        None => {}
    }
}

/// Payments of one channel.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelAnswer {
    channel: LiveChannel,
    payments: u64,
    value: Amount,
}

fn channels(slot: &Slot, currency: Currency) -> Vec<ChannelAnswer> {
    let of = |(channel, count): (LiveChannel, &super::Count)| ChannelAnswer {
        channel,
        payments: count.payments,
        value: Amount { minor: count.value_minor, currency },
    };
    LiveChannel::ALL.into_iter().zip(&slot.paid).map(of).collect()
}

/// The last sixty seconds.
#[derive(Debug, Serialize, ToSchema)]
struct LastMinuteAnswer {
    /// In the ledger, from all nodes.
    payments: u64,
    value: Amount,
    /// The most payments of one second.
    peak_per_second: u64,
    channels: Vec<ChannelAnswer>,
    /// Requests to pay that this node answered with success.
    ok_here: u64,
    /// Requests to pay that this node refused.
    refused_here: u64,
    /// What of them succeeded, in basis points (1/10,000); absent where there were none.
    #[schema(example = 9_950)]
    success_bp: Option<u64>,
    /// This node's refusals by code.
    refusals: BTreeMap<String, u64>,
}

/// One minute of the last sixty.
#[derive(Debug, Serialize, ToSchema)]
struct MinuteAnswer {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    payments: u64,
    value: Amount,
    channels: Vec<ChannelAnswer>,
    ok_here: u64,
    refused_here: u64,
}

/// Whether the engines answer.
#[derive(Debug, Serialize, ToSchema)]
struct HealthAnswer {
    database: bool,
    /// `sqlite` or `postgres`.
    database_engine: &'static str,
    ledger: bool,
}

/// How far a follower of the ledger is behind.
#[derive(Debug, Serialize, ToSchema)]
struct FollowerAnswer {
    /// `live` (this page), `webhook`, or `bill` (stands before the oldest payment whose biller is silent).
    #[schema(example = "webhook")]
    name: &'static str,
    /// Age of the oldest transfer it has not taken in; 0 where it has all.
    lag_ms: u64,
}

/// The ledger's feed.
#[derive(Debug, Serialize, ToSchema)]
struct FeedAnswer {
    /// The newest transfer.
    #[schema(value_type = Option<String>, format = DateTime)]
    committed_at: Option<Timestamp>,
    followers: Vec<FollowerAnswer>,
}

/// How the books' check stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CheckState {
    /// The books have not been counted yet.
    Never,
    /// They are being counted on this node.
    Running,
    /// The last count found that everything agrees.
    Passed,
    /// The last count found what does not agree.
    Failed,
    /// The last count stopped, because an engine did not answer.
    Stopped,
}

/// The books' check.
#[derive(Debug, Serialize, ToSchema)]
struct CheckAnswer {
    state: CheckState,
    /// Who started the one that runs, else the last.
    #[schema(value_type = Option<String>, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    by: Option<OperatorId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// Transfers counted so far by the one that runs.
    transfers: Option<u64>,
    /// Accounts looked at so far by the one that runs.
    accounts: Option<u64>,
    /// When the last one ended, on any node.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// What the last one found.
    report: Option<CheckReport>,
}

impl CheckAnswer {
    fn of(running: Option<Running>, newest: Option<Check>) -> CheckAnswer {
        let state = match (&running, newest.as_ref().map(|check| check.outcome)) {
            (Some(_), _) => CheckState::Running,
            (None, None) => CheckState::Never,
            (None, Some(CheckOutcome::Passed)) => CheckState::Passed,
            (None, Some(CheckOutcome::Failed)) => CheckState::Failed,
            (None, Some(CheckOutcome::Stopped)) => CheckState::Stopped,
        };
        let last = newest.as_ref().map(|check| (check.by, check.started_at));
        let begun = running.as_ref().map(|r| (r.by, r.started_at)).or(last);
        CheckAnswer {
            state,
            by: begun.map(|(by, _)| by),
            started_at: begun.map(|(_, at)| at),
            transfers: running.as_ref().map(|r| r.progress.transfers.load(Ordering::Relaxed)),
            accounts: running.as_ref().map(|r| r.progress.accounts.load(Ordering::Relaxed)),
            finished_at: newest.as_ref().map(|check| check.finished_at),
            report: newest.map(|check| check.report),
        }
    }
}

/// What happens now.
#[derive(Debug, Serialize, ToSchema)]
struct LiveAnswer {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    last_60_s: LastMinuteAnswer,
    /// The last sixty minutes, oldest first; the last is not over.
    minutes: Vec<MinuteAnswer>,
    /// This node's refusals of the last sixty minutes, by code.
    refusals: BTreeMap<String, u64>,
    health: HealthAnswer,
    feed: FeedAnswer,
    check: CheckAnswer,
    /// What needs attention, the most urgent first.
    alerts: Vec<Alert>,
}

impl LiveAnswer {
    fn of(live: Live, city: &City) -> LiveAnswer {
        let currency = city.settings.currency;
        let value = |slot: &Slot| Amount { minor: slot.total().value_minor, currency };
        let (last, peak) = live.last_minute;
        let minute = |(at, slot): (Timestamp, Slot)| MinuteAnswer {
            at,
            payments: slot.total().payments,
            value: value(&slot),
            channels: channels(&slot, currency),
            ok_here: slot.ok_here,
            refused_here: slot.refused(),
        };
        let followers = live.feed.followers.iter().map(|f| FollowerAnswer { name: f.name, lag_ms: f.lag_ms });
        LiveAnswer {
            at: live.at,
            last_60_s: LastMinuteAnswer {
                payments: last.total().payments,
                value: value(&last),
                peak_per_second: peak,
                channels: channels(&last, currency),
                ok_here: last.ok_here,
                refused_here: last.refused(),
                success_bp: last.success_bp(),
                refusals: last.refused_here,
            },
            minutes: live.minutes.into_iter().map(minute).collect(),
            refusals: live.last_hour.refused_here,
            health: HealthAnswer {
                database: live.health.database,
                database_engine: city.store.engine(),
                ledger: live.health.ledger,
            },
            feed: FeedAnswer { committed_at: live.feed.committed_at, followers: followers.collect() },
            check: CheckAnswer::of(live.running, live.check),
            alerts: live.alerts,
        }
    }
}

/// Read what happens now
///
/// Payments are those of the ledger, from all nodes; refusals and the success rate are those of the node that
/// answers. By an operator of any role.
#[utoipa::path(get, path = "/v1/operator/live", tag = "operator", security(("bearer" = [])),
    responses((status = 200, body = LiveAnswer), (status = "default", body = Problem)))]
async fn read_live(State(city): State<City>, by: Operator) -> Answer<Json<LiveAnswer>> {
    let live = super::live(&city, &by).await?;
    Ok(Json(LiveAnswer::of(live, &city)))
}

/// Check the books
///
/// Counts every account's balances again from the ledger's transfers, in the background while payments go on, and
/// whether the money at the bank is that of wallets, shops, billers, campaigns and fees. While one runs on this node, it is
/// answered with that one. Read how it stands from `GET /v1/operator/live`. By an operator of role staff.
#[utoipa::path(post, path = "/v1/operator/checks", tag = "operator", security(("bearer" = [])), params(Reason),
    responses((status = 202, body = CheckAnswer), (status = "default", body = Problem)))]
async fn start_check(
    State(city): State<City>,
    by: Operator,
    Query(why): Query<Reason>,
) -> Answer<(StatusCode, Json<CheckAnswer>)> {
    let running = check::start(&city, &by, why.reason.as_deref()).await?;
    let newest = check::newest(&city).await?;
    Ok((StatusCode::ACCEPTED, Json(CheckAnswer::of(Some(running), newest))))
}
