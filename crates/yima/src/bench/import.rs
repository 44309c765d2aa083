//! `yima bench import`: a biller's file from its first byte on the wire to bills that can be paid, and the
//! proof that they can.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::child::{Scratch, Server};
use super::plan::Draw;
use super::{bills, grouped, machine, ms, per_second, tell, town};
use crate::client::{Client, good};
use crate::config::Fail;

/// How many bills are looked up by their account at the end.
const LOOKUPS: usize = 1_000;

/// What to import.
#[derive(clap::Args)]
pub struct Options {
    /// How many bills.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(bills::ROWS_MAX)))]
    rows: u32,
    /// Which amounts, and which bills are looked up.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the server's data in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Imports, and looks bills up.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let mut scratch = Scratch::new(options.data.as_deref(), "import")?;
    let result = measure(options, &scratch).await;
    if result.is_err() {
        scratch.keep();
        eprintln!("the server's data and log are left in {}", scratch.path().display());
    }
    result
}

async fn measure(options: &Options, scratch: &Scratch) -> Result<(), Fail> {
    let Options { rows, seed, .. } = *options;
    let sync = machine::sync_time(scratch.path())?;
    let (mut server, operator) = Server::create(scratch.path()).await?;
    let people = town::build(server.addr, &server.messages(), &operator, 2, 1, 1).await?;
    let mut client = Client::new(server.addr);
    let (biller, key) = bills::biller(&mut client, &operator).await?;
    let file = bills::file(seed, rows, bills::today())?;
    let again = file.clone();
    let (import, handed_in, took) = bills::hand_in(&mut client, &key, file).await?;

    let mut violations = Vec::new();
    if (import.records, import.added, import.refused) != (u64::from(rows), u64::from(rows), 0) {
        violations
            .push(format!("{} of {rows} bills were imported, {} refused", import.added, import.refused));
    }
    let mut draw = Draw::new(seed, 0);
    let mut times = hdrhistogram::Histogram::<u64>::new_with_max(600_000_000, 3)?;
    for _ in 0..LOOKUPS {
        let number = u32::try_from(draw.below(u64::from(rows)))?;
        let row = bills::row(seed, number);
        let path = format!("/v1/billers/{biller}/bills?account_no={}", row.account_no);
        let begun = std::time::Instant::now();
        let found = good("bills", client.get(&path, &people.people[0].token).await);
        times.saturating_record(us(begun.elapsed()));
        match found.map(serde_json::from_value::<bills::Bills>) {
            Ok(Ok(found)) => {
                let totals = found.items.iter().filter_map(|b| b.quote.as_ref());
                if !totals.map(|q| q.total.minor).eq([i64::try_from(row.amount)?]) {
                    violations.push(format!("account {} has another bill than the file", row.account_no));
                }
            }
            Ok(Err(e)) => violations.push(format!("account {}: {e}", row.account_no)),
            Err(why) => violations.push(format!("account {}: {why}", row.account_no)),
        }
    }
    let (same, ..) = bills::hand_in(&mut client, &key, again).await?;
    if (same.id, same.added) != (import.id, import.added) {
        violations.push("the same file again was another import".to_owned());
    }
    let stopped = server.stop().await?;
    if !stopped.success() {
        violations.push(format!("the server ended with {stopped}"));
    }
    violations.extend(server.said()?.errors.iter().map(|e| format!("the server logged: {e}")));

    let rate = per_second(import.added, took);
    let [p50, p99] = [0.5, 0.99].map(|q| times.value_at_quantile(q));
    if options.json {
        let found = json!({
            "rows": rows, "seed": seed, "bytes": import.bytes, "sync_us": us(sync), "hand_in_us": us(handed_in),
            "import_us": us(took), "rows_per_s": rate, "lookup_p50_us": p50, "lookup_p99_us": p99,
            "violations": violations, "proved": violations.is_empty(),
        });
        println!("{found:#}");
    } else {
        println!("disk        a sync takes {} ms", ms(us(sync)));
        println!("file        {} bills of {}, {} bytes", grouped(rows), bills::PACK, grouped(import.bytes));
        println!("handed in   {:.1} s: uploaded, synced, surveyed as a whole", handed_in.as_secs_f32());
        println!("payable     {:.1} s: every bill in the database, synced", took.as_secs_f32());
        println!(
            "proof       {} accounts looked up, each with the bill of the file; the same file again changes nothing",
            grouped(LOOKUPS as u64)
        );
        tell(&violations);
        let verdict = if violations.is_empty() { "proved" } else { "NOT PROVED" };
        println!(
            "bench import: {} rows/s, look-up p50 {} ms, p99 {} ms, {verdict}",
            grouped(rate),
            ms(p50),
            ms(p99)
        );
    }
    if violations.is_empty() { Ok(()) } else { Err(Fail::new("the proof failed")) }
}

fn us(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
