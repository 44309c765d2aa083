//! `pain.001.001.09`: one debtor's account, many credit transfers on one day.

use std::collections::HashSet;

use kernel::{Currency, Date, Money, Timestamp};

use super::party::Party;
use super::xml::{self, Element, Writer};
use super::{Fault, amount_of, decimal, is_id, sum};

const MESSAGE: &str = "pain.001.001.09";

/// A customer credit transfer initiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initiation {
    /// `MsgId`: what the bank knows the message by; also the id of its one batch of payments.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// The day the bank is asked to move the money on.
    pub on: Date,
    /// Of every amount.
    pub currency: Currency,
    /// Whose account pays.
    pub debtor: Party,
    /// Who is paid.
    pub transfers: Vec<Transfer>,
}

/// A credit transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// `EndToEndId`: comes back in every status and on the statement.
    pub id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Whose account is paid.
    pub creditor: Party,
    /// What for, to be read by people; at most 140 characters.
    pub about: String,
}

impl Initiation {
    /// What is asked for in all, minor units.
    pub fn total(&self) -> Result<i64, Fault> {
        sum(self.transfers.iter().map(|t| t.amount_minor))
    }

    /// Whether it can be written, and what was read makes sense.
    fn check(&self) -> Result<(), Fault> {
        if !is_id(&self.id) {
            return Err(Fault::Malformed("GrpHdr/MsgId"));
        }
        if self.transfers.is_empty() {
            return Err(Fault::Missing("CdtTrfTxInf"));
        }
        let mut seen = HashSet::new();
        for transfer in &self.transfers {
            if !is_id(&transfer.id) {
                return Err(Fault::Malformed("PmtId/EndToEndId"));
            }
            if !seen.insert(transfer.id.as_str()) {
                return Err(Fault::Duplicate(transfer.id.clone()));
            }
            if transfer.amount_minor <= 0 {
                return Err(Fault::Amount(transfer.amount_minor.to_string()));
            }
            if transfer.about.chars().count() > 140 {
                return Err(Fault::Malformed("RmtInf/Ustrd"));
            }
        }
        Ok(())
    }

    /// The message. The same bytes for the same content.
    pub fn write(&self) -> Result<Vec<u8>, Fault> {
        self.check()?;
        let total = Money::new(self.total()?, self.currency).amount();
        let count = self.transfers.len().to_string();
        Ok(Writer::document(MESSAGE, |w| {
            w.within("CstmrCdtTrfInitn", |w| {
                w.within("GrpHdr", |w| {
                    w.text("MsgId", &self.id);
                    w.text("CreDtTm", &self.at.to_string());
                    w.text("NbOfTxs", &count);
                    w.text("CtrlSum", &total);
                    w.text("InitgPty/Nm", &self.debtor.name);
                });
                w.within("PmtInf", |w| {
                    w.text("PmtInfId", &self.id);
                    w.text("PmtMtd", "TRF");
                    w.text("BtchBookg", "false");
                    w.text("NbOfTxs", &count);
                    w.text("CtrlSum", &total);
                    w.text("ReqdExctnDt/Dt", &self.on.to_string());
                    w.text("Dbtr/Nm", &self.debtor.name);
                    self.debtor.write_account(w, "DbtrAcct");
                    self.debtor.write_agent(w, "DbtrAgt");
                    for transfer in &self.transfers {
                        self.write_transfer(w, transfer);
                    }
                });
            });
        }))
    }

    fn write_transfer(&self, w: &mut Writer, transfer: &Transfer) {
        w.within("CdtTrfTxInf", |w| {
            w.text("PmtId/EndToEndId", &transfer.id);
            w.within("Amt", |w| w.amount("InstdAmt", Money::new(transfer.amount_minor, self.currency)));
            transfer.creditor.write_agent(w, "CdtrAgt");
            w.text("Cdtr/Nm", &transfer.creditor.name);
            transfer.creditor.write_account(w, "CdtrAcct");
            if !transfer.about.is_empty() {
                w.text("RmtInf/Ustrd", &transfer.about);
            }
        });
    }

    /// Reads a message with one batch of payments, as the bank does.
    pub fn read(bytes: &[u8], currency: Currency) -> Result<Initiation, Fault> {
        let (message, document) = xml::read(bytes)?;
        xml::version(&message, "pain.001", 9..=9)?;
        let root = document.need("CstmrCdtTrfInitn")?;
        let id = root.need_text("GrpHdr/MsgId")?.to_owned();
        let batch = root.need("PmtInf")?;
        if root.all("PmtInf").count() != 1 {
            return Err(Fault::Malformed("PmtInf"));
        }
        let at = root.need_text("GrpHdr/CreDtTm")?;
        let at: Timestamp = instant(at).ok_or(Fault::Malformed("GrpHdr/CreDtTm"))?;
        let on = batch.need_text("ReqdExctnDt/Dt")?;
        let on: Date = on.parse().map_err(|_| Fault::Malformed("ReqdExctnDt/Dt"))?;
        let debtor = Party::read(batch.at("Dbtr"), batch.at("DbtrAcct"), batch.at("DbtrAgt"))?;
        let transfers = batch.all("CdtTrfTxInf").map(|e| read_transfer(e, currency));
        let transfers = transfers.collect::<Result<Vec<_>, _>>()?;
        let read = Initiation { id, at, on, currency, debtor, transfers };
        read.check()?;
        for (whole, header) in [(true, root.need("GrpHdr")?), (false, batch)] {
            match header.text_at("NbOfTxs") {
                Some(count) if count != read.transfers.len().to_string() => return Err(Fault::Count),
                None if whole => return Err(Fault::Missing("GrpHdr/NbOfTxs")),
                _ => {}
            }
            if let Some(control) = header.text_at("CtrlSum")
                && decimal(control, currency)? != read.total()?
            {
                return Err(Fault::Sum);
            }
        }
        Ok(read)
    }
}

fn read_transfer(element: &Element, currency: Currency) -> Result<Transfer, Fault> {
    Ok(Transfer {
        id: element.need_text("PmtId/EndToEndId")?.to_owned(),
        amount_minor: amount_of(element.need("Amt/InstdAmt")?, currency)?,
        creditor: Party::read(element.at("Cdtr"), element.at("CdtrAcct"), element.at("CdtrAgt"))?,
        about: element.text_at("RmtInf/Ustrd").unwrap_or_default().to_owned(),
    })
}

/// An instant, with its offset; without one it is the bank's own time, which is taken as UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}
