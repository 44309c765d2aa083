//! A door between a client and the real cluster that can be shut, or let nothing out.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What passes. Every change ends the connections there are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Door {
    Open,
    /// Requests go in, answers do not come out.
    Mute,
    Shut,
}

pub struct Proxy {
    pub address: String,
    door: Arc<watch::Sender<Door>>,
}

impl Proxy {
    /// In front of the replica at `to`, `IP:PORT` or a port.
    pub async fn before(to: &str) -> Proxy {
        let to = if to.contains(':') { to.to_owned() } else { format!("127.0.0.1:{to}") };
        let to: SocketAddr = to.parse().expect("one address");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let door = Arc::new(watch::channel(Door::Open).0);
        let watched = door.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut door = watched.subscribe();
                let now = *door.borrow_and_update();
                if now == Door::Shut {
                    continue; // hangs up
                }
                let Ok(server) = TcpStream::connect(to).await else { continue };
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(client, server, now) => {}
                        _ = door.changed() => {}
                    }
                });
            }
        });
        Proxy { address, door }
    }

    pub fn set(&self, door: Door) {
        self.door.send_replace(door);
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, door: Door) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            n = client.read(&mut asked) => match n {
                Ok(n) if n > 0 => if server.write_all(&asked[..n]).await.is_err() { return },
                _ => return,
            },
            n = server.read(&mut answered) => match n {
                Ok(n) if n > 0 => if door == Door::Open && client.write_all(&answered[..n]).await.is_err() { return },
                _ => return,
            },
        }
    }
}
