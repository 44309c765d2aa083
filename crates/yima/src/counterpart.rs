//! `yima counterpart`: the other side of a pack or of a line to a bank, made from its description. It speaks the protocol, keeps
//! books of its own, and does wrong what it is told to, so that a pack and a city can be tried before anybody is there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use channel::bank::book::Book as BankBook;
use channel::bank::counterpart::{BankCounterpart, Faults as BankFaults};
use channel::bank::spec::Spec;
use channel::book::{Book, Fault};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::direct::spec::Spec as Direct;
use channel::secrets::Held;
use channel::{Debt, Payment};
use city::bill::Pack;
use city::bill::provider::Connection;
use kernel::{Date, SeededRng, SystemClock};
use serde::de::DeserializeOwned;

use crate::config::Fail;
use crate::doors;

/// Whose side it plays.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// A biller that is asked over HTTP.
    Biller(Options),
    /// A bank that is asked by ISO 8583.
    Bank(BankOptions),
    /// A service provider that many billers are behind, asked over HTTP.
    Provider(ProviderOptions),
}

/// The options of `yima counterpart bank`.
#[derive(clap::Args, Debug)]
pub struct BankOptions {
    /// The description of the line.
    line: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9200")]
    listen: SocketAddr,
    /// What is owed: a CSV file of institution,account_no,bill_no,fen,due (2026-03-25).
    #[arg(long)]
    bills: PathBuf,
    /// A secret that the line names: NAME=FILE.
    #[arg(long = "secret", value_name = "NAME=FILE")]
    secrets: Vec<String>,
    /// What goes wrong: a TOML file, such as `per_mille = 20`, `among = ["silent_after", "wrong_mac"]`, `kinds = ["pay"]`.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Which questions these are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The options of `yima counterpart provider`.
#[derive(clap::Args, Debug)]
pub struct ProviderOptions {
    /// The description of the connection.
    connection: PathBuf,
    /// What is owed: a CSV file of institution,account_no,bill_no,fen,due (2026-03-25).
    #[arg(long)]
    bills: PathBuf,
    #[command(flatten)]
    how: How,
}

/// How another side over HTTP behaves.
#[derive(clap::Args, Debug)]
struct How {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// A secret that the description names: NAME=FILE.
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

/// The options of `yima counterpart biller`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The pack.
    pack: PathBuf,
    /// Which of its channels; its first if not said.
    #[arg(long)]
    channel: Option<String>,
    /// What is owed: a CSV file of account_no,bill_no,fen,due (2026-03-25).
    #[arg(long)]
    bills: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Runs one until it is stopped.
pub async fn run(command: &Command) -> Result<(), Fail> {
    match command {
        Command::Biller(options) => biller(options).await,
        Command::Bank(options) => bank(options).await,
        Command::Provider(options) => provider(options).await,
    }
}

fn read(path: &Path) -> Result<String, Fail> {
    std::fs::read_to_string(path).map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Fail> {
    toml::from_str(&read(path)?).map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}

fn secrets(given: &[String]) -> Result<Held, Fail> {
    let named = |text: &String| {
        let (name, path) = text.split_once('=').ok_or_else(|| Fail::new("a secret is NAME=FILE"))?;
        Ok((name.to_owned(), PathBuf::from(path)))
    };
    let files: Result<BTreeMap<_, _>, Fail> = given.iter().map(named).collect();
    doors::secrets(&files?, Path::new("")).map_err(Fail::new)
}

async fn bank(options: &BankOptions) -> Result<(), Fail> {
    let spec: Spec = read_toml(&options.line)?;
    let dialect = spec.prove().map_err(|why| Fail::new(format!("{}: {}", why.key, why.why)))?;
    let faults = match &options.faults {
        Some(path) => read_toml(path)?,
        None => BankFaults::default(),
    };
    let mut book = BankBook::default();
    let (accounts, bills) = owed(&read(&options.bills)?, true, |institution, account_no, debts| {
        book.open(institution, account_no, debts);
    })?;
    let (clock, rng) = (Arc::new(SystemClock), Arc::new(SeededRng::new(options.seed)));
    let (listen, secrets) = (options.listen.to_string(), secrets(&options.secrets)?);
    let other = BankCounterpart::start(&listen, dialect, &secrets, book, faults, clock, rng).await?;
    println!("a bank on {}: {accounts} accounts, {bills} bills", other.address());
    tokio::signal::ctrl_c().await?;
    let book = other.book();
    let taken = book.taken();
    let amount: i64 = taken.iter().map(|payment| payment.amount_minor).sum();
    println!("taken: {} payments, {amount} fen", taken.len());
    Ok(())
}

async fn biller(options: &Options) -> Result<(), Fail> {
    let pack = Pack::parse(&read(&options.pack)?)?;
    let mut channels = pack.spec.channels.iter();
    let channel = match &options.channel {
        None => channels.next(),
        Some(name) => channels.find(|channel| channel.name == *name),
    };
    let channel = channel.ok_or_else(|| Fail::new("the pack has no such channel"))?;
    let spec = channel.direct.clone();
    let spec = spec.ok_or_else(|| Fail::new("this channel goes by a bank or a provider"))?;
    let name = format!("{} of {}", channel.name, pack.spec.id);
    play(spec, &name, &options.bills, false, &options.how).await
}

async fn provider(options: &ProviderOptions) -> Result<(), Fail> {
    let wrong = |why: channel::direct::spec::Invalid| Fail::new(format!("{}: {}", why.key, why.why));
    let connection = Connection::parse(&read(&options.connection)?).map_err(wrong)?;
    play(connection.direct, "a provider", &options.bills, true, &options.how).await
}

/// Plays another side over HTTP until it is stopped.
async fn play(spec: Direct, name: &str, bills: &Path, many: bool, how: &How) -> Result<(), Fail> {
    let mut book = Book::default();
    let (accounts, bills) = owed(&read(bills)?, many, |institution, account_no, debts| {
        book.open(institution, account_no, debts);
    })?;
    let secrets = Arc::new(secrets(&how.secrets)?);
    let faults = faults(&how.faults, how.seed)?;
    let (clock, slow) = (Arc::new(SystemClock), Duration::from_secs(how.slow_s));
    let other = Counterpart::listen(how.listen, spec, book, faults, secrets, clock, slow).await?;
    println!("{name} on http://{}: {accounts} accounts, {bills} bills", other.addr);
    tokio::signal::ctrl_c().await?;
    let book = other.book();
    let (mut count, mut amount) = (0, 0);
    for entry in book.payments().filter(|entry| entry.state == channel::book::State::Taken) {
        (count, amount) = (count + 1, amount + entry.payment.amount_minor);
    }
    println!("taken: {count} payments, {amount} fen");
    Ok(())
}

/// Reads what is owed, with the institution first where there are many; says how many accounts and bills.
fn owed(
    csv: &str,
    with_institution: bool,
    mut open: impl FnMut(&str, &str, Vec<Debt>),
) -> Result<(usize, usize), Fail> {
    let wanted = if with_institution { "institution," } else { "" };
    let mut owed: BTreeMap<(&str, &str), Vec<Debt>> = BTreeMap::new();
    let mut bills = 0;
    for (at, line) in csv.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong =
            || Fail::new(format!("bills, line {}: {wanted}account_no,bill_no,fen,due is wanted", at + 1));
        let (institution, rest) =
            if with_institution { line.split_once(',').ok_or_else(wrong)? } else { ("", line) };
        let [account_no, bill_no, fen, due] = rest.split(',').map(str::trim).collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let due: Date = due.parse().map_err(|_| wrong())?;
        owed.entry((institution.trim(), account_no)).or_default().push(Debt {
            bill_no: bill_no.to_owned(),
            amount_minor: fen.parse().map_err(|_| wrong())?,
            due: Some(due),
            period: 0,
            holder: String::new(),
        });
        bills += 1;
    }
    let accounts = owed.len();
    for ((institution, account_no), debts) in owed {
        open(institution, account_no, debts);
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
