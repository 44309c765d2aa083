//! Bills for a benchmark: a file in the layout of a shipped pack, generated from a seed, and its way into the
//! city: handed in over HTTP with the biller's key, as a biller would, and watched until it can be paid.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use city::http::Amount;
use hyper::Method;
use kernel::ids::{BillerId, ImportId};
use kernel::{Clock as _, Date, SystemClock, UtcOffset};
use serde::Deserialize;
use serde_json::json;

use super::plan::Draw;
use super::progress::Progress;
use crate::client::{Client, good};
use crate::config::Fail;

/// Whose bills they are: exact amounts, Luhn account numbers, UTF-8, totals last.
pub const PACK: &str = "hz-power";
/// How many accounts the pack's numbers allow: `33`, seven digits, a check digit.
pub const ROWS_MAX: u32 = 10_000_000;

/// The shipped samples' accounts come from elsewhere in the range; bill numbers keep both apart anyway.
const NAMES: [&str; 5] = ["王小明", "李娜", "张伟", "欧阳静", "陈建国"];
/// Scatters neighbouring rows over the accounts; without a common divisor with [`ROWS_MAX`].
const SCATTER: u64 = 7_368_787;
/// How often an import is asked how far it is.
const POLL: Duration = Duration::from_millis(20);

/// One bill of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Ten digits.
    pub account_no: String,
    /// Minor units.
    pub amount: u64,
}

/// Bill number `number` of the file that `seed` names.
pub fn row(seed: u64, number: u32) -> Row {
    let body = u64::from(number) * SCATTER % u64::from(ROWS_MAX);
    let amount = 100 + Draw::new(!seed, u64::from(number)).below(30_000);
    Row { account_no: with_check_digit(&format!("33{body:07}")), amount }
}

/// Appends the Luhn digit (ISO/IEC 7812-1 annex B).
fn with_check_digit(body: &str) -> String {
    let doubled = |d: u32| if d > 4 { d * 2 - 9 } else { d * 2 };
    let digits = body.chars().rev().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits.enumerate().map(|(i, d)| if i % 2 == 0 { doubled(d) } else { d }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// The whole file, due 30 days after `today`, so that there is no late fee.
pub fn file(seed: u64, rows: u32, today: Date) -> Result<String, Fail> {
    let due = today.checked_add(Duration::from_hours(30 * 24))?;
    let period = format!("{:04}{:02}", today.year(), today.month());
    let mut text = String::with_capacity(rows as usize * 72);
    text.push_str("户号|账单号|户名|账期|金额|缴费截止日\n");
    let mut sum = 0;
    for number in 0..rows {
        let Row { account_no, amount } = row(seed, number);
        let name = NAMES[number as usize % NAMES.len()];
        let (yuan, fen) = (amount / 100, amount % 100);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{account_no}|BENCH{number:08}|{name}|{period}|{yuan}.{fen:02}|{due}");
        sum += amount;
    }
    let _ = writeln!(text, "TOTAL|{rows}|{}.{:02}", sum / 100, sum % 100);
    Ok(text)
}

/// Today in the city.
pub fn today() -> Date {
    SystemClock.now().date(UtcOffset::CHINA)
}

/// The biller of [`PACK`], and a staff key of it.
pub async fn biller(client: &mut Client, operator: &str) -> Result<(BillerId, String), Fail> {
    let billers = good("billers", client.get("/v1/billers", "").await)?;
    let items = billers["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = items.iter().find(|b| b["pack"] == PACK).and_then(|b| b["id"].as_str());
    let id: BillerId = id.ok_or_else(|| Fail::new(format!("the server has no biller {PACK}")))?.parse()?;
    let ask = json!({"owner": id, "role": "staff", "name": "bench"});
    let key = good("key", client.post("/v1/keys", operator, None, &ask).await)?;
    let secret = key["secret"].as_str().ok_or_else(|| Fail::new("a key without a secret"))?;
    Ok((id, secret.to_owned()))
}

/// How an import stands.
#[derive(Debug, Deserialize)]
pub struct Import {
    /// Which.
    pub id: ImportId,
    /// Bytes of the file.
    pub bytes: u64,
    /// Rows in the file.
    pub records: u64,
    /// Bills that were new.
    pub added: u64,
    /// Rows with an error.
    pub refused: u64,
    finished_at: Option<String>,
}

/// Hands the file in and waits until all of it can be paid. Answers with how long the upload took, and
/// how long everything.
pub async fn hand_in(
    client: &mut Client,
    key: &str,
    file: String,
) -> Result<(Import, Duration, Duration), Fail> {
    let begun = Instant::now();
    let kind = "application/octet-stream";
    let answer = client.send(Method::POST, "/v1/imports?name=bench.txt", key, None, kind, file).await;
    let mut import: Import = serde_json::from_value(good("import", answer)?)?;
    let handed_in = begun.elapsed();
    let progress = Progress::new("bills", usize::try_from(import.records)?);
    let path = format!("/v1/imports/{}", import.id);
    while import.finished_at.is_none() {
        tokio::time::sleep(POLL).await;
        import = serde_json::from_value(good("import", client.get(&path, key).await)?)?;
        progress.reach(usize::try_from(import.added + import.refused)?);
    }
    Ok((import, handed_in, begun.elapsed()))
}

/// The part of a bill that the benchmark needs.
#[derive(Debug, Deserialize)]
pub struct Bill {
    /// `bil_…`
    pub id: String,
    /// Its price.
    pub quote: Option<Quote>,
}

/// The part of a quote that the benchmark needs.
#[derive(Debug, Deserialize)]
pub struct Quote {
    /// To be sent with the payment.
    pub id: String,
    /// What it costs.
    pub total: Amount,
}

/// The bills of an account.
#[derive(Debug, Deserialize)]
pub struct Bills {
    /// Newest due date first.
    pub items: Vec<Bill>,
}

/// Bills of [`PACK`] that can be paid, each to be taken once.
#[derive(Debug)]
pub struct Stack {
    /// Whose.
    pub biller: BillerId,
    seed: u64,
    rows: u32,
    next: Cell<u32>,
}

impl Stack {
    /// Imports so many bills.
    pub async fn import(addr: SocketAddr, operator: &str, seed: u64, rows: u32) -> Result<Stack, Fail> {
        let mut client = Client::new(addr);
        let (biller, key) = biller(&mut client, operator).await?;
        let (import, ..) = hand_in(&mut client, &key, file(seed, rows, today())?).await?;
        if (import.added, import.refused) != (u64::from(rows), 0) {
            return Err(Fail::new(format!("{} of {rows} bills were imported", import.added)));
        }
        Ok(Stack { biller, seed, rows, next: Cell::new(0) })
    }

    /// A bill nobody has taken.
    pub fn take(&self) -> Option<Row> {
        let number = self.next.get();
        (number < self.rows).then(|| {
            self.next.set(number + 1);
            row(self.seed, number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn check_digits_are_the_packs() {
        // The examples of the pack itself.
        for number in ["3302005198", "3312944790"] {
            assert_eq!(with_check_digit(&number[..9]), number);
        }
    }

    #[test]
    fn every_row_has_an_account_of_its_own_and_the_totals_are_right() {
        let accounts: HashSet<_> = (0..50_000).map(|n| row(1, n).account_no).collect();
        assert_eq!(accounts.len(), 50_000);
        let text = file(1, 1_000, Date::constant(2026, 1, 31)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1_002);
        assert!(lines[1].ends_with("|2026-03-02") && lines[1].contains("|202601|"), "{}", lines[1]);
        let fen: u64 = (0..1_000).map(|n| row(1, n).amount).sum();
        assert_eq!(lines[1_001], format!("TOTAL|1000|{}.{:02}", fen / 100, fen % 100));
        assert_ne!(file(2, 10, today()).unwrap(), file(1, 10, today()).unwrap());
    }
}
