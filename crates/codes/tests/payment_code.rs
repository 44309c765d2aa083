//! The payment code's bounds: window edges, odds, unlinkability, single use. Secrets come from a seeded hash, so every
//! run counts the same.

use std::collections::{HashMap, HashSet};

use codes::payment_code::{
    CodeError, DeviceSecret, LocatorIndex, PREFIX, PaymentCode, Refused, STEP_S, burn_id, generate,
};
use sha2::{Digest, Sha256};

/// 2026-11-23 08:00:00 UTC, the start of an epoch.
const T: u64 = 1_795_420_800;

fn secret(seed: u64) -> DeviceSecret {
    DeviceSecret::new(Sha256::digest(seed.to_be_bytes()).into())
}

fn index_of(devices: u64) -> LocatorIndex {
    let mut index = LocatorIndex::new();
    for device in 0..devices {
        index.insert(u128::from(device), &secret(device));
    }
    index
}

fn digits(code: PaymentCode) -> String {
    code.to_string()
}

#[test]
fn parse_refusals() {
    let cases = [
        ("", CodeError::Length),
        ("81234567890123456", CodeError::Length),
        ("8123456789012345678", CodeError::Length),
        ("81234567890123456x", CodeError::Digits),
        ("８１２３４５６７８９０１２３４５６７", CodeError::Digits),
        (" 8123456789012345 ", CodeError::Digits),
        ("-81234567890123456", CodeError::Digits),
        // Alipay, WeChat Pay, UnionPay.
        ("281234567890123456", CodeError::Prefix),
        ("131234567890123456", CodeError::Prefix),
        ("621234567890123456", CodeError::Prefix),
        ("801234567890123456", CodeError::Prefix),
    ];
    for (text, want) in cases {
        assert_eq!(PaymentCode::parse(text), Err(want), "{text}");
    }
    let code = generate(&secret(1), T);
    assert_eq!(PaymentCode::parse(&digits(code)), Ok(code));
    assert_eq!(digits(PaymentCode::parse("810000000100000002").unwrap()), "810000000100000002");
}

#[test]
fn known_answers() {
    // Computed independently with Python's hmac module: secret = 00 01 … 1f.
    let secret = DeviceSecret::new(std::array::from_fn(|i| u8::try_from(i).unwrap()));
    let cases = [
        (0, "811248882472363886"),
        (1_795_420_800, "815031886291493098"),
        (1_795_421_099, "815031886205836057"),
    ];
    for (unix_s, want) in cases {
        assert_eq!(digits(generate(&secret, unix_s)), want);
    }
    let code = PaymentCode::parse("810000000100000002").unwrap();
    assert_eq!(burn_id(7, &code), 0xC0B3_E381_7CBA_9A57_1458_A0C2_9550_90E6);
}

#[test]
fn life_of_a_code_to_the_second() {
    let mut index = index_of(3);
    let made = generate(&secret(1), T);
    // Seconds from the start of the code's step.
    let cases = [
        (-1000, Err(Refused::Unknown)),
        (-11, Err(Refused::Unknown)),
        (-10, Ok(1)),
        (0, Ok(1)),
        (9, Ok(1)),
        (59, Ok(1)),
        (60, Ok(1)),
        (69, Ok(1)),
        (70, Err(Refused::Expired)),
        (189, Err(Refused::Expired)),
        (190, Err(Refused::Unknown)),
        (100_000, Err(Refused::Unknown)),
    ];
    for (offset, want) in cases {
        let now = T.checked_add_signed(offset).unwrap();
        assert_eq!(index.resolve_now(&made, now).map(|r| r.device_id), want, "{now}");
    }
}

#[test]
fn a_right_clock_gives_sixty_seconds_whatever_the_second() {
    let mut index = index_of(2);
    for shown in T..T + 600 {
        let code = generate(&secret(1), shown);
        for now in [shown, shown + 30, shown + 60] {
            let resolved = index.resolve_now(&code, now).unwrap();
            assert_eq!(
                (resolved.device_id, resolved.step),
                (1, shown / STEP_S),
                "shown {shown}, scanned {now}"
            );
        }
        // Never as long as 70 s after it was shown.
        assert_eq!(index.resolve_now(&code, shown + 70), Err(Refused::Expired), "shown {shown}");
        // A phone ten seconds behind still gets fifty.
        let code = generate(&secret(1), shown - 10);
        assert!(index.resolve_now(&code, shown + 50).is_ok(), "shown {shown}");
        let code = generate(&secret(1), shown + 10);
        assert!(index.resolve_now(&code, shown).is_ok(), "shown {shown}");
    }
}

#[test]
fn changes_with_step_and_epoch() {
    let s = secret(5);
    let code = |t| digits(generate(&s, t));
    assert_eq!(code(T), code(T + 9));
    assert_ne!(code(T), code(T + 10));
    // Within an epoch the locator is the same, as the documentation admits; across epochs it is not.
    assert_eq!(code(T)[2..10], code(T + 299)[2..10]);
    assert_ne!(code(T)[2..10], code(T + 300)[2..10]);
    assert_ne!(code(T - 1)[2..10], code(T)[2..10]);
}

#[test]
fn nothing_of_the_secret_or_the_code_is_printed() {
    let s = DeviceSecret::new([0xAB; 32]);
    assert_eq!(format!("{s:?}"), "DeviceSecret(…)");
    let code = generate(&s, T);
    let shown = format!("{code:?}");
    assert!(shown.bytes().filter(u8::is_ascii_digit).count() <= PREFIX.len(), "{shown}");
}

#[test]
fn digits_are_uniform() {
    // 400,000 codes; chi-square over the digit of each of the sixteen places, and over the first two digits of each
    // half. The critical values are those of a one-in-a-million false alarm.
    let mut places = [[0u32; 10]; 16];
    let mut heads = [[0u32; 100]; 2];
    let n = 400_000u32;
    for device in 0..n {
        let code = digits(generate(&secret(u64::from(device)), T + u64::from(device) * 7));
        let code = &code.as_bytes()[2..];
        for (place, digit) in code.iter().enumerate() {
            places[place][usize::from(digit - b'0')] += 1;
        }
        for half in 0..2 {
            let head = usize::from(code[half * 8] - b'0') * 10 + usize::from(code[half * 8 + 1] - b'0');
            heads[half][head] += 1;
        }
    }
    // Σ (o − e)² / e, in integers times e.
    let spread = |counts: &[u32]| -> u64 {
        let expected = i64::from(n) / i64::try_from(counts.len()).unwrap();
        counts.iter().map(|c| (i64::from(*c) - expected).unsigned_abs().pow(2)).sum::<u64>()
            / expected.unsigned_abs()
    };
    for (place, counts) in places.iter().enumerate() {
        assert!(spread(counts) < 46, "place {place}: {counts:?}");
    }
    for counts in &heads {
        assert!(spread(counts) < 180, "{counts:?}");
    }
}

#[test]
fn locators_collide_as_often_as_chance() {
    // n devices on 10^8 locators: n(n-1)/2 / 10^8 pairs expected; 200 at n = 200,000. Five standard deviations.
    let n = 200_000u64;
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut pairs = 0;
    for device in 0..n {
        let code = digits(generate(&secret(device), T));
        let same = seen.entry(code[2..10].to_owned()).or_default();
        pairs += *same;
        *same += 1;
    }
    let expected = n * (n - 1) / 2 / 100_000_000;
    assert_eq!(expected, 199);
    assert!(pairs.abs_diff(expected) < 71, "{pairs} pairs");
}

#[test]
fn sharing_a_locator_is_not_sharing_a_code() {
    // Both of two devices with one locator resolve to themselves: the proof tells them apart.
    let n = 40_000u64;
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut index = index_of(n);
    let mut pairs = 0;
    for device in 0..n {
        let code = generate(&secret(device), T);
        if let Some(other) = seen.insert(digits(code)[2..10].to_owned(), device) {
            pairs += 1;
            assert_eq!(index.resolve_now(&code, T).unwrap().device_id, u128::from(device));
            let others = generate(&secret(other), T);
            assert_eq!(index.resolve_now(&others, T).unwrap().device_id, u128::from(other));
        }
    }
    assert!(pairs > 0, "the test needs a pair; expected 8");
}

#[test]
fn two_possible_makers_means_nobody_pays() {
    // The same secret under two ids is the only collision a test can make on purpose.
    let mut index = index_of(2);
    index.insert(99, &secret(1));
    let code = generate(&secret(1), T);
    assert_eq!(index.resolve_now(&code, T), Err(Refused::Ambiguous));
    assert!(index.remove(99));
    assert_eq!(index.resolve_now(&code, T).unwrap().device_id, 1);
}

#[test]
fn guesses_fail_as_the_formula_says() {
    // 2,000 devices, 300,000 random guesses: 2,000 · 8 / 10^16 each, so 5·10^-7 hits expected in all: none. With the
    // victim's locator known: 8 / 10^8 each, so 0.02 hits expected in 300,000.
    let mut index = index_of(2_000);
    index.maintain(T, usize::MAX);
    let victims = digits(generate(&secret(77), T))[2..10].to_owned();
    let live: HashSet<String> = (0..8).map(|k| digits(generate(&secret(77), T + 10 - k * 10))).collect();
    let mut hits = 0;
    for guess in 0..300_000u64 {
        let random = Sha256::digest((guess ^ 0xA5A5_0000_0000).to_be_bytes());
        let number = u64::from_be_bytes(random[..8].try_into().unwrap());
        let blind = format!("81{:016}", number % 10_000_000_000_000_000);
        let aimed = format!("81{victims}{:08}", number % 100_000_000);
        for text in [blind, aimed] {
            let code = PaymentCode::parse(&text).unwrap();
            if index.resolve(&code, T).is_ok() {
                assert!(live.contains(&text), "only a code the victim's phone would show resolves");
                hits += 1;
            }
        }
    }
    assert_eq!(hits, 0);
}

#[test]
fn exactly_eight_codes_of_a_device_are_alive() {
    let mut index = index_of(10);
    for now in T..T + 320 {
        let alive = (0..40)
            .map(|k| generate(&secret(4), (T / 10 - 20 + k + (now - T) / 10) * 10))
            .filter(|code| index.resolve_now(code, now).is_ok())
            .count();
        assert_eq!(alive, 8, "{now}");
    }
}

#[test]
fn one_code_burns_one_id() {
    let mut index = index_of(3);
    let code = generate(&secret(1), T);
    let ids: HashSet<u128> =
        (0..70).map(|later| index.resolve_now(&code, T + later).unwrap().burn_id).collect();
    assert_eq!(ids.len(), 1, "scanned early or late, by one till or many");
    assert_eq!(ids.into_iter().next(), Some(burn_id(1, &code)));
    let next = generate(&secret(1), T + 10);
    assert_ne!(burn_id(1, &code), burn_id(1, &next));
    assert_ne!(burn_id(1, &code), burn_id(2, &code));
    let many: HashSet<u128> = (0..10_000).map(|k| burn_id(1, &generate(&secret(1), T + k * 10))).collect();
    assert_eq!(many.len(), 10_000);
    assert!(!many.contains(&0) && !many.contains(&u128::MAX));
}

#[test]
fn tables_follow_devices_and_time() {
    let mut index = LocatorIndex::new();
    let code = |device: u64, t| generate(&secret(device), t);
    assert!(index.is_empty());
    assert_eq!(index.resolve_now(&code(1, T), T), Err(Refused::Unknown));

    // New devices work at once; so do new secrets, and old secrets no more.
    index.insert(1, &secret(1));
    assert!(index.resolve(&code(1, T), T).is_ok());
    index.insert(1, &secret(2));
    assert_eq!(index.len(), 1);
    assert_eq!(index.resolve(&code(1, T), T), Err(Refused::Unknown));
    assert!(index.resolve(&code(2, T), T).is_ok());

    // A removed device is gone at once, and its place can be taken by another.
    assert!(index.remove(1));
    assert!(!index.remove(1));
    assert_eq!(index.resolve(&code(2, T), T), Err(Refused::Unknown));
    index.insert(3, &secret(3));
    assert_eq!(index.resolve(&code(3, T), T).unwrap().device_id, 3);
    assert_eq!(index.len(), 1);
}

#[test]
fn half_built_tables_answer_not_ready_and_never_unknown() {
    let mut index = index_of(100);
    let code = generate(&secret(99), T);
    assert_eq!(index.resolve(&code, T), Err(Refused::NotReady));
    let mut answers = Vec::new();
    loop {
        let upkeep = index.maintain(T, 7);
        answers.push(index.resolve(&code, T).map(|r| r.device_id));
        // Devices that come and go meanwhile keep their places right.
        let step = u128::try_from(answers.len()).unwrap();
        index.insert(1000 + step, &secret(1000 + u64::try_from(step).unwrap()));
        index.remove(step * 2);
        if upkeep.remaining == 0 {
            break;
        }
    }
    index.maintain(T, usize::MAX);
    let first_ok = answers.iter().position(Result::is_ok).unwrap();
    assert!(answers[..first_ok].iter().all(|a| *a == Err(Refused::NotReady)), "{answers:?}");
    assert!(answers[first_ok..].iter().all(|a| *a == Ok(99)), "{answers:?}");
    for k in 1..=answers.len() as u64 {
        let added = index.resolve(&generate(&secret(1000 + k), T), T).unwrap();
        assert_eq!(added.device_id, u128::from(1000 + k));
        if k * 2 < 100 {
            assert_eq!(index.resolve(&generate(&secret(k * 2), T), T), Err(Refused::Unknown));
        }
    }
    // The next epoch's table was built ahead: nothing is left to do when the epoch turns.
    assert_eq!(index.maintain(T + 290, 0).remaining, 0);
    assert!(index.resolve(&generate(&secret(99), T + 300), T + 300).is_ok());
}

#[test]
fn the_index_agrees_with_asking_every_device() {
    let mut index = LocatorIndex::with_capacity(8);
    let mut model: Vec<(u128, u64)> = Vec::new();
    let mut random = 7u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (mut now, mut seeds, mut accepted) = (T, 0, 0);
    for _ in 0..4_000 {
        // Mostly small steps of time; sometimes a jump over several epochs, as after a restart.
        now += if next(50) == 0 { next(3_000) } else { next(20) };
        match next(8) {
            0 => {
                seeds += 1;
                let id = u128::from(next(40));
                model.retain(|(known, _)| *known != id);
                model.push((id, seeds));
                index.insert(id, &secret(seeds));
            }
            1 => {
                let id = u128::from(next(40));
                let before = model.len();
                model.retain(|(known, _)| *known != id);
                assert_eq!(index.remove(id), model.len() < before);
            }
            _ => {}
        }
        assert_eq!(index.len(), model.len());
        let device =
            if model.is_empty() { 1 } else { model[usize::try_from(next(model.len() as u64)).unwrap()].1 };
        let device = if next(4) == 0 { next(seeds.max(1)) + 1 } else { device };
        let made = now + 30 - next(130);
        let code = generate(&secret(device), made);
        let start = made / STEP_S * STEP_S;
        let alive = start <= now + 10 && now < start + 70;
        let want = model.iter().find(|(_, seed)| *seed == device && alive).map(|(id, _)| *id);
        let got = index.resolve_now(&code, now);
        assert_eq!(got.ok().map(|r| r.device_id), want, "{got:?}");
        accepted += u32::from(want.is_some());
    }
    assert!(accepted > 1_000, "{accepted}");
}
