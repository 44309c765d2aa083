//! `yima ledger …`: doubts the books, writes them for other programs, copies them, moves them between engines, and
//! tortures an engine of its own.
//!
//! Of an embedded ledger the journal is read, and a server may go on running beside it. A cluster shows no journal: its
//! books are counted through its door, while nobody writes.

mod copies;
mod torture;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use city::books::account_code;
use clap::ValueEnum;
use kernel::ids::{BillerId, CampaignId, CollectorId, MerchantId, ResidentId};
use kernel::{Clock, Currency, SystemClock, hex};
use ledger::audit::{Sum, Totals};
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
    Found {
        transfers: report.transfers,
        open: report.open(),
        accounts: (report.accounts.len(), "every balance recomputed, no limit broken"),
        ledgers: &report.ledgers,
        balances: report.balances,
        journal: Some((report.frames, report.unfinished_bytes, report.head)),
    }
    .print(json);
    Ok(())
}

/// Counts the books of a cluster and prints what was found.
pub async fn count(engine: &dyn Engine, json: bool) -> Result<(), Fail> {
    let found = recount(engine, &SystemClock).await?;
    Found {
        transfers: found.transfers,
        open: found.open,
        accounts: (found.accounts.len(), "every balance is what its transfers make it"),
        ledgers: &found.ledgers,
        balances: found.digest(),
        journal: None,
    }
    .print(json);
    Ok(())
}

/// Books that hold.
struct Found<'a> {
    transfers: u64,
    open: u64,
    /// How many, and what holds of each.
    accounts: (usize, &'static str),
    ledgers: &'a BTreeMap<u32, Totals>,
    balances: [u8; 32],
    /// Frames, unfinished bytes and the hash of the last frame.
    journal: Option<(u64, u64, [u8; 32])>,
}

impl Found<'_> {
    fn print(&self, json: bool) {
        if json {
            return println!("{:#}", self.json());
        }
        if let Some((frames, ..)) = self.journal {
            println!("frames      {frames:>12}   chain and checksums hold");
        }
        println!("transfers   {:>12}   of which {} pending are open", self.transfers, self.open);
        println!("accounts    {:>12}   {}", self.accounts.0, self.accounts.1);
        for (ledger, totals) in self.ledgers {
            println!("ledger {ledger:>6}            debits = credits = {}", sum(totals.posted));
        }
        if let Some((_, unfinished @ 1.., _)) = self.journal {
            println!("unfinished  {unfinished:>12}   bytes at the end, never acknowledged");
        }
        println!("balances    {}", hex(&self.balances));
        if let Some((.., head)) = self.journal {
            println!("head        {}", hex(&head));
        }
    }

    fn json(&self) -> serde_json::Value {
        let totals = |t: &Totals| serde_json::json!({"accounts": t.accounts, "posted": sum(t.posted), "pending": sum(t.pending)});
        let ledgers: serde_json::Map<_, _> =
            self.ledgers.iter().map(|(ledger, t)| (ledger.to_string(), totals(t))).collect();
        let mut found = serde_json::json!({"accounts": self.accounts.0, "transfers": self.transfers,
            "pending_open": self.open, "balances": hex(&self.balances), "ledgers": ledgers});
        if let Some((frames, unfinished, head)) = self.journal {
            found["frames"] = frames.into();
            found["unfinished_bytes"] = unfinished.into();
            found["head"] = hex(&head).into();
        }
        found
    }
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
        account_code::CAMPAIGN => {
            format!("Liabilities:Campaigns:{}", word(CampaignId::from_u128(id).to_string()))
        }
        account_code::COLLECTOR => {
            format!("Assets:Collectors:{}", word(CollectorId::from_u128(id).to_string()))
        }
        account_code::ADVANCE => format!("Liabilities:Advances:A{id:032X}"),
        account_code::COLLECTOR_LIMIT => format!("Liabilities:Caps:Collector:{unit}:A{id:032X}"),
        account_code::COUPON_USE => format!("Liabilities:Caps:Coupon:{unit}:A{id:032X}"),
        account_code::KYC_CAP => format!("Liabilities:Caps:Kyc:{unit}:A{id:032X}"),
        account_code::REFUNDABLE => format!("Liabilities:Caps:Refundable:{unit}:A{id:032X}"),
        account_code::CAP_POOL => format!("Assets:Caps:Pool{}:{unit}", account.ledger),
        code => format!("Equity:Markers:C{code}:A{id:032X}"),
    })
}
