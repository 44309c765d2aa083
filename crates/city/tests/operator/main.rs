//! What operators do, through its verbs and its routes: one file per part.

#[path = "../common/mod.rs"]
mod common;
#[path = "../bill/support.rs"]
#[allow(dead_code, reason = "the tests of bills use the rest")]
mod support;

mod acts;
mod approvals;
mod coverage;
mod desk;
mod live;
mod look;

use axum::Router;
use city::City;
use city::identity::{self, Operator, OwnerKind, Role};
use kernel::ids::OperatorId;

use common::Town;

/// Every route of the city.
pub fn router(city: &City) -> Router {
    let routes = identity::http::routes()
        .merge(city::wallet::http::routes())
        .merge(city::merchant::http::routes())
        .merge(city::trade::http::routes())
        .merge(city::event::http::routes())
        .merge(city::bill::http::routes())
        .merge(city::operator::http::routes())
        .merge(city::coverage::http::routes());
    routes.split_for_parts().0.with_state(city.clone())
}

/// An operator of the city with a key of this role: as verbs see it, and the secret.
pub async fn operator(town: &Town, name: &str, role: Role) -> (Operator, String) {
    let new = identity::bootstrap_operator(&town.city, name).await.expect("an operator");
    let owner = new.key.owner;
    town.pass(1); // lists are in the order of time
    let key = identity::create_key(&town.city, OwnerKind::Operator, owner, role, None, "desk").await;
    let key = key.expect("a key");
    town.pass(1);
    (Operator { id: OperatorId::from_u128(owner), role, key: key.key.id, browser: false }, key.secret)
}
