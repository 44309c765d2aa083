//! The books' check: every account's balances counted again from the ledger's transfers alone, through the engine's
//! own door, and held against those it keeps, while the city goes on paying. Then: the money at the bank and at
//! collectors is that of wallets, shops, billers, accounts at billers, campaigns and fees. Must never write to the ledger.
//!
//! An account that moves meanwhile is looked up between two readings of the feed, and must show one of the states
//! that the transfers between them lead through. Keeps every account's sums in memory while it runs, some 150 bytes
//! each. `yima ledger verify` doubts the journal itself, beneath the engine; this doubts what the engine answers.

mod store;
pub mod tally;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::{ActId, OperatorId};
use ledger::{Account, EngineError, QueryFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::tally::{Balance, Impossible, Tally, overdrawn};
use super::OperatorError;
use super::audit::{Act, audited};
use crate::books::{self, account_code};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Everything agrees.
    Passed,
    /// The report has what does not.
    Failed,
    /// The ledger did not answer; nothing is known.
    Stopped,
}

impl CheckOutcome {
    fn name(self) -> &'static str {
        match self {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "failed",
            CheckOutcome::Stopped => "stopped",
        }
    }

    fn from_name(name: &str) -> Option<CheckOutcome> {
        [CheckOutcome::Passed, CheckOutcome::Failed, CheckOutcome::Stopped]
            .into_iter()
            .find(|o| o.name() == name)
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// Accounts looked at.
    pub accounts: u64,
    /// Transfers counted.
    pub transfers: u64,
    /// Money at the bank, minor units.
    pub bank_minor: i64,
    /// Owed to residents, minor units.
    pub wallets_minor: i64,
    /// Owed to shops, minor units.
    pub shops_minor: i64,
    /// Owed to billers, minor units.
    pub billers_minor: i64,
    /// Fees earned, minor units.
    pub fees_minor: i64,
    /// Left of campaigns' budgets, minor units.
    #[serde(default)]
    pub campaigns_minor: i64,
    /// Collected and not handed over yet, minor units.
    #[serde(default)]
    pub collectors_minor: i64,
    /// Held for accounts at billers, minor units.
    #[serde(default)]
    pub advances_minor: i64,
    /// How many disagreements there are.
    pub differences: u64,
    /// The first twenty of them.
    pub first: Vec<Difference>,
    /// Why it stopped.
    pub stopped: Option<String>,
}

/// Where the books do not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The account's or transfer's 128 bits, hexadecimal; empty for the books as a whole.
    pub id: String,
    /// What is wrong with it.
    pub what: String,
}

/// How many disagreements are told one by one.
const TOLD: usize = 20;

impl CheckReport {
    fn differs(&mut self, id: Option<u128>, what: impl Into<String>) {
        self.differences += 1;
        if self.first.len() < TOLD {
            let id = id.map(|id| format!("{id:032x}")).unwrap_or_default();
            self.first.push(Difference { id, what: what.into() });
        }
    }
}

/// A check that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Who started it.
    pub by: OperatorId,
    /// When.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How.
    pub outcome: CheckOutcome,
    /// What it found.
    pub report: CheckReport,
}

/// A check that runs on this node.
#[derive(Clone, Debug)]
pub struct Running {
    /// Who started it.
    pub by: OperatorId,
    /// When.
    pub started_at: Timestamp,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// How far a check is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Transfers counted.
    pub transfers: AtomicU64,
    /// Accounts looked at.
    pub accounts: AtomicU64,
}

/// The check that runs on this node, if one does.
#[derive(Debug, Default)]
pub struct State(Mutex<Option<Running>>);

impl State {
    /// The check that runs on this node.
    pub fn running(&self) -> Option<Running> {
        self.0.lock().expect("no panic while held").clone()
    }
}

/// Starts a check in the background, unless one runs on this node already. By an operator of role staff.
pub async fn start(city: &City, by: &Operator, reason: Option<&str>) -> Result<Running, OperatorError> {
    by.role.require(Role::Staff)?;
    // Nothing is changed by it: a reason is welcome, and none is needed.
    let quiet = Operator { browser: false, ..*by };
    audited(city, &quiet, reason, Act::on("start_check", ""), async {
        Ok::<_, OperatorError>(begin(city, by))
    })
    .await
}

fn begin(city: &City, by: &Operator) -> Running {
    let mut slot = city.operator.check.0.lock().expect("no panic while held");
    if let Some(running) = &*slot {
        return running.clone();
    }
    let running = Running { by: by.id, started_at: city.now(), progress: Arc::default() };
    *slot = Some(running.clone());
    let (city, work) = (city.clone(), running.clone());
    tokio::spawn(async move {
        let ended = run(&city, &work).await;
        // Kept before it is no longer running: there is no moment at which neither is known.
        if let Err(why) = keep(&city, ended).await {
            tracing::error!(%why, "what the books' check found was not kept");
        }
        *city.operator.check.0.lock().expect("no panic while held") = None;
    });
    running
}

async fn keep(city: &City, ended: Check) -> Result<(), OperatorError> {
    let report = serde_json::to_string(&ended.report).map_err(|e| Fault::Books(e.to_string()))?;
    let id = ActId::new(ended.finished_at, &*city.rng);
    city.store
        .write(move |conn| Box::pin(async move { Ok(store::add(conn, id, &ended, &report).await?) }))
        .await
}

/// The newest check that has ended, on any node.
pub async fn newest(city: &City) -> Result<Option<Check>, OperatorError> {
    let mut conn = city.store.read().await?;
    Ok(store::newest(&mut conn).await?)
}

async fn run(city: &City, running: &Running) -> Check {
    let mut report = CheckReport::default();
    let outcome = match count(city, &running.progress, &mut report).await {
        Ok(()) if report.differences == 0 => CheckOutcome::Passed,
        Ok(()) => CheckOutcome::Failed,
        Err(why) => {
            report.stopped = Some(why.to_string());
            CheckOutcome::Stopped
        }
    };
    if outcome == CheckOutcome::Failed {
        tracing::error!(differences = report.differences, first = ?report.first.first(), "the books do not hold");
    }
    let (by, started_at) = (running.by, running.started_at);
    Check { by, started_at, finished_at: city.now(), outcome, report }
}

/// Transfers or accounts of one question.
const PAGE: u32 = 8_000;
/// How far the engine's clock may be from ours, and how long a release may take after it is due.
const SLACK: Duration = Duration::from_secs(2);
/// How often accounts that do not agree are looked at again.
const TRIES: u32 = 4;

async fn count(city: &City, progress: &Progress, report: &mut CheckReport) -> Result<(), EngineError> {
    let begun = books::ledger_time(city.now().minus(SLACK));
    let mut tally = Tally::default();
    catch_up(city, &mut tally, progress, report).await?;
    impossible(tally.expire(begun), report);
    let mut kinds: HashMap<u128, (u32, u16)> = HashMap::new();
    let mut after = 0;
    loop {
        let filter = QueryFilter { timestamp_min: after + 1, limit: PAGE, ..QueryFilter::default() };
        let page = city.ledger.query_accounts(filter).await?;
        let Some(last) = page.last() else { break };
        after = last.timestamp;
        kinds.extend(page.iter().map(|a| (a.id, (a.ledger, a.code))));
        for found in disagreeing(city, &mut tally, &page, progress, report).await? {
            report.differs(Some(found.id), "the balance is not what its transfers make it");
        }
        for account in &page {
            if overdrawn(account, tally::shown(account)) {
                report.differs(Some(account.id), "more was spent than came in");
            }
        }
        report.accounts += page.len() as u64;
        progress.accounts.store(report.accounts, Ordering::Relaxed);
    }
    report.transfers = tally.transfers;
    conserve(city, &tally, &kinds, report);
    Ok(())
}

fn impossible(done: Result<(), Impossible>, report: &mut CheckReport) {
    if let Err(Impossible(id, what)) = done {
        report.differs(Some(id), what);
    }
}

/// Takes in what the feed has.
async fn catch_up(
    city: &City,
    tally: &mut Tally,
    progress: &Progress,
    report: &mut CheckReport,
) -> Result<(), EngineError> {
    loop {
        let page = city.ledger.feed(tally.position, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for item in &page {
            impossible(tally.take(&item.transfer), report);
        }
        progress.transfers.store(tally.transfers, Ordering::Relaxed);
        if page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

/// Which of these accounts do not show what their transfers make them, however often they are asked.
async fn disagreeing(
    city: &City,
    tally: &mut Tally,
    accounts: &[Account],
    progress: &Progress,
    report: &mut CheckReport,
) -> Result<Vec<Account>, EngineError> {
    let mut wanted: Vec<u128> = accounts.iter().map(|a| a.id).collect();
    let mut found = Vec::new();
    for _ in 0..TRIES {
        catch_up(city, tally, progress, report).await?;
        tally.watch(wanted.iter().copied());
        let seen = city.ledger.lookup_accounts(wanted).await?;
        catch_up(city, tally, progress, report).await?;
        let to = books::ledger_time(city.now().plus(SLACK));
        found = seen.into_iter().filter(|account| !tally.agrees(account, to)).collect();
        tally.watch(std::iter::empty());
        if found.is_empty() {
            break;
        }
        wanted = found.iter().map(|a| a.id).collect();
        tokio::time::sleep(SLACK / 4).await;
    }
    Ok(found)
}

/// Whether the money at the bank is that of everybody it is owed to, at one moment of the feed.
fn conserve(city: &City, tally: &Tally, kinds: &HashMap<u128, (u32, u16)>, report: &mut CheckReport) {
    let money = books::money(city.settings.currency);
    let owed = |[_, debits, _, credits]: Balance| {
        let of = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
        of(credits).saturating_sub(of(debits))
    };
    let mut sums: HashMap<u16, i128> = HashMap::new();
    for (id, sum) in tally.accounts() {
        match kinds.get(&id) {
            // Whatever the feed had was there before the last account was asked for.
            None => {
                *sums.entry(0).or_default() += owed(sum);
                report.differs(Some(id), "transfers name an account that is not there");
            }
            Some((ledger, code)) if *ledger == money => *sums.entry(*code).or_default() += owed(sum),
            Some(_) => {}
        }
    }
    let minor = |code: u16| i64::try_from(sums.get(&code).copied().unwrap_or(0)).unwrap_or(i64::MAX);
    report.bank_minor = minor(account_code::BANK_CLEARING).saturating_neg();
    report.wallets_minor = minor(account_code::WALLET);
    report.shops_minor = minor(account_code::MERCHANT);
    report.billers_minor = minor(account_code::BILLER);
    report.fees_minor = minor(account_code::FEES);
    report.campaigns_minor = minor(account_code::CAMPAIGN);
    report.collectors_minor = minor(account_code::COLLECTOR).saturating_neg();
    report.advances_minor = minor(account_code::ADVANCE);
    let all: i128 = sums.values().sum();
    let known = [
        account_code::BANK_CLEARING,
        account_code::WALLET,
        account_code::MERCHANT,
        account_code::BILLER,
        account_code::FEES,
        account_code::CAMPAIGN,
        account_code::COLLECTOR,
        account_code::ADVANCE,
    ];
    let known: i128 = known.iter().filter_map(|code| sums.get(code)).sum();
    if all != 0 || known != 0 {
        let (bank, owed) = (report.bank_minor, known.saturating_add(i128::from(report.bank_minor)));
        report.differs(
            None,
            format!("the bank has {bank}, collectors, wallets, shops, billers, advances, campaigns and fees come to {owed}"),
        );
    }
}
