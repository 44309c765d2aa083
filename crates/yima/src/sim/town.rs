//! The city that is played, on its real engines, and both sides of every biller.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use channel::{Debt, Door};
use city::bill::collect::{self, CollectorKind, Wanted};
use city::bill::pack::{Name, Source};
use city::bill::{self, Pack, saved};
use city::identity::{self, Collector, Message, MessageSender, Operator, Resident, Role, Tier};
use city::mandate::{self, Target, Terms, When};
use city::{City, Settings, wallet};
use kernel::ids::{KeyId, OperatorId, ResidentId, SessionId};
use kernel::{Clock as _, Date, ManualClock, Money, SeededRng, Timestamp, UtcOffset};
use tokio::task::JoinSet;

use super::far::Far;
use super::plan::{self, DUE_AFTER, How, Shape};
use crate::config::Fail;
use crate::pack_cli::certify::files::{Row, amount_max, file};

/// What every resident brings, minor units: less than one who only gave a phone number may spend.
pub const DEPOSIT_MINOR: i64 = 90_000;
/// What a collector may hold, minor units.
const COLLECTOR_MINOR: i64 = 10_000_000_000;
/// How many are made at the same moment.
const AT_ONCE: u32 = 256;
/// The month that is billed.
const PERIOD: u32 = 202_602;
/// The PIN of those who have one.
const PIN: &str = "471925";

/// Nobody is sent an SMS.
struct Nobody;

impl MessageSender for Nobody {
    fn send(&self, _: Message) -> store::BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A biller: what the city knows of it, and its own side where it is asked.
pub struct Side {
    /// Its pack.
    pub pack: Arc<Pack>,
    /// Its side; none where it hands over files.
    pub far: Option<Arc<Far>>,
    /// Whether a way to it bears so many questions a second and no more.
    pub paced: bool,
    /// The greatest amount that its files have room for.
    most: i64,
}

/// The whole.
pub struct Town {
    pub city: City,
    pub clock: Arc<ManualClock>,
    pub operator: Operator,
    pub collector: Collector,
    pub shape: Shape,
    pub billers: Vec<Side>,
    ledger: Arc<ledger::Embedded>,
    dir: PathBuf,
    first: Date,
}

/// So many of the shipped packs, spread evenly over all of them.
fn packs(count: u32) -> Result<Vec<Arc<Pack>>, Fail> {
    let mut all: Vec<Arc<Pack>> = bill::shipped_packs().to_vec();
    all.sort_unstable_by(|a, b| a.spec.id.cmp(&b.spec.id));
    let count = count as usize;
    if count == 0 || count > all.len() {
        return Err(Fail::new(format!("--billers: 1 to {}", all.len())));
    }
    Ok((0..count).map(|nth| all[nth * all.len() / count].clone()).collect())
}

impl Town {
    /// A new city in this directory, on the evening before the first day.
    pub async fn open(dir: &Path, shape: Shape, faults_bps: u32) -> Result<Town, Fail> {
        let first = Date::new(2026, 3, 2)?;
        let begin = Timestamp::start_of(first, UtcOffset::CHINA).minus(std::time::Duration::from_hours(4));
        let clock = Arc::new(ManualClock::new(begin));
        let (engine, _) =
            ledger::Embedded::open_with(&dir.join("ledger"), clock.clone(), ledger::Options::default())?;
        let ledger = Arc::new(engine);
        let store = store::Store::open(&format!("sqlite:{}", dir.join("yima.db").display())).await?;
        let settings = Settings::china(dir.to_owned(), [7; 32]);
        let rng = Arc::new(SeededRng::new(shape.seed));
        let city = City::open(store, ledger.clone(), clock.clone(), rng, settings, Arc::new(Nobody)).await?;
        let operator = Operator {
            id: OperatorId::from_u128(1),
            role: Role::Admin,
            key: KeyId::from_u128(1),
            browser: false,
        };
        let mut billers = Vec::new();
        for pack in packs(shape.billers)? {
            let channels = &pack.spec.channels;
            let far = (!channels.is_empty())
                .then(|| Arc::new(Far::new(shape.seed, faults_bps, pack.spec.late_fee.clone())));
            if let Some(far) = &far {
                let door = |channel: &bill::route::spec::Channel| {
                    let door: Arc<dyn Door> = far.clone();
                    (channel.name.clone(), door)
                };
                let doors: BTreeMap<String, Arc<dyn Door>> = channels.iter().map(door).collect();
                bill::route::put_doors(&city, pack.biller, &doors).await?;
            }
            let paced = channels.iter().any(|channel| channel.rate_per_s.is_some());
            billers.push(Side { most: amount_max(&pack.spec), far, paced, pack });
        }
        let name = Name { zh: "银行网点".to_owned(), en: "Bank counters".to_owned() };
        let wanted = Wanted {
            reference: "counters".to_owned(),
            kind: CollectorKind::Bank,
            name,
            billers: None,
            limit_minor: COLLECTOR_MINOR,
        };
        let registered = collect::register(&city, &operator, wanted).await?;
        let collector = Collector { id: registered.id, role: Role::Admin };
        let dir = dir.to_owned();
        Ok(Town { city, clock, operator, collector, shape, billers, ledger, dir, first })
    }

    /// Ends it.
    pub async fn close(self) {
        self.city.store.close().await;
        let Town { city, ledger, .. } = self;
        drop(city);
        ledger.close();
    }

    /// The date of a day of the month.
    pub fn date(&self, day: u32) -> Date {
        let at = Timestamp::start_of(self.first, UtcOffset::CHINA);
        at.plus(std::time::Duration::from_hours(24 * u64::from(day) + 12)).date(UtcOffset::CHINA)
    }

    /// The clock goes on to so many minutes after midnight of a day.
    pub fn go_to(&self, day: u32, minutes: u64) {
        let at = Timestamp::start_of(self.date(day), UtcOffset::CHINA);
        let at = at.plus(std::time::Duration::from_mins(minutes));
        if at > self.clock.now() {
            self.clock.set(at);
        }
    }

    /// A resident, as signed in.
    pub fn resident(&self, n: u32) -> Resident {
        let id = ResidentId::derive(&[b"sim", &self.shape.seed.to_be_bytes(), &n.to_be_bytes()]);
        Resident { id, tier: Tier::I, session: SessionId::from_u128(u128::from(n) + 1) }
    }

    /// How the bill of a resident is paid.
    pub fn how(&self, resident: u32) -> How {
        let (biller, _) = self.shape.account(resident);
        self.shape.how(resident, self.billers[biller as usize].paced)
    }

    /// The account of a resident, and the number of the bill.
    pub fn account_no(&self, resident: u32) -> Result<String, Fail> {
        let (biller, n) = self.shape.account(resident);
        let spec = &self.billers[biller as usize].pack.spec;
        plan::account_no(&spec.account, n)
            .ok_or_else(|| Fail::new(format!("{} has no {n} accounts", spec.id)))
    }

    /// The residents of a biller.
    fn of_biller(&self, biller: u32) -> impl Iterator<Item = u32> {
        (biller..self.shape.residents).step_by(self.shape.billers as usize)
    }

    /// Everybody moves in: enrolled, with money; some keep their account, and some of them have a mandate.
    pub async fn enrol(self: &Arc<Town>) -> Result<(), Fail> {
        let mut tasks = JoinSet::new();
        for worker in 0..AT_ONCE {
            let town = self.clone();
            tasks.spawn(async move {
                for n in (worker..town.shape.residents).step_by(AT_ONCE as usize) {
                    town.move_in(n).await?;
                }
                Ok::<(), Fail>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn move_in(&self, n: u32) -> Result<(), Fail> {
        let (city, who) = (&self.city, self.resident(n));
        let phone = format!("139{n:08}");
        identity::enrol(city, &self.operator, who.id, &phone, "居民").await?;
        let money = Money::new(DEPOSIT_MINOR, city.settings.currency);
        wallet::deposit(city, &self.operator, who.id, money, &format!("sim-{n}")).await?;
        if !self.shape.keeps(n) {
            return Ok(());
        }
        let (biller, _) = self.shape.account(n);
        let (biller, account_no) = (self.billers[biller as usize].pack.biller, self.account_no(n)?);
        saved::save(city, &who, biller, &account_no, None, true).await?;
        if self.how(n) == How::Mandate {
            identity::set_first_pin(city, &who, PIN).await?;
            let terms = Terms {
                member: None,
                target: Target::Account { biller, account_no },
                cap_bill: 30_000,
                cap_month: 30_000,
                valid_from: city.now().date(city.settings.offset),
                valid_until: None,
                notice_days: 1,
                pay: When::AtOnce,
            };
            mandate::create(city, &who, "sim", terms, Some(PIN)).await?;
        }
        Ok(())
    }

    /// The bills of a biller come: as a file that is imported, or as debts in its own books.
    pub async fn bill(&self, biller: u32) -> Result<u64, Fail> {
        let side = &self.billers[biller as usize];
        let due = self.date(self.shape.billed_on(biller) + u32::try_from(DUE_AFTER).unwrap_or(0));
        let mut rows = Vec::new();
        for n in self.of_biller(biller) {
            let (account_no, bill_no) = (self.account_no(n)?, bill_no(n));
            let amount = self.shape.amount(n, side.most);
            rows.push(Row {
                account_no, bill_no, holder: "王小明".to_owned(), period: PERIOD, amount, due
            });
        }
        let count = rows.len() as u64;
        if let Some(far) = &side.far {
            for row in &rows {
                let debt = Debt {
                    bill_no: row.bill_no.clone(),
                    amount_minor: row.amount,
                    due: Some(due),
                    period: PERIOD,
                    holder: row.holder.clone(),
                };
                for channel in &side.pack.spec.channels {
                    far.open(channel.institution(), &row.account_no, debt.clone());
                }
            }
        }
        if side.pack.spec.bills.source == Source::File {
            let layout = side.pack.spec.bills.file.as_ref();
            let layout =
                layout.ok_or_else(|| Fail::new(format!("{} has no bill file", side.pack.spec.id)))?;
            let path = self.dir.join(format!("{}.bills", side.pack.spec.id));
            std::fs::write(&path, file(layout, &rows).bytes())?;
            let done = bill::import_path(&self.city, side.pack.biller, &path, "bills", |_| {}).await?;
            std::fs::remove_file(&path)?;
            if (done.added, done.refused) != (count, 0) {
                return Err(Fail::new(format!(
                    "{}: {} of {count} bills taken in, {} refused",
                    side.pack.spec.id, done.added, done.refused
                )));
            }
        }
        Ok(count)
    }

    /// Where files lie that are read once.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The biller's number of a resident's bill.
pub fn bill_no(resident: u32) -> String {
    format!("M{resident}")
}
