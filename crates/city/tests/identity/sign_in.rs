//! One-time codes and what they open.

use std::sync::Arc;

use city::identity::{self, Message, MessageSender, Tier};

use crate::common::{Town, code, race, refused_with};

const PHONE: &str = "13800001111";

/// A code that is not `right`.
fn wrong(right: &str) -> String {
    let last = if right.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &right[..5])
}

#[tokio::test]
async fn only_phone_numbers_get_codes() {
    let town = Town::new().await;
    for (phone, wanted) in [
        ("13800001111", Ok("+8613800001111")),
        (" 138-0000 2222 ", Ok("+8613800002222")),
        ("+44 20 7123 4567", Ok("+442071234567")),
        ("12800001111", Err("phone_malformed")),
        ("1380000111", Err("phone_malformed")),
        ("138000011111", Err("phone_malformed")),
        ("+123456", Err("phone_malformed")),
        ("+0861380000111", Err("phone_malformed")),
        ("+8613800001111'; DROP TABLE resident", Err("phone_malformed")),
        ("１３８００００１１１１", Err("phone_malformed")),
        ("", Err("phone_malformed")),
    ] {
        match wanted {
            Ok(e164) => {
                identity::request_code(&town.city, phone).await.expect(phone);
                let sent = town.code_sent_to(e164);
                let signed = identity::sign_in(&town.city, phone, &sent, None).await.expect(phone);
                assert_eq!(signed.resident.phone, e164);
            }
            Err(wanted) => {
                assert_eq!(code(identity::request_code(&town.city, phone).await), wanted, "{phone}");
                assert_eq!(
                    code(identity::sign_in(&town.city, phone, "000000", None).await),
                    wanted,
                    "{phone}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_code_opens_once_and_a_minute_passes_between_codes() {
    let town = Town::new().await;
    assert_eq!(code(identity::sign_in(&town.city, PHONE, "123456", None).await), "code_gone", "none sent");
    identity::request_code(&town.city, PHONE).await.expect("the first");
    town.pass(59);
    assert_eq!(code(identity::request_code(&town.city, PHONE).await), "code_too_soon");
    let first = town.code_sent_to(PHONE);
    town.pass(1);
    identity::request_code(&town.city, PHONE).await.expect("a minute later");
    let second = town.code_sent_to(PHONE);
    if first != second {
        assert_eq!(code(identity::sign_in(&town.city, PHONE, &first, None).await), "code_wrong", "replaced");
    }
    // The same code for another phone is no code.
    assert_eq!(code(identity::sign_in(&town.city, "13800002222", &second, None).await), "code_gone");
    for name in ["", " 王", "a\nb", &"长".repeat(41)] {
        assert_eq!(code(identity::sign_in(&town.city, PHONE, &second, Some(name)).await), "name_malformed");
    }
    identity::sign_in(&town.city, PHONE, &second, None).await.expect("the live code, not used by a bad name");
    assert_eq!(code(identity::sign_in(&town.city, PHONE, &second, None).await), "code_gone", "used");
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    let town = Town::new().await;
    for (after, opens) in [(299, true), (300, false)] {
        town.pass(3600);
        identity::request_code(&town.city, PHONE).await.expect("a code");
        let sent = town.code_sent_to(PHONE);
        town.pass(after);
        let signed = identity::sign_in(&town.city, PHONE, &sent, None).await;
        if opens {
            signed.expect("in time");
        } else {
            assert_eq!(code(signed), "code_gone");
        }
    }
}

#[tokio::test]
async fn five_wrong_guesses_and_the_code_is_gone() {
    let town = Town::new().await;
    identity::request_code(&town.city, PHONE).await.expect("a code");
    let right = town.code_sent_to(PHONE);
    for _ in 0..5 {
        assert_eq!(code(identity::sign_in(&town.city, PHONE, &wrong(&right), None).await), "code_wrong");
    }
    assert_eq!(code(identity::sign_in(&town.city, PHONE, &right, None).await), "code_gone");
    town.pass(60);
    identity::request_code(&town.city, PHONE).await.expect("a new code");
    let right = town.code_sent_to(PHONE);
    identity::sign_in(&town.city, PHONE, &right, None).await.expect("tries start again with a new code");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_are_five_and_a_right_code_opens_one_session() {
    let town = Town::new().await;
    identity::request_code(&town.city, PHONE).await.expect("a code");
    let bad = wrong(&town.code_sent_to(PHONE));
    let ends = race(100, |_| {
        let (city, bad) = (town.city.clone(), bad.clone());
        async move { identity::sign_in(&city, PHONE, &bad, None).await }
    })
    .await;
    assert_eq!(refused_with(&ends, "code_wrong"), 5);
    assert_eq!(refused_with(&ends, "code_gone"), 95);

    town.pass(60);
    identity::request_code(&town.city, PHONE).await.expect("a code");
    let right = town.code_sent_to(PHONE);
    let ends = race(100, |_| {
        let (city, right) = (town.city.clone(), right.clone());
        async move { identity::sign_in(&city, PHONE, &right, None).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert_eq!(refused_with(&ends, "code_gone"), 99);
}

/// Whoever asks for codes day and night must not get five guesses at each of them.
#[tokio::test]
async fn a_phone_gets_ten_codes_a_day() {
    let town = Town::new().await;
    for n in 0..10 {
        identity::request_code(&town.city, PHONE).await.unwrap_or_else(|e| panic!("code {n}: {e}"));
        town.pass(600);
    }
    assert_eq!(code(identity::request_code(&town.city, PHONE).await), "code_too_many");
    identity::request_code(&town.city, "13800002222").await.expect("another phone");
    // The day counts from the first code.
    town.pass(24 * 3600 - 10 * 600);
    identity::request_code(&town.city, PHONE).await.expect("the next day");
    // Whoever proves to hold the phone starts afresh.
    for _ in 0..12 {
        let sent = town.code_sent_to(PHONE);
        identity::sign_in(&town.city, PHONE, &sent, None).await.expect("signed in");
        identity::request_code(&town.city, PHONE).await.expect("a code after a right one");
    }
}

#[tokio::test]
async fn the_same_phone_is_the_same_resident() {
    let town = Town::new().await;
    let first = town.resident(PHONE).await;
    town.pass(60);
    let again = town.resident("+8613800001111").await;
    assert_eq!(first.id, again.id);
    assert_ne!(first.session, again.session);
    let profile = identity::profile(&town.city, &again).await.expect("a profile");
    assert_eq!((profile.name.as_str(), profile.tier, profile.has_pin), ("王小明", Tier::I, false));
    assert_eq!(town.available(city::books::wallet(first.id)).await, 0);
}

/// A gateway that is down.
struct Broken;

impl MessageSender for Broken {
    fn send(&self, _: Message) -> store::BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("no route to the gateway".to_owned()) })
    }
}

#[tokio::test]
async fn a_code_that_was_not_sent_does_not_count() {
    let town = Town::new().await;
    let node = town.node_sending(Arc::new(Broken)).await;
    for _ in 0..20 {
        assert_eq!(code(identity::request_code(&node, PHONE).await), "sender_unavailable");
    }
    identity::request_code(&town.city, PHONE).await.expect("by a node whose gateway works, at once");
}

/// The file has one-time codes in it: whoever reads it can sign in as anybody.
#[tokio::test]
async fn the_file_of_messages_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let town = Town::new().await;
    identity::request_code(&town.city, "13800001111").await.expect("a code is sent");
    let file = std::fs::metadata(town.dir.path().join("messages.jsonl")).expect("messages");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}
