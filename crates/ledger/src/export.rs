//! The books as text that other programs understand: hledger and Beancount.
//!
//! Writes the money that moved (plain and posted transfers), in exact decimals, and at the end the balance of
//! every account as the auditor works it out, as assertions. So `hledger check` and `bean-check` add everything
//! up once more in code that is not ours. Pending money has not moved and is left out. It changes nothing, and
//! it never reads an engine's memory, only its journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;
use std::{fmt, mem};

use kernel::{Currency, Date, Timestamp, UtcOffset};

use crate::audit::{self, AuditError};
use crate::journal::{self, JournalError};
use crate::posting::Record;
use crate::types::{Account, Transfer, TransferFlags};

/// Whose language the books are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// hledger's journal format (1.25 and later).
    Hledger,
    /// Beancount's (2.3 and later).
    Beancount,
}

/// An account's name in the exported books, `Liabilities:Residents:R-1042`.
///
/// At least two parts; the first is `Assets`, `Liabilities`, `Equity`, `Income` or `Expenses`; each further one
/// begins with an upper-case ASCII letter or a digit and goes on with ASCII letters, digits and `-`. Several
/// accounts may share a name; they are added up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName(pub String);

impl AccountName {
    fn is_sound(&self) -> bool {
        const ROOTS: [&str; 5] = ["Assets", "Liabilities", "Equity", "Income", "Expenses"];
        let mut parts = self.0.split(':');
        let rooted = parts.next().is_some_and(|root| ROOTS.contains(&root));
        let mut further = 0;
        let sound = parts.all(|part| {
            further += 1;
            part.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
        rooted && sound && further > 0
    }
}

/// What to export and how.
pub struct Export<'a> {
    /// The ledger's directory.
    pub dir: &'a Path,
    /// In which language.
    pub format: Format,
    /// Where the city's days begin.
    pub offset: UtcOffset,
    /// The chart of accounts.
    pub name: &'a dyn Fn(&Account) -> AccountName,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportReport {
    /// Transactions.
    pub transactions: u64,
    /// Names declared.
    pub names: u64,
    /// Pending transfers, posted or not, left out as such.
    pub pending_left_out: u64,
}

/// Why the books cannot be exported.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal does not pass the audit, so its books are not given to anyone.
    Audit(AuditError),
    /// The journal cannot be read a second time.
    Journal(JournalError),
    /// The output cannot be written.
    Io(io::Error),
    /// A name that the other program would not take.
    Name {
        /// The account.
        account: u128,
        /// The name it was given.
        name: String,
    },
    /// A balance of more than 28 digits, which Beancount's decimals would round.
    TooLarge {
        /// The account.
        account: u128,
    },
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Audit(e) => e.fmt(f),
            ExportError::Journal(e) => e.fmt(f),
            ExportError::Io(e) => write!(f, "the books cannot be written: {e}"),
            ExportError::Name { account, name } => {
                write!(f, "account {account:032x} has a name other programs do not take: {name:?}")
            }
            ExportError::TooLarge { account } => {
                write!(f, "account {account:032x} has turned over more than Beancount's 28 digits")
            }
        }
    }
}

impl std::error::Error for ExportError {}

impl From<io::Error> for ExportError {
    fn from(e: io::Error) -> Self {
        ExportError::Io(e)
    }
}

/// What one ledger counts in.
#[derive(Debug, Clone)]
struct Commodity {
    symbol: String,
    exponent: usize,
}

impl Commodity {
    /// A ledger numbered as an ISO 4217 currency counts in that currency. Any other is a shadow ledger and
    /// counts in a commodity of its own; one numbered a multiple of 1000 above a currency (1156, 2156 over
    /// 156) has its decimals.
    fn of(ledger: u32) -> Commodity {
        let currency = |number: u32| u16::try_from(number).ok().and_then(|n| Currency::from_numeric(n).ok());
        if let Some(c) = currency(ledger) {
            return Commodity { symbol: c.alpha().to_owned(), exponent: c.exponent().into() };
        }
        let exponent = currency(ledger % 1000).map_or(0, |c| c.exponent().into());
        Commodity { symbol: format!("CAP{ledger}"), exponent }
    }

    /// Exactly `minor` minor units, with a minus if `negative`.
    fn decimal(&self, minor: u128, negative: bool) -> String {
        let sign = if negative && minor != 0 { "-" } else { "" };
        if self.exponent == 0 {
            return format!("{sign}{minor}");
        }
        let digits = format!("{minor:0width$}", width = self.exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.exponent);
        format!("{sign}{whole}.{fraction}")
    }
}

/// A debit-positive balance that cannot overflow while several accounts are added up.
#[derive(Debug, Clone, Copy, Default)]
struct Net {
    amount: u128,
    negative: bool,
}

impl Net {
    fn add(&mut self, amount: u128, negative: bool) {
        if self.negative == negative {
            self.amount = self.amount.saturating_add(amount);
        } else if amount > self.amount {
            *self = Net { amount: amount - self.amount, negative };
        } else {
            self.amount -= amount;
        }
    }
}

/// Everything the writing needs to know beforehand.
struct Books {
    names: BTreeMap<u128, AccountName>,
    commodities: BTreeMap<u32, Commodity>,
    /// When each name is first used, and the ledgers it holds with their balances at the end.
    opened: BTreeMap<AccountName, (Date, BTreeMap<u32, Net>)>,
}

/// Writes the books of `export.dir` to `out`.
pub fn export(export: &Export<'_>, out: &mut dyn Write) -> Result<ExportReport, ExportError> {
    let audit = audit::verify(export.dir).map_err(ExportError::Audit)?;
    let mut books = Books { names: BTreeMap::new(), commodities: BTreeMap::new(), opened: BTreeMap::new() };
    for a in audit.accounts.values() {
        let name = (export.name)(a);
        if !name.is_sound() {
            return Err(ExportError::Name { account: a.id, name: name.0 });
        }
        let digits_28 = 10_u128.pow(28);
        let too_large = a.debits_posted >= digits_28 || a.credits_posted >= digits_28;
        if export.format == Format::Beancount && too_large {
            return Err(ExportError::TooLarge { account: a.id });
        }
        books.commodities.entry(a.ledger).or_insert_with(|| Commodity::of(a.ledger));
        let date = export.date(a.timestamp);
        let (first, balances) = books.opened.entry(name.clone()).or_insert((date, BTreeMap::new()));
        *first = date.min(*first);
        let balance = balances.entry(a.ledger).or_default();
        balance.add(a.debits_posted, false);
        balance.add(a.credits_posted, true);
        books.names.insert(a.id, name);
    }

    let mut report = ExportReport { names: books.opened.len() as u64, ..ExportReport::default() };
    export.head(&books, out)?;
    let mut failed: Option<ExportError> = None;
    let mut last = export.date(audit.first_timestamp);
    let mut frames = 0;
    journal::walk(export.dir, |frame| {
        frames += 1;
        // A live engine may have gone on since the audit: the books end where the audit ended.
        if frames > audit.frames {
            return Ok(());
        }
        for record in frame.records()? {
            let Record::Transfer(t) = record else { continue };
            if t.flags.intersects(TransferFlags::Pending | TransferFlags::VoidPendingTransfer) {
                report.pending_left_out += u64::from(t.flags.contains(TransferFlags::Pending));
                continue;
            }
            last = last.max(export.date(t.timestamp));
            report.transactions += 1;
            if let Err(e) = export.transaction(&books, &t, out) {
                failed = Some(e.into());
                return Err("the output failed".to_owned());
            }
        }
        Ok(())
    })
    .map_err(|e| mem::take(&mut failed).unwrap_or(ExportError::Journal(e)))?;
    export.tail(&books, last, out)?;
    Ok(report)
}

impl Export<'_> {
    fn date(&self, timestamp: u64) -> Date {
        Timestamp::from_nanos(i64::try_from(timestamp).unwrap_or(i64::MAX)).date(self.offset)
    }

    fn head(&self, books: &Books, out: &mut dyn Write) -> io::Result<()> {
        let first = books.opened.values().map(|(date, _)| *date).min();
        let symbols: BTreeSet<_> = books.commodities.values().map(|c| (&c.symbol, c.exponent)).collect();
        match self.format {
            Format::Hledger => {
                writeln!(out, "; Debits are positive, credits negative.\ndecimal-mark .\n")?;
                for (symbol, exponent) in symbols {
                    writeln!(out, "commodity \"{symbol}\" 1000.{}", "0".repeat(exponent))?;
                }
                for name in books.opened.keys() {
                    writeln!(out, "account {}", name.0)?;
                }
            }
            Format::Beancount => {
                writeln!(out, "; Debits are positive, credits negative.\noption \"title\" \"Ledger\"\n")?;
                if let Some(first) = first {
                    for (symbol, _) in symbols {
                        writeln!(out, "{first} commodity {symbol}")?;
                    }
                }
                for (name, (date, _)) in &books.opened {
                    writeln!(out, "{date} open {}", name.0)?;
                }
            }
        }
        writeln!(out)
    }

    fn transaction(&self, books: &Books, t: &Transfer, out: &mut dyn Write) -> io::Result<()> {
        let unknown = || io::Error::other("a transfer of an account that the audit did not see");
        let name = |id| books.names.get(&id).ok_or_else(unknown);
        let (debit, credit) = (name(t.debit_account_id)?, name(t.credit_account_id)?);
        let commodity = books.commodities.get(&t.ledger).ok_or_else(unknown)?;
        let (plus, minus) = (commodity.decimal(t.amount, false), commodity.decimal(t.amount, true));
        let (date, symbol) = (self.date(t.timestamp), &commodity.symbol);
        match self.format {
            Format::Hledger => {
                writeln!(out, "{date} * ({:032x}) code {}", t.id, t.code)?;
                writeln!(out, "    {}  \"{symbol}\" {plus}", debit.0)?;
                writeln!(out, "    {}  \"{symbol}\" {minus}\n", credit.0)
            }
            Format::Beancount => {
                writeln!(out, "{date} * \"code {}\"\n  id: \"{:032x}\"", t.code, t.id)?;
                writeln!(out, "  {}  {plus} {symbol}", debit.0)?;
                writeln!(out, "  {}  {minus} {symbol}\n", credit.0)
            }
        }
    }

    /// The balances, for the other program to agree with.
    fn tail(&self, books: &Books, last: Date, out: &mut dyn Write) -> io::Result<()> {
        let balances = books.opened.iter().flat_map(|(name, (_, balances))| {
            balances.iter().map(move |(ledger, net)| (name, &books.commodities[ledger], net))
        });
        match self.format {
            // Asserted after the last transaction of that day.
            Format::Hledger => {
                writeln!(out, "{last} * closing balances")?;
                for (name, commodity, net) in balances {
                    let (symbol, amount) = (&commodity.symbol, commodity.decimal(net.amount, net.negative));
                    writeln!(out, "    {}  \"{symbol}\" 0 = \"{symbol}\" {amount}", name.0)?;
                }
            }
            // Asserted at the beginning of the day named, exactly.
            Format::Beancount => {
                let next = last.tomorrow().unwrap_or(last);
                for (name, commodity, net) in balances {
                    let (symbol, amount) = (&commodity.symbol, commodity.decimal(net.amount, net.negative));
                    writeln!(out, "{next} balance {}  {amount} ~ 0 {symbol}", name.0)?;
                }
            }
        }
        out.flush()
    }
}
