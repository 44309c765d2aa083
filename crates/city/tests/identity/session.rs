//! Sessions: what keeps one alive and what ends it.

use city::identity;

use crate::common::{Town, code};

async fn token(town: &Town, phone: &str) -> String {
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, None).await.expect("signed in").token
}

#[tokio::test]
async fn a_session_lives_thirty_days() {
    let town = Town::new().await;
    let token = token(&town, "13800001111").await;
    let days_30 = 30 * 24 * 3600;
    town.pass(days_30 - 1);
    identity::authenticate_resident(&town.city, &token).await.expect("the last second");
    // Remembered a second ago, and over all the same.
    town.pass(1);
    assert_eq!(code(identity::authenticate_resident(&town.city, &token).await), "unauthenticated");
}

#[tokio::test]
async fn signing_out_ends_one_session() {
    let town = Town::new().await;
    let first = token(&town, "13800001111").await;
    let second = token(&town, "13800001111").await;
    let who = identity::authenticate_resident(&town.city, &first).await.expect("live");
    identity::sign_out(&town.city, &who).await.expect("signed out");
    identity::sign_out(&town.city, &who).await.expect("again, harmless");
    assert_eq!(code(identity::authenticate_resident(&town.city, &first).await), "unauthenticated");
    identity::authenticate_resident(&town.city, &second).await.expect("the other session lives");
}

#[tokio::test]
async fn what_is_no_token_opens_nothing() {
    let town = Town::new().await;
    let token = token(&town, "13800001111").await;
    let longer = format!("{token}A");
    for garbage in ["", "yrs_", "yrs_AAAA", &token[4..], &token[..token.len() - 1], &longer, "王小明"] {
        assert_eq!(
            code(identity::authenticate_resident(&town.city, garbage).await),
            "unauthenticated",
            "{garbage}"
        );
    }
}
