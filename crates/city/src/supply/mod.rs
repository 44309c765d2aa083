//! Supply: a biller tells that it will cut, has cut or has restored an account; Yima tells the biller to restore as soon
//! as what its pack names is paid.
//!
//! ```text
//! on ──announced──▶ cut_announced ──cut──▶ cut ──paid: order──▶ restoring
//!  ▲                     │                  │                      │
//!  └──────restored───────┴──────────────────┴───────confirmed──────┘
//! ```
//!
//! Invariants:
//! - Every change is one guarded step with a record of its own; of two at once the second looks again.
//! - The order to restore is one a cut: its id is derived from the cut, its row and the change are one transaction with the
//!   job that sends it. It is sent with the same id until the biller has answered.
//! - Whether a debt is paid is read from the ledger; payments are found in its feed, behind a watermark that moves in the
//!   transaction that queues the look at the account. So no payment is missed, whatever crashes, on any number of nodes.
//! - An order is made only where something was paid for the account lately: that Yima knows of no debt says nothing.

mod error;
pub mod http;
pub mod rules;
mod store;
mod work;

use std::time::Duration;

use ::store::{Conn, StoreError, jobs};
use kernel::ids::{BillerId, RestoreOrderId};
use kernel::{Date, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

pub use error::SupplyError;
pub use rules::{Notice, SupplyState};
pub use work::{start, work};

use crate::identity::{Biller, Role};
use crate::{City, Fault, bill};

/// How supply to an account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// At which biller.
    pub biller: BillerId,
    /// The account there.
    pub account_no: String,
    /// How it stands.
    pub state: SupplyState,
    /// The day on which it will be cut, while that is announced.
    pub cut_on: Option<Date>,
    /// Since when; `None` where nobody ever told of it.
    pub since: Option<Timestamp>,
    /// The number of its newest change.
    pub step: i64,
}

/// A change of supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counted by account, from 1.
    pub step: i64,
    /// How it stood then.
    pub state: SupplyState,
    /// The day announced.
    pub cut_on: Option<Date>,
    /// Who made it.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// Who changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The biller told so.
    Biller,
    /// The debt was paid.
    Payment,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Cause::Biller => "biller",
            Cause::Payment => "payment",
        }
    }

    fn from_name(name: &str) -> Option<Cause> {
        [Cause::Biller, Cause::Payment].into_iter().find(|cause| cause.name() == name)
    }
}

/// An order to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id towards the biller.
    pub id: RestoreOrderId,
    /// Whose.
    pub biller: BillerId,
    /// The account there.
    pub account_no: String,
    /// How it stands.
    pub state: OrderState,
    /// When it was made.
    pub ordered_at: Timestamp,
    /// The biller should have confirmed by then.
    pub confirm_by: Timestamp,
    /// How often it was sent.
    pub sent: i64,
    /// What came of sending it last.
    pub last_answer: Option<String>,
    /// When the biller confirmed.
    pub confirmed_at: Option<Timestamp>,
}

/// How an order to restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Being sent; the biller has not accepted it yet.
    Ordered,
    /// The biller takes no orders by its channel: it fetches them.
    Offered,
    /// The biller has accepted it.
    Accepted,
    /// Supply is restored, or the biller told so otherwise.
    Confirmed,
}

impl OrderState {
    fn name(self) -> &'static str {
        match self {
            OrderState::Ordered => "ordered",
            OrderState::Offered => "offered",
            OrderState::Accepted => "accepted",
            OrderState::Confirmed => "confirmed",
        }
    }

    fn from_name(name: &str) -> Option<OrderState> {
        use OrderState as S;
        [S::Ordered, S::Offered, S::Accepted, S::Confirmed].into_iter().find(|s| s.name() == name)
    }
}

/// How often a change is tried again that another came in before.
const TRIES: usize = 8;
/// A payment so long before the notice of a cut may have crossed it.
const CROSSED: Duration = Duration::from_hours(72);
/// Jobs: telling residents of a cut to come, looking at a cut account, sending an order.
const TELL: &str = "supply_tell";
const CHECK: &str = "supply_check";
const SEND: &str = "supply_restore";

/// How an account stands: supplied, where nobody ever told of it.
pub async fn supply(city: &City, biller: BillerId, account_no: &str) -> Result<Supply, SupplyError> {
    let pack = bill::biller(city, biller).await?;
    pack.spec.account.check(account_no).map_err(bill::BillError::AccountMalformed)?;
    let mut conn = city.store.read().await?;
    Ok(standing(&mut conn, biller, account_no).await?)
}

async fn standing(conn: &mut Conn, biller: BillerId, account_no: &str) -> Result<Supply, StoreError> {
    let there = store::get(conn, biller, account_no).await?;
    let never = || Supply {
        biller,
        account_no: account_no.to_owned(),
        state: SupplyState::On,
        cut_on: None,
        since: None,
        step: 0,
    };
    Ok(there.unwrap_or_else(never))
}

/// The changes of an account before a step, newest first.
pub async fn changes(
    city: &City,
    biller: BillerId,
    account_no: &str,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Change>, SupplyError> {
    supply(city, biller, account_no).await?;
    let mut conn = city.store.read().await?;
    Ok(store::changes(&mut conn, biller, account_no, before.unwrap_or(i64::MAX), limit).await?)
}

/// The newest order to restore an account.
pub async fn newest_order(
    city: &City,
    biller: BillerId,
    account_no: &str,
) -> Result<Option<Order>, SupplyError> {
    let mut conn = city.store.read().await?;
    Ok(store::newest_order(&mut conn, biller, account_no).await?)
}

/// Takes what a biller tells of an account. Safe to repeat.
pub async fn notify(
    city: &City,
    who: &Biller,
    account_no: &str,
    notice: Notice,
) -> Result<Supply, SupplyError> {
    who.role.require(Role::Staff)?;
    for _ in 0..TRIES {
        let before = supply(city, who.id, account_no).await?;
        let next = rules::next(before.state, before.cut_on, notice).map_err(|_| SupplyError::AlreadyCut)?;
        let Some((state, cut_on)) = next else { return Ok(before) };
        let now = city.now();
        let to = Supply { state, cut_on, since: Some(now), step: before.step + 1, ..before };
        let row = to.clone();
        let changed: Result<(), SupplyError> = city
            .store
            .write(move |conn| {
                Box::pin(async move {
                    store::change(&mut *conn, &row, Cause::Biller, now).await?;
                    match row.state {
                        // A payment may have crossed the notice.
                        SupplyState::Cut => queue(conn, CHECK, &row, row.step, now).await?,
                        SupplyState::CutAnnounced => queue(conn, TELL, &row, row.step, now).await?,
                        SupplyState::On => store::confirm(conn, row.biller, &row.account_no, now).await?,
                        SupplyState::Restoring => {}
                    }
                    Ok(())
                })
            })
            .await;
        match changed {
            Ok(()) => return Ok(to),
            Err(SupplyError::Fault(Fault::Store(StoreError::Guard))) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Fault::Store(StoreError::Guard).into())
}

/// Queues a job about an account, for a reason that has this number.
async fn queue(
    conn: &mut Conn,
    job: &'static str,
    of: &Supply,
    reason: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (biller, account) = (of.biller.to_string(), of.account_no.as_str());
    let key = format!("{biller} {account} {reason}");
    jobs::enqueue(conn, job, key.as_bytes(), &format!("{biller} {account}"), now).await?;
    Ok(())
}

/// The orders of a biller that are not confirmed, after an id.
pub async fn open_orders(
    city: &City,
    who: &Biller,
    after: Option<RestoreOrderId>,
    limit: u32,
) -> Result<Vec<Order>, SupplyError> {
    let after = after.unwrap_or(RestoreOrderId::from_u128(0));
    let mut conn = city.store.read().await?;
    Ok(store::open_orders(&mut conn, who.id, after, limit).await?)
}

/// The biller has restored supply. Safe to repeat; a cut that came after this order was confirmed stays as it is.
pub async fn confirm(city: &City, who: &Biller, id: RestoreOrderId) -> Result<Order, SupplyError> {
    who.role.require(Role::Staff)?;
    let read = async || -> Result<Order, SupplyError> {
        let mut conn = city.store.read().await?;
        let order = store::order_by_id(&mut conn, id).await?;
        order.filter(|order| order.biller == who.id).ok_or(SupplyError::OrderUnknown)
    };
    let order = read().await?;
    if order.state == OrderState::Confirmed {
        return Ok(order);
    }
    notify(city, who, &order.account_no, Notice::Restored).await?;
    read().await
}

/// Orders that their biller should have confirmed by now, the oldest first. Callers check who may see that.
pub async fn late_orders(city: &City, limit: u32) -> Result<Vec<Order>, Fault> {
    let mut conn = city.store.read().await?;
    Ok(store::late_orders(&mut conn, city.now(), limit).await?)
}
