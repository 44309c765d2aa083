//! Processor time of a process, from `/proc` where there is one. Tells who of client and server uses the
//! machine they share.

use std::time::Duration;

/// Linux counts in hundredths of a second, whatever the kernel's own tick (`USER_HZ`, proc(5)).
const TICK_MS: u64 = 10;

/// What the process has used until now, in user and kernel mode; `None` where it cannot be known.
pub fn used(pid: u32) -> Option<Duration> {
    used_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn used_in(stat: &str) -> Option<Duration> {
    // The name in parentheses may hold anything; utime and stime are fields 14 and 15 (proc(5)).
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = fields.next()?.ok()?.checked_add(fields.next()?.ok()?)?;
    Some(Duration::from_millis(ticks.checked_mul(TICK_MS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 5 0 1000";
        assert_eq!(used_in(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(used_in("42 (yima"), None);
    }
}
