//! Bills of `hz-power` for the slices that stand on bills.

use std::fmt::Write as _;

use city::bill::{self, BillError, BillView, Paid, PayBill};
use city::identity::Resident;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId};

use super::Town;

/// Accounts of `hz-power` with the right check digit.
pub const POWER: [&str; 3] = ["3339522520", "3395385820", "3333333338"];

/// The biller.
pub fn power() -> BillerId {
    bill::pack::biller_of("hz-power")
}

/// Imports bills: account, bill number, yuan. Due on 25 March 2026.
pub async fn bills(town: &Town, rows: &[(&str, &str, &str)]) -> Vec<BillView> {
    let mut text = String::from("户号|账单号|户名|账期|金额|缴费截止日\n");
    let mut sum = 0;
    for (account, number, yuan) in rows {
        writeln!(text, "{account}|{number}|王小明|202602|{yuan}|2026-03-25").expect("a line");
        sum += kernel::Money::parse_amount(yuan, kernel::Currency::CNY).expect("an amount").minor;
    }
    writeln!(text, "TOTAL|{}|{}", rows.len(), kernel::Money::fen(sum).amount()).expect("a line");
    let path = town.dir.path().join("bills.txt");
    std::fs::write(&path, text).expect("a file");
    bill::import_path(&town.city, power(), &path, "bills.txt", |_| {}).await.expect("imported");
    let mut all = Vec::new();
    for (account, number, _) in rows {
        let found = bill::fetch(&town.city, power(), account).await.expect("bills");
        all.extend(found.into_iter().filter(|view| view.bill.bill_no == *number));
    }
    all
}

/// Pays a bill by hand at today's price.
pub async fn pay(town: &Town, who: &Resident, id: BillId) -> Result<Paid, BillError> {
    let quote = bill::quote(&town.city, id).await.expect("a quote");
    let wish = PayBill { bill: id, quote: quote.id, amount_minor: None, pin: None, request_id: None };
    bill::pay(&town.city, who, wish).await
}

/// Sets the clock to this local time in March 2026.
pub fn march(town: &Town, day: u32, hour: u32, minute: u32) {
    let text = format!("2026-03-{day:02}T{hour:02}:{minute:02}:00+08:00");
    town.clock.set(text.parse::<Timestamp>().expect("a time"));
}

/// A session's token, for routes.
pub async fn token(town: &Town, phone: &str) -> String {
    town.pass(61);
    city::identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    city::identity::sign_in(&town.city, phone, &sent, Some("王小明")).await.expect("signed in").token
}
