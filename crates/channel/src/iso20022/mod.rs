//! ISO 20022 with a bank: credit transfers out (`pain.001`), what became of them (`pain.002`, `pacs.002`), and the account as
//! the bank has it (`camt.053`, `camt.054`). Pure: bytes in, bytes out.
//!
//! | message | written as | read as |
//! |---|---|---|
//! | customer credit transfer initiation | `pain.001.001.09` | the same |
//! | payment status report | `pain.002.001.12` | 03 to 15 |
//! | interbank status report | – | `pacs.002` 03 to 16 |
//! | statement, notification | `camt.053.001.08`, `camt.054.001.08` | 02 to 14 |
//!
//! Invariants:
//! - An amount is an integer of minor units; the decimal text of a message is turned into it exactly or the message is refused.
//! - A message is read whole or refused whole, with one code: what contradicts itself (numbers, control sums, balances) is
//!   nobody's truth.

mod camt;
pub mod counterpart;
mod fault;
mod pain;
mod party;
mod status;
mod xml;

pub use camt::{Direction, Entry, Kind, Movement, Statement};
pub use fault::Fault;
pub use pain::{Initiation, Transfer};
pub use party::{Agent, Number, Party};
pub use status::{Outcome, Report, Said};

use kernel::{Currency, Money};

use self::xml::Element;

/// The longest identifier of a message.
const ID_MAX: usize = 35;

/// Whether a text may be an identifier here: 1 to 35 visible characters of ASCII.
fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The exact amount of an element that names its currency.
fn amount_of(element: &Element, currency: Currency) -> Result<i64, Fault> {
    if element.attribute("Ccy") != Some(currency.alpha()) {
        return Err(Fault::Currency(element.attribute("Ccy").unwrap_or_default().to_owned()));
    }
    decimal(&element.text, currency)
}

/// The minor units of a decimal text without a sign; digits beyond the currency's must be zeros.
fn decimal(text: &str, currency: Currency) -> Result<i64, Fault> {
    let wrong = || Fault::Amount(text.chars().take(40).collect());
    let exponent = usize::from(currency.exponent());
    let shorter = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > exponent => {
            let (kept, rest) = fraction.split_at_checked(exponent).ok_or_else(wrong)?;
            if rest.bytes().any(|b| b != b'0') {
                return Err(wrong());
            }
            if kept.is_empty() { whole.to_owned() } else { format!("{whole}.{kept}") }
        }
        _ => text.to_owned(),
    };
    match Money::parse_amount(&shorter, currency) {
        Ok(money) if money.minor >= 0 && !text.starts_with('-') => Ok(money.minor),
        _ => Err(wrong()),
    }
}

fn sum(minors: impl IntoIterator<Item = i64>) -> Result<i64, Fault> {
    minors.into_iter().try_fold(0i64, i64::checked_add).ok_or(Fault::Sum)
}
