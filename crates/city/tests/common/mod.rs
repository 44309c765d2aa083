//! A city for one test: fresh engines in a temporary directory, a clock moved by hand, seeded
//! randomness, messages into a file. On PostgreSQL where `YIMA_TEST_POSTGRES` names a server.

#![allow(dead_code, reason = "every test binary uses its own part of the harness")]

mod full;
mod liar;
mod slow;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use city::identity::{self, FileSender, Merchant, MessageSender, OwnerKind, Resident, Role, Tier};
use city::{City, Refusal, Settings};
use codes::payment_code::{DeviceSecret, generate};
use kernel::ids::{KeyId, MerchantId, OperatorId};
use kernel::{Clock, ManualClock, OsRng, Timestamp};
use ledger::{AccountFlags, Engine as _, QueryFilter};
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
        Town::with(|_| ()).await
    }

    /// A new, empty city with settings of its own.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Town {
        let dir = TempDir::new().expect("a temporary directory");
        let url = store::testing::fresh_url(dir.path(), &OsRng).await.expect("a fresh database");
        let clock = Arc::new(ManualClock::new(monday()));
        let mut settings = Settings::china(dir.path().to_path_buf(), [7; 32]);
        change(&mut settings);
        Town::open(dir, url, clock, settings).await
    }

    async fn open(dir: TempDir, url: String, clock: Arc<ManualClock>, settings: Settings) -> Town {
        let (engine, _) =
            ledger::Embedded::open(&dir.path().join("ledger"), clock.clone()).expect("a ledger");
        let ledger = Arc::new(engine);
        let store = store::Store::open(&url).await.expect("a database");
        let sender = Arc::new(FileSender::new(dir.path().join("messages.jsonl")));
        let city = City::open(store, ledger.clone(), clock.clone(), Arc::new(OsRng), settings, sender)
            .await
            .expect("a city");
        let operator = identity::Operator {
            id: OperatorId::new(clock.now(), &OsRng),
            role: Role::Admin,
            key: KeyId::from_u128(1),
            browser: false,
        };
        Town { city, clock, url, dir, ledger, operator }
    }

    /// Closes both engines and opens the same city again.
    pub async fn reopen(self) -> Town {
        self.city.store.close().await;
        self.ledger.close();
        let Town { city, clock, url, dir, ledger, .. } = self;
        let settings = city.settings.clone();
        drop(city);
        drop(ledger);
        Town::open(dir, url, clock, settings).await
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

    /// A new session of a resident: its token.
    pub async fn session(&self, phone: &str) -> String {
        self.pass(61); // a code is sent once a minute
        identity::request_code(&self.city, phone).await.expect("a code is sent");
        let code = self.code_sent_to(phone);
        identity::sign_in(&self.city, phone, &code, None).await.expect("signed in").token
    }

    /// A resident of tier III with this much in the wallet (minor units).
    pub async fn rich(&self, phone: &str, minor: i64) -> Resident {
        let poor = self.resident(phone).await;
        identity::raise_tier(&self.city, &self.operator, poor.id, Tier::III).await.expect("tier III");
        let reference = format!("test-{phone}");
        city::wallet::deposit(&self.city, &self.operator, poor.id, self.money(minor), &reference)
            .await
            .expect("a deposit");
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

    /// Another node of the same city: the same engines, a memory of its own.
    pub async fn node(&self) -> City {
        self.node_sending(Arc::new(FileSender::new(self.dir.path().join("messages.jsonl")))).await
    }

    /// Another node, whose messages leave through `sender`.
    pub async fn node_sending(&self, sender: Arc<dyn MessageSender>) -> City {
        let (store, ledger, clock) = (self.city.store.clone(), self.ledger.clone(), self.clock.clone());
        City::open(store, ledger, clock, Arc::new(OsRng), self.city.settings.clone(), sender)
            .await
            .expect("a second node")
    }

    /// Another node, which finds no room in the ledger while the switch says so.
    pub async fn node_that_fills_up(&self) -> (City, Arc<AtomicBool>) {
        let full = Arc::new(AtomicBool::new(false));
        let ledger = Arc::new(full::Full { ledger: self.ledger.clone(), full: full.clone() });
        let (store, clock) = (self.city.store.clone(), self.clock.clone());
        let sender = Arc::new(FileSender::new(self.dir.path().join("messages.jsonl")));
        let city = City::open(store, ledger, clock, Arc::new(OsRng), self.city.settings.clone(), sender);
        (city.await.expect("another node"), full)
    }

    /// Another node, which waits at a gate before it moves money.
    pub async fn node_that_is_held_up(&self) -> (City, Arc<slow::Gate>) {
        let gate = Arc::new(slow::Gate::new());
        let ledger = Arc::new(slow::Slow { ledger: self.ledger.clone(), gate: gate.clone() });
        let (store, clock) = (self.city.store.clone(), self.clock.clone());
        let sender = Arc::new(FileSender::new(self.dir.path().join("messages.jsonl")));
        let city = City::open(store, ledger, clock, Arc::new(OsRng), self.city.settings.clone(), sender);
        (city.await.expect("another node"), gate)
    }

    /// Another node, whose ledger shows a wrong balance of `account` while the switch says so.
    pub async fn node_that_lies(&self, account: u128) -> (City, Arc<AtomicBool>) {
        let lies = Arc::new(AtomicBool::new(false));
        let ledger = Arc::new(liar::Liar { ledger: self.ledger.clone(), account, lies: lies.clone() });
        let (store, clock) = (self.city.store.clone(), self.clock.clone());
        let sender = Arc::new(FileSender::new(self.dir.path().join("messages.jsonl")));
        let city = City::open(store, ledger, clock, Arc::new(OsRng), self.city.settings.clone(), sender);
        (city.await.expect("another node"), lies)
    }

    /// A shop of category 5812 (restaurants: the standard fee), as its admin key sees it.
    pub async fn shop(&self, reference: &str) -> Merchant {
        let request = city::merchant::OpenShop {
            reference: reference.to_owned(),
            name: "西湖面馆".to_owned(),
            legal_id: None,
            mcc: "5812".to_owned(),
            city: "杭州".to_owned(),
            region: "330106".to_owned(),
        };
        let shop = city::merchant::open(&self.city, &self.operator, request).await.expect("a shop");
        Merchant { id: shop.id, role: Role::Admin, key: KeyId::new(self.clock.now(), &OsRng), till: None }
    }

    /// `count` residents of tier III with this much each, phones `1390…`.
    pub async fn crowd(&self, count: usize, minor: i64) -> Vec<Resident> {
        let phones: Vec<String> = (0..count).map(|i| format!("1390{i:07}")).collect();
        futures_util::future::join_all(phones.iter().map(|phone| self.rich(phone, minor))).await
    }

    /// A phone that makes payment codes.
    pub async fn device(&self, who: &Resident) -> Phone {
        let added = identity::add_device(&self.city, who, "phone").await.expect("a device");
        Phone { device: added.device, secret: added.secret, clock: self.clock.clone() }
    }

    /// Gives the resident the PIN 135790.
    pub async fn pin(&self, who: &Resident) {
        identity::set_first_pin(&self.city, who, PIN).await.expect("a first PIN");
    }

    /// The books are sound: on every ledger debits equal credits, and nothing is overdrawn that may not be.
    pub async fn assert_conserved(&self) {
        let mut after = 0;
        let mut sums: std::collections::BTreeMap<u32, [u128; 4]> = std::collections::BTreeMap::new();
        loop {
            let filter = QueryFilter { timestamp_min: after + 1, limit: 1_000, ..QueryFilter::default() };
            let page = self.ledger.query_accounts(filter).await.expect("the ledger answers");
            let Some(last) = page.last() else { break };
            after = last.timestamp;
            for a in page {
                let sum = sums.entry(a.ledger).or_default();
                sum[0] += a.debits_posted;
                sum[1] += a.credits_posted;
                sum[2] += a.debits_pending;
                sum[3] += a.credits_pending;
                if a.flags.contains(AccountFlags::DebitsMustNotExceedCredits) {
                    assert!(a.debits_posted + a.debits_pending <= a.credits_posted, "overdrawn: {a:?}");
                }
            }
        }
        assert!(!sums.is_empty());
        for (ledger, [debits, credits, pending_debits, pending_credits]) in sums {
            assert_eq!((debits, pending_debits), (credits, pending_credits), "ledger {ledger}");
        }
    }
}

/// The PIN of [`Town::pin`].
pub const PIN: &str = "135790";

/// A resident's phone, without a network.
pub struct Phone {
    pub device: identity::Device,
    pub secret: [u8; 32],
    clock: Arc<ManualClock>,
}

impl Phone {
    /// The payment code it shows now.
    pub fn code(&self) -> String {
        let now_s = u64::try_from(self.clock.now().as_secs()).expect("after 1970");
        generate(&DeviceSecret::new(self.secret), now_s).to_string()
    }
}

/// The stable code of a refusal.
pub fn code<T: std::fmt::Debug, E: Refusal>(result: Result<T, E>) -> &'static str {
    result.expect_err("a refusal").code()
}

/// Runs `count` tasks at once, on all threads, and answers with what each came to.
pub async fn race<F, T>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let running: Vec<_> = (0..count).map(|i| tokio::spawn(task(i))).collect();
    let mut ends = Vec::with_capacity(count);
    for task in running {
        ends.push(task.await.expect("no panic"));
    }
    ends
}

/// How many of `results` are refused with `code`.
pub fn refused_with<T, E: Refusal>(results: &[Result<T, E>], code: &str) -> usize {
    results.iter().filter(|r| r.as_ref().is_err_and(|e| e.code() == code)).count()
}

/// A request to `router`: the status and the JSON of the answer (null where there is none).
pub async fn call(
    router: &axum::Router,
    method: &str,
    path: &str,
    token: &str,
    body: impl Into<Sent>,
) -> (u16, serde_json::Value) {
    let (status, bytes) =
        call_raw(router, method, path, &[("authorization", &format!("Bearer {token}"))], body).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(serde_json::Value::Null))
}

/// A request with these headers; the body of the answer as it is.
pub async fn call_raw(
    router: &axum::Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Sent>,
) -> (u16, Vec<u8>) {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let mut request = axum::http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body.into() {
        Sent::Nothing => axum::body::Body::empty(),
        Sent::Text(text) => {
            request = request.header("content-type", "application/json");
            axum::body::Body::from(text)
        }
    };
    let request = request.body(body).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.expect("a body").to_bytes().to_vec())
}

/// What a request carries.
pub enum Sent {
    Nothing,
    Text(String),
}

impl From<()> for Sent {
    fn from((): ()) -> Sent {
        Sent::Nothing
    }
}

impl From<&str> for Sent {
    fn from(text: &str) -> Sent {
        Sent::Text(text.to_owned())
    }
}

impl From<serde_json::Value> for Sent {
    fn from(value: serde_json::Value) -> Sent {
        Sent::Text(value.to_string())
    }
}

/// A till, where the shop behind it does not matter.
pub const TILL: Merchant =
    Merchant { id: MerchantId::from_u128(1), role: Role::Staff, key: KeyId::from_u128(1), till: None };
