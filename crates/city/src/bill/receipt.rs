//! The electronic receipt of a bill payment: what the ledger says, for programs and for a printer.
//! Only who paid sees it. Must show nothing that is not in the ledger, the bill or the pack.

use std::fmt::Write as _;
use std::sync::Arc;

use kernel::ids::PaymentId;
use kernel::{Money, Timestamp};

use super::pack::Pack;
use super::query::known_bill;
use super::rules::Bill;
use super::standing::{self, Attempt, Settled};
use super::{BillError, pack};
use crate::City;
use crate::identity::Resident;
use crate::identity::rules::mask_name;
use crate::pdf::{Colour, Page, fit_size};

/// What stands above every receipt.
const TITLE: &str = "缴费电子回执 Payment receipt";

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The payment.
    pub settled: Settled,
    /// What was paid.
    pub bill: Arc<Bill>,
    /// Whom.
    pub pack: Arc<Pack>,
    /// When it was drawn up.
    pub drawn_at: Timestamp,
}

/// The receipt of a payment by this resident.
pub async fn receipt(city: &City, who: &Resident, payment: PaymentId) -> Result<Receipt, BillError> {
    match standing::attempts(city, &[payment.as_u128()]).await?[..] {
        [Attempt::Posted(settled)] if settled.payer == who.id => {
            // Other payments are posted under the same rule of ids: a bill must be behind it.
            let bill = known_bill(city, settled.bill).await.map_err(|_| BillError::PaymentUnknown)?;
            let pack = pack(city, bill.biller).await?;
            Ok(Receipt { settled, bill, pack, drawn_at: city.now() })
        }
        _ => Err(BillError::PaymentUnknown),
    }
}

impl Receipt {
    /// What a receipt says, in Chinese and English.
    fn rows(&self, city: &City) -> [(&'static str, String); 11] {
        let money = |minor: i64| Money::new(minor, city.settings.currency).to_string();
        let local = |t: Timestamp| t.local(city.settings.offset);
        let (settled, bill, spec) = (&self.settled, &self.bill, &self.pack.spec);
        let period = match bill.period {
            0 => "—".to_owned(),
            p => format!("{:04}-{:02}", p / 100, p % 100),
        };
        [
            ("收款单位 Biller", format!("{} {}", spec.name.zh, spec.name.en)),
            ("户号 Account", bill.account_no.clone()),
            ("户名 Holder", mask_name(&bill.holder)),
            ("账单号 Bill", bill.bill_no.clone()),
            ("账期 Period", period),
            ("账单金额 Bill amount", money(settled.amount_minor - settled.late_fee_minor)),
            ("违约金 Late fee", money(settled.late_fee_minor)),
            ("实付金额 Paid", money(settled.amount_minor)),
            ("支付时间 Paid at", local(settled.at)),
            ("支付流水号 Payment", settled.payment.to_string()),
            ("开具时间 Drawn up", local(self.drawn_at)),
        ]
    }

    /// One A5 page as PDF.
    pub fn pdf(&self, city: &City) -> Vec<u8> {
        const INK: Colour = Colour(0x11, 0x18, 0x27);
        const FAINT: Colour = Colour(0x6b, 0x72, 0x80);
        const LINE: Colour = Colour(0xd1, 0xd5, 0xdb);
        // Dots of 1/300 inch; 148 × 210 mm.
        let (w, h, margin, row) = (1_748, 2_480, 140, 150);
        let (left, middle, right) = (margin, 640, w - margin);
        let mut page = Page::new(w, h);
        page.text((left, 260), 90, TITLE, INK);
        let mut y = 400;
        page.rect((left, y), (right - left, 4), INK);
        for (name, value) in self.rows(city) {
            let baseline = y + row * 62 / 100;
            page.text((left, baseline), fit_size(name, middle - left - 30, 44), name, FAINT);
            page.text((middle, baseline), fit_size(&value, right - middle, 52), &value, INK);
            y += row;
            page.rect((left, y), (right - left, 2), LINE);
        }
        page.text((left, h - margin), 36, "一码 Yima", FAINT);
        page.file()
    }

    /// A page to print; no script, nothing from elsewhere.
    pub fn html(&self, city: &City) -> String {
        let mut table = String::new();
        for (name, value) in self.rows(city) {
            let _ = write!(table, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value)); // infallible
        }
        format!(
            "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>缴费回执 {id}</title>\
             <style>body{{font:16px/1.6 sans-serif;max-width:40em;margin:2em auto;padding:0 1em;overflow-wrap:anywhere}}h1{{font-size:1.3em}}\
             table{{border-collapse:collapse;width:100%}}th,td{{border:1px solid #999;padding:.4em .6em;\
             text-align:left;font-weight:normal}}th{{width:38%}}@media print{{body{{margin:0}}}}</style></head>\
             <body><h1>{TITLE}</h1><table>{table}</table></body></html>\n",
            id = self.settled.payment,
        )
    }
}

/// Text as HTML wants it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
