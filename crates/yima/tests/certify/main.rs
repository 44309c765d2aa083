//! `yima pack certify` on the debug binary: what is good passes and is signed, and what is not does not pass, the other
//! side's faults included.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn yima(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yima")).args(args).current_dir(dir).output().expect("the binary runs")
}

fn text(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn live_pack() -> String {
    std::fs::read_to_string(root("docs/guides/live-biller.toml")).expect("the guide's pack")
}

/// Certifies a text; whether it passed, and what was said.
fn certify(pack: &str, more: &[&str]) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pack.toml"), pack).unwrap();
    let run = yima(&[&["pack", "certify", "pack.toml"][..], more].concat(), dir.path());
    (run.status.success(), text(&run))
}

#[test]
fn shipped_and_generated_packs_pass_and_their_reports_are_signed() {
    let dir = tempfile::tempdir().unwrap();
    let files =
        ["packs/330100/hz-power.toml", "packs/330100/hz-traffic.toml", "packs/310100/sh-property.toml"];
    let files: Vec<String> = files.iter().map(|path| root(path).display().to_string()).collect();
    let mut args =
        vec!["pack", "certify", "--generate", "12", "--seed", "11", "--out", "out", "--patience-ms", "2000"];
    args.extend(files.iter().map(String::as_str));
    let run = yima(&args, dir.path());
    let said = text(&run);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("15 packs, 0 failed"), "{said}");
    let key = said.split("signed by ").nth(1).expect("the key").trim().to_owned();

    let report = dir.path().join("out/hz-power.report.json");
    let verify = |key: &str, pack: &str| {
        let report = report.display().to_string();
        yima(&["pack", "verify", &report, "--key", key, "--pack", pack], dir.path())
    };
    assert!(verify(&key, &files[0]).status.success());
    assert!(text(&verify(&"00".repeat(32), &files[0])).contains("signed with another key"));
    assert!(text(&verify(&key, &files[1])).contains("of another text"));
    let signed = std::fs::read_to_string(&report).unwrap();
    std::fs::write(&report, signed.replace("\"outcome\":\"passed\"", "\"outcome\":\"failed\"")).unwrap();
    assert!(text(&verify(&key, &files[0])).contains("the signature is not"));
    let mode =
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(dir.path().join("certifier.key")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_same_seed_makes_the_same_packs() {
    let dir = tempfile::tempdir().unwrap();
    let made = |out: &str, seed: &str| {
        let args =
            ["pack", "certify", "--generate", "2", "--seed", seed, "--out", out, "--patience-ms", "2000"];
        let run = yima(&args, dir.path());
        assert!(run.status.success(), "{}", text(&run));
        std::fs::read_to_string(dir.path().join(out).join(format!("gen-{seed}-0001.toml"))).unwrap()
    };
    assert_eq!(made("one", "5"), made("two", "5"));
    assert_ne!(made("one", "5"), made("three", "6"));
}

#[test]
fn a_good_pack_of_a_biller_that_is_asked_passes() {
    let (passed, said) = certify(&live_pack(), &["--patience-ms", "2000", "--cases"]);
    assert!(passed, "{said}");
    for case in
        ["happy_path", "silent_after_debit", "wrong_signature", "clock_skew", "out_of_hours", "payout"]
    {
        assert!(said.lines().any(|line| line.contains("ok ") && line.contains(case)), "{case}: {said}");
    }
}

#[test]
fn what_is_planted_is_found() {
    let live = live_pack();
    // Codes that contradict themselves: what says that there is no such payment is read as a yes when it is inquired.
    let lies = live
        .replace("[channels.direct.inquire]\n", "[channels.direct.inquire]\ncodes = { \"4004\" = \"ok\" }\n");
    // Nobody can say that a payment is not there: what was not taken stays held for ever.
    let mute = live.replace(", \"4004\" = \"unknown\"", "").replace(", \"9999\" = \"refused\"", "");
    // A rule for account numbers that its own example breaks.
    let rule = live.replace("check = \"luhn\"", "check = \"mod97_10\"");
    // A reversal that names no payment.
    let reversal = live.replace(
        "path = \"/v1/reversals\"\nbody = '{\"id\":\"{payment}\",",
        "path = \"/v1/reversals\"\nbody = '{\"id\":\"x\",",
    );
    for (pack, case, why) in [
        (&lies, "silent_before_debit", "a code map that lies"),
        (&mute, "silent_before_debit", "a code that is missing"),
        (&rule, "pack_is_read", "an account rule that contradicts its examples"),
    ] {
        assert_ne!(*pack, live, "{why}");
        let (passed, said) = certify(pack, &[]);
        assert!(!passed, "{why}: {said}");
        assert!(said.lines().any(|line| line.contains("FAIL") && line.contains(case)), "{why}: {said}");
    }
    assert_ne!(reversal, live);
    let (passed, said) = certify(&reversal, &[]);
    assert!(!passed && said.contains("reverse: does not say which payment"), "a reversal of nothing: {said}");
}

#[test]
fn an_institution_that_cheats_is_found() {
    for flaw in ["takes-twice", "takes-nothing", "refuses-after"] {
        let (passed, said) = certify(&live_pack(), &["--flaw", flaw]);
        assert!(!passed, "{flaw}: {said}");
        let found = said.lines().any(|line| line.contains("FAIL") && line.contains("happy_path"));
        assert!(found, "{flaw}: {said}");
    }
}
