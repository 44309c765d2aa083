//! `yima bench pay`: mixed traffic over loopback HTTP in a closed loop, then the proof.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;
use tokio::task::spawn_local;

use super::bills::Stack;
use super::book::Book;
use super::child::{Scratch, Server};
use super::load::{self, Load};
use super::plan::{KINDS, Kind, Shape, planned};
use super::progress::Progress;
use super::proof::{self, Proof};
use super::{grouped, machine, ms, per_second, tell, town};
use crate::config::Fail;

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// How many payments to make.
    #[arg(long, default_value_t = 200_000)]
    payments: u64,
    /// Among how many residents.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    residents: u32,
    /// At how many shops; the first takes 20 % of their payments.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    shops: u32,
    /// Over how many connections, each with one payment under way.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Which traffic; the same seed pays the same amounts to the same shops.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the server's data in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What the set-up and the load were measured to take.
struct Measured {
    sync: Duration,
    set_up: Duration,
    took: Duration,
    server_cpu: Option<Duration>,
    client_cpu: Option<Duration>,
}

/// Measures, and proves.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let mut scratch = Scratch::new(options.data.as_deref(), "pay")?;
    let result = measure(options, &scratch).await;
    if result.is_err() {
        scratch.keep();
        eprintln!("the server's data and log are left in {}", scratch.path().display());
    }
    result
}

async fn measure(options: &Options, scratch: &Scratch) -> Result<(), Fail> {
    let sync = machine::sync_time(scratch.path())?;
    let begun = Instant::now();
    let (mut server, operator) = Server::create(scratch.path()).await?;
    let Options { residents, shops, clients, .. } = *options;
    let mut town = town::build(server.addr, &server.messages(), &operator, residents, shops, clients).await?;
    let shape = Shape { residents, shops, bills: true, cancels: false };
    let is_bill = |index: &u64| planned(options.seed, *index, &shape).kind == Kind::Bill;
    let bills = u32::try_from((0..options.payments).filter(is_bill).count())?;
    if bills > 0 {
        town.bills = Some(Stack::import(server.addr, &operator, options.seed, bills).await?);
    }
    let set_up = begun.elapsed();

    let load = Load::new(town, options.seed, shape, server.addr, options.payments, false)?;
    let (took, server_cpu, client_cpu) = drive(&load, &server, options).await?;
    let measured = Measured { sync, set_up, took, server_cpu, client_cpu };

    let stopped = server.stop().await?;
    let said = server.said()?;
    let book = load.close_book()?;
    let mut proof = proof::prove(&server.ledger(), &load.town, &book).await?;
    proof.violations.extend(book.violations.iter().cloned());
    proof.violations.extend(said.errors.iter().map(|e| format!("the server logged: {e}")));
    if !stopped.success() {
        proof.violations.push(format!("the server ended with {stopped}"));
    }
    if options.json {
        print_json(options, &measured, &book, &proof);
    } else {
        print(options, &measured, &book, &proof);
    }
    if proof.violations.is_empty() { Ok(()) } else { Err(Fail::new("the proof failed")) }
}

/// Runs the load to its end; answers with how long it took, and the processor time of server and client.
async fn drive(
    load: &Rc<Load>,
    server: &Server,
    options: &Options,
) -> Result<(Duration, Option<Duration>, Option<Duration>), Fail> {
    let cpu = || (machine::used(server.pid()), machine::used(std::process::id()));
    let before = cpu();
    let begun = Instant::now();
    let progress = Progress::new("payments", usize::try_from(options.payments)?);
    let teller = load.clone();
    let teller = spawn_local(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            progress.reach(usize::try_from(teller.begun()).unwrap_or(usize::MAX));
        }
    });
    let clients: Vec<_> = (0..options.clients).map(|_| spawn_local(load::client(load.clone()))).collect();
    for client in clients {
        client.await??;
    }
    let took = begun.elapsed();
    teller.abort();
    let after = cpu();
    let used = |after: Option<Duration>, before: Option<Duration>| after?.checked_sub(before?);
    Ok((took, used(after.0, before.0), used(after.1, before.1)))
}

fn quantiles(times: &Histogram<u64>) -> [u64; 3] {
    [0.5, 0.99, 0.999].map(|q| times.value_at_quantile(q))
}

fn print(options: &Options, measured: &Measured, book: &Book, proof: &Proof) {
    let Options { residents, shops, clients, seed, .. } = options;
    let people = format!("{} residents, {} shops", grouped(*residents), grouped(*shops));
    let sync_us = u64::try_from(measured.sync.as_micros()).unwrap_or(u64::MAX);
    println!("disk        a sync takes {} ms", ms(sync_us));
    println!("set up      {people} in {:.1} s", measured.set_up.as_secs_f32());
    println!("traffic     seed {seed}, {clients} connections");
    println!();
    println!("{:<12}{:>10}{:>11}{:>11}{:>11}", "kind", "payments", "p50 ms", "p99 ms", "p99.9 ms");
    let line = |name: &str, times: &Histogram<u64>| {
        let [p50, p99, p999] = quantiles(times).map(ms);
        println!("{name:<12}{:>10}{p50:>11}{p99:>11}{p999:>11}", grouped(times.len()));
    };
    for kind in KINDS {
        if !book.times(kind).is_empty() {
            line(kind.name(), book.times(kind));
        }
    }
    let all = book.all_times();
    line("all", &all);
    println!();
    println!(
        "An order is two requests, the till's and the payer's; so is a bill, found and paid. Their time is that of both."
    );
    if book.without_code > 0 {
        println!(
            "{} payments found no phone with an unused code and were made at the poster.",
            grouped(book.without_code)
        );
    }
    for ((kind, code), count) in &book.refused {
        println!("refused     {} {}: {code}", grouped(*count), kind.name());
    }
    for (why, count) in &book.again {
        println!("asked again {}: {why}", grouped(*count));
    }
    if let (Some(server), Some(client)) = (measured.server_cpu, measured.client_cpu) {
        let each = |used: Duration| used.as_micros() / u128::from(all.len().max(1));
        let (server_us, client_us) = (each(server), each(client));
        println!(
            "processor   server {:.1} s ({server_us} us a payment), client {:.1} s ({client_us} us), of {:.1} s",
            server.as_secs_f32(),
            client.as_secs_f32(),
            measured.took.as_secs_f32()
        );
    }
    println!(
        "proof       {} payments in {} transfers, each acknowledged one there once; {}.{:02} at the bank",
        grouped(proof.payments),
        grouped(proof.transfers),
        grouped(proof.at_bank / 100),
        proof.at_bank % 100
    );
    tell(&proof.violations);
    let [p50, p99, _] = quantiles(&all).map(ms);
    let rate = grouped(per_second(all.len(), measured.took));
    let verdict = if proof.violations.is_empty() { "proved" } else { "NOT PROVED" };
    println!("bench pay: {rate} payments/s, p50 {p50} ms, p99 {p99} ms, {verdict}");
}

fn print_json(options: &Options, measured: &Measured, book: &Book, proof: &Proof) {
    let times = |times: &Histogram<u64>| {
        let [p50, p99, p999] = quantiles(times);
        json!({"payments": times.len(), "p50_us": p50, "p99_us": p99, "p999_us": p999})
    };
    let kinds: serde_json::Map<_, _> = KINDS
        .iter()
        .filter(|kind| !book.times(**kind).is_empty())
        .map(|kind| (kind.name().to_owned(), times(book.times(*kind))))
        .collect();
    let refused: Vec<_> = book
        .refused
        .iter()
        .map(|((kind, code), count)| json!({"kind": kind.name(), "code": code, "count": count}))
        .collect();
    let all = book.all_times();
    let us = |d: Option<Duration>| d.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
    let found = json!({
        "seed": options.seed, "residents": options.residents, "shops": options.shops, "clients": options.clients,
        "sync_us": us(Some(measured.sync)), "set_up_us": us(Some(measured.set_up)), "load_us": us(Some(measured.took)),
        "server_cpu_us": us(measured.server_cpu), "client_cpu_us": us(measured.client_cpu),
        "payments_per_s": per_second(all.len(), measured.took), "all": times(&all), "kinds": kinds,
        "refused": refused, "asked_again": book.again, "without_code": book.without_code,
        "ledger": {"transfers": proof.transfers, "payments": proof.payments, "at_bank": proof.at_bank.to_string()},
        "violations": proof.violations, "proved": proof.violations.is_empty(),
    });
    println!("{found:#}");
}
