//! A private PostgreSQL for the tests: a cluster of its own in a temporary directory, on a free port
//! of the loopback address, gone afterwards whatever happens. It never touches a cluster that is there.
//!
//! A second process, the keeper, holds the cluster: in a process group of its own, so that Ctrl-C
//! does not reach it, with its standard input tied to us. When we end, by return, panic, Ctrl-C or
//! kill -9, that input ends, and the keeper stops the server and removes its directory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Result, find, output};
use crate::tools::is_root;

/// Small, for two cores beside a build; as durable as a real one, since tests kill what they test.
const SETTINGS: &[&str] = &[
    "shared_buffers=32MB",
    "max_connections=300",
    "fsync=on",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// How long a start may take before we try another port.
const START_MAX: Duration = Duration::from_mins(1);

/// A running cluster; stopped and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    keeper: Child,
    /// `postgres://yima@127.0.0.1:PORT`, without a database.
    pub url: String,
}

impl Postgres {
    /// Starts a fresh cluster and waits until it answers.
    pub fn start() -> Result<Postgres> {
        // On Linux our program by its link, which holds even if a build replaces the file meanwhile.
        let link = PathBuf::from("/proc/self/exe");
        let program =
            if link.exists() { link } else { std::env::current_exe().map_err(|e| e.to_string())? };
        let mut keeper = Command::new(program)
            .arg("postgres-keeper")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| format!("starting the keeper of PostgreSQL: {e}"))?;
        let mut url = String::new();
        let stdout = keeper.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut url).map_err(|e| e.to_string())?;
        let postgres = Postgres { keeper, url: url.trim().to_owned() };
        if postgres.url.is_empty() {
            Err("PostgreSQL did not start; see above".to_owned())
        } else {
            Ok(postgres)
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take()); // the sign to stop
        if !self.keeper.wait().is_ok_and(|status| status.success()) {
            eprintln!("the keeper of PostgreSQL failed; see above");
        }
    }
}

/// Where PostgreSQL's programs are: Debian's newest version, or what `pg_config` says.
pub fn bin_dir() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").is_file())
        .max();
    let other = || {
        find("pg_config")?;
        let bin = PathBuf::from(output(Command::new("pg_config").arg("--bindir")).ok()?);
        bin.join("postgres").is_file().then_some(bin)
    };
    newest.map(|(_, bin)| bin).or_else(other)
}

/// The keeper's whole life. Prints the address once the server answers.
pub fn keep() -> Result<()> {
    let mut cluster = Cluster::create()?;
    let url = cluster.start()?;
    // If nobody listens any more, the input has ended too.
    let _ = writeln!(std::io::stdout(), "{url}");
    std::io::stdin().read_to_end(&mut Vec::new()).map_err(|e| e.to_string())?;
    Ok(()) // dropping the cluster stops and removes it
}

/// A directory with a database cluster in it; its server is stopped and it is removed when dropped.
struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    server: Option<Child>,
}

/// `program`, as the user `postgres` where we are root: PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env"]).arg(program);
    command
}

impl Cluster {
    fn create() -> Result<Cluster> {
        let bin = bin_dir().ok_or("PostgreSQL is not installed")?;
        let template = std::env::temp_dir().join("yima-postgres.XXXXXX");
        let dir = output(as_postgres(Path::new("mktemp")).arg("-d").arg(template).current_dir("/"))?;
        let cluster = Cluster { bin, dir: dir.into(), server: None };
        let words = ["--username=yima", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
        output(cluster.program("initdb").args(words))?;
        Ok(cluster)
    }

    /// One of PostgreSQL's programs, told where the data is.
    fn program(&self, name: &str) -> Command {
        let mut command = as_postgres(&self.bin.join(name));
        command.arg("-D").arg(self.dir.join("data")).current_dir("/").stdin(Stdio::null());
        command
    }

    /// Starts the server on a free port; another program may take the port first, so tries again.
    fn start(&mut self) -> Result<String> {
        for _ in 0..3 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
            let port = free.map_err(|e| format!("no free port: {e}"))?.port();
            if self.start_on(port).map_err(|e| format!("starting PostgreSQL: {e}"))? {
                return Ok(format!("postgres://yima@127.0.0.1:{port}"));
            }
        }
        Err(std::fs::read_to_string(self.log()).unwrap_or_default())
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Starts the server and waits until it answers; `false` if it ends instead.
    fn start_on(&mut self, port: u16) -> std::io::Result<bool> {
        let log = File::create(self.log())?;
        let mut command = self.program("postgres");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(["-p", &port.to_string()]).stdout(log.try_clone()?).stderr(log);
        let server = self.server.insert(command.spawn()?);
        let began = Instant::now();
        while server.try_wait()?.is_none() {
            let mut ready = Command::new(self.bin.join("pg_isready"));
            ready.args(["--quiet", "--host=127.0.0.1", "--username=yima", "--port", &port.to_string()]);
            if ready.status()?.success() {
                return Ok(true);
            }
            if began.elapsed() > START_MAX {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.stop();
        Ok(false)
    }

    /// Stops the server at once: nothing in the cluster is needed any more.
    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let told = output(self.program("pg_ctl").args(["stop", "--mode=immediate", "--no-wait"]));
        if told.is_err() {
            let _ = server.kill(); // it has ended already, or never wrote its process id
        }
        if let Err(e) = server.wait() {
            eprintln!("PostgreSQL: {e}");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
        if let Err(e) = std::fs::remove_dir_all(&self.dir) {
            eprintln!("{}: {e}", self.dir.display());
        }
    }
}
