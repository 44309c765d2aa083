//! Measures the server's side of the payment code: how long ten million devices take to enter, to prepare for an epoch
//! and to resolve, and what memory they hold. `cargo run --release -p codes --example payment_code_index [DEVICES]`.
//! Never part of a build; the figures it prints stand in `docs/reference/codes.md`.

use std::time::{Duration, Instant};

use codes::payment_code::{DeviceSecret, LocatorIndex, PaymentCode, Refused, generate};

const NOW: u64 = 1_795_420_800;

fn id(device: u64) -> u128 {
    (0x0192_0000_u128 << 96) | u128::from(mix(device))
}

/// SplitMix64: cheap, seeded, good enough to stand for random secrets in a measurement.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn secret(device: u64) -> DeviceSecret {
    let mut bytes = [0; 32];
    for (part, seed) in bytes.chunks_exact_mut(8).zip(device * 4..) {
        part.copy_from_slice(&mix(seed).to_be_bytes());
    }
    DeviceSecret::new(bytes)
}

fn per(elapsed: Duration, count: u64) -> u128 {
    elapsed.as_nanos() / u128::from(count.max(1))
}

fn percentile(times: &mut [u128], hundredths: usize) -> u128 {
    times.sort_unstable();
    times[(times.len() - 1) * hundredths / 10_000]
}

fn main() {
    let devices: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    let mut index = LocatorIndex::with_capacity(usize::try_from(devices).expect("a 64-bit machine"));

    let start = Instant::now();
    for device in 0..devices {
        index.insert(id(device), &secret(device));
    }
    println!("insert     {devices} devices, {} ns each, no tables yet", per(start.elapsed(), devices));

    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        let portion = Instant::now();
        let left = index.maintain(NOW, 10_000).remaining;
        slowest = slowest.max(portion.elapsed());
        if left == 0 {
            break;
        }
    }
    let took = start.elapsed();
    println!(
        "prepare    3 epochs in {} ms, {} ns per device and epoch, slowest portion of 10,000: {} us",
        took.as_millis(),
        per(took, devices * 3),
        slowest.as_micros()
    );
    // Ten minutes of upkeep, once a second: every call would hold the write lock for as long as it takes.
    let mut portions: Vec<u128> = (1..=600)
        .map(|second| {
            let portion = Instant::now();
            index.maintain(NOW + second, 50_000);
            portion.elapsed().as_micros()
        })
        .collect();
    let now = NOW + 600;
    println!(
        "rotate     50,000 a second: p50 {} us, p99 {} us, slowest {} us",
        percentile(&mut portions, 5_000),
        percentile(&mut portions, 9_900),
        percentile(&mut portions, 10_000)
    );
    println!(
        "memory     {} MiB, {} bytes per device",
        index.bytes() >> 20,
        index.bytes() as u64 / devices.max(1)
    );

    let tries = 200_000;
    let mut times = Vec::with_capacity(tries);
    for k in 0..tries as u64 {
        let device = mix(k) % devices;
        let code = generate(&secret(device), now - k % 60);
        let start = Instant::now();
        let resolved = index.resolve(&code, now).expect("a live code");
        times.push(start.elapsed().as_nanos());
        assert_eq!(resolved.device_id, id(device));
    }
    println!("resolve    p50 {} ns, p99 {} ns", percentile(&mut times, 5_000), percentile(&mut times, 9_900));

    times.clear();
    for k in 0..tries as u64 {
        let guess = format!("81{:016}", mix(!k) % 10_000_000_000_000_000);
        let code = PaymentCode::parse(&guess).expect("well formed");
        let start = Instant::now();
        let refused = index.resolve(&code, now);
        times.push(start.elapsed().as_nanos());
        assert_eq!(refused, Err(Refused::Unknown));
    }
    println!("refuse     p50 {} ns, p99 {} ns", percentile(&mut times, 5_000), percentile(&mut times, 9_900));
}
