//! `yima tour`: the main job, start to end, as everybody in it would do it: through the public API of a server
//! that it starts, with the files of the shipped packs. It ends with the reconciliation and the ledger check,
//! and succeeds only if every book agrees.
//!
//! The day of the tour is yesterday: the server's clock stands at ten in the morning and goes on to now when the
//! day's books are closed. A cluster has a clock of its own, so there the day is today, and its books are closed
//! tomorrow at the same time.

mod steps;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use city::identity;
use kernel::{Clock, Date, SystemClock, Timestamp, UtcOffset};
use ledger::{Address, QueryFilter};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::config::{Fail, Flags};
use crate::server::{Running, listen};

/// How the tour is taken.
#[derive(clap::Args)]
pub struct Options {
    /// Directory to run in, kept afterwards; a temporary one when absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The ledger, one that nobody has used: embedded:DIR or tigerbeetle:CLUSTER@IP:PORT,… [default: in the directory]
    #[arg(long)]
    ledger: Option<String>,
}

/// The machine's clock, set back or ahead.
struct TourClock {
    ahead_ns: AtomicI64,
}

impl Clock for TourClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ns.load(Ordering::SeqCst);
        let by = Duration::from_nanos(ahead.unsigned_abs());
        if ahead < 0 { SystemClock.now().minus(by) } else { SystemClock.now().plus(by) }
    }
}

/// A directory that goes away with the tour, unless it was named.
struct Dir {
    path: PathBuf,
    kept: bool,
}

impl Dir {
    fn make(named: Option<&PathBuf>) -> Result<Dir, Fail> {
        if let Some(path) = named {
            if path.join("ledger").exists() {
                return Err(Fail::new(format!("{}: a city lives there already", path.display())));
            }
            return Ok(Dir { path: path.clone(), kept: true });
        }
        let name = format!("yima-tour-{}-{}", std::process::id(), SystemClock.now().as_nanos());
        Ok(Dir { path: std::env::temp_dir().join(name), kept: false })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path); // what cannot be removed is the system's to clean
        }
    }
}

/// A tour leaves a city behind, and needs a cluster where none is. (Of a directory [`Dir`] has made sure.)
async fn unused(address: &Address) -> Result<(), Fail> {
    if let Address::Cluster { .. } = address {
        let (engine, _) = address.open(Arc::new(SystemClock)).await?;
        let any = QueryFilter { limit: 1, ..QueryFilter::default() };
        let found = engine.ledger().query_accounts(any).await;
        engine.close().await;
        if !found?.is_empty() {
            return Err(Fail::new(format!("{address}: a city lives there already")));
        }
    }
    Ok(())
}

/// Takes the tour.
pub async fn tour(options: &Options) -> Result<(), Fail> {
    let dir = Dir::make(options.data.as_ref())?;
    let offset = UtcOffset::CHINA;
    let real = SystemClock.now();
    let flags = Flags {
        addr: Some(([127, 0, 0, 1], 0).into()),
        data: Some(dir.path.clone()),
        ledger: options.ledger.clone(),
        sender: Some(format!("file:{}", dir.path.join("messages.jsonl").display())),
        log: Some("error".to_owned()),
        ..Flags::default()
    };
    let config = flags.load()?;
    let today = real.date(offset);
    let (day, begins, evening): (Date, i64, i64) = match &config.ledger {
        Address::Embedded(_) => {
            let day = today.yesterday().map_err(|e| Fail::new(e.to_string()))?;
            let morning = Timestamp::start_of(day, offset).plus(Duration::from_hours(10));
            (day, morning.as_nanos() - real.as_nanos(), 0)
        }
        Address::Cluster { .. } => (today, 0, i64::try_from(Duration::from_hours(24).as_nanos())?),
    };
    let clock = Arc::new(TourClock { ahead_ns: AtomicI64::new(begins) });
    crate::server::logs(&config);
    unused(&config.ledger).await?;
    let mut running = Running::open_at(&config, clock.clone()).await?;
    let operator = identity::bootstrap_operator(&running.city, "tour").await?.secret;
    running.start();
    let listener = TcpListener::bind(config.addr).await?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (city, served) = (running.city.clone(), config.clone());
    let server = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await; // the tour ended, one way or the other
        };
        listen(listener, city, &served, stopped).await
    });

    let mut tour = steps::Tour::new(Client::new(addr), addr, &operator, &dir.path, day);
    println!("the day is {day}; the data lies in {}\n", dir.path.display());
    let walked = async {
        tour.day(&*clock).await?;
        // Evening: the clock goes on, so that the day is over and its books can be closed.
        clock.ahead_ns.store(evening, Ordering::SeqCst);
        tour.night().await
    };
    let walked: Result<(), Fail> = walked.await;
    let _ = stop.send(());
    server.await??;
    running.close().await;
    walked?;
    tour.ledger_check(&config.ledger).await
}
