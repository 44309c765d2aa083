//! Independent programs that tests hold us against: they read our codes, our books and our posters.
//! Installed with Debian's package manager where we may; otherwise we say exactly what is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postgres;
use crate::run::{Result, find, output, root, run};

/// A program (or, by its path, a file that one needs), the Debian package that has it, and what it is for.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "zbarimg", package: "zbar-tools", purpose: "reads the codes we draw" },
    Tool { program: "hledger", package: "hledger", purpose: "balances the books we export" },
    Tool { program: "bean-check", package: "beancount", purpose: "balances the books we export" },
    Tool { program: "pdftotext", package: "poppler-utils", purpose: "reads the posters we print" },
    Tool {
        program: "/usr/share/poppler/cMap",
        package: "poppler-data",
        purpose: "is what it reads Chinese posters with",
    },
    Tool {
        program: "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        package: "fonts-wqy-microhei",
        purpose: "is what it draws Chinese posters with",
    },
    Tool { program: "chromium", package: "chromium", purpose: "is the browser of the web tests" },
    Tool { program: "python3", package: "python3", purpose: "runs the libraries that are written in it" },
    Tool { program: "ensurepip", package: "python3-venv", purpose: "gives them a place of their own" },
    Tool { program: "postgres", package: "postgresql", purpose: "is the second SQL engine" },
];

fn missing() -> Vec<&'static Tool> {
    let installed = |tool: &&Tool| match tool.program {
        "postgres" => postgres::bin_dir().is_some(),
        "ensurepip" => output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok(),
        path if path.starts_with('/') => Path::new(path).exists(),
        program => find(program).is_some(),
    };
    TOOLS.iter().filter(|tool| !installed(tool)).collect()
}

/// What of Python's the tests hold us against, each with its version and hash.
const PYTHON_PACKAGES: &str = "crates/channel/tests/independent/requirements.txt";

/// The interpreter that has them all, once [`set_up`] was there.
pub fn python() -> Option<PathBuf> {
    let place = root().join("target/python");
    let read = |file: &Path| std::fs::read_to_string(file).ok();
    let done = read(&place.join("requirements.txt"))?;
    let complete = read(&root().join(PYTHON_PACKAGES)).is_some_and(|wanted| wanted == done);
    complete.then(|| place.join("bin/python")).filter(|python| python.exists())
}

/// Installs them into `target/python`, unless they are there.
fn python_packages() -> Result<()> {
    if python().is_some() {
        return Ok(());
    }
    let (place, wanted) = (root().join("target/python"), root().join(PYTHON_PACKAGES));
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    run(Command::new(place.join("bin/python")).args(pip).arg("--requirement").arg(&wanted))?;
    // Last, because it says that the others are there.
    let done = place.join("requirements.txt");
    std::fs::copy(&wanted, &done).map(drop).map_err(|e| format!("{}: {e}", done.display()))
}

/// Sets up every program. `Ok` lists what is still missing, for people; with `CI` set that is an error.
pub fn set_up() -> Result<Vec<String>> {
    let wanted = missing();
    if !wanted.is_empty() {
        let packages: Vec<_> = wanted.iter().map(|tool| tool.package).collect();
        match may_install() {
            Ok(prefix) => install(&prefix, &packages),
            Err(why) => println!("cannot install ({why}); as root: apt-get install {}", packages.join(" ")),
        }
    }
    let mut missing: Vec<_> =
        missing().iter().map(|t| format!("{}: {} ({})", t.package, t.program, t.purpose)).collect();
    if let Err(why) = python_packages() {
        missing.push(format!("the packages of {PYTHON_PACKAGES}: {why}"));
    }
    if missing.is_empty() {
        println!("all {} programs are installed", TOOLS.len());
    } else if std::env::var_os("CI").is_some() {
        return Err(format!("missing: {}", missing.join(", ")));
    }
    Ok(missing)
}

/// What to put before apt-get, or why it may not be used.
fn may_install() -> Result<Vec<&'static str>> {
    find("apt-get").ok_or("there is no apt-get here")?;
    if is_root() {
        return Ok(Vec::new());
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    if sudo.is_ok_and(|status| status.success()) {
        Ok(vec!["sudo", "-n"])
    } else {
        Err("not root, and sudo would ask for a password".into())
    }
}

/// Whether we run as root.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// Installs `packages`. A failure is told by what is then still missing.
fn install(prefix: &[&str], packages: &[&str]) {
    let apt = |words: &[&str]| {
        let mut all = prefix.to_vec();
        all.extend([
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=120",
        ]);
        all.extend(words);
        println!("{}", all.join(" "));
        if let Err(e) = run(Command::new(all[0]).args(&all[1..]).stdin(Stdio::null())) {
            println!("{e}");
        }
    };
    apt(&["update"]);
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat());
}
