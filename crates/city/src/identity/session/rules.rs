//! Pure rules of browser sessions: how long they last, what their cookies look like, and the proof that a
//! request was made by our own page.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::App;
use crate::identity::rules::SESSION_TTL_S;

/// How long an operator's session lives, seconds: a long shift. Used or not, it ends then.
pub const OPERATOR_TTL_S: u64 = 12 * 3600;
/// How long a till's session lives, seconds: 30 days. A till works all day, every day, and nobody at the
/// counter has the key at hand.
pub const TILL_TTL_S: u64 = 30 * 24 * 3600;

/// How long a session of this app lives, seconds.
pub fn ttl_s(app: App) -> u64 {
    match app {
        App::Resident => SESSION_TTL_S,
        App::Merchant => TILL_TTL_S,
        App::Operator => OPERATOR_TTL_S,
    }
}

/// The name of an app's cookie. The prefix makes browsers refuse it without `Secure`, with another path than `/`, or
/// for a whole domain (RFC 6265bis section 4.1.3.2), so that no neighbour can plant one.
pub fn cookie_name(app: App) -> &'static str {
    match app {
        App::Resident => "__Host-yima-resident",
        App::Merchant => "__Host-yima-merchant",
        App::Operator => "__Host-yima-operator",
    }
}

/// The value of the first cookie of this name in a `cookie` header.
pub fn cookie_value<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

/// A `set-cookie` that the browser keeps for `ttl_s` seconds; with an empty token and 0 it forgets the cookie.
pub fn set_cookie(app: App, token: &str, ttl_s: u64) -> String {
    let name = cookie_name(app);
    format!("{name}={token}; Path=/; Max-Age={ttl_s}; Secure; HttpOnly; SameSite=Strict")
}

fn csrf_mac(token: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(b"yima csrf v1");
    mac
}

/// The token that a page sends along with whatever changes something: it follows from the session's own token, which
/// no page can read, so nothing of it is kept.
pub fn csrf(token: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(csrf_mac(token).finalize().into_bytes())
}

/// Whether `sent` is this session's [`csrf`]; takes as long whichever byte is wrong.
pub fn csrf_holds(token: &str, sent: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(sent).is_ok_and(|sent| csrf_mac(token).verify_slice(&sent).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        for (header, wanted) in [
            ("", None),
            ("a", None),
            ("__Host-yima-resident=yrs_1", Some("yrs_1")),
            ("a=b; __Host-yima-resident=yrs_1;c=d", Some("yrs_1")),
            ("__Host-yima-resident=yrs_1; __Host-yima-resident=yrs_2", Some("yrs_1")),
            ("x__Host-yima-resident=yrs_1", None),
            ("__host-yima-resident=yrs_1", None),
            ("__Host-yima-merchant=yms_1", None),
            ("a=__Host-yima-resident=yrs_1", None),
        ] {
            assert_eq!(cookie_value(header, cookie_name(App::Resident)), wanted, "{header}");
        }
    }

    #[test]
    fn the_csrf_token_is_bound_to_its_session() {
        let token = csrf("yrs_1");
        assert!(csrf_holds("yrs_1", &token));
        let cut = &token[..token.len() - 1];
        for (session, sent) in
            [("yrs_2", token.as_str()), ("yrs_1", ""), ("yrs_1", cut), ("yrs_1", "yrs_1"), ("yrs_1", "王")]
        {
            assert!(!csrf_holds(session, sent), "{session} {sent}");
        }
    }
}
