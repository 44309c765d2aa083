//! Kills the real server for real: `yima bench crash` with a few kills, on the debug binary. The command
//! proves everything itself and exits non-zero where it cannot; here it is only made to run, and to have
//! had something to lose.

use std::path::Path;
use std::process::Command;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_paid_twice() {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", std::process::id()));
    let kills = 5;
    let run = Command::new(env!("CARGO_BIN_EXE_yima"))
        .args(["bench", "crash", "--residents", "300", "--shops", "20", "--clients", "16", "--seed", "7"])
        .args(["--kills", &kills.to_string(), "--data"])
        .arg(&data)
        .output()
        .expect("the binary runs");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}, data in {}\n{out}\n{err}", run.status, data.display());
    assert_eq!(out.lines().filter(|line| line.starts_with("kill ")).count(), kills, "{out}");
    assert!(out.contains(&format!("{kills} kills survived")), "{out}");

    let figure = |name: &str| -> u64 {
        let line =
            out.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {out}"));
        let digits: String =
            line.trim().chars().take_while(|c| *c != ' ').filter(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    assert!(figure("payments") > 100, "there was something to lose: {out}");
    assert!(figure("asked again") > 0, "kills met requests under way: {out}");
    std::fs::remove_dir_all(&data).expect("the run's directory can be removed");
}
