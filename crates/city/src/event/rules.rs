//! When a delivery is tried again, when an endpoint is given up, where webhooks may go. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use kernel::Timestamp;
use url::{Host, Url};

/// Pauses after the first try and each one following, seconds: the schedule of the Standard Webhooks
/// specification. Ten tries over some three days.
pub const SCHEDULE_S: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

/// The longest pause that a receiver can ask for by `retry-after`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How long after the first failure an endpoint that never answered well again is disabled.
pub const DISABLE_AFTER: Duration = Duration::from_hours(5 * 24);

/// How long a replaced secret goes on signing.
pub const OLD_SECRET_TTL: Duration = Duration::from_hours(24);

/// The pause after `tries` failed tries (1 after the first), `None` when it was the last. `random`
/// adds up to a tenth, so that receivers coming back are not met by everything at once; the receiver's
/// own wish counts where it is longer.
pub fn pause(tries: u32, random: u64, retry_after: Option<Duration>) -> Option<Duration> {
    let step = usize::try_from(tries).ok()?.checked_sub(1)?;
    let planned_ms = SCHEDULE_S.get(step)? * 1000;
    let planned = Duration::from_millis(planned_ms + random % (planned_ms / 10 + 1));
    Some(retry_after.map_or(planned, |wish| planned.max(wish.min(RETRY_AFTER_MAX))))
}

/// What a failure does to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays in use.
    Keep,
    /// It is disabled, for this reason.
    Disable(&'static str),
}

/// Judges an endpoint after a failure at `now`: `410 Gone` disables at once (Standard Webhooks), as do
/// five days without a success.
pub fn judge(status: Option<u16>, failing_since: Timestamp, now: Timestamp) -> Verdict {
    if status == Some(410) {
        Verdict::Disable("the receiver answered 410 Gone")
    } else if now.since(failing_since) >= DISABLE_AFTER {
        Verdict::Disable("no delivery succeeded for five days")
    } else {
        Verdict::Keep
    }
}

/// Why a URL is no place for webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlRefused {
    /// Not an absolute `https` or `http` URL of at most 2,048 characters without user name, password
    /// and fragment.
    Malformed,
    /// It names this machine or a private network.
    Private,
}

/// Whether webhooks may be sent to this URL. Names are judged again when they are resolved.
pub fn url(text: &str, allow_private: bool) -> Result<Url, UrlRefused> {
    let url = Url::parse(text).map_err(|_| UrlRefused::Malformed)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if text.len() > 2048 || !plain || !matches!(url.scheme(), "https" | "http") {
        return Err(UrlRefused::Malformed);
    }
    let public = match url.host() {
        None => return Err(UrlRefused::Malformed),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name != "localhost" && !name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_public(IpAddr::V6(ip)),
    };
    if public || allow_private { Ok(url) } else { Err(UrlRefused::Private) }
}

/// Whether an address belongs to the public internet (IANA special-purpose address registries): what
/// is not may be a neighbour of this server that trusts it.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (18..20).contains(&b)); // benchmarking
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // NAT64: the last 32 bits are the IPv4 address that is meant.
        let low = u32::from(s[6]) << 16 | u32::from(s[7]);
        return is_public_v4(Ipv4Addr::from_bits(low));
    }
    // Global unicast is 2000::/3; of it 2001::/23 (protocols), 2001:db8::/32 and 3fff::/20
    // (documentation) and 2002::/16 (6to4, holds an IPv4 address) are not.
    let global = s[0] & 0xe000 == 0x2000;
    let special = (s[0] == 0x2001 && (s[1] < 0x200 || s[1] == 0xdb8))
        || s[0] == 0x2002
        || (s[0] == 0x3fff && s[1] < 0x1000);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_follow_the_schedule() {
        let s = Duration::from_secs;
        for (tries, random, wish, pause_is) in [
            (1, 0, None, Some(s(5))),
            (1, 500, None, Some(Duration::from_millis(5_500))),
            (1, 501, None, Some(s(5))), // wraps: never more than a tenth
            (2, 0, None, Some(s(300))),
            (9, 0, None, Some(s(24 * 3600))),
            (10, 0, None, None),
            (0, 0, None, None),
            (1, 0, Some(s(60)), Some(s(60))),
            (2, 0, Some(s(60)), Some(s(300))),
            (1, 0, Some(s(1_000_000)), Some(RETRY_AFTER_MAX)),
            (10, 0, Some(s(60)), None),
        ] {
            assert_eq!(pause(tries, random, wish), pause_is, "{tries} {random} {wish:?}");
        }
        let total: u64 = SCHEDULE_S.iter().sum();
        assert_eq!(total / 3600, 75, "hours from the first try to the last");
    }

    #[test]
    fn endpoints_are_disabled_after_days_or_when_gone() {
        let start = Timestamp::from_secs(1_000_000);
        let days = |d: u64| start.plus(Duration::from_secs(d * 24 * 3600));
        for (status, now, wanted) in [
            (Some(500), start, false),
            (None, days(4), false),
            (None, days(5), true),
            (Some(500), days(9), true),
            (Some(410), start, true),
            (Some(404), start, false),
        ] {
            let disabled = matches!(judge(status, start, now), Verdict::Disable(_));
            assert_eq!(disabled, wanted, "{status:?} {now}");
        }
    }

    #[test]
    fn urls() {
        for (text, wanted) in [
            ("https://shop.example/hooks?x=1", Ok(())),
            ("http://shop.example:8080/", Ok(())),
            ("https://8.8.8.8/", Ok(())),
            ("https://商店.中国/hook", Ok(())),
            ("ftp://shop.example/", Err(UrlRefused::Malformed)),
            ("file:///etc/passwd", Err(UrlRefused::Malformed)),
            ("shop.example/hook", Err(UrlRefused::Malformed)),
            ("https://user:secret@shop.example/", Err(UrlRefused::Malformed)),
            ("https://shop.example/#top", Err(UrlRefused::Malformed)),
            ("https://", Err(UrlRefused::Malformed)),
            ("", Err(UrlRefused::Malformed)),
            ("http://localhost/", Err(UrlRefused::Private)),
            ("http://LOCALHOST./", Err(UrlRefused::Private)),
            ("http://db.localhost/", Err(UrlRefused::Private)),
            ("http://127.1/", Err(UrlRefused::Private)),
            ("http://2130706433/", Err(UrlRefused::Private)), // 127.0.0.1 as one number
            ("http://0x7f.0.0.1/", Err(UrlRefused::Private)),
            ("http://[::1]/", Err(UrlRefused::Private)),
            ("http://[::ffff:10.0.0.1]/", Err(UrlRefused::Private)),
            ("http://169.254.169.254/latest/meta-data", Err(UrlRefused::Private)),
        ] {
            assert_eq!(url(text, false).map(|_| ()), wanted, "{text}");
        }
        assert!(url(&format!("https://shop.example/{}", "x".repeat(2048)), false).is_err());
        assert!(url("http://127.0.0.1:9/", true).is_ok());
        assert!(url("gopher://127.0.0.1/", true).is_err());
    }

    #[test]
    fn addresses() {
        for (ip, public) in [
            ("8.8.8.8", true),
            ("114.114.114.114", true),
            ("172.15.0.1", true),
            ("100.63.0.1", true),
            ("2400:3200::1", true),
            ("64:ff9b::8.8.8.8", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("192.0.0.1", false),
            ("198.18.0.1", false),
            ("203.0.113.5", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), public, "{ip}");
        }
    }
}
