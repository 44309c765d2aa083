//! The route of the audit trail.

use std::collections::HashMap;

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{ActId, KeyId, OperatorId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::City;
use crate::http::{Answer, Json, Page, Problem, Query};
use crate::identity::{self, Operator};

/// Every route of the trail.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(list_acts))
}

/// What an operator did.
#[derive(Debug, Serialize, ToSchema)]
struct ActAnswer {
    #[schema(value_type = String, example = "act_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ActId,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = String, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    operator: OperatorId,
    /// What people call the operator.
    operator_name: Option<String>,
    #[schema(value_type = String, example = "key_01h2xcejqtf2nbrexx3vqjhp41")]
    key: KeyId,
    #[schema(example = "raise_tier")]
    action: String,
    /// The id of whom or what it was done to.
    #[schema(example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    subject: String,
    /// What of it; may be empty.
    #[schema(example = "tier=3")]
    detail: String,
    /// In the operator's own words.
    reason: Option<String>,
    /// `done`, the code of the refusal, or absent where it was cut off by a crash or is under way.
    #[schema(example = "done")]
    outcome: Option<String>,
}

/// A page of the audit trail, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct ActsAnswer {
    items: Vec<ActAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// What each operator is called.
pub(in crate::operator) async fn names(city: &City) -> Answer<HashMap<OperatorId, String>> {
    Ok(identity::operators(city).await?.into_iter().map(|o| (o.id, o.name)).collect())
}

/// Read the audit trail
///
/// Every dangerous act and every look at a person or a shop, newest first. By an operator of role admin.
#[utoipa::path(get, path = "/v1/operator/audit", tag = "operator", security(("bearer" = [])), params(Page),
    responses((status = 200, body = ActsAnswer), (status = "default", body = Problem)))]
async fn list_acts(
    State(city): State<City>,
    by: Operator,
    Query(page): Query<Page>,
) -> Answer<Json<ActsAnswer>> {
    let before = page.cursor.as_deref().map(str::parse).transpose();
    let before =
        before.map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before"))?;
    let found = super::trail(&city, &by, before, page.limit()).await?;
    let names = names(&city).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    let answer = |e: super::Entry| ActAnswer {
        id: e.id,
        at: e.at,
        operator: e.operator,
        operator_name: names.get(&e.operator).cloned(),
        key: e.key,
        action: e.action,
        subject: e.subject,
        detail: e.detail,
        reason: e.reason,
        outcome: e.outcome,
    };
    Ok(Json(ActsAnswer { items: found.into_iter().map(answer).collect(), next }))
}
