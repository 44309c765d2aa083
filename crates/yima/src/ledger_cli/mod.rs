//! `yima ledger …`: doubts the journal of the embedded ledger, writes its books for other programs, copies
//! it, and tortures an engine of its own. None of it writes to a ledger that is there; a server may go on
//! running beside it.

mod copies;
mod torture;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use city::books::account_code;
use clap::ValueEnum;
use kernel::ids::{BillerId, MerchantId, ResidentId};
use kernel::{Currency, hex};
use ledger::Account;
use ledger::audit::Sum;
use ledger::export::{AccountName, Export, export};

use crate::config::{Fail, Flags};

/// What to do with the ledger.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Recompute every balance from the journal with an independent auditor, and check the hash chain.
    Verify {
        #[command(flatten)]
        flags: Flags,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the books for another program, which then proves the sums again.
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
        Command::Backup { flags, to, json } => copies::back_up(&flags.load()?.ledger, &to, json),
        Command::Restore(options) => copies::bring_back(&options),
        Command::Torture(options) => torture::run(&options).await,
        Command::TortureVictim(options) => torture::victim(&options).await,
        Command::Verify { flags, json } => verify(&flags.load()?.ledger, json),
        Command::Export { flags, format, out } => {
            let config = flags.load()?;
            let dir = config.ledger;
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
