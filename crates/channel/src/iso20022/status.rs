//! `pain.002` and `pacs.002`: what became of what was asked for, of all of it or one by one.

use std::collections::HashSet;

use kernel::Timestamp;

use super::xml::{self, Element, Writer};
use super::{Fault, is_id};

const MESSAGE: &str = "pain.002.001.12";

/// What the bank says of a transfer: the codes of `ExternalPaymentTransactionStatus1Code` and their group that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Received or looked at, and not decided: `RCVD`, `PDNG`.
    Pending,
    /// Taken over, the money has not moved: `ACTC`, `ACCP`, `ACSP`, `ACWC`, `ACFC`.
    Accepted,
    /// The money has left the debtor's account: `ACSC`; or is the creditor's: `ACCC`.
    Settled,
    /// A part of the whole: look at each. `PART`.
    Part,
    /// It will not be done: `RJCT`, `CANC`.
    Rejected,
}

impl Outcome {
    /// The code that is written.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Pending => "PDNG",
            Outcome::Accepted => "ACCP",
            Outcome::Settled => "ACSC",
            Outcome::Part => "PART",
            Outcome::Rejected => "RJCT",
        }
    }

    fn of(code: &str) -> Option<Outcome> {
        Some(match code {
            "RCVD" | "PDNG" => Outcome::Pending,
            "ACTC" | "ACCP" | "ACSP" | "ACWC" | "ACFC" => Outcome::Accepted,
            "ACSC" | "ACCC" => Outcome::Settled,
            "PART" => Outcome::Part,
            "RJCT" | "CANC" => Outcome::Rejected,
            _ => return None,
        })
    }
}

/// A status report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `MsgId` of the report.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// `OrgnlMsgId`: what it is about.
    pub about: String,
    /// Of all that is not named, if it says.
    pub whole: Option<(Outcome, String)>,
    /// One by one.
    pub each: Vec<Said>,
}

/// What is said of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `OrgnlEndToEndId`.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The reason's code and the bank's words, `AC04 closed`; may be empty.
    pub reason: String,
}

impl Report {
    /// Reads a `pain.002` or `pacs.002`.
    pub fn read(bytes: &[u8]) -> Result<Report, Fault> {
        let (message, document) = xml::read(bytes)?;
        if message.starts_with("pacs.") {
            xml::version(&message, "pacs.002", 3..=16)?;
            read(document.need("FIToFIPmtStsRpt")?, "OrgnlGrpInfAndSts", false)
        } else {
            xml::version(&message, "pain.002", 3..=15)?;
            read(document.need("CstmrPmtStsRpt")?, "OrgnlGrpInfAndSts", true)
        }
    }

    /// As `pain.002.001.12`.
    pub fn write(&self) -> Vec<u8> {
        let reason = |w: &mut Writer, reason: &str| {
            if reason.is_empty() {
                return;
            }
            let (code, words) = reason.split_once(' ').unwrap_or((reason, ""));
            w.within("StsRsnInf", |w| {
                w.text("Rsn/Cd", code);
                if !words.is_empty() {
                    w.text("AddtlInf", words);
                }
            });
        };
        Writer::document(MESSAGE, |w| {
            w.within("CstmrPmtStsRpt", |w| {
                w.within("GrpHdr", |w| {
                    w.text("MsgId", &self.id);
                    w.text("CreDtTm", &self.at.to_string());
                });
                w.within("OrgnlGrpInfAndSts", |w| {
                    w.text("OrgnlMsgId", &self.about);
                    w.text("OrgnlMsgNmId", "pain.001.001.09");
                    if let Some((outcome, why)) = &self.whole {
                        w.text("GrpSts", outcome.code());
                        reason(w, why);
                    }
                });
                if self.each.is_empty() {
                    return;
                }
                w.within("OrgnlPmtInfAndSts", |w| {
                    w.text("OrgnlPmtInfId", &self.about);
                    for said in &self.each {
                        w.within("TxInfAndSts", |w| {
                            w.text("OrgnlEndToEndId", &said.id);
                            w.text("TxSts", said.outcome.code());
                            reason(w, &said.reason);
                        });
                    }
                });
            });
        })
    }
}

fn read(root: &Element, group: &'static str, batches: bool) -> Result<Report, Fault> {
    let id = root.need_text("GrpHdr/MsgId")?.to_owned();
    let at = super::pain::instant(root.need_text("GrpHdr/CreDtTm")?);
    let at = at.ok_or(Fault::Malformed("GrpHdr/CreDtTm"))?;
    if !is_id(&id) {
        return Err(Fault::Malformed("GrpHdr/MsgId"));
    }
    if root.all(group).count() != 1 {
        return Err(Fault::Missing("OrgnlGrpInfAndSts"));
    }
    let original = root.need("OrgnlGrpInfAndSts")?;
    let mut report = Report {
        id,
        at,
        about: original.need_text("OrgnlMsgId")?.to_owned(),
        whole: outcome(original, "GrpSts")?,
        each: Vec::new(),
    };
    let mut lists = vec![root];
    if batches {
        for batch in root.all("OrgnlPmtInfAndSts") {
            if let Some(said) = outcome(batch, "PmtInfSts")? {
                // A message here has one batch, so what is said of it is said of all.
                report.whole = Some(said);
            }
            lists.push(batch);
        }
    }
    let mut seen = HashSet::new();
    for one in lists.iter().flat_map(|list| list.all("TxInfAndSts")) {
        let id = one.need_text("OrgnlEndToEndId")?.to_owned();
        if !seen.insert(id.clone()) {
            return Err(Fault::Duplicate(id));
        }
        let (outcome, reason) = match outcome(one, "TxSts")?.or_else(|| report.whole.clone()) {
            Some((Outcome::Part, _)) | None => return Err(Fault::Missing("TxInfAndSts/TxSts")),
            Some(said) => said,
        };
        report.each.push(Said { id, outcome, reason });
    }
    if report.each.is_empty() && matches!(report.whole, None | Some((Outcome::Part, _))) {
        return Err(Fault::Missing("TxInfAndSts"));
    }
    Ok(report)
}

fn outcome(element: &Element, name: &'static str) -> Result<Option<(Outcome, String)>, Fault> {
    let Some(code) = element.text_at(name) else { return Ok(None) };
    let outcome = Outcome::of(code).ok_or(Fault::Malformed(name))?;
    let words = |info: &Element| {
        let code = info.text_at("Rsn/Cd").or_else(|| info.text_at("Rsn/Prtry")).unwrap_or_default();
        let said = info.text_at("AddtlInf").unwrap_or_default();
        format!("{code} {said}").trim().to_owned()
    };
    let reason = element.all("StsRsnInf").map(words).find(|words| !words.is_empty());
    let mut reason = reason.unwrap_or_default();
    reason.retain(|c| !c.is_control());
    Ok(Some((outcome, reason.chars().take(140).collect())))
}
