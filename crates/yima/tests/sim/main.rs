//! `yima sim bills` on the debug binary: a week of a small city comes right, and the same week again comes out the same.

use std::process::Command;

use serde_json::Value;

fn week(seed: &str) -> Value {
    let args =
        ["sim", "bills", "--residents", "2000", "--billers", "12", "--days", "7", "--json", "--seed", seed];
    let run = Command::new(env!("CARGO_BIN_EXE_yima")).args(args).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn a_week_comes_right_and_comes_out_the_same_again() {
    let (first, again, other) = (week("1"), week("1"), week("2"));
    assert_eq!(first["violations"], serde_json::json!([]));
    assert_eq!(first["digest"], again["digest"]);
    assert_ne!(first["digest"], other["digest"]);
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    assert!(count(&first["payments"]) > 1_500 && count(&first["settlements"]) == 84, "{first:#}");
    for way in ["file", "direct", "provider"] {
        assert!(count(&first["by_way"][way]) > 0, "{first:#}");
    }
    assert!(first["faults"].as_object().is_some_and(|faults| faults.len() > 10), "{first:#}");
    assert!(first["breaks"].as_object().is_some_and(|breaks| !breaks.is_empty()), "{first:#}");
}
