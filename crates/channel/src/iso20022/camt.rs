//! `camt.053` and `camt.054`: an account as the bank has it. Only booked entries are read; what is pending or for
//! information has not happened.

use kernel::{Currency, Date, Money, Timestamp};

use super::party::{self, Number};
use super::xml::{self, Element, Writer};
use super::{Fault, amount_of, is_id, sum};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `camt.053`: a period of the account, with its balances.
    Statement,
    /// `camt.054`: single entries.
    Notification,
}

/// Whether money came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the account.
    Credit,
    /// From the account.
    Debit,
}

/// A statement or notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Which of the two.
    pub kind: Kind,
    /// `MsgId`.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// Of which account.
    pub account: Number,
    /// Of every amount.
    pub currency: Currency,
    /// The balances before and after, minor units, and the day of the latter; a notification has none.
    pub balances: Option<(i64, i64, Date)>,
    /// What was booked.
    pub entries: Vec<Entry>,
}

/// A booked entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bank's reference of it; may be empty.
    pub reference: String,
    /// Whether money came or went.
    pub direction: Direction,
    /// Minor units.
    pub amount_minor: i64,
    /// When it was booked.
    pub on: Date,
    /// What it consists of; at least one.
    pub movements: Vec<Movement>,
}

/// A part of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// `EndToEndId`; empty where the bank has none.
    pub id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Why money came back, `AC04`; empty where it did not.
    pub returned: String,
}

impl Statement {
    /// Reads a message with one statement or notification in it.
    pub fn read(bytes: &[u8], currency: Currency) -> Result<Statement, Fault> {
        let (message, document) = xml::read(bytes)?;
        let (kind, root, one) = if message.starts_with("camt.054") {
            xml::version(&message, "camt.054", 2..=14)?;
            (Kind::Notification, document.need("BkToCstmrDbtCdtNtfctn")?, "Ntfctn")
        } else {
            xml::version(&message, "camt.053", 2..=14)?;
            (Kind::Statement, document.need("BkToCstmrStmt")?, "Stmt")
        };
        let id = root.need_text("GrpHdr/MsgId")?.to_owned();
        if !is_id(&id) {
            return Err(Fault::Malformed("GrpHdr/MsgId"));
        }
        let at = super::pain::instant(root.need_text("GrpHdr/CreDtTm")?);
        let mut each = root.all(one);
        let (Some(element), None) = (each.next(), each.next()) else { return Err(Fault::Malformed("Stmt")) };
        let mut entries = Vec::new();
        for entry in element.all("Ntry") {
            entries.extend(read_entry(entry, currency)?);
        }
        let read = Statement {
            kind,
            id,
            at: at.ok_or(Fault::Malformed("GrpHdr/CreDtTm"))?,
            account: element.at("Acct").and_then(party::number).ok_or(Fault::Missing("Acct/Id"))?,
            currency,
            balances: if kind == Kind::Statement { Some(balances(element, currency)?) } else { None },
            entries,
        };
        if let Some((before, after, _)) = read.balances {
            let moved = sum(read.entries.iter().map(Entry::signed))?;
            if before.checked_add(moved) != Some(after) {
                return Err(Fault::Balance);
            }
        }
        Ok(read)
    }

    /// As `camt.053.001.08` or `camt.054.001.08`.
    pub fn write(&self) -> Vec<u8> {
        let (message, root, one) = match self.kind {
            Kind::Statement => ("camt.053.001.08", "BkToCstmrStmt", "Stmt"),
            Kind::Notification => ("camt.054.001.08", "BkToCstmrDbtCdtNtfctn", "Ntfctn"),
        };
        Writer::document(message, |w| {
            w.within(root, |w| {
                w.within("GrpHdr", |w| {
                    w.text("MsgId", &self.id);
                    w.text("CreDtTm", &self.at.to_string());
                });
                w.within(one, |w| {
                    w.text("Id", &self.id);
                    w.text("CreDtTm", &self.at.to_string());
                    w.within("Acct", |w| match &self.account {
                        Number::Iban(iban) => w.text("Id/IBAN", iban),
                        Number::Account(number) => w.text("Id/Othr/Id", number),
                    });
                    if let Some((before, after, day)) = self.balances {
                        for (code, minor) in [("OPBD", before), ("CLBD", after)] {
                            self.write_balance(w, code, minor, day);
                        }
                    }
                    for entry in &self.entries {
                        self.write_entry(w, entry);
                    }
                });
            });
        })
    }

    fn write_balance(&self, w: &mut Writer, code: &str, minor: i64, day: Date) {
        w.within("Bal", |w| {
            w.text("Tp/CdOrPrtry/Cd", code);
            w.amount("Amt", Money::new(minor.saturating_abs(), self.currency));
            w.text("CdtDbtInd", if minor < 0 { "DBIT" } else { "CRDT" });
            w.text("Dt/Dt", &day.to_string());
        });
    }

    fn write_entry(&self, w: &mut Writer, entry: &Entry) {
        let money = |minor| Money::new(minor, self.currency);
        let direction = match entry.direction {
            Direction::Credit => "CRDT",
            Direction::Debit => "DBIT",
        };
        w.within("Ntry", |w| {
            if !entry.reference.is_empty() {
                w.text("NtryRef", &entry.reference);
            }
            w.amount("Amt", money(entry.amount_minor));
            w.text("CdtDbtInd", direction);
            w.text("Sts/Cd", "BOOK");
            w.text("BookgDt/Dt", &entry.on.to_string());
            w.text("BkTxCd/Prtry/Cd", "PAYOUT");
            w.within("NtryDtls", |w| {
                for movement in &entry.movements {
                    w.within("TxDtls", |w| {
                        if !movement.id.is_empty() {
                            w.text("Refs/EndToEndId", &movement.id);
                        }
                        w.amount("Amt", money(movement.amount_minor));
                        w.text("CdtDbtInd", direction);
                        if !movement.returned.is_empty() {
                            w.text("RtrInf/Rsn/Cd", &movement.returned);
                        }
                    });
                }
            });
        });
    }
}

impl Entry {
    /// What it does to the balance.
    fn signed(&self) -> i64 {
        match self.direction {
            Direction::Credit => self.amount_minor,
            Direction::Debit => -self.amount_minor,
        }
    }
}

fn direction(element: &Element) -> Result<Direction, Fault> {
    match element.need_text("CdtDbtInd")? {
        "CRDT" => Ok(Direction::Credit),
        "DBIT" => Ok(Direction::Debit),
        _ => Err(Fault::Malformed("CdtDbtInd")),
    }
}

/// An entry, if it was booked. A reversal says itself which way the money went.
fn read_entry(element: &Element, currency: Currency) -> Result<Option<Entry>, Fault> {
    // `Sts` is a code by itself up to version 07.
    let status =
        element.text_at("Sts/Cd").or_else(|| element.text_at("Sts")).ok_or(Fault::Missing("Ntry/Sts"))?;
    if status != "BOOK" {
        return Ok(None);
    }
    let amount_minor = amount_of(element.need("Amt")?, currency)?;
    let on = element.text_at("BookgDt/Dt").or_else(|| element.text_at("BookgDt/DtTm"));
    let on = on.ok_or(Fault::Missing("Ntry/BookgDt"))?;
    let on: Date = on.get(..10).and_then(|day| day.parse().ok()).ok_or(Fault::Malformed("Ntry/BookgDt"))?;
    let details: Vec<&Element> = element.all("NtryDtls").flat_map(|d| d.all("TxDtls")).collect();
    let mut movements = Vec::new();
    for one in &details {
        let amount = one.at("Amt").or_else(|| one.at("AmtDtls/TxAmt/Amt"));
        let amount_minor = match amount {
            Some(amount) => amount_of(amount, currency)?,
            // Of a single transfer the entry says it all.
            None if details.len() == 1 => amount_minor,
            None => return Err(Fault::Missing("TxDtls/Amt")),
        };
        let id = one.text_at("Refs/EndToEndId").filter(|id| *id != "NOTPROVIDED").unwrap_or_default();
        let returned = one.text_at("RtrInf/Rsn/Cd").or_else(|| one.text_at("RtrInf/Rsn/Prtry"));
        movements.push(Movement {
            id: id.to_owned(),
            amount_minor,
            returned: returned.unwrap_or_default().to_owned(),
        });
    }
    if movements.is_empty() {
        movements.push(Movement { id: String::new(), amount_minor, returned: String::new() });
    }
    if sum(movements.iter().map(|m| m.amount_minor))? != amount_minor {
        return Err(Fault::Sum);
    }
    let reference = element.text_at("AcctSvcrRef").or_else(|| element.text_at("NtryRef"));
    let reference = reference.unwrap_or_default().to_owned();
    Ok(Some(Entry { reference, direction: direction(element)?, amount_minor, on, movements }))
}

/// The booked balances before and after.
fn balances(element: &Element, currency: Currency) -> Result<(i64, i64, Date), Fault> {
    let of = |codes: &[&str]| {
        let code =
            |balance: &&Element| codes.contains(&balance.text_at("Tp/CdOrPrtry/Cd").unwrap_or_default());
        element.all("Bal").find(code)
    };
    let minor = |balance: &Element| {
        let minor = amount_of(balance.need("Amt")?, currency)?;
        Ok(if direction(balance)? == Direction::Credit { minor } else { -minor })
    };
    let before = of(&["OPBD", "PRCD"]).ok_or(Fault::Missing("Bal OPBD"))?;
    let after = of(&["CLBD"]).ok_or(Fault::Missing("Bal CLBD"))?;
    let day = after.text_at("Dt/Dt").or_else(|| after.text_at("Dt/DtTm")).ok_or(Fault::Missing("Bal/Dt"))?;
    let day = day.get(..10).and_then(|day| day.parse().ok()).ok_or(Fault::Malformed("Bal/Dt"))?;
    Ok((minor(before)?, minor(after)?, day))
}
