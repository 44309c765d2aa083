//! The slices of the city, one folder each, all of the same shape: `mod.rs` says what it is and has
//! its verbs, `rules.rs` decides (pure), `store.rs` has its SQL, `http.rs` its routes.
//!
//! A verb reads what it needs, asks a pure rule, then writes. Money is moved in the ledger only, and
//! whether something is paid is read from the ledger only. A slice reaches another through its verbs,
//! never its tables.

pub mod bill;
pub mod books;
pub mod complaint;
pub mod coupon;
pub mod coverage;
pub mod event;
pub mod family;
mod fault;
pub mod http;
pub mod identity;
pub mod mandate;
pub mod merchant;
pub mod operator;
mod pdf;
pub mod region;
pub mod remind;
pub mod session;
pub mod supply;
pub mod trade;
pub mod wallet;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use kernel::{Clock, Currency, Rng, Timestamp, UtcOffset};
use ledger::Ledger;
use store::Store;

pub use fault::{Fault, Refusal};

/// What a city is configured with. Amounts are minor units of [`Settings::currency`].
#[derive(Clone)]
pub struct Settings {
    /// The currency of the city; its numeric code is the number of the money ledger.
    pub currency: Currency,
    /// Days begin at midnight of this offset.
    pub offset: UtcOffset,
    /// Up to this amount a payment needs no PIN.
    pub no_pin_limit_minor: i64,
    /// A deposit, withdrawal or pay-out above this amount waits for a second operator.
    pub four_eyes_limit_minor: i64,
    /// Where the server's own files (message file, biller files in and out) live.
    pub data_dir: PathBuf,
    /// Where billers that are asked are, by `pack/channel`.
    pub doors: bill::route::Doors,
    /// The lines to banks that carry billers, by name.
    pub lines: bill::route::Lines,
    /// No question to a biller waits longer than this, whatever its pack says: for trying packs out.
    pub patience: std::time::Duration,
    /// The service providers that many billers are behind, by name.
    pub providers: bill::provider::Providers,
    /// The folders that files are exchanged through with billers, by pack, where they differ from the usual.
    pub exchange: bill::exchange::Folders,
    /// Where the proofs of packs are, where one is required before a biller that is asked goes live.
    pub certificates: Option<bill::certificate::Required>,
    /// The account that billers are paid out from by a bank; `None`: by hand.
    pub payer: Option<channel::iso20022::Party>,
    /// Whether webhooks may go to this machine and to private networks.
    pub webhook_private: bool,
    /// The key that devices' payment-code secrets are derived from. Kept outside the database; whoever has
    /// it can make every resident's payment codes, and without it none of them works any more.
    pub device_key: [u8; 32],
    /// The site that residents see and make passkeys for.
    pub relying_party: identity::passkey::rules::RelyingParty,
    /// Two-letter country and city name printed into merchant codes.
    pub country: String,
    /// City name printed into merchant codes, at most 15 characters.
    pub city_name: String,
}

impl Settings {
    /// A Chinese city that keeps its files in `data_dir`: CNY, UTC+8, ¥1,000 without a PIN, ¥50,000 without a
    /// second operator.
    pub fn china(data_dir: PathBuf, device_key: [u8; 32]) -> Settings {
        Settings {
            currency: Currency::CNY,
            offset: UtcOffset::CHINA,
            no_pin_limit_minor: 100_000,
            four_eyes_limit_minor: 5_000_000,
            data_dir,
            doors: bill::route::Doors::new(),
            lines: bill::route::Lines::new(),
            patience: std::time::Duration::MAX,
            certificates: None,
            providers: bill::provider::Providers::new(),
            payer: None,
            exchange: bill::exchange::Folders::new(),
            webhook_private: false,
            device_key,
            relying_party: identity::passkey::rules::RelyingParty::new("http://localhost:8888")
                .expect("a site for passkeys"),
            country: "CN".to_owned(),
            city_name: "HANGZHOU".to_owned(),
        }
    }
}

/// Everything a verb may reach. Cheap to clone; one per process.
#[derive(Clone)]
pub struct City(Arc<Parts>);

/// The parts of a [`City`].
pub struct Parts {
    /// SQL: reference data and views.
    pub store: Store,
    /// The only truth about money.
    pub ledger: Ledger,
    /// Where now comes from.
    pub clock: Arc<dyn Clock>,
    /// Where secrets and fresh ids come from.
    pub rng: Arc<dyn Rng>,
    /// What the city is configured with.
    pub settings: Settings,
    /// Sessions, keys and residents in memory; the door messages leave through.
    pub identity: identity::State,
    /// Shops in memory.
    pub merchant: merchant::State,
    /// Orders in memory.
    pub trade: trade::State,
    /// Names of campaigns.
    pub coupon: coupon::State,
    /// Where people and prospects are known.
    pub coverage: coverage::State,
    /// Biller packs in memory.
    pub bill: bill::State,
    /// Who listens to live events.
    pub event: event::State,
    /// What happens now, for the operators' console.
    pub operator: operator::State,
}

impl Deref for City {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl City {
    /// Opens the city on its engines: makes sure the books' own accounts exist and fills the caches.
    pub async fn open(
        store: Store,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        settings: Settings,
        sender: Arc<dyn identity::MessageSender>,
    ) -> Result<City, Fault> {
        books::open(&ledger, settings.currency).await?;
        let city = City(Arc::new(Parts {
            store,
            ledger,
            clock,
            rng,
            settings,
            identity: identity::State::new(sender),
            merchant: merchant::State::default(),
            trade: trade::State::default(),
            coupon: coupon::State::default(),
            coverage: coverage::State::default(),
            bill: bill::State::default(),
            event: event::State::default(),
            operator: operator::State::default(),
        }));
        identity::load(&city).await?;
        bill::load(&city).await?;
        coverage::load(&city).await;
        Ok(city)
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts what runs beside the requests: the followers of the ledger's feed and the workers of
    /// the job queue. They stop when `stop` says true; await the handles before closing the engines.
    pub fn start(&self, stop: &tokio::sync::watch::Receiver<bool>) -> Vec<tokio::task::JoinHandle<()>> {
        let mut tasks = identity::start(self, stop);
        tasks.extend(event::start(self, stop));
        tasks.extend(bill::start(self, stop));
        tasks.extend(supply::start(self, stop));
        tasks.extend(complaint::start(self, stop));
        tasks.extend(operator::start(self, stop));
        tasks.extend(remind::start(self, stop));
        tasks.extend(mandate::start(self, stop));
        tasks.extend(coverage::start(self, stop));
        tasks
    }
}
