//! Paying billers out by a bank: the payouts that settlement booked go into one `pain.001` a day, and what the bank says of
//! them (`pain.002`, `pacs.002`, `camt.053`, `camt.054`) is taken in.
//!
//! Invariants:
//! - A payout is in one batch only, and a batch is written with the same bytes at any later time.
//! - A batch that the bank may have is never sent under another name: a payout leaves it by the bank's rejection or by the
//!   money coming back, and goes out again as another transfer with an id of its own.
//! - What the bank sends back is booked back to the biller once: its id in the ledger is derived from the payout's.
//! - A message changes all it says or nothing, and the same message again nothing.
//!
//! | step | ledger | bank |
//! |---|---|---|
//! | the day is closed ([`super::reconcile::run`]) | biller → bank clearing | – |
//! | [`make_batch`] | – | `pain.001` |
//! | rejected, returned | bank clearing → biller | `pain.002`, `camt` credit |
//! | [`send_again`] | biller → bank clearing, another id | the next `pain.001` |

mod error;
pub mod rules;
mod store;

use channel::iso20022::{Initiation, Kind, Outcome, Party, Report, Statement, Transfer};
use kernel::ids::{BillerId, BreakId, PaymentId};
use kernel::{Date, Timestamp, derive_u128, hex};
use sha2::{Digest, Sha256};

pub use error::PayoutError;

use self::rules::{Code, State, Verdict};
use super::store::date_number;
use super::{BillError, pack};
use crate::books::{self, Once, transfer_code};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// A payout, as the bank is or will be asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The transfer in the ledger; what the bank knows it by.
    pub id: PaymentId,
    /// Who is paid.
    pub biller: BillerId,
    /// The day that was settled.
    pub day: Date,
    /// From when on the bank may be asked.
    pub due: Date,
    /// Minor units.
    pub amount_minor: i64,
    /// How it stands with the bank.
    pub state: State,
    /// Why it was rejected or returned, in the bank's code and words.
    pub reason: String,
    /// Where it was sent; absent until it was.
    pub creditor: Option<Party>,
    /// In which batch.
    pub batch: Option<String>,
    /// The payout that this one is sent instead of.
    pub instead_of: Option<PaymentId>,
    /// When an operator wanted it sent again.
    pub again_at: Option<Timestamp>,
    /// The payout that is sent instead of this one.
    pub again: Option<PaymentId>,
    /// Whether the money is the biller's again.
    pub back: bool,
    /// Whether a notification had it.
    pub noted: bool,
    /// Whether a statement had it.
    pub stated: bool,
    /// When the state was last changed.
    pub updated_at: Timestamp,
}

/// A batch that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// `MsgId`.
    pub name: String,
    /// When the bank is asked to pay.
    pub day: Date,
    /// Of the day, from 1.
    pub number: u32,
    /// Whose account pays.
    pub debtor: Party,
    /// How many payouts.
    pub orders: u64,
    /// Their sum, minor units.
    pub amount_minor: i64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What taking a message in came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Payouts that stand otherwise now.
    pub changed: u64,
    /// Disagreements found.
    pub breaks: u64,
    /// Whether the message had been taken before.
    pub repeated: bool,
}

/// Where the bank and the books disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Derived from what it says.
    pub id: BreakId,
    /// When it was found.
    pub found_at: Timestamp,
    /// `MsgId` of the message that says so.
    pub message: String,
    /// How.
    pub code: Code,
    /// The payout, as the bank calls it; else the bank's own reference.
    pub reference: String,
    /// Minor units in the books.
    pub ours_minor: Option<i64>,
    /// Minor units at the bank.
    pub theirs_minor: Option<i64>,
    /// When a later message explained it.
    pub resolved_at: Option<Timestamp>,
}

/// The most payouts of one batch; the rest goes into the day's next.
const BATCH_MAX: u32 = 5_000;

/// Orders a payout that settlement has booked. A day that was closed before its pack named an account stays paid by hand:
/// the caller sees to that.
pub(super) async fn order(
    city: &City,
    (biller, day): (BillerId, Date),
    (payout, amount_minor): (PaymentId, i64),
    due: Date,
) -> Result<(), BillError> {
    let order = fresh((payout, None), (biller, day, due), amount_minor, city.now());
    city.store.write(move |conn| Box::pin(async move { Ok(store::add(conn, &order).await?) })).await
}

fn fresh(
    (id, instead_of): (PaymentId, Option<PaymentId>),
    (biller, day, due): (BillerId, Date, Date),
    amount_minor: i64,
    now: Timestamp,
) -> Order {
    Order {
        id,
        biller,
        day,
        due,
        amount_minor,
        state: State::Due,
        reason: String::new(),
        creditor: None,
        batch: None,
        instead_of,
        again_at: None,
        again: None,
        back: false,
        noted: false,
        stated: false,
        updated_at: now,
    }
}

/// Puts what is due on a day, or was before, into one batch. Safe to repeat: what is in a batch stays there.
pub async fn make_batch(city: &City, by: &Operator, day: Date) -> Result<Batch, BillError> {
    by.role.require(Role::Staff)?;
    let debtor = city.settings.payer.clone().ok_or(PayoutError::NoAccount)?;
    let now = city.now();
    if day > now.date(city.settings.offset) {
        return Err(PayoutError::NotDue.into());
    }
    let number = date_number(day);
    let mut conn = city.store.read().await?;
    let waiting = store::waiting(&mut conn, number, BATCH_MAX).await?;
    drop(conn);
    let (mut orders, mut amount_minor) = (Vec::new(), 0i64);
    for order in waiting {
        // Where the money goes is asked for now: after a rejection the account may have been put right.
        if let Some(creditor) = pack(city, order.biller).await?.spec.settlement.payout.clone() {
            amount_minor = amount_minor
                .checked_add(order.amount_minor)
                .ok_or_else(|| Fault::Books("a batch's sum overflows".to_owned()))?;
            orders.push((order.id, creditor));
        }
    }
    if orders.is_empty() {
        return Err(PayoutError::Nothing.into());
    }
    let made: Result<Batch, BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                let nth = store::next_number(conn, number).await?;
                let id = PaymentId::derive(&[b"payout_batch", &number.to_be_bytes(), &nth.to_be_bytes()]);
                let batch = Batch {
                    name: format!("YIMA-{number}-{nth}"),
                    day,
                    number: u32::try_from(nth).unwrap_or(u32::MAX),
                    debtor,
                    orders: orders.len() as u64,
                    amount_minor,
                    made_at: now,
                };
                store::put_batch(conn, id, &batch, &orders).await?;
                Ok(batch)
            })
        })
        .await;
    made
}

/// A batch as `pain.001`; the same bytes at any time.
pub async fn batch_file(city: &City, name: &str) -> Result<Vec<u8>, BillError> {
    let mut conn = city.store.read().await?;
    let batch = store::batch_named(&mut conn, name).await?.ok_or(PayoutError::BatchUnknown)?;
    let orders = store::of_batch(&mut conn, name).await?;
    drop(conn);
    let transfer = |order: Order| {
        let creditor =
            order.creditor.ok_or_else(|| Fault::Books(format!("{} was sent to nobody", order.id)))?;
        Ok::<_, Fault>(Transfer {
            id: order.id.to_string(),
            amount_minor: order.amount_minor,
            creditor,
            about: format!("Settlement {}", order.day),
        })
    };
    let initiation = Initiation {
        id: batch.name,
        at: batch.made_at,
        on: batch.day,
        currency: city.settings.currency,
        debtor: batch.debtor,
        transfers: orders.into_iter().map(transfer).collect::<Result<_, _>>()?,
    };
    Ok(initiation.write().map_err(|fault| Fault::Books(format!("a batch cannot be written: {fault}")))?)
}

/// Batches, the newest first, made before an instant. Callers check who may see them.
pub async fn batches(city: &City, before: Option<Timestamp>, limit: u32) -> Result<Vec<Batch>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::batches(&mut conn, before.unwrap_or(Timestamp::from_millis(i64::MAX / 2_000_000)), limit)
        .await?)
}

/// Payouts after one. Callers check who may see them.
pub async fn orders(
    city: &City,
    state: Option<State>,
    biller: Option<BillerId>,
    after: Option<PaymentId>,
    limit: u32,
) -> Result<Vec<Order>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, state, biller, after, limit).await?)
}

/// A payout. Callers check who may see it.
pub async fn find(city: &City, id: PaymentId) -> Result<Order, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::by_id(&mut conn, id).await?.ok_or(PayoutError::Unknown)?)
}

/// Disagreements, the newest first, before one. Callers check who may see them.
pub async fn breaks(
    city: &City,
    open_only: bool,
    before: Option<(Timestamp, BreakId)>,
    limit: u32,
) -> Result<Vec<Break>, BillError> {
    let mut conn = city.store.read().await?;
    let before = before.map(|(at, id)| (at, id.to_bytes()));
    Ok(store::breaks(&mut conn, open_only, before, limit).await?)
}

/// Sends a payout again that the bank has sent back: another transfer, in the next batch.
pub async fn send_again(city: &City, by: &Operator, id: PaymentId) -> Result<Order, BillError> {
    by.role.require(Role::Admin)?;
    let was = find(city, id).await?;
    if was.again_at.is_none() {
        let now = city.now();
        let set: Result<bool, BillError> = city
            .store
            .write(move |conn| Box::pin(async move { Ok(store::set_again(conn, id, now).await?) }))
            .await;
        set?;
    }
    drive(city).await?;
    let again = find(city, id).await?.again.ok_or(PayoutError::NotSentBack)?;
    find(city, again).await
}

/// Books what is written down and not in the ledger yet: money that goes back, payouts that go out again. Each once,
/// whoever does it and however often.
pub(super) async fn drive(city: &City) -> Result<(), BillError> {
    let mut conn = city.store.read().await?;
    let undone = store::undone(&mut conn).await?;
    drop(conn);
    for order in undone {
        if !order.back {
            give_back(city, &order).await?;
        }
        if let (Some(at), None) = (order.again_at, order.again) {
            book_again(city, &order, at).await?;
        }
    }
    Ok(())
}

async fn give_back(city: &City, order: &Order) -> Result<(), BillError> {
    let currency = city.settings.currency;
    let base = derive_u128("bill_payout_back", &[&order.id.to_bytes()]);
    let (bank, biller) = (books::bank_clearing(currency), books::biller(order.biller));
    let chain = |id| {
        let code = transfer_code::BILL_PAYOUT_BACK;
        let back = books::transfer(id, bank, biller, order.amount_minor, currency, code);
        vec![ledger::Transfer { user_data_128: order.id.as_u128(), ..back }]
    };
    match books::pay_once(&city.ledger, base, chain).await? {
        Once::Done { .. } | Once::Already(_) => {}
        other => return Err(Fault::Books(format!("{} cannot go back: {other:?}", order.id)).into()),
    }
    let id = order.id;
    city.store.write(move |conn| Box::pin(async move { Ok(store::set_back(conn, id).await?) })).await
}

async fn book_again(city: &City, order: &Order, at: Timestamp) -> Result<(), BillError> {
    let currency = city.settings.currency;
    let base = derive_u128("bill_payout_again", &[&order.id.to_bytes()]);
    let (bank, biller) = (books::bank_clearing(currency), books::biller(order.biller));
    let chain = |id| {
        let code = transfer_code::BILL_PAYOUT_AGAIN;
        let again = books::transfer(id, biller, bank, order.amount_minor, currency, code);
        vec![ledger::Transfer { user_data_128: order.id.as_u128(), ..again }]
    };
    let id = match books::pay_once(&city.ledger, base, chain).await? {
        Once::Done { id, .. } => id,
        Once::Already(found) => found.id,
        other => return Err(Fault::Books(format!("{} cannot go out again: {other:?}", order.id)).into()),
    };
    let due = at.date(city.settings.offset);
    let ids = (PaymentId::from_u128(id), Some(order.id));
    let again = fresh(ids, (order.biller, order.day, due), order.amount_minor, city.now());
    city.store.write(move |conn| Box::pin(async move { Ok(store::add(conn, &again).await?) })).await
}

/// A message that was read.
enum Message {
    Status(Report),
    Account(Statement),
}

/// Takes in a status report, `pain.002` or `pacs.002`.
pub async fn take_status(city: &City, by: &Operator, bytes: &[u8]) -> Result<Taken, BillError> {
    by.role.require(Role::Staff)?;
    let report = Report::read(bytes).map_err(PayoutError::Message)?;
    take(city, ("status", report.id.clone()), bytes, Message::Status(report)).await
}

/// Takes in a statement or a notification, `camt.053` or `camt.054`.
pub async fn take_statement(city: &City, by: &Operator, bytes: &[u8]) -> Result<Taken, BillError> {
    by.role.require(Role::Staff)?;
    let payer = city.settings.payer.as_ref().ok_or(PayoutError::NoAccount)?;
    let statement = Statement::read(bytes, city.settings.currency).map_err(PayoutError::Message)?;
    if statement.account != payer.account {
        return Err(PayoutError::AccountDiffers.into());
    }
    let kind = match statement.kind {
        Kind::Statement => "statement",
        Kind::Notification => "notification",
    };
    take(city, (kind, statement.id.clone()), bytes, Message::Account(statement)).await
}

async fn take(
    city: &City,
    (kind, name): (&'static str, String),
    bytes: &[u8],
    message: Message,
) -> Result<Taken, BillError> {
    let (sha256, now) = (hex(&Sha256::digest(bytes)), city.now());
    let taken: Result<Taken, BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                match store::message(conn, kind, &name).await? {
                    Some((there, taken)) if there == sha256 => return Ok(taken),
                    Some(_) => return Err(PayoutError::MessageDiffers.into()),
                    None => {}
                }
                let mut intake = Intake { conn, kind, name: &name, now, taken: Taken::default(), place: 0 };
                match &message {
                    Message::Status(report) => intake.status(report).await?,
                    Message::Account(statement) => intake.account(statement).await?,
                }
                let taken = intake.taken;
                store::put_message(conn, (kind, &name, &sha256), taken, now).await?;
                Ok(taken)
            })
        })
        .await;
    let taken = taken?;
    // A repeated message may come after a crash: what it left undone is done now.
    drive(city).await?;
    Ok(taken)
}

/// A message on its way in, within one transaction.
struct Intake<'a> {
    conn: &'a mut ::store::Conn,
    kind: &'static str,
    name: &'a str,
    now: Timestamp,
    taken: Taken,
    /// Which word of the message is looked at.
    place: u64,
}

impl Intake<'_> {
    async fn status(&mut self, report: &Report) -> Result<(), BillError> {
        let batch = store::of_batch(self.conn, &report.about).await?;
        if batch.is_empty() && report.each.is_empty() {
            return Err(PayoutError::BatchUnknown.into());
        }
        for said in &report.each {
            let Some(order) = self.known(&said.id).await? else {
                self.found(Code::UnknownReference, &said.id, None, None).await?;
                continue;
            };
            self.said(order, said.outcome, &said.reason).await?;
        }
        let Some((outcome, reason)) = &report.whole else { return Ok(()) };
        let named = |order: &Order| report.each.iter().any(|said| said.id == order.id.to_string());
        for order in batch.into_iter().filter(|order| !named(order)) {
            self.said(order, *outcome, reason).await?;
        }
        Ok(())
    }

    async fn said(&mut self, order: Order, outcome: Outcome, reason: &str) -> Result<(), BillError> {
        let id = order.id.to_string();
        if outcome == Outcome::Rejected && rules::is_duplicate(reason) {
            return self.found(Code::DuplicateReported, &id, Some(order.amount_minor), None).await;
        }
        match rules::on_status(order.state, outcome) {
            Verdict::Stay => {
                self.place += 1;
                Ok(())
            }
            Verdict::To(state) => self.becomes(&order, Order { state, ..order.clone() }, reason).await,
            Verdict::Break(code) => self.found(code, &id, Some(order.amount_minor), None).await,
        }
    }

    async fn account(&mut self, statement: &Statement) -> Result<(), BillError> {
        let stated = statement.kind == Kind::Statement;
        for entry in &statement.entries {
            for movement in &entry.movements {
                let theirs = Some(movement.amount_minor);
                let Some(order) = self.known(&movement.id).await? else {
                    let reference = if movement.id.is_empty() { &entry.reference } else { &movement.id };
                    self.found(Code::UnknownReference, reference, None, theirs).await?;
                    continue;
                };
                let debit = entry.direction == channel::iso20022::Direction::Debit;
                let seen = if stated { order.stated } else { order.noted };
                let amounts = (order.amount_minor, movement.amount_minor);
                let verdict = rules::on_movement(order.state, amounts.0, amounts.1, entry.direction, seen);
                let state = match verdict {
                    Verdict::Stay => order.state,
                    Verdict::To(state) => state,
                    Verdict::Break(code) => {
                        self.found(code, &order.id.to_string(), Some(order.amount_minor), theirs).await?;
                        continue;
                    }
                };
                let mut now = Order { state, ..order.clone() };
                now.stated |= debit && stated;
                now.noted |= debit && !stated;
                self.becomes(&order, now, &movement.returned).await?;
            }
        }
        if let Some((.., day)) = statement.balances {
            for order in store::unbooked(self.conn, date_number(day)).await? {
                self.lacks(&order).await?;
            }
        }
        Ok(())
    }

    /// The payout that the bank means.
    async fn known(&mut self, id: &str) -> Result<Option<Order>, BillError> {
        match id.parse::<PaymentId>() {
            Ok(id) => Ok(store::by_id(self.conn, id).await?),
            Err(_) => Ok(None),
        }
    }

    async fn becomes(&mut self, was: &Order, mut now: Order, reason: &str) -> Result<(), BillError> {
        self.place += 1;
        if now.state != was.state {
            self.taken.changed += 1;
            now.updated_at = self.now;
            if now.state.is_sent_back() {
                reason.clone_into(&mut now.reason);
            }
            store::resolve(self.conn, &was.id.to_string(), self.now).await?;
        }
        Ok(store::put_state(self.conn, was, &now).await?)
    }

    async fn found(
        &mut self,
        code: Code,
        reference: &str,
        ours_minor: Option<i64>,
        theirs_minor: Option<i64>,
    ) -> Result<(), BillError> {
        self.place += 1;
        self.taken.breaks += 1;
        let parts: [&[u8]; 4] =
            [self.kind.as_bytes(), self.name.as_bytes(), &self.place.to_be_bytes(), code.name().as_bytes()];
        let found = Break {
            id: BreakId::derive(&parts),
            found_at: self.now,
            message: self.name.to_owned(),
            code,
            reference: reference.to_owned(),
            ours_minor,
            theirs_minor,
            resolved_at: None,
        };
        Ok(store::put_break(self.conn, &found).await?)
    }

    /// A statement without a payout that it should have: found once, whatever statements follow.
    async fn lacks(&mut self, order: &Order) -> Result<(), BillError> {
        let found = Break {
            id: BreakId::derive(&[b"not_booked", &order.id.to_bytes()]),
            found_at: self.now,
            message: self.name.to_owned(),
            code: Code::NotBooked,
            reference: order.id.to_string(),
            ours_minor: Some(order.amount_minor),
            theirs_minor: None,
            resolved_at: None,
        };
        self.taken.breaks += 1;
        Ok(store::put_break(self.conn, &found).await?)
    }
}
