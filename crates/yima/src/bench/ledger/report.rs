//! What a run has found about one engine, for people and as JSON, and how engines compare.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::drive::{Load, Queries};
use super::facts::Resident;
use crate::bench::{grouped, ms, per_second, tell};

/// One engine's run.
#[derive(Debug)]
pub struct Report {
    /// Which engine.
    pub engine: &'static str,
    /// Which workload.
    pub workload: String,
    /// How many accounts.
    pub accounts: u64,
    /// How long their creation took; nothing if they were there.
    pub creating: Option<Duration>,
    /// How many events in a request, and requests under way.
    pub batch: u64,
    /// Lanes, or callers.
    pub lanes: usize,
    /// How long the disk takes to sync 4 KiB.
    pub sync: Duration,
    /// The load.
    pub load: Load,
    /// The questions after it.
    pub queries: Option<Queries>,
    /// Bytes on disk.
    pub bytes: Option<u64>,
    /// Processor time of this process during the load, and of the server if it is known.
    pub cpu: [Option<Duration>; 2],
    /// Memory of the engine's process: before the engine was opened, and when its accounts were there.
    pub memory: [Option<Resident>; 2],
    /// How long it took to open it again.
    pub reopened: Option<Duration>,
    /// What went wrong.
    pub violations: Vec<String>,
}

fn us(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// The value in the middle; of an even number the lower of the two.
fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// `a / b` with two decimals.
fn ratio(a: u64, b: u64) -> String {
    let hundredths = u128::from(a) * 100 / u128::from(b.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

impl Report {
    /// Events a second over the whole load.
    pub fn rate(&self) -> u64 {
        per_second(self.load.created, self.load.took)
    }

    fn quantile(&self, quantile: f64) -> u64 {
        // float: the histogram's own parameter
        self.load.times.value_at_quantile(quantile)
    }

    /// For people.
    pub fn print(&self) {
        let of =
            if self.batch == 1 { "a call".to_owned() } else { format!("a batch of {}", grouped(self.batch)) };
        println!(
            "engine      {}, {} {}",
            self.engine,
            self.lanes,
            if self.batch == 1 { "callers" } else { "in flight" }
        );
        println!("disk        a sync takes {} ms", ms(us(self.sync)));
        match self.creating {
            Some(took) => println!("accounts    {} in {:.1} s", grouped(self.accounts), took.as_secs_f32()),
            None => println!("accounts    {}, which were there", grouped(self.accounts)),
        }
        if self.load.created > 0 {
            let rates = &self.load.rates;
            let (low, high) = (rates.iter().min().copied(), rates.iter().max().copied());
            println!(
                "rate        {}/s over {} transfers; by fifths {} in the middle, {} to {}",
                grouped(self.rate()),
                grouped(self.load.created),
                grouped(median(rates)),
                grouped(low.unwrap_or(0)),
                grouped(high.unwrap_or(0))
            );
            let [p50, p99, p999, worst] = [0.5, 0.99, 0.999, 1.0].map(|q| ms(self.quantile(q)));
            println!("latency     of {of}: p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, p100 {worst} ms");
        }
        if let Some(bytes) = self.bytes {
            let each = bytes / self.load.created.max(1);
            println!("on disk     {} MiB, {each} bytes for each transfer of this run", grouped(bytes >> 20));
        }
        let parts =
            [("this process", self.cpu[0]), ("making events", self.load.making), ("server", self.cpu[1])];
        let parts: Vec<_> = parts
            .iter()
            .filter_map(|(who, used)| Some(format!("{who} {:.1} s", (*used)?.as_secs_f32())))
            .collect();
        println!("processor   {}, of {:.1} s", parts.join(", "), self.load.took.as_secs_f32());
        self.print_memory();
        if let Some(Queries { first, again, found, .. }) = &self.queries {
            let line = |times: &Histogram<u64>| {
                let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|q| ms(times.value_at_quantile(q)));
                format!("p50 {p50} ms, p99 {p99} ms, p100 {worst} ms")
            };
            println!(
                "history     100 newest of {} accounts, {} found",
                grouped(first.len()),
                grouped(*found)
            );
            println!("            first {}", line(first));
            println!("            again {}", line(again));
        }
        let again = self.reopened.map_or(String::new(), |took| {
            format!("; opened again in {:.2} s, with the same balances", took.as_secs_f32())
        });
        let looked_up = grouped(self.load.samples.len() as u64);
        println!("proof       {} balances, {looked_up} transfers by id{again}", grouped(self.accounts));
        tell(&self.violations);
        let verdict = if self.violations.is_empty() { "proved" } else { "NOT PROVED" };
        let [p50, p99] = match &self.queries {
            Some(queries) if self.load.created == 0 => {
                [0.5, 0.99].map(|q| ms(queries.again.value_at_quantile(q)))
            }
            _ => [0.5, 0.99].map(|q| ms(self.quantile(q))),
        };
        let rate = if self.load.created > 0 {
            format!("{} transfers/s, ", grouped(self.rate()))
        } else {
            String::new()
        };
        println!(
            "bench ledger: {} {} {rate}p50 {p50} ms, p99 {p99} ms, {verdict}\n",
            self.engine, self.workload
        );
    }

    fn print_memory(&self) {
        let [Some(before), Some(accounts)] = self.memory else { return };
        let mib = |r: Resident| format!("{} MiB of its own, {} MiB of files", r.anon >> 10, r.file >> 10);
        println!("memory      {} before", mib(before));
        if self.creating.is_some() {
            let each = (accounts.anon.saturating_sub(before.anon) << 10) / self.accounts.max(1);
            println!("            {} with accounts: {each} bytes for each", mib(accounts));
        }
        for (done, resident) in &self.load.memory {
            println!("            {} after {} transfers", mib(*resident), grouped(*done));
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let times = |times: &Histogram<u64>| {
            let [p50, p99, p999, p100] = [0.5, 0.99, 0.999, 1.0].map(|q| times.value_at_quantile(q));
            json!({"count": times.len(), "p50_us": p50, "p99_us": p99, "p999_us": p999, "p100_us": p100})
        };
        let resident = |r: Resident| json!({"anon_kib": r.anon, "file_kib": r.file});
        let memory: Vec<_> = self
            .load
            .memory
            .iter()
            .map(|(done, r)| json!({"transfers": done, "resident": resident(*r)}))
            .collect();
        let queries = self.queries.as_ref().map(|queries| {
            json!({"first": times(&queries.first), "again": times(&queries.again), "found": queries.found})
        });
        json!({
            "engine": self.engine, "workload": self.workload, "accounts": self.accounts,
            "creating_us": self.creating.map(us), "batch": self.batch, "lanes": self.lanes,
            "sync_us": us(self.sync), "transfers": self.load.created, "took_us": us(self.load.took),
            "transfers_per_s": self.rate(), "slices_per_s": self.load.rates,
            "median_slice_per_s": median(&self.load.rates), "latency": times(&self.load.times),
            "queries": queries, "bytes": self.bytes, "cpu_us": self.cpu[0].map(us), "server_cpu_us": self.cpu[1].map(us),
            "making_cpu_us": self.load.making.map(us), "memory_before": self.memory[0].map(resident), "memory_accounts": self.memory[1].map(resident),
            "memory": memory, "samples": self.load.samples.len(), "reopened_us": self.reopened.map(us),
            "violations": self.violations, "proved": self.violations.is_empty(),
        })
    }
}

/// The first engine against each of the others.
pub fn print_ratios(reports: &[Report]) {
    let Some((first, others)) = reports.split_first() else { return };
    for other in others {
        let rate = ratio(first.rate(), other.rate());
        let [p50, p99] = [0.5, 0.99].map(|q| ratio(first.quantile(q), other.quantile(q)));
        println!(
            "{} against {}: {rate} times the rate, {p50} times the p50, {p99} times the p99",
            first.engine, other.engine
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        for (values, middle) in [(&[][..], 0), (&[5], 5), (&[9, 1], 1), (&[3, 1, 2], 2)] {
            assert_eq!(median(values), middle, "{values:?}");
        }
        for (a, b, text) in [(5, 2, "2.50"), (1, 3, "0.33"), (0, 0, "0.00"), (2_000_000, 250_000, "8.00")] {
            assert_eq!(ratio(a, b), text);
        }
    }
}
