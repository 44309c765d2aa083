//! Where a pack is tried: a whole city of its own, with a clock that is moved by hand, and the books that are looked at
//! after every case.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use city::bill::provider::Providers;
use city::bill::route::{Doors, Lines};
use city::bill::{self, BillError, Pack, Paid, PayBill, PayState, Standing};
use city::identity::{self, Message, MessageSender, Operator, Resident, Role, Tier};
use city::{City, Refusal, Settings, books};
use kernel::ids::{KeyId, OperatorId};
use kernel::{Clock, Date, ManualClock, Money, SeededRng, Timestamp, UtcOffset};

use super::play::Side;
use super::report::{Case, Outcome};
use crate::config::Fail;

/// Why a case did not pass.
pub enum Ended {
    Failed(String),
    NotApplicable(String),
}

/// What a case came to.
pub type Done = Result<(), Ended>;

impl From<BillError> for Ended {
    fn from(e: BillError) -> Ended {
        Ended::Failed(format!("{}: {e}", e.code()))
    }
}

impl From<city::Fault> for Ended {
    fn from(e: city::Fault) -> Ended {
        Ended::Failed(e.to_string())
    }
}

impl From<std::io::Error> for Ended {
    fn from(e: std::io::Error) -> Ended {
        Ended::Failed(e.to_string())
    }
}

/// A case fails unless this holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Done {
    if holds { Ok(()) } else { Err(Ended::Failed(why())) }
}

/// A case does not apply.
pub fn skip(why: &str) -> Done {
    Err(Ended::NotApplicable(why.to_owned()))
}

/// Keeps the newest message.
#[derive(Clone, Default)]
struct Newest(Arc<Mutex<String>>);

impl MessageSender for Newest {
    fn send(&self, message: Message) -> store::BoxFuture<'_, Result<(), String>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = message.code;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A city for some packs, one after another.
pub struct Town {
    pub city: City,
    pub clock: Arc<ManualClock>,
    pub operator: Operator,
    ledger: Arc<ledger::Embedded>,
    newest: Newest,
    dir: PathBuf,
    people: u64,
}

/// The first morning of every city.
pub fn first_morning() -> Timestamp {
    Timestamp::from_secs(1_772_416_800) // Monday, 2 March 2026, 10:00 in China
}

impl Town {
    /// A new city in a directory of its own.
    pub async fn open(
        dir: &Path,
        clock: Arc<ManualClock>,
        (doors, lines, providers): (Doors, Lines, Providers),
        patience: Duration,
        seed: u64,
    ) -> Result<Town, Fail> {
        std::fs::create_dir_all(dir)?;
        let options = ledger::Options { file_bytes: 1 << 20, ..ledger::Options::default() };
        let (engine, _) = ledger::Embedded::open_with(&dir.join("ledger"), clock.clone(), options)?;
        let ledger = Arc::new(engine);
        let store = store::Store::open(&format!("sqlite:{}", dir.join("yima.db").display())).await?;
        let settings = Settings {
            no_pin_limit_minor: i64::MAX,
            four_eyes_limit_minor: i64::MAX,
            doors,
            lines,
            providers,
            patience,
            ..Settings::china(dir.to_owned(), [7; 32])
        };
        let (rng, newest) = (Arc::new(SeededRng::new(seed)), Newest::default());
        let city =
            City::open(store, ledger.clone(), clock.clone(), rng.clone(), settings, Arc::new(newest.clone()));
        let city = city.await?;
        let operator = Operator {
            id: OperatorId::new(clock.now(), &*rng),
            role: Role::Admin,
            key: KeyId::from_u128(1),
            browser: false,
        };
        Ok(Town { city, clock, operator, ledger, newest, dir: dir.to_owned(), people: 0 })
    }

    /// Somebody with so much money.
    async fn payer(&mut self, minor: i64) -> Result<Resident, Fail> {
        self.people += 1;
        let fail = |e: identity::IdentityError| Fail::new(e.to_string());
        let phone = format!("139{:08}", self.people);
        identity::request_code(&self.city, &phone).await.map_err(fail)?;
        let code = self.newest.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let signed = identity::sign_in(&self.city, &phone, &code, None).await.map_err(fail)?;
        let who = identity::authenticate_resident(&self.city, &signed.token).await.map_err(fail)?;
        identity::raise_tier(&self.city, &self.operator, who.id, Tier::III).await.map_err(fail)?;
        let money = Money::new(minor, self.city.settings.currency);
        let deposit = city::wallet::deposit(&self.city, &self.operator, who.id, money, &phone).await;
        deposit.map_err(|e| Fail::new(format!("a deposit: {e}")))?;
        Ok(Resident { tier: Tier::III, ..who })
    }

    /// A stage for a pack; the clock goes on to the next morning.
    pub async fn stage(&mut self, pack: &Pack) -> Result<Stage, Fail> {
        let payers = [self.payer(FUNDS).await?, self.payer(FUNDS).await?];
        let added = bill::add_pack(&self.city, &self.operator, &pack.text).await;
        let pack = added.map_err(|e| Fail::new(format!("{}: {e}", e.code())))?;
        Ok(Stage {
            city: self.city.clone(),
            clock: self.clock.clone(),
            operator: self.operator,
            accounts: super::accounts::some(&pack.spec.account, 24, &pack.hash),
            pack,
            payers,
            dir: self.dir.clone(),
            cases: Vec::new(),
            paid: Vec::new(),
            spent: 0,
            base: Figures::default(),
            next: 0,
            channel: None,
        })
    }

    /// Goes on to ten o'clock of the day after tomorrow.
    pub fn next_morning(&self) {
        let today = self.clock.now().date(UtcOffset::CHINA);
        let day = today.tomorrow().unwrap_or(today);
        let morning = Timestamp::start_of(day.tomorrow().unwrap_or(day), UtcOffset::CHINA);
        self.clock.set(morning.plus(Duration::from_hours(10)));
    }

    /// Ends it.
    pub async fn close(self) {
        self.city.store.close().await;
        let Town { city, ledger, dir, .. } = self;
        drop(city);
        ledger.close();
        let _ = std::fs::remove_dir_all(dir); // it lies in a directory that is removed as a whole
    }
}

/// What each payer begins with, minor units: below the allowance of a year.
const FUNDS: i64 = 15_000_000;

/// What the books say at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    biller: i64,
    biller_pending: i64,
    payers: i64,
    payers_pending: i64,
    far: i64,
}

/// A payment that was settled, as the certifier remembers it.
#[derive(Clone, Debug)]
pub struct PaidRow {
    pub reference: String,
    pub account_no: String,
    pub bill_no: String,
    pub holder: String,
    pub period: u32,
    pub amount: i64,
    pub late_fee: i64,
    pub day: Date,
}

/// A pack, tried.
pub struct Stage {
    pub city: City,
    pub clock: Arc<ManualClock>,
    pub operator: Operator,
    pub pack: Arc<Pack>,
    pub payers: [Resident; 2],
    pub dir: PathBuf,
    pub accounts: Vec<String>,
    pub cases: Vec<Case>,
    pub paid: Vec<PaidRow>,
    pub channel: Option<String>,
    spent: i64,
    base: Figures,
    next: u64,
}

impl Stage {
    /// The local day.
    pub fn today(&self) -> Date {
        self.clock.now().date(UtcOffset::CHINA)
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A number that no bill of this pack had.
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// An account, another each time as far as there are others.
    pub fn account(&self, n: u64) -> String {
        let at = usize::try_from(n).unwrap_or(0) % self.accounts.len();
        self.accounts[at].clone()
    }

    async fn figures(&self, sides: &[&Side]) -> Result<Figures, Ended> {
        let ids = vec![
            books::biller(self.pack.biller),
            books::wallet(self.payers[0].id),
            books::wallet(self.payers[1].id),
        ];
        let found = self.city.ledger.lookup_accounts(ids).await.map_err(|e| Ended::Failed(e.to_string()))?;
        let [biller, one, two] = &found[..] else {
            return Err(Ended::Failed("an account is missing in the ledger".to_owned()));
        };
        let minor = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
        let left = |a: &ledger::Account| minor(a.credits_posted) - minor(a.debits_posted);
        let far = sides.iter().flat_map(|side| side.taken());
        Ok(Figures {
            biller: left(biller),
            biller_pending: minor(biller.credits_pending) + minor(biller.debits_pending),
            payers: left(one) + left(two),
            payers_pending: minor(one.debits_pending) + minor(two.debits_pending),
            far: far.map(|(payment, times)| payment.amount_minor * i64::from(times)).sum(),
        })
    }

    /// Before a case.
    pub async fn begin(&mut self, sides: &[&Side]) {
        self.spent = 0;
        if let Ok(now) = self.figures(sides).await {
            self.base = now;
        }
    }

    async fn audit(&self, sides: &[&Side], far: bool) -> Done {
        let now = self.figures(sides).await?;
        ensure(now.biller_pending == 0 && now.payers_pending == 0, || {
            format!("{} fen are still held", now.payers_pending.max(now.biller_pending))
        })?;
        let moved = (now.biller - self.base.biller, self.base.payers - now.payers);
        ensure(moved == (self.spent, self.spent), || {
            format!("{} fen settled, {} went to the biller, {} left the payers", self.spent, moved.0, moved.1)
        })?;
        let theirs = now.far - self.base.far;
        ensure(!far || theirs == self.spent, || {
            format!("{} fen settled here, the institution took {theirs}", self.spent)
        })
    }

    /// After a case: looks at the books, and notes how it ended.
    pub async fn end(&mut self, name: &str, done: Done, sides: &[&Side]) {
        let far = !sides.is_empty();
        for side in sides {
            side.goes_well();
        }
        let done = match done {
            Ok(()) => self.audit(sides, far).await,
            Err(other) => Err(other),
        };
        if let Err(Ended::Failed(_)) = &done {
            // What a failed case left open is not the next one's failure.
            let _ = self.drive().await;
        }
        let (outcome, why) = match done {
            Ok(()) => (Outcome::Passed, None),
            Err(Ended::Failed(why)) => (Outcome::Failed, Some(why)),
            Err(Ended::NotApplicable(why)) => (Outcome::NotApplicable, Some(why)),
        };
        self.cases.push(Case { channel: self.channel.clone(), name: name.to_owned(), outcome, why });
    }

    /// The price of a bill of an account now, and a wish to pay it.
    pub async fn wish(&mut self, account_no: &str, bill_no: &str) -> Result<PayBill, Ended> {
        self.pass(2);
        let views = bill::fetch(&self.city, self.pack.biller, account_no).await?;
        let view = views.into_iter().find(|view| view.bill.bill_no == bill_no);
        let view = view.ok_or_else(|| Ended::Failed(format!("bill {bill_no} is not shown")))?;
        ensure(view.standing == Standing::Open, || {
            format!("bill {bill_no} is not open: {:?}", view.standing)
        })?;
        let request_id = Some(format!("c{}", self.fresh()));
        Ok(PayBill { bill: view.bill.id, quote: view.quote.id, amount_minor: None, pin: None, request_id })
    }

    /// Pays, as the first payer.
    pub async fn pay(&mut self, wish: &PayBill) -> Result<Paid, BillError> {
        self.pass(2);
        let paid = bill::pay(&self.city, &self.payers[0], wish.clone()).await?;
        if paid.state == PayState::Settled && !paid.repeated {
            self.note(&paid).await?;
        }
        Ok(paid)
    }

    /// Remembers a payment that is settled.
    pub async fn note(&mut self, paid: &Paid) -> Result<(), BillError> {
        let view = bill::bill(&self.city, paid.settled.bill).await?;
        self.spent += paid.settled.amount_minor;
        self.paid.push(PaidRow {
            reference: paid.settled.payment.to_string(),
            account_no: view.bill.account_no.clone(),
            bill_no: view.bill.bill_no.clone(),
            holder: view.bill.holder.clone(),
            period: view.bill.period,
            amount: paid.settled.amount_minor,
            late_fee: paid.settled.late_fee_minor,
            day: self.today(),
        });
        Ok(())
    }

    /// Asks about what is open until nothing is, or nothing more can be known; how many are open then.
    pub async fn drive(&mut self) -> Result<usize, Ended> {
        let mut open = 0;
        for _ in 0..4 {
            self.pass(130); // every way is tried again after so long
            open = bill::settle_pending(&self.city).await?;
            if open == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(120)).await; // a line that was cut comes back
        }
        Ok(open)
    }
}
