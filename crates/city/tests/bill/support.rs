//! What the tests of this slice share: shipped packs and samples, small bill files, payers.

use std::fmt::Write as _;
use std::path::PathBuf;

use city::bill::{self, BillView, Import, Pack, Paid, PayBill};
use city::identity::Resident;
use kernel::ids::{BillId, BillerId};

use crate::common::Town;

/// The repository's `packs/`.
pub fn packs_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs"))
}

/// A shipped pack, `330100/hz-power`.
pub fn shipped(path: &str) -> Pack {
    let text = std::fs::read_to_string(packs_dir().join(format!("{path}.toml"))).expect("a shipped pack");
    Pack::parse(&text).expect("a good pack")
}

/// The pack of a biller that is asked, by these ways; it settles as `hz-power` does.
pub fn live_pack(id: &str, category: &str, name: [&str; 2], ways: &str) -> String {
    let shipped = std::fs::read_to_string(packs_dir().join("330100/hz-power.toml")).expect("a shipped pack");
    let settlement = &shipped[shipped.find("[settlement]").expect("how it settles")..];
    let [zh, en] = name;
    format!(
        r#"
id = "{id}"
category = "{category}"
region = "330100"
name = {{ zh = "{zh}", en = "{en}" }}
[account]
pattern = "33########"
check = "luhn"
examples = ["3302005198"]
counter_examples = ["3302005199"]
[bills]
source = "live"
amount_rule = "exact"
{ways}
{settlement}"#
    )
}

/// A power bill file in the layout of `hz-power`: account, bill number, yuan.
pub fn power_file(rows: &[(&str, &str, &str)]) -> String {
    let mut text = String::from("户号|账单号|户名|账期|金额|缴费截止日\n");
    let mut sum = 0;
    for (account, number, yuan) in rows {
        writeln!(text, "{account}|{number}|王小明|202602|{yuan}|2026-03-25").expect("infallible");
        sum += kernel::Money::parse_amount(yuan, kernel::Currency::CNY).map_or(0, |m| m.minor);
    }
    text + &format!("TOTAL|{}|{}\n", rows.len(), kernel::Money::fen(sum).amount())
}

/// Accounts of `hz-power` with the right check digit.
pub const POWER: [&str; 3] = ["3339522520", "3395385820", "3333333338"];

/// Imports the bytes as a file of the biller.
pub async fn import(town: &Town, biller: BillerId, bytes: &[u8]) -> Result<Import, bill::BillError> {
    let path = town.dir.path().join("upload.txt");
    std::fs::write(&path, bytes).expect("a file");
    bill::import_path(&town.city, biller, &path, "upload.txt", |_| {}).await
}

/// A town in which POWER[0] owes ¥100.00 to `hz-power`; the biller and the bill.
pub async fn one_bill(town: &Town) -> (BillerId, BillView) {
    let biller = shipped("330100/hz-power").biller;
    import(town, biller, power_file(&[(POWER[0], "B1", "100.00")]).as_bytes()).await.expect("imported");
    let mut found = bill::fetch(&town.city, biller, POWER[0]).await.expect("a bill");
    (biller, found.remove(0))
}

/// A payment of a bill at today's price.
pub async fn wish(town: &Town, id: BillId) -> PayBill {
    let quote = bill::quote(&town.city, id).await.expect("a quote");
    PayBill { bill: id, quote: quote.id, amount_minor: None, pin: None, request_id: None }
}

/// Pays a bill at today's price.
pub async fn pay(town: &Town, who: &Resident, id: BillId) -> Result<Paid, bill::BillError> {
    let wish = wish(town, id).await;
    bill::pay(&town.city, who, wish).await
}

/// The first account number in a sample file.
pub fn first_account(pack: &Pack, sample: &std::path::Path) -> String {
    let bytes = std::fs::read(sample).expect("a sample");
    let text: String = bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { ' ' }).collect();
    let length = pack.spec.account.pattern.len();
    let found = (0..text.len() - length)
        .map(|at| &text[at..at + length])
        .find(|number| pack.spec.account.check(number).is_ok());
    found.expect("an account number").to_owned()
}

/// The account of `hz-power` with this number in its middle, Luhn digit at its end.
pub fn account(n: u64) -> String {
    let body = format!("33{n:07}");
    let sum: u64 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, c)| match (i % 2, u64::from(c - b'0')) {
            (1, d) => d,
            (_, d) if d > 4 => d * 2 - 9,
            (_, d) => d * 2,
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}
