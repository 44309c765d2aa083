//! Shops through their verbs and routes: one file per verb.

#[path = "../common/mod.rs"]
mod common;

mod balance;
mod http;
mod key;
mod nodes;
mod open;
mod payout;
mod poster;
mod tills;

use city::merchant::OpenShop;

/// A request that is accepted, for tests to spoil.
fn request(reference: &str) -> OpenShop {
    OpenShop {
        reference: reference.to_owned(),
        name: "西湖面馆".to_owned(),
        legal_id: Some("91350100M000100Y43".to_owned()),
        mcc: "5812".to_owned(),
        city: "杭州".to_owned(),
        region: "330106".to_owned(),
    }
}
