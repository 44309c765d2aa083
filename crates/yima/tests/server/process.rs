//! Starts and stops the real binary, and asks it over a plain socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The binary under test.
pub fn yima() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yima"))
}

/// Whether a missing program is a failure.
pub fn tools_required() -> bool {
    std::env::var_os("CI").is_some() || std::env::var_os("YIMA_REQUIRE_TOOLS").is_some()
}

/// A server in a directory of its own.
pub struct Server {
    pub addr: SocketAddr,
    pub operator: String,
    dir: Option<TempDir>,
    data: std::path::PathBuf,
    database: String,
    extra: Vec<String>,
    child: Option<Child>,
}

/// An answer as it came over the socket.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One request on a connection of its own.
pub fn request(addr: SocketAddr, method: &str, path: &str, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    );
    // A server that refuses a long body may answer and close before all of it is sent.
    let _ = stream.write_all(text.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).to_string();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    /// An empty city with an operator.
    pub fn start(extra: &[&str]) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database = runtime.block_on(store::testing::fresh_url(dir.path(), &kernel::OsRng)).unwrap();
        let data = dir.path().to_owned();
        let extra = extra.iter().map(|s| (*s).to_owned()).collect();
        let mut server = Server {
            addr: free_addr(),
            operator: String::new(),
            dir: Some(dir),
            data,
            database,
            extra,
            child: None,
        };
        let made = server.command("operator").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().clone_into(&mut server.operator);
        server.restart();
        server
    }

    /// The demo city in `data`.
    pub fn start_demo(data: &Path) -> Server {
        let addr = free_addr();
        let mut command = yima();
        command.args(["demo", "--log", "error", "--addr", &addr.to_string(), "--data"]).arg(data);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let server = Server {
            addr,
            operator: String::new(),
            dir: None,
            data: data.to_owned(),
            database: String::new(),
            extra: Vec::new(),
            child: Some(child),
        };
        server.wait();
        server
    }

    /// Its directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A command on this server's data.
    pub fn command(&self, word: &str) -> Command {
        let mut command = yima();
        command.arg(word).env("YIMA_DATA", &self.data).env("YIMA_DATABASE", &self.database);
        command
    }

    /// Starts it on the same data and address.
    pub fn restart(&mut self) {
        let mut command = self.command("serve");
        command.args(["--log", "error", "--addr", &self.addr.to_string()]).args(&self.extra);
        command.args(["--sender", &format!("file:{}", self.data.join("messages").display())]);
        self.child = Some(command.spawn().unwrap());
        self.wait();
    }

    fn wait(&self) {
        for _ in 0..600 {
            if TcpStream::connect(self.addr).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not listen");
    }

    /// The same city without its server.
    pub fn stopped(mut self) -> Server {
        self.stop();
        self
    }

    /// SIGTERM; it must end well.
    pub fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.dir.take());
    }
}
