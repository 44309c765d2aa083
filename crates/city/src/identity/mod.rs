//! Who somebody is and how they prove it: residents (phone, one-time code, session, PIN, devices),
//! and merchants, billers and operators by API key.
//!
//! Invariants:
//! - A handler that takes [`Resident`], [`Merchant`], [`Biller`] or [`Operator`] cannot be reached without it.
//! - Secrets are kept as SHA-256 (tokens, keys, 256 random bits) or argon2id (PINs). A device's payment-code
//!   secret is not kept at all: it is derived from a key that lies outside the database.
//! - Guesses are counted before they are compared, so no number of guesses at once gets extra tries.
//! - What a resident may pay is a ledger account ([`caps`]), never a number in SQL.

mod caps;
mod device;
mod error;
mod guesses;
pub mod http;
mod key;
mod lookups;
pub mod passkey;
mod pin;
pub mod rules;
mod sender;
pub mod session;
mod store;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kernel::ids::{
    BillerId, CollectorId, DeviceId, KeyId, MerchantId, OperatorId, ResidentId, SessionId, TillId,
};
use kernel::{Rng, Timestamp};
use sha2::{Digest, Sha256};

pub use caps::{cap_account, cap_left, cap_return, cap_transfer, cap_transfer_of};
pub use device::{
    NewDevice, Payer, add_device, any_device, devices, load, payer_of, resolve_code, revoke_device, start,
};
pub use error::IdentityError;
pub use key::{
    NewKey, OperatorName, add_operator, bootstrap_operator, create_key, create_operator_key, hands, keys,
    operators, require_operator, revoke_any_key, revoke_key, revoke_till_keys,
};
pub use lookups::{Lookup, may_tell};
pub use pin::{change_pin, require_pin, require_pin_always, reset_pin, set_first_pin};
pub use rules::Tier;
pub use sender::{ConsoleSender, FileSender, Message, MessageSender};
pub use session::sign_out;

use self::session::App;
use self::store::Guess;
use crate::{City, books};

/// A signed-in resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Who; also the wallet.
    pub id: ResidentId,
    /// How well known.
    pub tier: Tier,
    /// By which session.
    pub session: SessionId,
}

/// A shop, by one of its API keys or a session that one opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Which shop.
    pub id: MerchantId,
    /// What the key may do.
    pub role: Role,
    /// Which key.
    pub key: KeyId,
    /// The till the key belongs to, if to one.
    pub till: Option<TillId>,
}

impl Merchant {
    /// The shop of this key of a shop.
    fn by(key: &Key) -> Merchant {
        Merchant { id: MerchantId::from_u128(key.owner), role: key.role, key: key.id, till: key.till }
    }
}

/// A biller, by one of its API keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Biller {
    /// Which biller.
    pub id: BillerId,
    /// What the key may do.
    pub role: Role,
}

/// A bank or service provider that collects bills, by one of its API keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Which.
    pub id: CollectorId,
    /// What the key may do.
    pub role: Role,
}

/// Somebody who runs the city, by API key or a session that one opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Who.
    pub id: OperatorId,
    /// What the key may do.
    pub role: Role,
    /// Which key.
    pub key: KeyId,
    /// Whether a person asks, from a browser's session: then dangerous acts need a reason.
    pub browser: bool,
}

impl Operator {
    /// The operator of this key of an operator.
    fn by(key: &Key) -> Operator {
        Operator { id: OperatorId::from_u128(key.owner), role: key.role, key: key.id, browser: false }
    }
}

/// What an API key may do; each includes those before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Daily work: a till charges, cancels and refunds, a teller books deposits.
    Staff,
    /// Everything: keys, webhooks, tiers, packs.
    Admin,
}

impl Role {
    /// Refuses as `forbidden` unless this role includes `needed`.
    pub fn require(self, needed: Role) -> Result<(), IdentityError> {
        if self >= needed { Ok(()) } else { Err(IdentityError::Forbidden(needed)) }
    }

    /// On the wire and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Staff => "staff",
            Role::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Role> {
        [Role::Viewer, Role::Staff, Role::Admin].into_iter().find(|r| r.name() == name)
    }
}

/// Whom an API key speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// A shop.
    Merchant,
    /// A biller.
    Biller,
    /// A person who runs the city.
    Operator,
    /// A bank or service provider that collects bills.
    Collector,
}

impl OwnerKind {
    fn prefix(self) -> &'static str {
        match self {
            OwnerKind::Merchant => "mch",
            OwnerKind::Biller => "blr",
            OwnerKind::Operator => "opr",
            OwnerKind::Collector => "col",
        }
    }

    const ALL: [OwnerKind; 4] =
        [OwnerKind::Merchant, OwnerKind::Biller, OwnerKind::Operator, OwnerKind::Collector];

    fn from_prefix(prefix: &str) -> Option<OwnerKind> {
        OwnerKind::ALL.into_iter().find(|k| k.prefix() == prefix)
    }

    /// What the secrets of such keys begin with.
    fn secret_prefix(self) -> &'static str {
        match self {
            OwnerKind::Merchant => "ymk_",
            OwnerKind::Biller => "ybk_",
            OwnerKind::Operator => "yok_",
            OwnerKind::Collector => "yck_",
        }
    }

    /// The kind of owner that this secret looks like a key of.
    fn of_secret(secret: &str) -> Option<OwnerKind> {
        OwnerKind::ALL.into_iter().find(|k| secret.starts_with(k.secret_prefix()))
    }

    /// Whom a route wants, in words.
    fn wanted(self) -> &'static str {
        match self {
            OwnerKind::Merchant => "the key of a shop",
            OwnerKind::Biller => "the key of a biller",
            OwnerKind::Operator => "the key of an operator",
            OwnerKind::Collector => "the key of a collector",
        }
    }
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's public name.
    pub id: KeyId,
    /// What kind of owner.
    pub owner_kind: OwnerKind,
    /// The owner's 128 bits.
    pub owner: u128,
    /// What it may do.
    pub role: Role,
    /// The till it belongs to.
    pub till: Option<TillId>,
    /// What people call it.
    pub name: String,
}

/// A resident's own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who; also the wallet.
    pub id: ResidentId,
    /// E.164.
    pub phone: String,
    /// As given at sign-in.
    pub name: String,
    /// KYC class.
    pub tier: Tier,
    /// Whether a PIN was set.
    pub has_pin: bool,
    /// Whether five wrong PINs locked it.
    pub pin_locked: bool,
    /// When the resident first signed in.
    pub created_at: Timestamp,
}

/// A resident's phone that makes payment codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// Whose.
    pub resident: ResidentId,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// How long a node trusts what it remembers of a session, a key or a phone; a revocation on another
/// node is felt here after that.
const TRUST: Duration = Duration::from_secs(30);
/// How many of each kind a node remembers.
const REMEMBER_MAX: usize = 500_000;

/// What identity keeps in memory.
pub struct State {
    sender: Arc<dyn MessageSender>,
    sessions: Memory<[u8; 32], (Resident, Timestamp)>,
    keys: Memory<[u8; 32], Key>,
    key_sessions: Memory<[u8; 32], (Key, Timestamp)>,
    phones: Memory<String, (ResidentId, String)>,
    residents: Memory<ResidentId, (ResidentId, String, Tier)>,
    funded: caps::Funded,
    devices: device::Index,
    guesses: Mutex<guesses::Guesses>,
    lookups: Mutex<lookups::Lookups>,
    /// Bounds how many PINs are hashed at once: each takes 19 MiB and a core.
    pin_slots: tokio::sync::Semaphore,
}

impl State {
    /// Empty memory; messages leave through `sender`.
    pub fn new(sender: Arc<dyn MessageSender>) -> State {
        State {
            sender,
            sessions: Memory::default(),
            keys: Memory::default(),
            key_sessions: Memory::default(),
            phones: Memory::default(),
            residents: Memory::default(),
            funded: caps::Funded::default(),
            devices: device::Index::default(),
            guesses: Mutex::default(),
            lookups: Mutex::default(),
            pin_slots: tokio::sync::Semaphore::new(2),
        }
    }
}

/// A small memory with an age limit. When it is full it is emptied: the tables still know.
struct Memory<K, V>(RwLock<HashMap<K, (Timestamp, V)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory(RwLock::new(HashMap::new()))
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let held = self.0.read().expect("no panic while held");
        held.get(key).filter(|(at, _)| now.since(*at) < TRUST && now >= *at).map(|(_, v)| v.clone())
    }
    fn put(&self, key: K, value: V, now: Timestamp) {
        let mut held = self.0.write().expect("no panic while held");
        if held.len() >= REMEMBER_MAX {
            held.clear();
        }
        held.insert(key, (now, value));
    }
    fn drop_one(&self, key: &K) {
        self.0.write().expect("no panic while held").remove(key);
    }
    fn forget(&self, gone: impl Fn(&V) -> bool) {
        self.0.write().expect("no panic while held").retain(|_, (_, v)| !gone(v));
    }
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A fresh secret: the prefix and 256 random bits.
fn secret(prefix: &str, rng: &dyn Rng) -> String {
    let mut bits = [0; 32];
    rng.fill(&mut bits);
    format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bits))
}

fn code_hash(phone: &str, code: &str) -> Vec<u8> {
    sha256(&format!("{phone}:{code}")).to_vec()
}

/// Sends a one-time code to a phone, for signing in or for resetting the PIN.
pub async fn request_code(city: &City, phone: &str) -> Result<(), IdentityError> {
    let phone = rules::phone(phone).ok_or(IdentityError::PhoneMalformed)?;
    let now = city.now();
    let code = rules::one_time_code(city.rng.u64());
    let hash = code_hash(&phone, &code);
    let expires = now.plus(Duration::from_secs(rules::CODE_TTL_S));
    let not_after = now.minus(Duration::from_secs(rules::CODE_RESEND_S));
    let to = phone.clone();
    let put: Result<bool, IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                let count_from = now.minus(Duration::from_secs(rules::CODES_WINDOW_S));
                Ok(store::put_code(conn, &to, hash, now, expires, not_after, count_from).await?)
            })
        })
        .await;
    if !put? {
        let mut conn = city.store.read().await?;
        let sent_at = store::code_sent_at(&mut conn, &phone).await?;
        let too_soon = sent_at.is_none_or(|sent_at| sent_at > not_after);
        return Err(if too_soon { IdentityError::CodeTooSoon } else { IdentityError::CodeTooMany });
    }
    let message = Message { phone: phone.clone(), template: "sign_in_code", code, note: None };
    if let Err(why) = city.identity.sender.send(message).await {
        tracing::error!(%why, "a one-time code could not be sent");
        let forgotten: Result<(), IdentityError> = city
            .store
            .write(move |conn| Box::pin(async move { Ok(store::unsend_code(conn, &phone).await?) }))
            .await;
        forgotten?;
        return Err(IdentityError::SenderUnavailable);
    }
    Ok(())
}

/// Hands a note over for a resident's phone; the text must not hold a secret. An error says that it was not handed
/// over.
pub async fn send_note(
    city: &City,
    to: ResidentId,
    template: &'static str,
    text: String,
) -> Result<(), IdentityError> {
    let phone = resident(city, to).await?.phone;
    let message = Message { phone, template, code: String::new(), note: Some(text) };
    city.identity.sender.send(message).await.map_err(|why| {
        tracing::warn!(%why, template, "a note could not be sent");
        IdentityError::SenderUnavailable
    })
}

/// Uses up a one-time code.
async fn spend_code(city: &City, phone: &str, code: &str) -> Result<(), IdentityError> {
    let (phone, hash, now) = (phone.to_owned(), code_hash(phone, code), city.now());
    // A wrong guess is committed: it must count.
    let guess: Result<Guess, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::guess_code(conn, &phone, hash, now).await?) }))
        .await;
    match guess? {
        Guess::Right => Ok(()),
        Guess::Wrong => Err(IdentityError::CodeWrong),
        Guess::NoCode => Err(IdentityError::CodeGone),
    }
}

/// A new session and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The opaque token; shown once, kept as a hash.
    pub token: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub resident: Profile,
}

/// Signs in by phone and one-time code. Who comes for the first time becomes a resident of tier I
/// with an empty wallet, under `name`.
pub async fn sign_in(
    city: &City,
    phone: &str,
    code: &str,
    name: Option<&str>,
) -> Result<SignedIn, IdentityError> {
    let phone = rules::phone(phone).ok_or(IdentityError::PhoneMalformed)?;
    let name = name.unwrap_or("居民");
    if !rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    spend_code(city, &phone, code).await?;
    let session::Fresh { opened, id: session, hash, now } = session::fresh(city, App::Resident);
    let session::Opened { token, expires_at } = opened;
    let new_id = ResidentId::new(now, &*city.rng);
    let name = name.to_owned();
    let resident: Result<Profile, IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                let resident = store::resident_for_phone(conn, new_id, &phone, &name, now).await?;
                store::add_session(conn, hash, session, resident.id, now, expires_at).await?;
                Ok(resident)
            })
        })
        .await;
    let resident = resident?;
    open_wallet(city, resident.id).await?;
    Ok(SignedIn { token, expires_at, resident })
}

/// Makes a resident without a sign-in: an operator enrols somebody at a counter. Who has the phone already is
/// answered as they are, anybody else becomes `new_id`.
pub async fn enrol(
    city: &City,
    by: &Operator,
    new_id: ResidentId,
    phone: &str,
    name: &str,
) -> Result<Profile, IdentityError> {
    by.role.require(Role::Staff)?;
    let phone = rules::phone(phone).ok_or(IdentityError::PhoneMalformed)?;
    if !rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    let now = city.now();
    let name = name.to_owned();
    let resident: Result<Profile, IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::resident_for_phone(conn, new_id, &phone, &name, now).await?) })
        })
        .await;
    let resident = resident?;
    open_wallet(city, resident.id).await?;
    Ok(resident)
}

/// Makes sure that the wallet is there. Asked at every sign-in: harmless, and it mends a crash
/// between the resident's row and the account.
async fn open_wallet(city: &City, resident: ResidentId) -> Result<(), IdentityError> {
    let ledger = books::money(city.settings.currency);
    let wallet = books::never_overdrawn(books::wallet(resident), ledger, books::account_code::WALLET);
    Ok(books::ensure(&city.ledger, vec![wallet]).await?)
}

/// The resident's own data.
pub async fn profile(city: &City, who: &Resident) -> Result<Profile, IdentityError> {
    let mut conn = city.store.read().await?;
    store::by_id(&mut conn, who.id).await?.ok_or(IdentityError::ResidentUnknown)
}

/// The resident of this id, for an operator's eyes.
pub async fn resident(city: &City, id: ResidentId) -> Result<Profile, IdentityError> {
    let mut conn = city.store.read().await?;
    store::by_id(&mut conn, id).await?.ok_or(IdentityError::ResidentUnknown)
}

/// The resident of this whole phone number, for an operator's eyes.
pub async fn resident_of_phone(city: &City, phone: &str) -> Result<Profile, IdentityError> {
    let phone = rules::phone(phone).ok_or(IdentityError::PhoneMalformed)?;
    let mut conn = city.store.read().await?;
    store::by_phone(&mut conn, &phone).await?.ok_or(IdentityError::ResidentUnknown)
}

/// Whose phone it is, for somebody who wants to pay its owner: id and name. From memory where possible:
/// transfers ask for it. Who asked for too many unknown phones is told no more that day ([`lookups`]).
pub async fn resident_by_phone(
    city: &City,
    who: &Resident,
    phone: &str,
) -> Result<(ResidentId, String), IdentityError> {
    let phone = rules::phone(phone).ok_or(IdentityError::PhoneMalformed)?;
    let now = city.now();
    let found = if let Some(found) = city.identity.phones.get(&phone, now) {
        Some(found)
    } else {
        let mut conn = city.store.read().await?;
        let found = store::by_phone(&mut conn, &phone).await?.map(|found| (found.id, found.name));
        if let Some(found) = &found {
            city.identity.phones.put(phone, found.clone(), now);
        }
        found
    };
    may_tell(city, who, Lookup::Phone, found.is_some())?;
    found.ok_or(IdentityError::ResidentUnknown)
}

/// A resident's name and tier, from memory where possible: every scanned payment code asks for it.
pub async fn name_and_tier(city: &City, resident: ResidentId) -> Result<(String, Tier), IdentityError> {
    let now = city.now();
    if let Some((_, name, tier)) = city.identity.residents.get(&resident, now) {
        return Ok((name, tier));
    }
    let mut conn = city.store.read().await?;
    let found = store::by_id(&mut conn, resident).await?.ok_or(IdentityError::ResidentUnknown)?;
    city.identity.residents.put(resident, (resident, found.name.clone(), found.tier), now);
    Ok((found.name, found.tier))
}

/// Raises a resident's tier after an operator has seen the papers. Never lowers it.
pub async fn raise_tier(
    city: &City,
    by: &Operator,
    resident: ResidentId,
    tier: Tier,
) -> Result<Profile, IdentityError> {
    by.role.require(Role::Admin)?;
    let raised: Result<bool, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::raise_tier(conn, resident, tier).await?) }))
        .await;
    raised?;
    city.identity.sessions.forget(|(who, _)| who.id == resident);
    city.identity.residents.forget(|(who, ..)| *who == resident);
    let mut conn = city.store.read().await?;
    let profile = store::by_id(&mut conn, resident).await?.ok_or(IdentityError::ResidentUnknown)?;
    if profile.tier > tier { Err(IdentityError::TierLower) } else { Ok(profile) }
}

/// Who holds this session token.
pub async fn authenticate_resident(city: &City, token: &str) -> Result<Resident, IdentityError> {
    if OwnerKind::of_secret(token).is_some() {
        live_key(city, token).await?;
        return Err(IdentityError::WrongKey("a resident signed in"));
    }
    Ok(session::live(city, token).await?.0)
}

/// Which API key this is.
async fn authenticate_key(city: &City, secret: &str, kind: OwnerKind) -> Result<Key, IdentityError> {
    if session::is_residents(secret) {
        session::live(city, secret).await?;
        return Err(IdentityError::WrongKey(kind.wanted()));
    }
    let key = live_key(city, secret).await?;
    if key.owner_kind == kind { Ok(key) } else { Err(IdentityError::WrongKey(kind.wanted())) }
}

async fn live_key(city: &City, secret: &str) -> Result<Key, IdentityError> {
    let (hash, now) = (sha256(secret), city.now());
    if let Some(key) = city.identity.keys.get(&hash, now) {
        return Ok(key);
    }
    let mut conn = city.store.read().await?;
    let key = store::key_by_hash(&mut conn, hash.to_vec()).await?;
    let key = key.ok_or(IdentityError::Unauthenticated)?;
    city.identity.keys.put(hash, key.clone(), now);
    Ok(key)
}

/// Whether this session's token or key was found good a moment ago, from memory alone: who asks for limits' sake must not
/// cause a look into the tables.
pub fn remembers(city: &City, secret: &str) -> bool {
    let (hash, now) = (sha256(secret), city.now());
    let memory = &city.identity;
    memory.sessions.get(&hash, now).is_some()
        || memory.keys.get(&hash, now).is_some()
        || memory.key_sessions.get(&hash, now).is_some()
}

/// Which shop this API key speaks for.
pub async fn authenticate_merchant(city: &City, secret: &str) -> Result<Merchant, IdentityError> {
    Ok(Merchant::by(&authenticate_key(city, secret, OwnerKind::Merchant).await?))
}

/// Which biller this API key speaks for.
pub async fn authenticate_biller(city: &City, secret: &str) -> Result<Biller, IdentityError> {
    let key = authenticate_key(city, secret, OwnerKind::Biller).await?;
    Ok(Biller { id: BillerId::from_u128(key.owner), role: key.role })
}

/// Which collector this API key speaks for.
pub async fn authenticate_collector(city: &City, secret: &str) -> Result<Collector, IdentityError> {
    let key = authenticate_key(city, secret, OwnerKind::Collector).await?;
    Ok(Collector { id: CollectorId::from_u128(key.owner), role: key.role })
}

/// Which operator this API key speaks for.
pub async fn authenticate_operator(city: &City, secret: &str) -> Result<Operator, IdentityError> {
    Ok(Operator::by(&authenticate_key(city, secret, OwnerKind::Operator).await?))
}
