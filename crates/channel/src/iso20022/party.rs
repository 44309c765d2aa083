//! Who pays and who is paid: a name, an account, the bank that keeps it.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::xml::{Element, Writer};

/// An account with its owner and its bank, as configurations and packs write it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(try_from = "Written")]
pub struct Party {
    /// The owner, as the bank knows it: 1 to 140 characters.
    pub name: String,
    /// The account.
    #[serde(flatten)]
    pub account: Number,
    /// Its bank.
    #[serde(flatten)]
    pub agent: Agent,
}

/// A [`Party`] as it is written: flat, and nothing besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    iban: Option<String>,
    account: Option<String>,
    bic: Option<String>,
    cnaps: Option<String>,
}

impl TryFrom<Written> for Party {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Party, Self::Error> {
        let account = match (written.iban, written.account) {
            (Some(iban), None) => Number::Iban(iban),
            (None, Some(account)) => Number::Account(account),
            _ => return Err("either iban or account"),
        };
        let agent = match (written.bic, written.cnaps) {
            (Some(bic), None) => Agent::Bic(bic),
            (None, Some(cnaps)) => Agent::Cnaps(cnaps),
            _ => return Err("either bic or cnaps"),
        };
        Ok(Party { name: written.name, account, agent })
    }
}

/// The number of an account.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// ISO 13616, without spaces.
    Iban(String),
    /// Any other number, 1 to 34 letters, digits and hyphens.
    Account(String),
}

/// A bank.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// ISO 9362: 8 or 11 characters.
    Bic(String),
    /// The twelve digits of a bank in China's payment system.
    Cnaps(String),
}

impl Party {
    /// Whether a bank could know it: the key that is wrong, and why.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        let length = self.name.chars().count();
        if !(1..=140).contains(&length)
            || self.name.trim() != self.name
            || self.name.chars().any(char::is_control)
        {
            return Err(("name", "1 to 140 characters without outer spaces"));
        }
        match &self.account {
            Number::Iban(text) if !is_iban(text) => {
                return Err(("iban", "not an IBAN, or its check digits are wrong"));
            }
            Number::Account(text) if !is_account(text) => {
                return Err(("account", "1 to 34 letters, digits and hyphens"));
            }
            _ => {}
        }
        match &self.agent {
            Agent::Bic(text) if !is_bic(text) => Err(("bic", "8 or 11 characters of ISO 9362")),
            Agent::Cnaps(text) if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) => {
                Err(("cnaps", "twelve digits"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn write_agent(&self, w: &mut Writer, name: &str) {
        w.within(name, |w| match &self.agent {
            Agent::Bic(bic) => w.text("FinInstnId/BICFI", bic),
            Agent::Cnaps(number) => w.within("FinInstnId", |w| {
                w.within("ClrSysMmbId", |w| {
                    w.text("ClrSysId/Cd", "CNAPS");
                    w.text("MmbId", number);
                });
            }),
        });
    }

    pub(super) fn write_account(&self, w: &mut Writer, name: &str) {
        w.within(name, |w| match &self.account {
            Number::Iban(iban) => w.text("Id/IBAN", iban),
            Number::Account(number) => w.text("Id/Othr/Id", number),
        });
    }

    pub(super) fn read(
        name: Option<&Element>,
        account: Option<&Element>,
        agent: Option<&Element>,
    ) -> Result<Party, Fault> {
        let name = name.and_then(|e| e.text_at("Nm")).ok_or(Fault::Missing("Nm"))?;
        let account = account.and_then(number).ok_or(Fault::Missing("Acct/Id"))?;
        let agent = agent.ok_or(Fault::Missing("FinInstnId"))?;
        let bic = agent.text_at("FinInstnId/BICFI").map(|bic| Agent::Bic(bic.to_owned()));
        let member = agent.text_at("FinInstnId/ClrSysMmbId/MmbId").map(|n| Agent::Cnaps(n.to_owned()));
        let agent = bic.or(member).ok_or(Fault::Missing("FinInstnId"))?;
        let party = Party { name: name.to_owned(), account, agent };
        party.validate().map_err(|_| Fault::Malformed("Nm, Acct or Agt"))?;
        Ok(party)
    }
}

/// The number of an account in an element of it.
pub(super) fn number(account: &Element) -> Option<Number> {
    let iban = account.text_at("Id/IBAN").map(|iban| Number::Iban(iban.to_owned()));
    iban.or_else(|| account.text_at("Id/Othr/Id").map(|n| Number::Account(n.to_owned())))
}

fn is_account(text: &str) -> bool {
    (1..=34).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_bic(text: &str) -> bool {
    let upper = |b: u8| b.is_ascii_uppercase();
    let bytes = text.as_bytes();
    (bytes.len() == 8 || bytes.len() == 11)
        && bytes.iter().all(|b| b.is_ascii_digit() || upper(*b))
        && bytes[4..6].iter().all(|b| upper(*b))
}

/// ISO 13616, with the check digits of ISO 7064 MOD 97-10.
fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes[4..].iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    let rest = |sum: u32, b: &u8| match b {
        b'0'..=b'9' => (sum * 10 + u32::from(b - b'0')) % 97,
        _ => (sum * 100 + u32::from(b - b'A') + 10) % 97,
    };
    shape && bytes[4..].iter().chain(&bytes[..4]).fold(0, rest) == 1
}
