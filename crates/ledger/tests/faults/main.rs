//! Seeded histories on a disk that fails: acknowledged is never lost, unacknowledged is never half-there,
//! damage is always found.
//!
//! `YIMA_FAULT_SEED=n cargo test -p ledger --test faults TEST -- --nocapture` runs one history and tells it
//! step by step; `YIMA_FAULT_HISTORIES=n` runs so many.

mod dice;
mod events;
mod full;
mod history;
mod inline;
mod model;
mod sim;
mod sim_tests;
mod stepped;
mod toy;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use history::{History, Summary, Violation};
use stepped::Stepped;
use toy::{Toy, flaw};

/// Runs one history; a panic of the engine is a violation too.
fn run<E: Stepped>(seed: u64, trace: bool) -> (Result<(), Violation>, Summary, Vec<String>) {
    let mut history: History<E> = History::new(seed, trace);
    let result = catch_unwind(AssertUnwindSafe(|| history.run()));
    let result = result.unwrap_or_else(|_| Err(Violation("a panic".to_owned())));
    (result, history.summary, history.trace.unwrap_or_default())
}

/// Runs histories from seed 0 on all processors; the first seed found to fail, if one does.
fn run_many<E: Stepped>(histories: u64) -> (Summary, Option<(u64, Violation)>) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let outcome = Mutex::new((Summary::default(), None));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= histories || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (result, summary, _) = run::<E>(seed, false);
                    let mut outcome = outcome.lock().unwrap();
                    outcome.0 += summary;
                    if let Err(violation) = result {
                        outcome.1 = Some((seed, violation));
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    outcome.into_inner().unwrap()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// The histories of an engine, as many as the environment asks for; `test` is the name to call it by.
fn survive<E: Stepped>(test: &str, histories: u64) {
    if let Some(seed) = number("YIMA_FAULT_SEED") {
        let (result, summary, trace) = run::<E>(seed, true);
        println!("{}\n{summary}", trace.join("\n"));
        result.unwrap_or_else(|e| panic!("{test}, seed {seed}: {e}"));
        return;
    }
    let histories = number("YIMA_FAULT_HISTORIES").unwrap_or(histories);
    let (summary, failure) = run_many::<E>(histories);
    println!("{test}\n{summary}");
    if let Some((seed, e)) = failure {
        panic!(
            "{e}\nonce more: YIMA_FAULT_SEED={seed} cargo test -p ledger --test faults {test} -- --nocapture"
        );
    }
    if histories >= 1000 {
        for (met, count) in summary.must_be_met() {
            assert!(count > 0, "{test}: {histories} histories without {met}");
        }
    }
}

#[test]
fn a_sound_engine_survives_every_history() {
    survive::<Toy<{ flaw::NONE }>>("a_sound_engine_survives_every_history", 1000);
}

#[test]
fn an_engine_whose_readers_wait_survives_them_too() {
    survive::<Toy<{ flaw::WAITS }>>("an_engine_whose_readers_wait_survives_them_too", 300);
}

#[test]
fn a_seed_tells_the_same_history_twice() {
    for seed in 0..20 {
        let (first, _, told) = run::<Toy<{ flaw::NONE }>>(seed, true);
        let (second, _, again) = run::<Toy<{ flaw::NONE }>>(seed, true);
        assert!(first.is_ok() && second.is_ok());
        assert!(!told.is_empty());
        assert_eq!(told, again, "seed {seed}");
    }
}

/// The histories must find what is wrong with an engine, and find it again.
fn find<const FLAW: u8>(what: &str) {
    let (summary, failure) = run_many::<Toy<FLAW>>(2000);
    let (seed, violation) = failure.unwrap_or_else(|| panic!("{what}: not found in\n{summary}"));
    let (again, ..) = run::<Toy<FLAW>>(seed, false);
    assert_eq!(again.unwrap_err().0, violation.0, "{what}: seed {seed} does not repeat itself");
    let text: String = violation.0.chars().take(300).collect();
    println!("{what}: seed {seed}: {text}");
}

macro_rules! found {
    ($($name:ident: $flaw:ident,)*) => {
        $(#[test]
        fn $name() {
            find::<{ flaw::$flaw }>(stringify!($name));
        })*
    };
}

found! {
    finds_an_engine_that_never_syncs: NEVER_SYNCS,
    finds_an_engine_that_never_syncs_names: NEVER_SYNCS_NAMES,
    finds_an_engine_that_believes_unsynced_bytes_at_opening: OPENS_WITHOUT_SYNC,
    finds_an_engine_that_applies_half_a_frame: APPLIES_HALF,
    finds_an_engine_that_looks_at_no_checksum: IGNORES_ROT,
    finds_an_engine_that_cuts_damage: CUTS_DAMAGE,
    finds_an_engine_that_believes_a_rotten_snapshot: BELIEVES_SNAPSHOT,
    finds_an_engine_that_syncs_again: RETRIES_SYNC,
    finds_an_engine_that_answers_after_a_failed_sync: ANSWERS_AFTER_FAILED_SYNC,
    finds_an_engine_that_shows_what_is_not_synced: SHOWS_UNSYNCED,
    finds_an_engine_that_writes_what_it_refused: KEEPS_REFUSED,
    finds_an_engine_that_forgets_burnt_ids: FORGETS_BURNT,
    finds_an_audit_that_sees_nothing: BLIND_AUDIT,
    finds_an_engine_that_does_not_recover_from_a_full_disk: DIES_OF_NO_SPACE,
    finds_an_engine_that_renames_before_it_syncs: RENAMES_UNSYNCED,
    finds_an_engine_that_takes_a_short_read_for_the_end: SHORT_READ_IS_END,
    finds_an_engine_that_forgets_a_balance_of_the_past: FORGETS_HISTORY,
}
