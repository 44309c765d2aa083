//! The bank's end of a line: a program that speaks the same protocol over real sockets, knows accounts and debts, and has
//! faults where it is told to. It takes no payment twice, whatever its faults; they are in how it answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kernel::{Clock, Rng, Timestamp};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::book::Book;
use super::line::{NoKey, key};
use super::message::{Dialect, Network, Question};
use super::wire::{self, Inward, Outward};
use crate::iso8583::Message;
use crate::iso8583::mac::MacKey;
use crate::secrets::Secrets;
use crate::{Debt, Meaning};

/// A manner of failing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Does it, and answers after [`Faults::slow_ms`].
    Slow,
    /// Does it, and does not answer.
    SilentAfter,
    /// Neither.
    SilentBefore,
    /// Does it, and answers twice.
    Twice,
    /// Does it, and answers with a wrong code; with a malformed answer where messages have none.
    WrongMac,
    /// Does it, and answers with bytes that are no message.
    Malformed,
    /// Does it, and hangs up in the middle of the answer.
    Dropped,
    /// Does not do it, and says so with the response code of this meaning.
    Refuse(Meaning),
    /// Answers with this response code, and does it where that means yes.
    Code(char, char),
    /// Does it, and signs off before it answers.
    SignOff,
    /// Does it, and begins the next settlement day before it answers.
    CutOver,
    /// Does it, and answers with a clock that goes [`Faults::skew_s`] ahead.
    Skew,
}

/// A kind of question.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Question::Query`]
    Query,
    /// [`Question::Pay`]
    Pay,
    /// [`Question::Inquire`]
    Inquire,
    /// [`Question::Reverse`]
    Reverse,
    /// [`Question::Refund`]
    Refund,
}

/// Which questions fail, and how.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Questions about these accounts always.
    pub by_account: HashMap<String, Fault>,
    /// So many of a thousand others, by chance.
    pub per_mille: u16,
    /// In one of these manners, by chance.
    pub among: Vec<Fault>,
    /// Only questions of these kinds.
    pub kinds: Vec<Kind>,
    /// How slow slow is, in milliseconds.
    pub slow_ms: u32,
    /// How many seconds a wrong clock is ahead.
    pub skew_s: i64,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            by_account: HashMap::new(),
            per_mille: 0,
            among: Vec::new(),
            kinds: vec![Kind::Pay],
            slow_ms: 60_000,
            skew_s: 3_600,
        }
    }
}

impl Faults {
    fn choose(&self, question: &Question, rng: &dyn Rng) -> Option<Fault> {
        let kind = match question {
            Question::Query { .. } => Kind::Query,
            Question::Pay(_) => Kind::Pay,
            Question::Inquire(_) => Kind::Inquire,
            Question::Reverse { .. } => Kind::Reverse,
            Question::Refund { .. } => Kind::Refund,
            Question::Network(_) => return None,
        };
        if !self.kinds.contains(&kind) {
            return None;
        }
        if let Some(fault) = question.account_no().and_then(|account| self.by_account.get(account)) {
            return Some(*fault);
        }
        if self.among.is_empty() || rng.u64() % 1_000 >= u64::from(self.per_mille) {
            return None;
        }
        let at = usize::try_from(rng.u64() % self.among.len() as u64).unwrap_or(0);
        self.among.get(at).copied()
    }
}

/// Why a counterpart cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(std::io::Error),
    /// A secret is missing.
    Key(NoKey),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(e) => write!(f, "cannot listen: {e}"),
            StartError::Key(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// A bank that listens until it is dropped.
pub struct BankCounterpart {
    bank: Arc<Bank>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl fmt::Debug for BankCounterpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankCounterpart").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for BankCounterpart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Bank {
    dialect: Dialect,
    key: Option<MacKey>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    book: Mutex<Book>,
    faults: Mutex<Faults>,
    /// Into every connection.
    queues: Mutex<Vec<mpsc::Sender<Outward>>>,
    heard: Mutex<BTreeMap<String, u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}

impl BankCounterpart {
    /// Listens on `address`, `127.0.0.1:0` for any free port.
    pub async fn start(
        address: &str,
        dialect: Dialect,
        secrets: &dyn Secrets,
        book: Book,
        faults: Faults,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<BankCounterpart, StartError> {
        let key = key(&dialect, secrets).map_err(StartError::Key)?;
        let listener = TcpListener::bind(address).await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let bank = Arc::new(Bank {
            dialect,
            key,
            clock,
            rng,
            book: Mutex::new(book),
            faults: Mutex::new(faults),
            queues: Mutex::default(),
            heard: Mutex::default(),
        });
        let task = tokio::spawn(Arc::clone(&bank).accept(listener));
        Ok(BankCounterpart { bank, address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its accounts and what was taken. Nobody is answered while this is held.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.bank.book)
    }

    /// Fails otherwise from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.bank.faults) = faults;
    }

    /// How many messages of each type arrived; those of the network by their code too: `0800/301`.
    pub fn heard(&self) -> BTreeMap<String, u64> {
        lock(&self.bank.heard).clone()
    }

    /// Says something to everybody who is connected.
    pub async fn tell(&self, network: Network) {
        let queues = lock(&self.bank.queues).clone();
        for queue in queues {
            if let Some(frame) = self.bank.network(network) {
                // Whoever has hung up does not hear it.
                let _ = queue.send(Outward::new(frame)).await;
            }
        }
    }

    /// Hangs up on everybody who is connected.
    pub async fn hang_up(&self) {
        let queues = lock(&self.bank.queues).clone();
        for queue in queues {
            let _ = queue.send(Outward { last: true, ..Outward::new(Vec::new()) }).await;
        }
    }
}

impl Bank {
    async fn accept(self: Arc<Bank>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(Arc::clone(&self).serve(stream));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(self: Arc<Bank>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        let (queue, queued) = mpsc::channel(1_024);
        {
            let mut queues = lock(&self.queues);
            queues.retain(|queue| !queue.is_closed());
            queues.push(queue.clone());
        }
        let inward = Inward::new(reading, self.dialect.spec().framing.clone());
        let written = std::sync::atomic::AtomicU64::new(0);
        tokio::select! {
            () = self.listen(inward, queue) => {}
            _ = wire::write(writing, queued, &written) => {}
        }
    }

    async fn listen(&self, mut inward: Inward, queue: mpsc::Sender<Outward>) {
        let (mut signed_on, mut slow) = (false, JoinSet::new());
        while let Ok(bytes) = inward.next().await {
            // Nobody answers what nobody has proved.
            let Ok(message) = self.dialect.open(&bytes, self.key.as_ref()) else { continue };
            let kind = match message.get(70) {
                Some(code) => format!("{}/{code}", message.mti),
                None => message.mti.clone(),
            };
            *lock(&self.heard).entry(kind).or_default() += 1;
            if message.response_type().is_none() {
                // What was on its way before the other side knew is still taken.
                signed_on &= (message.mti.as_str(), message.get(70)) != ("0810", Some("002"));
                continue;
            }
            let (out, delay) = self.attend(&message, &mut signed_on);
            if let Some(delay) = delay {
                let queue = queue.clone();
                slow.spawn(async move {
                    tokio::time::sleep(delay).await;
                    for frame in out {
                        let _ = queue.send(frame).await;
                    }
                });
                continue;
            }
            for frame in out {
                if queue.send(frame).await.is_err() {
                    return;
                }
            }
            while slow.try_join_next().is_some() {}
        }
    }

    /// What a question is answered with, and after what time.
    fn attend(&self, asked: &Message, signed_on: &mut bool) -> (Vec<Outward>, Option<Duration>) {
        let now = self.clock.now();
        let Ok(question) = self.dialect.read(asked, now) else {
            return (self.reply(asked, "30", &[], now), None);
        };
        match question {
            Question::Network(network) => {
                match network {
                    Network::SignOn => *signed_on = true,
                    Network::SignOff => *signed_on = false,
                    Network::Echo | Network::CutOver(_) => {}
                }
                return (self.reply(asked, "00", &[], now), None);
            }
            // Inquiries and reversals are about what was asked before, and are answered in any case.
            Question::Query { .. } | Question::Pay(_) | Question::Refund { .. }
                if !*signed_on && !self.stands(&question) =>
            {
                return (self.say(asked, &question, Meaning::Closed, &[], now), None);
            }
            _ => {}
        }
        let fault = lock(&self.faults).choose(&question, self.rng.as_ref());
        let (slow, skew) = {
            let faults = lock(&self.faults);
            (
                Duration::from_millis(faults.slow_ms.into()),
                Timestamp::from_secs(now.as_secs() + faults.skew_s),
            )
        };
        match fault {
            Some(Fault::SilentBefore) => return (Vec::new(), None),
            Some(Fault::Code(a, b)) if !self.stands(&question) => {
                let code = format!("{a}{b}");
                let means = self.dialect.means(&question, &code);
                let yes = matches!(means, Some(Meaning::Ok | Meaning::Duplicate));
                let debts = if yes { self.decide(&question).1 } else { Vec::new() };
                return (self.reply(asked, &code, &debts, now), None);
            }
            // What was done is never refused afterwards.
            Some(Fault::Refuse(meaning)) if !self.stands(&question) => {
                return (self.say(asked, &question, meaning, &[], now), None);
            }
            _ => {}
        }
        let (meaning, debts) = self.decide(&question);
        let sent = if fault == Some(Fault::Skew) { skew } else { now };
        let mut out = self.say(asked, &question, meaning, &debts, sent);
        match fault {
            Some(Fault::SilentAfter) => out.clear(),
            Some(Fault::Slow) => return (out, Some(slow)),
            Some(Fault::Twice) => out.extend(self.say(asked, &question, meaning, &debts, sent)),
            Some(Fault::WrongMac) if self.dialect.spec().mac.is_some() => {
                for frame in &mut out {
                    if let Some(last) = frame.frame.last_mut() {
                        *last ^= 0x80;
                    }
                }
            }
            Some(Fault::WrongMac | Fault::Malformed) => out = self.spoil(asked, &question, meaning, now),
            Some(Fault::Dropped) => {
                for frame in &mut out {
                    frame.frame.truncate(frame.frame.len() / 2);
                    frame.last = true;
                }
            }
            Some(Fault::SignOff) => {
                out.splice(0..0, self.network(Network::SignOff).map(Outward::new));
            }
            Some(Fault::CutOver) => {
                let tomorrow = now.plus(Duration::from_hours(24)).date(self.dialect.offset());
                out.splice(0..0, self.network(Network::CutOver(tomorrow)).map(Outward::new));
            }
            _ => {}
        }
        (out, None)
    }

    /// Whether a question is the repetition of one that was done.
    fn stands(&self, question: &Question) -> bool {
        let book = lock(&self.book);
        match question {
            Question::Pay(payment) => book.inquire(payment) == Meaning::Ok,
            Question::Refund { reference, .. } => book.has_refund(reference),
            _ => false,
        }
    }

    fn decide(&self, question: &Question) -> (Meaning, Vec<Debt>) {
        let mut book = lock(&self.book);
        let meaning = match question {
            Question::Query { institution, account_no } => {
                return match book.query(institution, account_no) {
                    Ok(debts) => (Meaning::Ok, debts.to_vec()),
                    Err(meaning) => (meaning, Vec::new()),
                };
            }
            Question::Pay(payment) => book.pay(payment),
            Question::Inquire(payment) => book.inquire(payment),
            Question::Reverse { payment, .. } => book.reverse(payment),
            Question::Refund { payment, reference, amount_minor } => {
                book.refund(payment, reference, *amount_minor)
            }
            Question::Network(_) => Meaning::Ok,
        };
        (meaning, Vec::new())
    }

    /// The answer of a meaning, with the code that the pack has nearest to it.
    fn say(
        &self,
        asked: &Message,
        question: &Question,
        meaning: Meaning,
        debts: &[Debt],
        now: Timestamp,
    ) -> Vec<Outward> {
        let nearest = match meaning {
            Meaning::AlreadyPaid => &[meaning, Meaning::NothingDue, Meaning::Refused][..],
            other => &[other, Meaning::Refused],
        };
        let code = nearest.iter().find_map(|meaning| self.dialect.code_for(question, *meaning));
        self.reply(asked, code.as_deref().unwrap_or("96"), debts, now)
    }

    /// An answer with as many debts as fit into it, the oldest first.
    fn reply(&self, asked: &Message, code: &str, debts: &[Debt], now: Timestamp) -> Vec<Outward> {
        let fits = |count: usize| {
            let answer = self.dialect.answer(asked, code, &debts[..count], now).ok()?;
            self.frame(answer)
        };
        (0..=debts.len()).rev().find_map(fits).map(Outward::new).into_iter().collect()
    }

    /// An answer in a frame that is right, and not a message: cut, lengthened, or of no type.
    fn spoil(&self, asked: &Message, question: &Question, meaning: Meaning, now: Timestamp) -> Vec<Outward> {
        let code = self.dialect.code_for(question, meaning).unwrap_or_default();
        let answer = self.dialect.answer(asked, &code, &[], now).ok();
        let Some(mut bytes) = answer.and_then(|a| self.dialect.seal(a, self.key.as_ref()).ok()) else {
            return Vec::new();
        };
        match self.rng.u64() % 3 {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes.push(0),
            _ => bytes[0] = 0xFF,
        }
        self.dialect.spec().framing.wrap(&bytes).ok().map(Outward::new).into_iter().collect()
    }

    fn network(&self, network: Network) -> Option<Vec<u8>> {
        let stan = u32::try_from(self.rng.u64() % 999_999).unwrap_or(0) + 1;
        self.frame(self.dialect.write(&Question::Network(network), stan, self.clock.now()).ok()?)
    }

    fn frame(&self, message: Message) -> Option<Vec<u8>> {
        let bytes = self.dialect.seal(message, self.key.as_ref()).ok()?;
        self.dialect.spec().framing.wrap(&bytes).ok()
    }
}
