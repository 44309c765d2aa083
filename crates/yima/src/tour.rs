//! `yima tour`: the main job, start to end, as everybody in it would do it: through the public API of a server
//! that it starts, with the files of the shipped packs. It ends with the reconciliation and the ledger check,
//! and succeeds only if every book agrees.
//!
//! The day of the tour is yesterday: the server's clock stands at ten in the morning and goes on to now when the
//! day's books are closed. A cluster has a clock of its own that nobody sets back, so there the tour takes place in a
//! time zone where the day is about to end, and waits for midnight.

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
use crate::config::{Config, Fail, Flags};
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

/// The machine's clock, set back.
struct TourClock {
    back_ns: AtomicI64,
}

impl Clock for TourClock {
    fn now(&self) -> Timestamp {
        let back = u64::try_from(self.back_ns.load(Ordering::SeqCst)).unwrap_or(0);
        SystemClock.now().minus(Duration::from_nanos(back))
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

/// A distance from UTC where the day ends within two minutes, and when that is; there is time for the day's work.
fn ending_day(now: Timestamp) -> (UtcOffset, Timestamp) {
    const DAY_MIN: i64 = 24 * 60;
    let midnight_min = now.as_secs() / 60 + 2;
    let west = midnight_min % DAY_MIN;
    // Of the two distances that differ by a day, the one that clocks know.
    let minutes = if west <= DAY_MIN / 2 { -west } else { DAY_MIN - west };
    let seconds = i32::try_from(minutes * 60).unwrap_or(0);
    let offset = UtcOffset::from_seconds(seconds).unwrap_or(UtcOffset::CHINA);
    (offset, Timestamp::from_nanos(midnight_min * 60_000_000_000))
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
    let real = SystemClock.now();
    let on_cluster = options.ledger.as_ref().is_some_and(|l| l.starts_with("tigerbeetle:"));
    let (offset, midnight) = if on_cluster { ending_day(real) } else { (UtcOffset::CHINA, real) };
    let flags = Flags {
        addr: Some(([127, 0, 0, 1], 0).into()),
        data: Some(dir.path.clone()),
        ledger: options.ledger.clone(),
        sender: Some(format!("file:{}", dir.path.join("messages.jsonl").display())),
        log: Some("error".to_owned()),
        ..Flags::default()
    };
    let config = Config { offset, ..flags.load()? };
    let today = real.date(offset);
    let (day, back): (Date, i64) = if on_cluster {
        (today, 0)
    } else {
        let day = today.yesterday().map_err(|e| Fail::new(e.to_string()))?;
        let morning = Timestamp::start_of(day, offset).plus(Duration::from_hours(10));
        (day, real.as_nanos() - morning.as_nanos())
    };
    let clock = Arc::new(TourClock { back_ns: AtomicI64::new(back) });
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
        // Evening: the clock goes on to now, or comes to midnight, so that the day is over and its books can be closed.
        clock.back_ns.store(0, Ordering::SeqCst);
        let wait = midnight.since(SystemClock.now());
        if !wait.is_zero() {
            println!("\n    {} seconds until midnight", wait.as_secs() + 1);
            tokio::time::sleep(wait + Duration::from_secs(1)).await;
        }
        tour.night().await
    };
    let walked: Result<(), Fail> = walked.await;
    let _ = stop.send(());
    server.await??;
    running.close().await;
    walked?;
    tour.ledger_check(&config.ledger).await
}
