//! What a run costs besides time: memory, and bytes on disk. All from `/proc` and the file system; absent
//! where these do not tell.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What of a process is in memory, in KiB (proc(5), `RssAnon` and `RssFile`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Its own: heap, stacks, tables.
    pub anon: u64,
    /// Pages of files that it maps; the system takes them back when it needs them.
    pub file: u64,
}

/// Of this process.
pub fn resident(pid: u32) -> Option<Resident> {
    resident_in(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident_in(status: &str) -> Option<Resident> {
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Resident { anon: kib("RssAnon:")?, file: kib("RssFile:")? })
}

/// What a directory takes on disk: blocks, so that holes and what was set aside in advance count as they are.
pub fn bytes_in(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { bytes_in(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(bytes)
}

/// What the files that a process has open take on disk.
pub fn bytes_of(pid: u32) -> Option<u64> {
    let mut seen = HashSet::new();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let files = open.filter_map(|entry| fs::metadata(entry.ok()?.path()).ok());
    let own = files.filter(|about| about.is_file() && seen.insert((about.dev(), about.ino())));
    Some(own.map(|about| about.blocks() * 512).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_apart() {
        let status = "Name:\tyima\nVmRSS:\t    900 kB\nRssAnon:\t     700 kB\nRssFile:\t     200 kB\n";
        assert_eq!(resident_in(status), Some(Resident { anon: 700, file: 200 }));
        assert_eq!(resident_in("Name:\tyima\n"), None);
    }

    #[test]
    fn a_directory_is_as_large_as_its_files_blocks() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("inner")).unwrap();
        fs::write(dir.path().join("inner/file"), [7; 10_000]).unwrap();
        fs::File::create(dir.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        let bytes = bytes_in(dir.path()).unwrap();
        assert!((8_192..1 << 20).contains(&bytes), "{bytes}");
    }
}
