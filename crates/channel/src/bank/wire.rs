//! Messages out of and into a connection, for both of its ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::iso8583::Framing;
use crate::iso8583::mac::MacKey;

/// What arrives.
#[derive(Debug)]
pub struct Inward {
    half: OwnedReadHalf,
    framing: Framing,
    arrived: Vec<u8>,
}

impl Inward {
    pub fn new(half: OwnedReadHalf, framing: Framing) -> Inward {
        Inward { half, framing, arrived: Vec::new() }
    }

    /// The next message; empty where the other side only keeps the line open. The error says why there are no more.
    pub async fn next(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(message) = self.framing.unwrap(&mut self.arrived).map_err(|e| e.to_string())? {
                return Ok(message);
            }
            match self.half.read_buf(&mut self.arrived).await {
                Ok(0) => return Err("the other side has hung up".to_owned()),
                Ok(_) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}

/// How far a frame has come. Exactly one of its writer and whoever gave it up moves it on from [`Flight::WAITING`].
#[derive(Debug, Default)]
pub struct Flight(AtomicU8);

impl Flight {
    const WAITING: u8 = 0;
    const BEGUN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    fn move_to(&self, to: u8) -> bool {
        self.0.compare_exchange(Flight::WAITING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes a frame out of the queue. `false` if a byte of it may have been written.
    pub fn withdraw(&self) -> bool {
        self.move_to(Flight::WITHDRAWN) || self.0.load(Ordering::Acquire) == Flight::WITHDRAWN
    }
}

/// What goes out.
#[derive(Debug)]
pub struct Outward {
    pub frame: Vec<u8>,
    pub flight: Arc<Flight>,
    /// Whether the connection ends with it.
    pub last: bool,
}

impl Outward {
    pub fn new(frame: Vec<u8>) -> Outward {
        Outward { frame, flight: Arc::default(), last: false }
    }
}

/// Writes what is queued until the connection ends, and counts it; says why it ended.
pub async fn write(
    mut half: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Outward>,
    written: &AtomicU64,
) -> String {
    while let Some(next) = queue.recv().await {
        if !next.flight.move_to(Flight::BEGUN) {
            continue;
        }
        if let Err(e) = half.write_all(&next.frame).await {
            return e.to_string();
        }
        written.fetch_add(1, Ordering::Relaxed);
        if next.last {
            break;
        }
    }
    "hung up".to_owned()
}

/// The key of a secret: 16 bytes, or as many in hexadecimal.
pub fn mac_key(secret: &[u8]) -> Option<MacKey> {
    if let Ok(key) = <&[u8; 16]>::try_from(secret) {
        return Some(MacKey::new(key));
    }
    let digits = std::str::from_utf8(secret).ok().map(str::trim).filter(|d| d.len() == 32 && d.is_ascii())?;
    let mut key = [0; 16];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(MacKey::new(&key))
}
