//! What the machine under the benchmark is like: how long its disk takes to sync, and how much processor
//! time a process has used. A figure without these says little: on a disk in memory every sync is free.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many writes are synced to know the disk.
const SYNCS: usize = 64;

/// Linux counts in hundredths of a second, whatever the kernel's own tick (`USER_HZ`, proc(5)).
const TICK_MS: u64 = 10;

/// What the process has used until now, in user and kernel mode; `None` where it cannot be known.
pub fn used(pid: u32) -> Option<Duration> {
    used_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// What the calling thread has used until now; `None` where it cannot be known.
pub fn used_by_this_thread() -> Option<Duration> {
    used_in(&std::fs::read_to_string("/proc/thread-self/stat").ok()?)
}

/// How long an appended 4 KiB takes to be synced in `dir`: the median of [`SYNCS`] tries.
pub fn sync_time(dir: &Path) -> io::Result<Duration> {
    let path = dir.join("sync-probe");
    let mut file = File::create_new(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[0x5a; 4_096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
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
