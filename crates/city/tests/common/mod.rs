//! A city for one test: fresh engines in a temporary directory, a clock moved by hand, seeded
//! randomness, messages into a file. On PostgreSQL where `YIMA_TEST_POSTGRES` names a server.

#![allow(dead_code, reason = "every test binary uses its own part of the harness")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use city::identity::{self, FileSender, OwnerKind, Resident, Role, Tier};
use city::{City, Settings};
use kernel::ids::OperatorId;
use kernel::{Clock, ManualClock, OsRng, Timestamp};
use tempfile::TempDir;

/// Monday, 2 March 2026, 10:00 in China.
pub fn monday() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().expect("a time")
}

/// A city and what a test needs to steer it.
pub struct Town {
    pub city: City,
    pub clock: Arc<ManualClock>,
    pub url: String,
    pub dir: TempDir,
    ledger: Arc<ledger::Embedded>,
    pub operator: identity::Operator,
}

impl Town {
    /// A new, empty city.
    pub async fn new() -> Town {
        let dir = TempDir::new().expect("a temporary directory");
        let url = store::testing::fresh_url(dir.path(), &OsRng).await.expect("a fresh database");
        let clock = Arc::new(ManualClock::new(monday()));
        Town::open(dir, url, clock).await
    }

    async fn open(dir: TempDir, url: String, clock: Arc<ManualClock>) -> Town {
        let (engine, _) = ledger::Embedded::open(&dir.path().join("ledger"), clock.clone()).expect("a ledger");
        let ledger = Arc::new(engine);
        let store = store::Store::open(&url).await.expect("a database");
        let sender = Arc::new(FileSender::new(dir.path().join("messages.jsonl")));
        let settings = Settings::china(dir.path().to_path_buf());
        let city = City::open(store, ledger.clone(), clock.clone(), Arc::new(OsRng), settings, sender)
            .await
            .expect("a city");
        let operator = identity::Operator { id: OperatorId::new(clock.now(), &OsRng), role: Role::Admin };
        Town { city, clock, url, dir, ledger, operator }
    }

    /// Closes both engines and opens the same city again.
    pub async fn reopen(self) -> Town {
        self.city.store.close().await;
        self.ledger.close();
        let Town { city, clock, url, dir, ledger, .. } = self;
        drop(city);
        drop(ledger);
        Town::open(dir, url, clock).await
    }

    /// The newest message to a phone: the one-time code in it.
    pub fn code_sent_to(&self, phone: &str) -> String {
        let path: PathBuf = self.dir.path().join("messages.jsonl");
        let text = std::fs::read_to_string(path).expect("messages");
        let last = text.lines().rev().find(|line| line.contains(phone)).expect("a message to the phone");
        let message: serde_json::Value = serde_json::from_str(last).expect("JSON");
        message["code"].as_str().expect("a code").to_owned()
    }

    /// Signs a resident in, by phone and the code that was sent; tier I, empty wallet.
    pub async fn resident(&self, phone: &str) -> Resident {
        identity::request_code(&self.city, phone).await.expect("a code is sent");
        let code = self.code_sent_to(phone);
        let signed = identity::sign_in(&self.city, phone, &code, Some("王小明")).await.expect("signed in");
        identity::authenticate_resident(&self.city, &signed.token).await.expect("a live session")
    }

    /// A resident of tier III with this much in the wallet (minor units).
    pub async fn rich(&self, phone: &str, minor: i64) -> Resident {
        let poor = self.resident(phone).await;
        identity::raise_tier(&self.city, &self.operator, poor.id, Tier::III).await.expect("tier III");
        let reference = format!("test-{phone}");
        city::wallet::deposit(&self.city, &self.operator, poor.id, self.money(minor), &reference).await.expect("a deposit");
        Resident { tier: Tier::III, ..poor }
    }

    /// Minor units of the city's currency.
    pub fn money(&self, minor: i64) -> kernel::Money {
        kernel::Money::new(minor, self.city.settings.currency)
    }

    /// What an account may spend.
    pub async fn available(&self, account: u128) -> i64 {
        city::books::available(&self.city.ledger, account).await.expect("the ledger answers")
    }

    /// An API key for `owner`.
    pub async fn key(&self, kind: OwnerKind, owner: u128, role: Role) -> String {
        identity::create_key(&self.city, kind, owner, role, None, "test").await.expect("a key").secret
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
