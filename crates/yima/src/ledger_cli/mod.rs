//! `yima ledger …`: doubts the books, writes them for other programs, copies them, moves them between engines, and
//! tortures an engine of its own.
//!
//! Of an embedded ledger the journal is read, and a server may go on running beside it. A cluster shows no journal: its
//! books are counted through its door, while nobody writes.

mod copies;
mod torture;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use city::books::account_code;
use clap::ValueEnum;
use kernel::ids::{BillerId, MerchantId, ResidentId};
use kernel::{Clock, Currency, SystemClock, hex};
use ledger::audit::Sum;
use ledger::export::{AccountName, Export, export};
use ledger::migrate::{Burnt, MigrateOptions};
use ledger::recount::recount;
use ledger::{Account, Address, Engine};

use crate::config::{Fail, Flags};

/// What to do with the ledger.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Recompute every balance from the journal with an independent auditor, and check the hash chain. Of a cluster,
    /// recompute every balance from its transfers; the server must not be running.
    Verify {
        #[command(flatten)]
        flags: Flags,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the books of an embedded ledger for another program, which then proves the sums again.
    Export {
        #[command(flatten)]
        flags: Flags,
        /// For which program.
        #[arg(long)]
        format: Format,
        /// The file to write; standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Copy the journal to a directory, beside a running server; the next time only what came since.
    Backup {
        #[command(flatten)]
        flags: Flags,
        /// The directory of the copy: empty, not there yet, or with an earlier copy of the same ledger.
        to: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new ledger of a copy, whole or up to a moment.
    Restore(copies::Restore),
    /// Kill an engine of its own again and again under load; prove that nothing acknowledged is lost.
    Torture(torture::Options),
    /// The engine that torture kills.
    #[command(hide = true)]
    TortureVictim(torture::VictimOptions),
    /// Move a whole ledger to another engine, with its ids, timestamps and balances, and verify both. Nothing may be
    /// running on either. Stopped, it goes on where it was.
    Migrate {
        /// Where it is: embedded:DIR or tigerbeetle:CLUSTER@IP:PORT,…
        from: Address,
        /// Where it goes; empty, or what an earlier run has brought there.
        to: Address,
        /// Move from a cluster although it does not tell which transfer ids have failed for good: whoever may still
        /// ask again for a payment that was refused before must be kept from it.
        #[arg(long)]
        forget_failed: bool,
        /// Accounts or transfers in one request; fewer for a cluster with a lower limit.
        #[arg(long, default_value_t = ledger::BATCH_MAX)]
        batch: usize,
    },
}

/// A plain-text accounting program.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// hledger journal.
    Hledger,
    /// Beancount.
    Beancount,
}

/// Runs it.
pub async fn run(command: Command) -> Result<(), Fail> {
    match command {
        Command::Backup { flags, to, json } => {
            copies::back_up(&embedded(flags.load()?.ledger, "copies are made")?, &to, json)
        }
        Command::Restore(options) => copies::bring_back(&options),
        Command::Torture(options) => torture::run(&options).await,
        Command::TortureVictim(options) => torture::victim(&options).await,
        Command::Verify { flags, json } => match flags.load()?.ledger {
            Address::Embedded(dir) => verify(&dir, json),
            address @ Address::Cluster { .. } => {
                let (engine, _) = address.open(Arc::new(SystemClock)).await?;
                count(&*engine.ledger(), json).await
            }
        },
        Command::Migrate { from, to, forget_failed, batch } => {
            migrate(&from, &to, forget_failed, batch).await
        }
        Command::Export { flags, format, out } => {
            let config = flags.load()?;
            let dir = embedded(config.ledger, "books are written")?;
            let mut out: Box<dyn Write> = match &out {
                Some(path) => Box::new(BufWriter::new(File::create(path)?)),
                None => Box::new(BufWriter::new(std::io::stdout().lock())),
            };
            let format = match format {
                Format::Hledger => ledger::export::Format::Hledger,
                Format::Beancount => ledger::export::Format::Beancount,
            };
            let books = Export { dir: &dir, format, offset: config.offset, name: &name };
            let report = export(&books, &mut *out)?;
            out.flush()?;
            eprintln!(
                "{} transactions over {} accounts; {} pending left out",
                report.transactions, report.names, report.pending_left_out
            );
            Ok(())
        }
    }
}

/// The directory of an embedded ledger, from whose journal `what` is done.
fn embedded(address: Address, what: &str) -> Result<PathBuf, Fail> {
    match address {
        Address::Embedded(dir) => Ok(dir),
        Address::Cluster { .. } => Err(Fail::new(format!(
            "{address}: {what} from a journal; move the ledger first: yima ledger migrate {address} embedded:DIR"
        ))),
    }
}

/// Audits the journal in `dir` and prints what was found.
pub fn verify(dir: &std::path::Path, json: bool) -> Result<(), Fail> {
    let report = ledger::audit::verify(dir)?;
    if json {
        let ledgers: serde_json::Map<_, _> = report
            .ledgers
            .iter()
            .map(|(ledger, t)| {
                let totals = serde_json::json!({"accounts": t.accounts, "posted": sum(t.posted),
                    "pending": sum(t.pending)});
                (ledger.to_string(), totals)
            })
            .collect();
        let found = serde_json::json!({
            "frames": report.frames, "accounts": report.accounts.len(), "transfers": report.transfers,
            "pending_open": report.open(), "head": hex(&report.head), "balances": hex(&report.balances),
            "unfinished_bytes": report.unfinished_bytes, "ledgers": ledgers,
        });
        println!("{found:#}");
        return Ok(());
    }
    println!("frames      {:>12}   chain and checksums hold", report.frames);
    println!("transfers   {:>12}   of which {} pending are open", report.transfers, report.open());
    println!("accounts    {:>12}   every balance recomputed, no limit broken", report.accounts.len());
    for (ledger, totals) in &report.ledgers {
        println!("ledger {ledger:>6}            debits = credits = {}", sum(totals.posted));
    }
    if report.unfinished_bytes > 0 {
        println!("unfinished  {:>12}   bytes at the end, never acknowledged", report.unfinished_bytes);
    }
    println!("balances    {}", hex(&report.balances));
    println!("head        {}", hex(&report.head));
    Ok(())
}

/// Counts the books of a cluster and prints what was found.
pub async fn count(engine: &dyn Engine, json: bool) -> Result<(), Fail> {
    let found = recount(engine, &SystemClock).await?;
    let digest = hex(&found.digest());
    if json {
        let ledgers: serde_json::Map<_, _> = found
            .ledgers
            .iter()
            .map(|(ledger, t)| {
                let totals = serde_json::json!({"accounts": t.accounts, "posted": sum(t.posted),
                    "pending": sum(t.pending)});
                (ledger.to_string(), totals)
            })
            .collect();
        let found = serde_json::json!({"accounts": found.accounts.len(), "transfers": found.transfers,
            "pending_open": found.open, "balances": digest, "ledgers": ledgers});
        println!("{found:#}");
        return Ok(());
    }
    println!("transfers   {:>12}   of which {} pending are open", found.transfers, found.open);
    println!("accounts    {:>12}   every balance is what its transfers make it", found.accounts.len());
    for (ledger, totals) in &found.ledgers {
        println!("ledger {ledger:>6}            debits = credits = {}", sum(totals.posted));
    }
    println!("balances    {digest}");
    Ok(())
}

async fn migrate(from: &Address, to: &Address, forget_failed: bool, batch: usize) -> Result<(), Fail> {
    if from == to {
        return Err(Fail::new("a ledger cannot be moved to where it is"));
    }
    match from {
        Address::Embedded(dir) if !dir.is_dir() => {
            return Err(Fail::new(format!("{from}: there is no ledger")));
        }
        Address::Cluster { .. } if !forget_failed => {
            return Err(Fail::new(
                "a cluster does not tell which transfer ids have failed for good; read docs/operating/cluster.md, and \
                 say --forget-failed",
            ));
        }
        Address::Embedded(_) | Address::Cluster { .. } => {}
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (old, _) = from.open(clock.clone()).await?;
    let (new, _) = to.open(clock.clone()).await?;
    // Read while this process holds the ledger, so that nobody burns another.
    let burnt = match from {
        Address::Embedded(dir) if !forget_failed => Burnt::of_journal(dir)?,
        _ => Burnt::Forgotten,
    };
    let mut told = 0;
    let tell = |accounts: u64, transfers: u64| {
        let step = (accounts + transfers) / 1_000_000;
        if step > told {
            told = step;
            eprintln!("{accounts} accounts and {transfers} transfers have arrived");
        }
    };
    let options = MigrateOptions { batch };
    let moved =
        ledger::migrate::migrate(&*old.ledger(), &*new.ledger(), &burnt, &*clock, options, tell).await;
    old.close().await;
    new.close().await;
    let moved = moved?;
    println!("accounts    {:>12}   at both, with the same balances", moved.accounts);
    println!("transfers   {:>12}   at both", moved.transfers);
    println!("expired     {:>12}   voided at the new ledger", moved.voided);
    println!("carried     {:>12}   pending ones made anew with the rest of their time", moved.carried);
    match burnt {
        Burnt::Ids(_) => println!("failed ids  {:>12}   burnt at the new ledger too", moved.burnt),
        Burnt::Forgotten => println!("failed ids                 forgotten"),
    }
    println!("balances    {}", hex(&moved.digest));
    Ok(())
}

/// A sum in minor units; one that overflowed 128 bits with its carries before it.
fn sum(sum: Sum) -> String {
    if sum.high == 0 { sum.low.to_string() } else { format!("{} x 2^128 + {}", sum.high, sum.low) }
}

/// What an account is called in the books of another program. The chart of accounts, as a tree.
fn name(account: &Account) -> AccountName {
    let id = account.id;
    // The last part must be a word that both programs take: a TypeID with its underscore as a hyphen.
    let word = |text: String| text.replace('_', "-").to_uppercase();
    let currency = u16::try_from(account.ledger % 1_000).ok().and_then(|n| Currency::from_numeric(n).ok());
    let unit = currency.map_or_else(|| account.ledger.to_string(), |c| c.alpha().to_owned());
    AccountName(match account.code {
        account_code::BANK_CLEARING => "Assets:Bank:Clearing".to_owned(),
        account_code::FEES => "Income:Fees".to_owned(),
        account_code::WALLET => {
            format!("Liabilities:Wallets:{}", word(ResidentId::from_u128(id).to_string()))
        }
        account_code::MERCHANT => {
            format!("Liabilities:Merchants:{}", word(MerchantId::from_u128(id).to_string()))
        }
        account_code::BILLER => format!("Liabilities:Billers:{}", word(BillerId::from_u128(id).to_string())),
        account_code::KYC_CAP => format!("Liabilities:Caps:Kyc:{unit}:A{id:032X}"),
        account_code::REFUNDABLE => format!("Liabilities:Caps:Refundable:{unit}:A{id:032X}"),
        account_code::CAP_POOL => format!("Assets:Caps:Pool{}:{unit}", account.ledger),
        code => format!("Equity:Markers:C{code}:A{id:032X}"),
    })
}
