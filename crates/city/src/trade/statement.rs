//! The daily statement: every movement of a shop's balance on one local day as CSV (UTF-8 with a
//! byte-order mark, RFC 4180), closed by a totals line. Made from the ledger and the immutable order
//! rows alone, so it has the same bytes whenever it is asked for.

use std::collections::HashMap;
use std::fmt::Write as _;

use kernel::ids::TradeId;
use kernel::{Date, Money};
use ledger::Transfer;

use super::{Order, TradeError, day, store};
use crate::City;
use crate::books::{self, transfer_code};
use crate::identity::Merchant;
use crate::wallet::instant;

/// First line of every statement.
pub const HEADER: &str = "time,type,order_no,trade,reference,subject,amount,fee,net";

/// One line: a payment, a refund or a payout, with the fee that belongs to it.
struct Line<'a> {
    transfer: &'a Transfer,
    fee: i64,
}

/// The statement of `day`.
pub async fn statement(city: &City, who: &Merchant, day: Date) -> Result<Vec<u8>, TradeError> {
    let at = day::span(city, day).ok_or(TradeError::DayNotOver)?;
    if !day::is_over(city, at.end).await? {
        return Err(TradeError::DayNotOver);
    }
    let mut transfers = Vec::new();
    day::each(city, books::merchant(who.id), &at, 0, 0, |t| transfers.push(*t)).await?;
    let trades: Vec<TradeId> = transfers.iter().filter_map(trade_of).collect();
    let mut conn = city.store.read().await?;
    let orders = store::by_ids(&mut conn, &trades).await?;
    drop(conn);
    let orders = orders.into_iter().map(|order| (order.id, order)).collect();
    Ok(write(city, who, &transfers, &orders))
}

/// The trade that a payment or refund belongs to.
fn trade_of(transfer: &Transfer) -> Option<TradeId> {
    matches!(transfer.code, transfer_code::TRADE_PAYMENT | transfer_code::TRADE_REFUND)
        .then(|| TradeId::from_u128(transfer.user_data_128))
}

fn write(city: &City, who: &Merchant, transfers: &[Transfer], orders: &HashMap<TradeId, Order>) -> Vec<u8> {
    // A fee names the payment or refund it belongs to.
    let fees: HashMap<u128, i64> = transfers
        .iter()
        .filter(|t| matches!(t.code, transfer_code::TRADE_FEE | transfer_code::TRADE_FEE_BACK))
        .map(|t| {
            let amount = i64::try_from(t.amount).unwrap_or(i64::MAX);
            (t.user_data_128, if t.code == transfer_code::TRADE_FEE { amount } else { -amount })
        })
        .collect();
    let lines = transfers
        .iter()
        .filter(|t| !matches!(t.code, transfer_code::TRADE_FEE | transfer_code::TRADE_FEE_BACK))
        .map(|transfer| Line { transfer, fee: fees.get(&transfer.id).copied().unwrap_or(0) });
    let money = |minor: i64| Money::new(minor, city.settings.currency).amount();
    let mut csv = format!("\u{feff}{HEADER}\r\n");
    let (mut count, mut gross, mut fee_sum) = (0u64, 0i64, 0i64);
    for line in lines {
        let t = line.transfer;
        let incoming = t.credit_account_id == books::merchant(who.id);
        let size = i64::try_from(t.amount).unwrap_or(i64::MAX);
        let amount = if incoming { size } else { -size };
        let trade = trade_of(t);
        let order = trade.and_then(|trade| orders.get(&trade));
        let kind = match t.code {
            transfer_code::TRADE_PAYMENT => "payment",
            transfer_code::TRADE_REFUND => "refund",
            transfer_code::MERCHANT_SETTLEMENT => "payout",
            _ => "other",
        };
        let _ = write!(
            csv,
            "{},{kind},{},{},{:032x},{},{},{},{}\r\n",
            instant(t.timestamp).local(city.settings.offset),
            order.map_or(String::new(), |o| field(&o.order_no)),
            trade.map_or(String::new(), |trade| trade.to_string()),
            t.id,
            order.and_then(|o| o.subject.as_deref()).map_or(String::new(), field),
            money(amount),
            money(line.fee),
            money(amount - line.fee),
        );
        (count, gross, fee_sum) = (count + 1, gross + amount, fee_sum + line.fee);
    }
    let _ =
        write!(csv, "total,{count},,,,,{},{},{}\r\n", money(gross), money(fee_sum), money(gross - fee_sum));
    csv.into_bytes()
}

/// A CSV field (RFC 4180). What a spreadsheet would run as a formula is kept as text by a leading `'`.
fn field(text: &str) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let text = if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_quoted_and_harmless() {
        for (text, wanted) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("＝1+1", "'＝1+1"),
            ("@SUM(A1,B1)", "\"'@SUM(A1,B1)\""),
            ("", ""),
        ] {
            assert_eq!(field(text), wanted);
        }
    }
}
