//! `yima counterpart`: the other side of a pack, made from the pack. It speaks the biller's protocol, keeps books of its own,
//! and does wrong what it is told to, so that a pack and a city can be tried before the biller is there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use channel::book::{Book, Fault};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::secrets::Held;
use channel::{Debt, Payment};
use city::bill::Pack;
use kernel::{Date, SystemClock};

use crate::config::Fail;

/// The options of `yima counterpart`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The pack.
    pack: PathBuf,
    /// Which of its channels; its first if not said.
    #[arg(long)]
    channel: Option<String>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// What is owed: a CSV file of account_no,bill_no,fen,due (2026-03-25).
    #[arg(long)]
    bills: PathBuf,
    /// A secret that the pack names: NAME=FILE.
    #[arg(long = "secret", value_name = "NAME=FILE")]
    secrets: Vec<String>,
    /// What goes wrong, and with how many in a hundred questions of a kind: pay:silent_after=2. Kinds: query, pay, inquire,
    /// reverse, refund. Faults: slow, silent_after, silent_before, hangs_up, garbled, strange_code, clock_skew, closed, busy,
    /// pending, refused, account_unknown, nothing_due, amount_differs, already_paid.
    #[arg(long = "fault", value_name = "KIND:FAULT=PERCENT")]
    faults: Vec<String>,
    /// Which questions these are: the same seed, the same payments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it keeps silent, in seconds.
    #[arg(long, default_value_t = 30)]
    slow_s: u64,
}

/// Runs one until it is stopped.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|e| Fail::new(format!("{}: {e}", path.display())))
    };
    let pack = Pack::parse(&read(&options.pack)?)?;
    let mut channels = pack.spec.channels.iter();
    let channel = match &options.channel {
        None => channels.next(),
        Some(name) => channels.find(|channel| channel.name == *name),
    };
    let channel = channel.ok_or_else(|| Fail::new("the pack has no such channel"))?;
    let mut book = Book::default();
    let (accounts, bills) = open(&mut book, &read(&options.bills)?)?;
    let mut secrets = Held::default();
    for secret in &options.secrets {
        let (name, path) = secret.split_once('=').ok_or_else(|| Fail::new("a secret is NAME=FILE"))?;
        let bytes = std::fs::read(path).map_err(|e| Fail::new(format!("{path}: {e}")))?;
        secrets = secrets.with(name, bytes.trim_ascii_end());
    }
    let faults = faults(&options.faults, options.seed)?;
    let slow = Duration::from_secs(options.slow_s);
    let spec = channel.direct.clone();
    let other = Counterpart::listen(
        options.listen,
        spec,
        book,
        faults,
        Arc::new(secrets),
        Arc::new(SystemClock),
        slow,
    )
    .await?;
    println!(
        "{} of {} on http://{}: {accounts} accounts, {bills} bills",
        channel.name, pack.spec.id, other.addr
    );
    tokio::signal::ctrl_c().await?;
    let book = other.book();
    let (mut count, mut amount) = (0, 0);
    for entry in book.payments().filter(|entry| entry.state == channel::book::State::Taken) {
        (count, amount) = (count + 1, amount + entry.payment.amount_minor);
    }
    println!("taken: {count} payments, {amount} fen");
    Ok(())
}

/// Reads what is owed; says how many accounts and bills.
fn open(book: &mut Book, csv: &str) -> Result<(usize, usize), Fail> {
    let mut owed: BTreeMap<&str, Vec<Debt>> = BTreeMap::new();
    let mut bills = 0;
    for (at, line) in csv.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || Fail::new(format!("bills, line {}: account_no,bill_no,fen,due is wanted", at + 1));
        let [account_no, bill_no, fen, due] = line.split(',').map(str::trim).collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let due: Date = due.parse().map_err(|_| wrong())?;
        owed.entry(account_no).or_default().push(Debt {
            bill_no: bill_no.to_owned(),
            amount_minor: fen.parse().map_err(|_| wrong())?,
            due: Some(due),
            period: 0,
            holder: String::new(),
        });
        bills += 1;
    }
    let accounts = owed.len();
    for (account_no, debts) in owed {
        book.open("", account_no, debts);
    }
    Ok((accounts, bills))
}

/// The faults of the command line. Which payment meets which is derived from seed and payment.
fn faults(given: &[String], seed: u64) -> Result<Faults, Fail> {
    let mut told: BTreeMap<String, Vec<(Fault, u32)>> = BTreeMap::new();
    for text in given {
        let wrong =
            || Fail::new(format!("fault `{text}`: KIND:FAULT=PERCENT is wanted, such as pay:silent_after=2"));
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (fault, percent) = rest.split_once('=').ok_or_else(wrong)?;
        let percent: u32 = percent.parse().ok().filter(|percent| *percent <= 100).ok_or_else(wrong)?;
        if !["query", "pay", "inquire", "reverse", "refund"].contains(&kind) {
            return Err(wrong());
        }
        told.entry(kind.to_owned()).or_default().push((fault.parse().map_err(|()| wrong())?, percent));
    }
    Ok(Arc::new(move |kind: &str, payment: &Payment| {
        let about = [payment.id.as_bytes(), payment.account_no.as_bytes(), kind.as_bytes()];
        let drawn = kernel::derive_u128("fault", &[&seed.to_be_bytes(), about[0], about[1], about[2]]) % 100;
        let mut below = 0;
        told.get(kind)?.iter().find_map(|(fault, percent)| {
            below += u128::from(*percent);
            (drawn < below).then_some(*fault)
        })
    }))
}
