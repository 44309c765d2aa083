//! Puts the built web front ends (`web/dist`) into the binary. Where they were not built the table is empty, and the
//! server says so on its pages.

#[path = "src/web/scan.rs"]
mod scan;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let dist = crate_dir.join("../../web/dist");
    keep(&dist);
    let found = scan::scan(&dist)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("web_files.rs"), scan::source(&found))?;
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/web/scan.rs");
    Ok(())
}

/// Makes the directory where it is missing, empty and old: Cargo runs this script again at every build as long as
/// something that it was told to watch does not exist, or is younger than the last run. Where the source may not be
/// written to, it does just that.
fn keep(dist: &Path) {
    if !dist.exists() && fs::create_dir_all(dist).is_ok() {
        let _ = fs::File::open(dist).and_then(|dir| dir.set_modified(SystemTime::UNIX_EPOCH));
    }
}
