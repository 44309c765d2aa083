//! Our end of a line to a bank: one connection, kept up, with many questions under way at once.
//!
//! What a caller may rely on: [`Reply::NotSent`] means that no byte of the question was written; once the first byte may
//! have left, only an answer that is the question's own ends it, and everything else (no answer in time, a wrong code, a
//! broken connection) is [`Reply::Silent`]. Answers are matched by type, trace number and retrieval reference; the answer
//! to a payment that was given up also answers its repetition, which is the same message.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kernel::{Clock, Date, Rng, Timestamp};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::message::{Dialect, Network, Question, Unread};
use super::wire::{self, Flight, Inward, Outward};
use crate::iso8583::Message;
use crate::iso8583::mac::MacKey;
use crate::secrets::Secrets;
use crate::{BoxFuture, Debt, Door, Meaning, Payment, Reply};

/// The door to the institutions of a bank. Clones share the line, which ends with the last of them.
#[derive(Clone)]
pub struct BankDoor {
    line: Arc<Line>,
    keeper: Arc<Keeper>,
}

impl fmt::Debug for BankDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankDoor").field("address", &self.line.address).finish_non_exhaustive()
    }
}

/// Ends the task that keeps the connection.
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How far a line is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no connection.
    Down,
    /// Connected, and not signed on: the bank takes no questions.
    SignedOff,
    /// Questions are taken.
    Up,
}

/// What a line did, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Questions written, repetitions and network messages included.
    pub asked: u64,
    /// Answers that ended a question.
    pub answered: u64,
    /// Answers to questions that had been given up: dropped.
    pub late: u64,
    /// Messages that nobody asked for, answers that came twice among them: dropped.
    pub unasked: u64,
    /// Messages with a wrong code or none: dropped.
    pub unproved: u64,
    /// Bytes that are no message: dropped.
    pub malformed: u64,
    /// Sign-ons that the bank accepted.
    pub signed_on: u64,
}

/// How a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How far it is up.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Questions that wait for an answer.
    pub under_way: usize,
    /// The settlement day that the last cut-over began.
    pub settlement_day: Option<Date>,
    /// By how many seconds the bank's clock goes before ours, by its last answer.
    pub skew_s: i64,
    /// Why the last connection ended, or could not be made.
    pub trouble: Option<String>,
    /// What it did.
    pub tally: Tally,
}

/// Why a line cannot be opened: its secret is not configured, or is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoKey(pub String);

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret {} is not configured, or is not 16 bytes", self.0)
    }
}

impl std::error::Error for NoKey {}

/// The key that a dialect's messages are proved with, if any.
pub fn key(dialect: &Dialect, secrets: &dyn Secrets) -> Result<Option<MacKey>, NoKey> {
    let Some(mac) = &dialect.spec().mac else { return Ok(None) };
    let key = secrets.secret(&mac.secret).and_then(|secret| wire::mac_key(&secret));
    key.map(Some).ok_or_else(|| NoKey(mac.secret.clone()))
}

/// What an answer must have in common with its question: type, trace number, retrieval reference.
type Key = (String, String, String);

fn key_of(mti: String, message: &Message) -> Key {
    let field = |number| message.get(number).unwrap_or_default().to_owned();
    (mti, field(11), field(37))
}

/// How many questions that were given up are remembered, to tell their answers from strange ones.
const REMEMBERED: usize = 10_000;

struct Line {
    address: String,
    dialect: Dialect,
    key: Option<MacKey>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    places: Semaphore,
    phase: watch::Sender<Phase>,
    state: Mutex<State>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    answered: AtomicU64,
    late: AtomicU64,
    unasked: AtomicU64,
    unproved: AtomicU64,
    malformed: AtomicU64,
    signed_on: AtomicU64,
    /// Frames that arrived.
    heard: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

struct State {
    since: Timestamp,
    stan: u32,
    /// Into the connection, while there is one.
    queue: Option<mpsc::Sender<Outward>>,
    waiting: HashMap<Key, Vec<oneshot::Sender<Message>>>,
    given_up: VecDeque<Key>,
    settlement_day: Option<Date>,
    skew_s: i64,
    trouble: Option<String>,
    /// Never to be signed on again.
    closed: bool,
}

/// A question's place among those that wait; leaving it, for whatever reason, clears the place.
struct Waiting<'a> {
    line: &'a Line,
    key: Key,
    flight: Arc<Flight>,
    answer: oneshot::Receiver<Message>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.answer.close();
        let mut state = self.line.state();
        let Some(all) = state.waiting.get_mut(&self.key) else { return };
        all.retain(|waiter| !waiter.is_closed());
        if all.is_empty() {
            state.waiting.remove(&self.key);
            if !self.flight.withdraw() {
                state.given_up.push_back(self.key.clone());
                if state.given_up.len() > REMEMBERED {
                    state.given_up.pop_front();
                }
            }
        }
    }
}

impl BankDoor {
    /// A line to `address` (`host:port`). It connects by itself, and again whenever it is cut.
    pub fn open(
        address: &str,
        dialect: Dialect,
        secrets: &dyn Secrets,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<BankDoor, NoKey> {
        let key = key(&dialect, secrets)?;
        let line = Arc::new(Line {
            address: address.to_owned(),
            places: Semaphore::new(dialect.spec().at_once.into()),
            phase: watch::Sender::new(Phase::Down),
            state: Mutex::new(State {
                since: clock.now(),
                // Anywhere: a node that starts again does not reuse the numbers it just had.
                stan: u32::try_from(rng.u64() % 999_999).unwrap_or(0),
                queue: None,
                waiting: HashMap::new(),
                given_up: VecDeque::new(),
                settlement_day: None,
                skew_s: 0,
                trouble: None,
                closed: false,
            }),
            counts: Counts::default(),
            dialect,
            key,
            clock,
            rng,
        });
        let keeper = Keeper(tokio::spawn(Arc::clone(&line).keep()));
        Ok(BankDoor { line, keeper: Arc::new(keeper) })
    }

    /// How the line stands.
    pub fn health(&self) -> Health {
        let (line, phase) = (&self.line, *self.line.phase.borrow());
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = line.state();
        Health {
            phase,
            since: state.since,
            under_way: state.waiting.values().map(Vec::len).sum(),
            settlement_day: state.settlement_day,
            skew_s: state.skew_s,
            trouble: state.trouble.clone(),
            tally: Tally {
                asked: get(&line.counts.asked),
                answered: get(&line.counts.answered),
                late: get(&line.counts.late),
                unasked: get(&line.counts.unasked),
                unproved: get(&line.counts.unproved),
                malformed: get(&line.counts.malformed),
                signed_on: get(&line.counts.signed_on),
            },
        }
    }

    /// Waits until the line is in a phase. Waits for ever if it never is.
    pub async fn reaches(&self, phase: Phase) {
        // The sender lives as long as we do.
        let _ = self.line.phase.subscribe().wait_for(|now| *now == phase).await;
    }

    /// Tells the bank that a settlement day begins, where it is ours to say.
    pub async fn cut_over(&self, day: Date) -> Reply {
        done(self.line.ask(Question::Network(Network::CutOver(day))).await)
    }

    /// Signs off and ends the line, for all of its clones. Questions under way end in silence.
    pub async fn close(self) {
        self.line.state().closed = true;
        let up = *self.line.phase.borrow() == Phase::Up;
        self.line.enter(Phase::SignedOff);
        if up {
            self.line.network(Network::SignOff).await;
        }
        self.keeper.0.abort();
    }

    /// Whether the bank works now.
    fn open_now(&self) -> bool {
        let dialect = &self.line.dialect;
        let hours = dialect.spec().hours.as_ref();
        hours.is_none_or(|hours| hours.hold(self.line.clock.now(), dialect.offset()))
    }
}

/// An answer without its debts.
fn done(reply: Reply<Vec<Debt>>) -> Reply {
    match reply {
        Reply::Said(_) => Reply::Said(()),
        Reply::Meant(meaning) => Reply::Meant(meaning),
        Reply::Silent(why) => Reply::Silent(why),
        Reply::NotSent(why) => Reply::NotSent(why),
    }
}

impl Door for BankDoor {
    fn query<'a>(&'a self, institution: &'a str, account_no: &'a str) -> BoxFuture<'a, Reply<Vec<Debt>>> {
        Box::pin(async move {
            if !self.open_now() {
                return Reply::Meant(Meaning::Closed);
            }
            let (institution, account_no) = (institution.to_owned(), account_no.to_owned());
            match self.line.ask(Question::Query { institution, account_no }).await {
                Reply::Meant(Meaning::NothingDue) => Reply::Said(Vec::new()),
                reply => reply,
            }
        })
    }

    fn pay<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if !self.open_now() {
                return Reply::Meant(Meaning::Closed);
            }
            done(self.line.ask(Question::Pay(payment.clone())).await)
        })
    }

    fn inquire<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        Box::pin(async move { done(self.line.ask(Question::Inquire(payment.clone())).await) })
    }

    fn reverse<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let mut reply = Reply::NotSent(String::new());
            for repetition in 0..=self.line.dialect.spec().reverse.repeats {
                let written = matches!(reply, Reply::Silent(_));
                let repeated = repetition > 0 && written;
                reply = done(self.line.ask(Question::Reverse { payment: payment.clone(), repeated }).await);
                match reply {
                    Reply::Silent(_) => {}
                    // This one was not written; the one before may have been.
                    Reply::NotSent(why) if written => return Reply::Silent(why),
                    _ => break,
                }
            }
            reply
        })
    }

    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        reference: &'a str,
        amount_minor: i64,
    ) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if !self.open_now() {
                return Reply::Meant(Meaning::Closed);
            }
            let (payment, reference) = (payment.clone(), reference.to_owned());
            done(self.line.ask(Question::Refund { payment, reference, amount_minor }).await)
        })
    }

    fn probe(&self) -> BoxFuture<'_, Reply> {
        Box::pin(async move { done(self.line.ask(Question::Network(Network::Echo)).await) })
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    /// Puts a question as soon as the line is up; gives up after the pack's time.
    async fn ask(&self, question: Question) -> Reply<Vec<Debt>> {
        let until = Instant::now() + self.dialect.spec().times.answer();
        let Ok(Ok(_place)) = timeout_at(until, self.places.acquire()).await else {
            return Reply::NotSent("too many questions are under way".to_owned());
        };
        let mut phase = self.phase.subscribe();
        let up = timeout_at(until, phase.wait_for(|phase| *phase == Phase::Up)).await.is_ok();
        if !up {
            let trouble = self.state().trouble.clone();
            return Reply::NotSent(format!("the line is down: {}", trouble.unwrap_or_default()));
        }
        self.put(&question, until).await
    }

    /// Asks about the line itself, in whatever phase it is.
    async fn network(&self, network: Network) -> Reply {
        let until = Instant::now() + self.dialect.spec().times.answer();
        done(self.put(&Question::Network(network), until).await)
    }

    async fn put(&self, question: &Question, until: Instant) -> Reply<Vec<Debt>> {
        let stan = {
            let mut state = self.state();
            state.stan = state.stan % 999_999 + 1;
            state.stan
        };
        let asked = match self.dialect.write(question, stan, self.clock.now()) {
            Ok(asked) => asked,
            Err(why) => return Reply::NotSent(why.to_string()),
        };
        let frame = match self.frame(asked.clone()) {
            Ok(frame) => frame,
            Err(why) => return Reply::NotSent(why),
        };
        let flight = Arc::<Flight>::default();
        let (sender, answer) = oneshot::channel();
        let key = key_of(asked.response_type().unwrap_or_default(), &asked);
        let queue = {
            let mut state = self.state();
            let Some(queue) = state.queue.clone() else {
                return Reply::NotSent("the line is down".to_owned());
            };
            state.waiting.entry(key.clone()).or_default().push(sender);
            queue
        };
        let mut waiting = Waiting { line: self, key, flight: Arc::clone(&flight), answer };
        let queued = Outward { frame, flight: Arc::clone(&flight), last: false };
        let end = match timeout_at(until, queue.send(queued)).await {
            Ok(Ok(())) => match timeout_at(until, &mut waiting.answer).await {
                Ok(Ok(answer)) => return self.dialect.meaning(question, &asked, &answer),
                Ok(Err(_)) => "the connection was lost",
                Err(_) => "no answer in time",
            },
            Ok(Err(_)) => "the connection was lost",
            Err(_) => "the line is jammed",
        };
        if flight.withdraw() { Reply::NotSent(end.to_owned()) } else { Reply::Silent(end.to_owned()) }
    }

    fn frame(&self, message: Message) -> Result<Vec<u8>, String> {
        let bytes = self.dialect.seal(message, self.key.as_ref()).map_err(|e| e.to_string())?;
        self.dialect.spec().framing.wrap(&bytes).map_err(|e| e.to_string())
    }

    fn enter(&self, phase: Phase) {
        let now = self.clock.now();
        self.phase.send_if_modified(|before| {
            let changed = *before != phase;
            if changed {
                *before = phase;
                self.state().since = now;
            }
            changed
        });
    }

    /// Keeps a connection up for as long as the line lives.
    async fn keep(self: Arc<Line>) {
        let times = &self.dialect.spec().times;
        let mut failures = 0;
        loop {
            let connect = TcpStream::connect(&self.address);
            let trouble = match timeout(Duration::from_millis(times.connect_ms.into()), connect).await {
                Ok(Ok(stream)) => {
                    let up_before = self.counts.signed_on.load(Ordering::Relaxed);
                    let trouble = self.converse(stream).await;
                    if self.counts.signed_on.load(Ordering::Relaxed) > up_before {
                        failures = 0;
                    }
                    trouble
                }
                Ok(Err(e)) => e.to_string(),
                Err(_) => "cannot be reached".to_owned(),
            };
            self.state().trouble = Some(trouble);
            self.pause(failures).await;
            failures = (failures + 1).min(20);
        }
    }

    /// 100 ms, doubled with every failure, up to the pack's most; the last third of it by chance, so that nodes do not
    /// come back together.
    async fn pause(&self, failures: u32) {
        let most = u64::from(self.dialect.spec().times.reconnect_most_ms);
        let pause = (100u64 << failures).min(most);
        sleep(Duration::from_millis(pause - self.rng.u64() % (pause / 3 + 1))).await;
    }

    /// One connection, from its first byte to its end; says why it ended.
    async fn converse(&self, stream: TcpStream) -> String {
        // Only slower without.
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        let (queue, queued) = mpsc::channel(1_024);
        self.state().queue = Some(queue.clone());
        self.enter(Phase::SignedOff);
        let trouble = self.attend(reading, writing, queue, queued).await;
        {
            let mut state = self.state();
            state.queue = None;
            // Whoever waits learns it now, and looks how far the question had come.
            let lost = std::mem::take(&mut state.waiting);
            drop(state);
            drop(lost);
        }
        self.enter(Phase::Down);
        trouble
    }

    async fn attend(
        &self,
        reading: OwnedReadHalf,
        writing: OwnedWriteHalf,
        queue: mpsc::Sender<Outward>,
        queued: mpsc::Receiver<Outward>,
    ) -> String {
        tokio::select! {
            trouble = self.listen(Inward::new(reading, self.dialect.spec().framing.clone()), queue) => trouble,
            trouble = wire::write(writing, queued, &self.counts.asked) => trouble,
            trouble = self.tend() => trouble,
        }
    }

    /// Signs on, also after the bank signed off, and sends an echo when it is quiet.
    async fn tend(&self) -> String {
        let times = &self.dialect.spec().times;
        let mut phase = self.phase.subscribe();
        let mut refused = 0;
        loop {
            if *phase.borrow_and_update() == Phase::Up {
                refused = 0;
                let heard = self.counts.heard.load(Ordering::Relaxed);
                let quiet = Duration::from_millis(times.echo_every_ms.into());
                if timeout(quiet, phase.changed()).await.is_ok() {
                    // The bank signed off: it is asked again, but not at once.
                    self.pause(0).await;
                } else if self.counts.heard.load(Ordering::Relaxed) == heard
                    && !matches!(self.network(Network::Echo).await, Reply::Said(()))
                {
                    return "an echo was not answered".to_owned();
                }
                continue;
            }
            if self.state().closed {
                std::future::pending::<()>().await;
            }
            match self.network(Network::SignOn).await {
                Reply::Said(()) => {
                    count(&self.counts.signed_on);
                    self.enter(Phase::Up);
                }
                Reply::Meant(_) => {
                    self.state().trouble = Some("the bank refused the sign-on".to_owned());
                    self.pause(refused).await;
                    refused = (refused + 1).min(20);
                }
                Reply::Silent(_) | Reply::NotSent(_) => return "the sign-on was not answered".to_owned(),
            }
        }
    }

    /// Reads until the connection ends.
    async fn listen(&self, mut inward: Inward, queue: mpsc::Sender<Outward>) -> String {
        loop {
            let bytes = match inward.next().await {
                Ok(bytes) => bytes,
                Err(why) => return why,
            };
            count(&self.counts.heard);
            if bytes.is_empty() {
                continue;
            }
            let message = match self.dialect.open(&bytes, self.key.as_ref()) {
                Ok(message) => message,
                Err(Unread::Malformed(_)) => {
                    count(&self.counts.malformed);
                    continue;
                }
                Err(Unread::Unproved) => {
                    count(&self.counts.unproved);
                    continue;
                }
            };
            if message.response_type().is_none() {
                self.hear(message);
            } else if let Some(answer) = self.obey(&message)
                && queue.send(Outward::new(answer)).await.is_err()
            {
                return "hung up".to_owned();
            }
        }
    }

    /// An answer: to whoever waits for it, or to nobody.
    fn hear(&self, answer: Message) {
        let now = self.clock.now();
        let key = key_of(answer.mti.clone(), &answer);
        let mut state = self.state();
        if let Some(at) = self.dialect.sent_at(&answer, now) {
            state.skew_s = at.as_secs() - now.as_secs();
        }
        if let Some(waiters) = state.waiting.remove(&key) {
            count(&self.counts.answered);
            for waiter in waiters {
                // One that has just given up has no use for it.
                let _ = waiter.send(answer.clone());
            }
        } else if let Some(at) = state.given_up.iter().position(|other| *other == key) {
            state.given_up.remove(at);
            count(&self.counts.late);
        } else {
            count(&self.counts.unasked);
        }
    }

    /// What the bank asks of us: only the network's questions are understood.
    fn obey(&self, asked: &Message) -> Option<Vec<u8>> {
        let now = self.clock.now();
        let Ok(Question::Network(network)) = self.dialect.read(asked, now) else {
            count(&self.counts.unasked);
            return None;
        };
        match network {
            Network::SignOff => self.enter(Phase::SignedOff),
            Network::CutOver(day) => self.state().settlement_day = Some(day),
            // Signing on is ours to do; the bank may do it too.
            Network::SignOn | Network::Echo => {}
        }
        self.frame(self.dialect.answer(asked, "00", &[], now).ok()?).ok()
    }
}
