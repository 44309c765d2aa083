//! From a transfer of the ledger to the message that shops receive. Never says who paid.

use kernel::ids::{EventId, MerchantId, RefundId, TillId, TradeId};
use kernel::{Currency, Money, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, QueryFilter, Transfer};
use serde::Serialize;

use crate::books::{self, shadow, transfer_code};
use crate::{City, Fault};

/// What happened to a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum EventType {
    /// The money is there.
    #[serde(rename = "trade.paid")]
    Paid,
    /// Money went back to the payer.
    #[serde(rename = "trade.refunded")]
    Refunded,
    /// Closed unpaid: it can never be paid any more.
    #[serde(rename = "trade.closed")]
    Closed,
}

impl EventType {
    /// Every type.
    pub const ALL: [EventType; 3] = [EventType::Paid, EventType::Refunded, EventType::Closed];

    /// As in messages: `trade.paid`.
    pub const fn name(self) -> &'static str {
        match self {
            EventType::Paid => "trade.paid",
            EventType::Refunded => "trade.refunded",
            EventType::Closed => "trade.closed",
        }
    }

    /// By its name.
    pub fn from_name(name: &str) -> Option<EventType> {
        EventType::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// A transfer that is news to a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it means.
    pub kind: EventType,
    /// [`books::merchant_tag`] of the shop.
    pub tag: u64,
    /// The shop's account where the transfer names it.
    pub account: Option<u128>,
    /// Which trade.
    pub trade: TradeId,
    /// The transfer.
    pub transfer: Transfer,
}

impl Fact {
    /// What a transfer says to a shop, if anything:
    ///
    /// | code | shop | trade | refund |
    /// |---|---|---|---|
    /// | `TRADE_PAYMENT` | credit account | `user_data_128` | |
    /// | `TRADE_REFUND` | debit account | `user_data_128` | its id |
    /// | `TRADE_CLOSED` | [`books::merchant_tag`] in `user_data_64` | `user_data_128` | |
    pub fn of(transfer: &Transfer) -> Option<Fact> {
        let (kind, account) = match transfer.code {
            transfer_code::TRADE_PAYMENT => (EventType::Paid, Some(transfer.credit_account_id)),
            transfer_code::TRADE_REFUND => (EventType::Refunded, Some(transfer.debit_account_id)),
            transfer_code::TRADE_CLOSED if transfer.user_data_64 != 0 => (EventType::Closed, None),
            _ => return None,
        };
        let tag = account.map_or(transfer.user_data_64, |a| books::merchant_tag(MerchantId::from_u128(a)));
        let trade = TradeId::from_u128(transfer.user_data_128);
        Some(Fact { kind, tag, account, trade, transfer: *transfer })
    }

    /// Whether it is news to this shop.
    pub fn is_for(&self, merchant: MerchantId) -> bool {
        self.tag == books::merchant_tag(merchant)
            && self.account.is_none_or(|a| a == books::merchant(merchant))
    }

    /// Ledger timestamp, ns: unique, and the order of events.
    pub fn at(&self) -> u64 {
        self.transfer.timestamp
    }

    /// The event's id: the same transfer is the same event, whoever tells of it.
    pub fn id(&self) -> EventId {
        EventId::derive(&[&self.transfer.id.to_be_bytes()])
    }
}

/// The message: what live listeners and webhooks receive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `evt_…`, derived from the transfer.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When the ledger committed it.
    pub created_at: Timestamp,
    /// What it happened to.
    pub data: Data,
}

/// The trade of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Data {
    /// Which trade.
    pub trade: TradeId,
    /// Whose.
    pub merchant: MerchantId,
    /// The shop's own number of the trade.
    pub order_no: Option<String>,
    /// The till it was made at.
    pub till: Option<TillId>,
    /// Paid or refunded; absent when the trade was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Which refund, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
}

/// Writes the message of a fact, with what the trade slice knows of its trade.
pub async fn message(city: &City, merchant: MerchantId, fact: &Fact) -> Result<Message, Fault> {
    let info = crate::trade::describe(city, fact.trade).await?;
    let (order_no, till) = info.map_or((None, None), |i| (i.order_no, i.till));
    let amount = match fact.kind {
        EventType::Closed => None,
        _ => Some(amount(&fact.transfer, city.settings.currency)?),
    };
    let refund = (fact.kind == EventType::Refunded).then(|| RefundId::from_u128(fact.transfer.id));
    Ok(Message {
        id: fact.id(),
        kind: fact.kind,
        created_at: Timestamp::from_nanos(i64::try_from(fact.at()).unwrap_or(i64::MAX)),
        data: Data { trade: fact.trade, merchant, order_no, till, amount, refund },
    })
}

fn amount(transfer: &Transfer, currency: Currency) -> Result<Money, Fault> {
    let minor =
        i64::try_from(transfer.amount).map_err(|_| Fault::Books("an amount beyond 64 bits".into()))?;
    Ok(Money::new(minor, currency))
}

/// Up to about `limit` facts of a shop after ledger timestamp `after`, oldest first; none are left out
/// in between, and no fact at all means that there is none.
pub async fn history(city: &City, merchant: MerchantId, after: u64, limit: u32) -> Result<Vec<Fact>, Fault> {
    let mut cursor = after.saturating_add(1);
    // Two lists are read one after the other: what is committed in between must be in neither.
    let end = *city.ledger.committed().borrow();
    loop {
        if end < cursor {
            return Ok(Vec::new());
        }
        let moved = city.ledger.get_account_transfers(AccountFilter {
            account_id: books::merchant(merchant),
            timestamp_min: cursor,
            timestamp_max: end,
            limit,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits,
            ..AccountFilter::default()
        });
        let closed = city.ledger.query_transfers(QueryFilter {
            user_data_64: books::merchant_tag(merchant),
            ledger: shadow::MARKERS,
            code: transfer_code::TRADE_CLOSED,
            timestamp_min: cursor,
            timestamp_max: end,
            limit,
            ..QueryFilter::default()
        });
        let (moved, closed) = (moved.await?, closed.await?);
        // Beyond the end of a full page its list may have more: only up to there both are complete.
        let full = |page: &[Transfer]| page.len() >= limit as usize;
        let ends = [&moved, &closed].map(|page| page.last().filter(|_| full(page)).map(|t| t.timestamp));
        let complete = ends.into_iter().flatten().min();
        let mut facts: Vec<Fact> = moved
            .iter()
            .chain(&closed)
            .filter(|t| complete.is_none_or(|end| t.timestamp <= end))
            .filter_map(Fact::of)
            .filter(|fact| fact.is_for(merchant))
            .collect();
        facts.sort_unstable_by_key(Fact::at);
        match complete {
            // A page of fees and payouts only: news may follow it.
            Some(end) if facts.is_empty() => cursor = end.saturating_add(1),
            _ => return Ok(facts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_that_are_news() {
        let shop = MerchantId::derive(&[b"shop"]);
        let other = MerchantId::derive(&[b"other"]);
        let account = books::merchant(shop);
        let base = Transfer { id: 9, user_data_128: 7, timestamp: 5, amount: 100, ..Transfer::default() };
        let paid = Transfer { code: transfer_code::TRADE_PAYMENT, credit_account_id: account, ..base };
        let refunded = Transfer { code: transfer_code::TRADE_REFUND, debit_account_id: account, ..base };
        let closed =
            Transfer { code: transfer_code::TRADE_CLOSED, user_data_64: books::merchant_tag(shop), ..base };
        for (transfer, kind) in [
            (paid, Some(EventType::Paid)),
            (refunded, Some(EventType::Refunded)),
            (closed, Some(EventType::Closed)),
            (Transfer { user_data_64: 0, ..closed }, None),
            (Transfer { code: transfer_code::TRADE_FEE, debit_account_id: account, ..base }, None),
            (
                Transfer { code: transfer_code::CODE_USED, user_data_64: books::merchant_tag(shop), ..base },
                None,
            ),
        ] {
            let fact = Fact::of(&transfer);
            assert_eq!(fact.map(|f| f.kind), kind, "{transfer:?}");
            if let Some(fact) = fact {
                assert!(fact.is_for(shop) && !fact.is_for(other));
                assert_eq!((fact.trade, fact.at()), (TradeId::from_u128(7), 5));
                assert_eq!(fact.id(), EventId::derive(&[&9u128.to_be_bytes()]));
            }
        }
        // The same low half alone is not enough where the account says more.
        let half = Transfer { credit_account_id: account ^ (1 << 100), ..paid };
        assert!(!Fact::of(&half).unwrap().is_for(shop));
    }

    #[test]
    fn types_by_name() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
        assert_eq!(EventType::from_name("trade.opened"), None);
    }
}
