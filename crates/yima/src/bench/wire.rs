//! The load's side of HTTP/1.1: one kept-alive connection, requests put together as bytes, answers read
//! into one buffer. The client shares the machine with the server it measures, so it does nothing it
//! need not: no header map, no task, no allocation per request.
//!
//! Knows just what our server sends: a status line, `content-length`, a body. Anything else is an error,
//! and an error means that the outcome of the request is unknown.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The largest answer that is read, bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// A request as bytes, kept and filled again.
#[derive(Debug, Default)]
pub struct Request {
    text: String,
}

impl Request {
    /// Puts a request together. `head` is method and path, as in `POST /v1/payments`.
    pub fn set(&mut self, head: &str, token: &str, key: Option<&str>, body: &str) {
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            self.text,
            "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\n"
        );
        if let Some(key) = key {
            let _ = write!(self.text, "idempotency-key: {key}\r\n");
        }
        let _ = write!(self.text, "content-length: {}\r\n\r\n{body}", body.len());
    }
}

/// A connection to the server, made when it is needed.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Wire {
    /// Connects at the first request.
    pub fn new(addr: SocketAddr) -> Wire {
        Wire { addr, stream: None, buffer: Vec::with_capacity(4_096) }
    }

    /// Sends a request and reads the whole answer: its status and body.
    pub async fn send(&mut self, request: &Request) -> io::Result<(u16, &[u8])> {
        match self.exchange(request).await {
            Ok((status, from, to, keep)) => {
                if !keep {
                    self.stream = None;
                }
                Ok((status, &self.buffer[from..to]))
            }
            Err(e) => {
                self.stream = None;
                Err(e)
            }
        }
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<(u16, usize, usize, bool)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.addr).await?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request.text.as_bytes()).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = head_of(&self.buffer)?;
            }
            if let Some(head) = &head
                && self.buffer.len() >= head.body + head.length
            {
                return Ok((head.status, head.body, head.body + head.length, head.keep));
            }
            if self.buffer.len() > ANSWER_MAX {
                return Err(broken("an answer without end"));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    body: usize,
    length: usize,
    keep: bool,
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The head of an answer, once all of it is there.
fn head_of(buffer: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let text = str::from_utf8(&buffer[..end]).map_err(|_| broken("a head that is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|l| l.strip_prefix("HTTP/1.1 ")).and_then(|l| l.get(..3));
    let status = status.and_then(|s| s.parse().ok()).ok_or_else(|| broken("no status line"))?;
    let (mut length, mut keep) = (None, true);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { return Err(broken("a header without colon")) };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    // An answer that has no body (204) may go without a length.
    let length = if status == 204 { Some(0) } else { length };
    let length = length.ok_or_else(|| broken("no content-length"))?;
    Ok(Some(Head { status, body: end + 4, length, keep }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_http_wants() {
        let mut request = Request::default();
        request.set("POST /v1/payments", "t", Some("k"), "{}");
        request.set("GET /v1/me", "t", None, "");
        let wanted = "GET /v1/me HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                      authorization: Bearer t\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(request.text, wanted);
        request.set("POST /v1/payments", "t", Some("k"), "{}");
        assert!(request.text.ends_with("idempotency-key: k\r\ncontent-length: 2\r\n\r\n{}"));
    }

    #[test]
    fn heads() {
        let head = |status, body, length, keep| Some(Some(Head { status, body, length, keep }));
        for (text, wanted) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", Some(None)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", head(200, 38, 5, true)),
            ("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", head(204, 46, 0, false)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("HTTP/1.0 200 OK\r\n\r\n", None),
            ("HTTP/1.1 20x OK\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\nrubbish\r\n\r\n", None),
        ] {
            assert_eq!(head_of(text.as_bytes()).ok(), wanted, "{text}");
        }
    }
}
