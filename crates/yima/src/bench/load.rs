//! The closed loop: each connection takes the next payment of the plan, makes it, asks again until it
//! knows what became of it, writes that into the book, and takes the next one.
//!
//! A request whose outcome is unknown (no answer, or 5xx) is sent again unchanged, as every client of
//! the API should: key and order number make that safe, and a crash test proves it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use codes::payment_code::{STEP_S, generate};
use kernel::ids::{BillerId, PaymentId, TradeId};
use kernel::{Clock as _, SystemClock};
use serde::Deserialize;

use super::bills::{Bills, Row};
use super::book::{Acked, Book, Closed};
use super::plan::{Kind, Planned, Shape, planned};
use super::town::Town;
use super::wire::{Request, Wire};
use crate::config::Fail;

/// How long a client waits before it sends a request again.
const PAUSE: Duration = Duration::from_millis(20);
/// A request that has no answer after so long fails the run.
const PATIENCE: Duration = Duration::from_mins(2);
/// A phone shows codes of the last 40 s: far from the end of their life.
const CODE_AGE_S: u64 = 40;
/// How many residents are looked at for one whose phone has an unused code.
const CODE_TRIES: usize = 64;
/// Refusals that are answers to what a client did, not faults of the server.
const FAIR: [&str; 4] =
    ["insufficient_balance", "cap_reached", "payment_code_expired", "payment_code_ambiguous"];

/// What all connections share.
pub struct Load {
    /// Who pays whom.
    pub town: Town,
    /// What came of it.
    pub book: RefCell<Book>,
    /// Of which traffic.
    pub seed: u64,
    shape: Shape,
    addr: SocketAddr,
    next: Cell<u64>,
    end: Cell<u64>,
    /// Whether a server that does not answer is expected.
    restless: bool,
}

impl Load {
    /// `payments` of the traffic `seed`; `restless` when the server will be killed meanwhile.
    pub fn new(
        town: Town,
        seed: u64,
        shape: Shape,
        addr: SocketAddr,
        payments: u64,
        restless: bool,
    ) -> Result<Rc<Load>, Fail> {
        let book = RefCell::new(Book::new()?);
        Ok(Rc::new(Load {
            town,
            book,
            seed,
            shape,
            addr,
            next: Cell::new(0),
            end: Cell::new(payments),
            restless,
        }))
    }

    /// Lets the connections finish the payment they are at, and no other.
    pub fn finish(&self) {
        self.end.set(0);
    }

    /// The book as it is, leaving an empty one.
    pub fn close_book(&self) -> Result<Book, Fail> {
        Ok(self.book.replace(Book::new()?))
    }

    /// Payments begun.
    pub fn begun(&self) -> u64 {
        self.next.get()
    }

    /// Order number of a payment.
    pub fn order_no(&self, index: u64) -> String {
        format!("bench-{}-{index}", self.seed)
    }

    fn take(&self) -> Option<u64> {
        let index = self.next.get();
        (index < self.end.get()).then(|| {
            self.next.set(index + 1);
            index
        })
    }

    /// The first code not shown yet of the payer's phone, or of another's when it has none left.
    fn code(&self, payer: u32) -> Option<(u32, String)> {
        let now_s = u64::try_from(SystemClock.now().as_secs()).unwrap_or(0);
        let (newest, oldest) = (now_s / STEP_S, now_s.saturating_sub(CODE_AGE_S) / STEP_S);
        let residents = self.shape.residents;
        (0..residents).take(CODE_TRIES).map(|further| (payer + further) % residents).find_map(|who| {
            let person = &self.town.people[who as usize];
            let step = person.next_step.get().max(oldest);
            (step <= newest).then(|| {
                person.next_step.set(step + 1);
                (who, generate(&person.secret, step * STEP_S).to_string())
            })
        })
    }
}

/// One connection of the load: makes payments until there are none left.
pub async fn client(load: Rc<Load>) -> Result<(), Fail> {
    let wire = Wire::new(load.addr);
    let mut client = Client {
        load: load.clone(),
        wire,
        request: Request::default(),
        body: String::new(),
        key: String::new(),
    };
    while let Some(index) = load.take() {
        let plan = planned(load.seed, index, &load.shape);
        client.make(index, plan).await?;
    }
    Ok(())
}

struct Client {
    load: Rc<Load>,
    wire: Wire,
    request: Request,
    body: String,
    key: String,
}

/// The parts of an answer that the benchmark needs.
#[derive(Deserialize)]
struct PaidAnswer<'a> {
    #[serde(borrow)]
    trade: Cow<'a, str>,
    status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OrderAnswer<'a> {
    #[serde(borrow)]
    qr: Cow<'a, str>,
    trade: Cow<'a, str>,
}

#[derive(Deserialize)]
struct MovedAnswer<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct BillPaid<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    state: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

/// An answer that will not change by asking again: what was wanted, or the code of the refusal.
type Known<T> = Result<T, String>;

impl Client {
    async fn make(&mut self, index: u64, plan: Planned) -> Result<(), Fail> {
        let load = self.load.clone();
        self.key.clear();
        let _ = write!(self.key, "bench-{}-{index}", load.seed); // writing to a String cannot fail
        let begun = Instant::now();
        match plan.kind {
            Kind::PayerCode => {
                if let Some((payer, code)) = load.code(plan.payer) {
                    return self.charge(index, Planned { payer, ..plan }, &code, begun).await;
                }
                load.book.borrow_mut().without_code += 1;
                self.poster(index, Planned { kind: Kind::Poster, ..plan }, begun).await
            }
            Kind::Poster => self.poster(index, plan, begun).await,
            Kind::Order => self.order(index, plan, begun).await,
            Kind::Transfer => self.transfer(index, plan, begun).await,
            Kind::Bill => {
                let bill = load.town.bills.as_ref().and_then(|stack| Some((stack.biller, stack.take()?)));
                if let Some((biller, row)) = bill {
                    return self.bill(index, plan, biller, &row, begun).await;
                }
                load.book.borrow_mut().without_bill += 1;
                self.transfer(index, Planned { kind: Kind::Transfer, ..plan }, begun).await
            }
        }
    }

    /// The payer scans the poster.
    async fn poster(&mut self, index: u64, plan: Planned, begun: Instant) -> Result<(), Fail> {
        let load = self.load.clone();
        let (person, till) = (&load.town.people[plan.payer as usize], &load.town.tills[plan.payee as usize]);
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"code":"{}","amount":{{"minor":{},"currency":"CNY"}}}}"#,
            till.poster, plan.amount
        );
        self.request.set("POST /v1/payments", &person.token, Some(&self.key), &self.body);
        let paid =
            self.ask(|body| trade(serde_json::from_slice::<PaidAnswer<'_>>(body).ok()?, "paid")).await?;
        self.write_down(index, plan, paid, begun);
        Ok(())
    }

    /// The till makes an order, the payer pays it; or the till cancels it before.
    async fn order(&mut self, index: u64, plan: Planned, begun: Instant) -> Result<(), Fail> {
        let load = self.load.clone();
        let (person, till) = (&load.town.people[plan.payer as usize], &load.town.tills[plan.payee as usize]);
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"order_no":"{}","amount":{{"minor":{},"currency":"CNY"}}}}"#,
            self.key, plan.amount
        );
        self.request.set("POST /v1/trades", &till.key, None, &self.body);
        let made = self
            .ask(|body| {
                let answer = serde_json::from_slice::<OrderAnswer<'_>>(body).ok()?;
                Some((answer.trade.parse::<TradeId>().ok()?.as_u128(), answer.qr.into_owned()))
            })
            .await?;
        let (id, qr) = match made {
            Ok(made) => made,
            Err(code) => {
                self.refused(plan.kind, &code);
                return Ok(());
            }
        };
        if plan.cancel {
            return self.cancel(index, plan, Some(id)).await;
        }
        self.body.clear();
        let _ = write!(self.body, r#"{{"code":"{qr}"}}"#);
        self.request.set("POST /v1/payments", &person.token, Some(&self.key), &self.body);
        let paid =
            self.ask(|body| trade(serde_json::from_slice::<PaidAnswer<'_>>(body).ok()?, "paid")).await?;
        let refused = paid.is_err();
        self.write_down(index, plan, paid, begun);
        if refused { self.cancel(index, plan, Some(id)).await } else { Ok(()) }
    }

    /// The till scans the payer's code.
    async fn charge(&mut self, index: u64, plan: Planned, code: &str, begun: Instant) -> Result<(), Fail> {
        let load = self.load.clone();
        let till = &load.town.tills[plan.payee as usize];
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"order_no":"{}","amount":{{"minor":{},"currency":"CNY"}},"payment_code":"{code}"}}"#,
            self.key, plan.amount
        );
        self.request.set("POST /v1/charges", &till.key, None, &self.body);
        let paid =
            self.ask(|body| trade(serde_json::from_slice::<PaidAnswer<'_>>(body).ok()?, "paid")).await?;
        let refused = paid.is_err();
        self.write_down(index, plan, paid, begun);
        if refused { self.cancel(index, plan, None).await } else { Ok(()) }
    }

    /// From one resident to another.
    async fn transfer(&mut self, index: u64, plan: Planned, begun: Instant) -> Result<(), Fail> {
        let load = self.load.clone();
        let (from, to) = (&load.town.people[plan.payer as usize], &load.town.people[plan.payee as usize]);
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"phone":"{}","amount":{{"minor":{},"currency":"CNY"}}}}"#,
            to.phone, plan.amount
        );
        self.request.set("POST /v1/transfers", &from.token, Some(&self.key), &self.body);
        let moved = self
            .ask(|body| {
                let answer = serde_json::from_slice::<MovedAnswer<'_>>(body).ok()?;
                Some(answer.id.parse::<PaymentId>().ok()?.as_u128())
            })
            .await?;
        self.write_down(index, plan, moved, begun);
        Ok(())
    }

    /// The payer finds the bill by its account number and pays it at the price it has.
    async fn bill(
        &mut self,
        index: u64,
        plan: Planned,
        biller: BillerId,
        row: &Row,
        begun: Instant,
    ) -> Result<(), Fail> {
        let load = self.load.clone();
        let person = &load.town.people[plan.payer as usize];
        let head = format!("GET /v1/billers/{biller}/bills?account_no={}", row.account_no);
        self.request.set(&head, &person.token, None, "");
        let found =
            self.ask(|body| serde_json::from_slice::<Bills>(body).ok()?.items.into_iter().next()).await?;
        let bill = match found {
            Ok(bill) => bill,
            Err(code) => {
                self.refused(plan.kind, &code);
                return Ok(());
            }
        };
        let amount = i64::try_from(row.amount)?;
        let Some(quote) = bill.quote.filter(|quote| quote.total.minor == amount) else {
            self.refused(plan.kind, "a bill with another price than in the file");
            return Ok(());
        };
        self.body.clear();
        let _ = write!(self.body, r#"{{"quote":"{}","request_id":"{}"}}"#, quote.id, self.key);
        self.request.set(&format!("POST /v1/bills/{}/pay", bill.id), &person.token, None, &self.body);
        let paid = self
            .ask(|body| {
                let answer = serde_json::from_slice::<BillPaid<'_>>(body).ok()?;
                // A biller that hands over files is never pending.
                (answer.state == "settled").then_some(())?;
                Some(answer.id.parse::<PaymentId>().ok()?.as_u128())
            })
            .await?;
        self.write_down(index, Planned { amount, ..plan }, paid, begun);
        Ok(())
    }

    /// The till gives an order up; after this it can never be paid. `made` is the order's trade, where
    /// its making was acknowledged.
    async fn cancel(&mut self, index: u64, plan: Planned, made: Option<u128>) -> Result<(), Fail> {
        let load = self.load.clone();
        let till = &load.town.tills[plan.payee as usize];
        self.request.set(&format!("POST /v1/orders/{}/cancel", self.key), &till.key, None, "");
        let closed =
            self.ask(|body| trade(serde_json::from_slice::<PaidAnswer<'_>>(body).ok()?, "closed")).await?;
        let mut book = load.book.borrow_mut();
        match closed {
            Ok(id) if made.is_none_or(|made| made == id) => {
                book.closed.push(Closed { index, id, shop: plan.payee });
            }
            Ok(_) => book.violations.push(format!("order {}: cancelling it closed another trade", self.key)),
            Err(code) => {
                book.violations.push(format!("order {}: cancelling it was refused: {code}", self.key));
            }
        }
        Ok(())
    }

    /// Sends the request until the outcome is known.
    async fn ask<T>(&mut self, read: impl Fn(&[u8]) -> Option<T>) -> Result<Known<T>, Fail> {
        let mut since = None;
        loop {
            let why = match self.wire.send(&self.request).await {
                Ok((200..=299, body)) => {
                    let answer = read(body);
                    return Ok(
                        answer.ok_or_else(|| format!("not understood: {}", String::from_utf8_lossy(body)))
                    );
                }
                Ok((status, body)) => {
                    let code = serde_json::from_slice::<Refused<'_>>(body).map(|r| r.code.into_owned());
                    let code = code.unwrap_or_else(|_| format!("status {status} without a code"));
                    let not_yet = status >= 500 || status == 429 || code == "payment_code_not_ready";
                    if !not_yet {
                        return Ok(Err(code));
                    }
                    code
                }
                Err(e) if self.load.restless => e.kind().to_string(),
                Err(e) => return Err(Fail::new(format!("the server does not answer: {e}"))),
            };
            if why == "internal" {
                self.load.book.borrow_mut().violations.push("the server answered `internal`".to_owned());
            }
            self.load.book.borrow_mut().ask_again(&why);
            if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(Fail::new(format!("no outcome within {} s: {why}", PATIENCE.as_secs())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn write_down(&mut self, index: u64, plan: Planned, outcome: Known<u128>, begun: Instant) {
        let town = &self.load.town;
        let from = town.people[plan.payer as usize].id.as_u128();
        let to = match (plan.kind, &town.bills) {
            (Kind::Bill, Some(bills)) => bills.biller.as_u128(),
            (kind, _) if kind.at_shop() => town.tills[plan.payee as usize].shop.as_u128(),
            _ => town.people[plan.payee as usize].id.as_u128(),
        };
        match outcome {
            Ok(id) => {
                let amount = plan.amount.unsigned_abs();
                let acked = Acked { kind: plan.kind, index, id, from, to, amount };
                self.load.book.borrow_mut().ack(acked, begun.elapsed());
            }
            Err(code) => self.refused(plan.kind, &code),
        }
    }

    fn refused(&mut self, kind: Kind, code: &str) {
        let mut book = self.load.book.borrow_mut();
        book.refuse(kind, code);
        if !FAIR.contains(&code) {
            let words = format!("{} {}: refused as {code}", kind.name(), self.key);
            book.violations.push(words);
        }
    }
}

/// The trade of an answer, if it has the status that is wanted; an answer to a payment has none.
fn trade(answer: PaidAnswer<'_>, wanted: &str) -> Option<u128> {
    let fits = answer.status.is_none_or(|status| status == wanted);
    let id = answer.trade.parse::<TradeId>().ok()?;
    fits.then(|| id.as_u128())
}
