//! `yima bench crash`: the same load, while the server is killed at random moments and started again on the
//! same data. Clients ask again until they know what became of every request.
//!
//! After each kill the journal is audited before the server sees it: no account may have less than was
//! acknowledged. At the end, after a polite stop, the whole proof is made, and nothing may be left undecided.

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::audit;
use tokio::task::{JoinHandle, spawn_local};

use super::bills::{ROWS_MAX, Stack};
use super::book::Book;
use super::child::{Scratch, Server};
use super::load::{self, Load};
use super::plan::{Draw, Kind, Shape};
use super::town::{self, Town};
use super::{grouped, proof, tell};
use crate::client::{Client, good};
use crate::config::Fail;

/// The shortest and the longest time between a start and the next kill, milliseconds.
const LIFE_MS: std::ops::Range<u64> = 200..1_500;
/// How many orders are asked for through the API at the end; the ledger is asked for all of them.
const SAMPLE: usize = 500;
/// How long payments may stay pending after the last request was answered.
const PENDING_MAX: Duration = Duration::from_mins(2);

/// How many bills are brought for each life of the server; when they are used up, money is sent to people
/// in their place.
const BILLS_A_LIFE: u32 = 3_000;

/// How to kill.
#[derive(clap::Args)]
pub struct Options {
    /// How often to kill the server.
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Which traffic and which moments; a finding is looked at again with its seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Among how many residents.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    residents: u32,
    /// At how many shops.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    shops: u32,
    /// Over how many connections.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Keep the server's data in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Kills, and proves.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let mut scratch = Scratch::new(options.data.as_deref(), "crash")?;
    let result = survive(options, &scratch).await;
    if result.is_err() {
        scratch.keep();
        eprintln!("the server's data and log are left in {}", scratch.path().display());
    }
    result
}

async fn survive(options: &Options, scratch: &Scratch) -> Result<(), Fail> {
    let (mut server, operator) = Server::create(scratch.path()).await?;
    let Options { residents, shops, clients, .. } = *options;
    let mut town = town::build(server.addr, &server.messages(), &operator, residents, shops, clients).await?;
    let bills = options.kills.saturating_add(1).saturating_mul(BILLS_A_LIFE).min(ROWS_MAX);
    town.bills = Some(Stack::import(server.addr, &operator, options.seed, bills).await?);
    let shape = Shape { residents, shops, bills: true, cancels: true };
    let load = Load::new(town, options.seed, shape, server.addr, u64::MAX, true)?;
    let clients: Vec<_> = (0..clients).map(|_| spawn_local(load::client(load.clone()))).collect();

    let mut violations = Vec::new();
    let mut draw = Draw::new(options.seed, u64::MAX);
    let mut torn = 0;
    for kill in 1..=options.kills {
        let life = Duration::from_millis(LIFE_MS.start + draw.below(LIFE_MS.end - LIFE_MS.start));
        tokio::time::sleep(life).await;
        let fallen = fall(&mut server, &load, &mut violations).await?;
        torn += u32::from(fallen.torn_bytes > 0);
        println!(
            "kill {kill:>4}   after {:>5} ms   acknowledged {:>9}   cut {:>5} bytes   up again in {:>4} ms",
            life.as_millis(),
            grouped(fallen.acked as u64),
            fallen.torn_bytes,
            fallen.start.as_millis()
        );
        if !violations.is_empty() {
            break; // what follows would only bury it
        }
    }
    load.finish();
    known(clients).await?;
    let orders = orders_final(&server, &load).await?;
    violations.extend(orders);
    settle(&server).await?;

    let stopped = server.stop().await?;
    if !stopped.success() {
        violations.push(format!("the server ended with {stopped}"));
    }
    violations.extend(server.said()?.errors.iter().map(|e| format!("the server logged: {e}")));
    let book = load.close_book()?;
    let proof = proof::prove(&server.ledger(), &load.town, &book).await?;
    violations.extend(proof.violations);
    violations.extend(book.violations.iter().cloned());
    verdict(options, torn, proof.transfers, &book, &violations)
}

/// Waits for every connection to know what became of its last payment.
async fn known(clients: Vec<JoinHandle<Result<(), Fail>>>) -> Result<(), Fail> {
    for client in clients {
        client.await??;
    }
    Ok(())
}

/// What a kill left.
struct Fallen {
    acked: usize,
    torn_bytes: u64,
    start: Duration,
}

/// Kills the server, doubts its journal, and starts it again.
async fn fall(server: &mut Server, load: &Rc<Load>, violations: &mut Vec<String>) -> Result<Fallen, Fail> {
    server.kill()?;
    // Nothing is acknowledged from here on but what was answered before the kill and is still on its way.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let acked = load.book.borrow().acked.len();
    match audit::verify(&server.ledger()) {
        Ok(report) => violations.extend(proof::covered(&report, &load.book.borrow())),
        Err(e) => violations.push(format!("the auditor refuses the journal: {e}")),
    }
    let start = server.start_again().await?;
    let said = server.said()?;
    violations.extend(said.errors.iter().map(|e| format!("the server logged: {e}")));
    Ok(Fallen { acked, torn_bytes: said.torn_bytes, start })
}

/// Asks the shops for orders of theirs: every one must be paid or closed, as its till was told.
async fn orders_final(server: &Server, load: &Load) -> Result<Vec<String>, Fail> {
    let wanted = newest_orders(&load.town, &load.book.borrow());
    let mut client = Client::new(server.addr);
    let mut violations = Vec::new();
    for (index, shop, wanted) in wanted {
        let path = format!("/v1/orders/{}", load.order_no(index));
        let order = good("order", client.get(&path, &load.town.tills[shop].key).await)?;
        if order["status"] != wanted {
            violations.push(format!("order {index} is {}, its till was told {wanted}", order["status"]));
        }
    }
    Ok(violations)
}

/// The newest orders that were paid or closed: number, shop and what it became.
fn newest_orders(town: &Town, book: &Book) -> Vec<(u64, usize, &'static str)> {
    let shops: HashMap<u128, usize> =
        town.tills.iter().enumerate().map(|(at, till)| (till.shop.as_u128(), at)).collect();
    let paid = book.acked.iter().rev().filter(|a| matches!(a.kind, Kind::Order | Kind::PayerCode));
    let paid = paid.take(SAMPLE).filter_map(|a| Some((a.index, *shops.get(&a.to)?, "paid")));
    let closed = book.closed.iter().rev().take(SAMPLE).map(|c| (c.index, c.shop as usize, "closed"));
    paid.chain(closed).collect()
}

/// Waits until nothing is pending in the ledger.
async fn settle(server: &Server) -> Result<(), Fail> {
    let begun = Instant::now();
    loop {
        let open = audit::verify(&server.ledger())?.open();
        if open == 0 {
            return Ok(());
        }
        if begun.elapsed() > PENDING_MAX {
            return Err(Fail::new(format!("{open} payments are pending after {} s", PENDING_MAX.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn verdict(
    options: &Options,
    torn: u32,
    transfers: u64,
    book: &Book,
    violations: &[String],
) -> Result<(), Fail> {
    println!();
    let again: u64 = book.again.values().sum();
    println!(
        "payments    {} acknowledged, {} orders closed",
        grouped(book.acked.len() as u64),
        grouped(book.closed.len() as u64)
    );
    println!("asked again {} times, until every outcome was known", grouped(again));
    for ((kind, code), count) in &book.refused {
        println!("refused     {} {}: {code}", grouped(*count), kind.name());
    }
    println!("ledger      {} transfers, {torn} unfinished writes cut", grouped(transfers));
    tell(violations);
    let (kills, seed) = (options.kills, options.seed);
    if violations.is_empty() {
        println!(
            "bench crash: {kills} kills survived: nothing acknowledged lost, nothing paid twice, nothing left undecided"
        );
        return Ok(());
    }
    println!("bench crash: FAILED with seed {seed}");
    Err(Fail::new("the server did not survive"))
}
