//! Shops: who they are, their tills, their poster, what payments to them cost.
//!
//! Invariants:
//! - A shop's id comes from the operator's own reference for it, so opening it twice is once; the same
//!   reference with other content is refused, naming what differs.
//! - The balance account in the ledger exists before the shop's row does: whoever can see a shop can pay it.
//! - What a shop has is read from the ledger only ([`balance`]).
//! - [`get`] and [`require_till`] stand on the hot path of every payment: they answer from memory. A node
//!   learns within [`TRUST`] that another node closed a shop or a till.
//! - A till that is out of use takes no orders and its keys open nothing.

mod error;
pub mod http;
pub mod key;
mod payout;
pub mod poster;
pub mod rules;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use kernel::ids::{MerchantId, TillId};
use kernel::{Money, Timestamp};

pub use error::MerchantError;
pub use payout::{check_payout, pay_out, pay_out_beside, payout_id};

use crate::books::{self, account_code};
use crate::identity::{self, Merchant, Operator, Role};
use crate::{City, Fault};

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Also its balance account in the ledger.
    pub id: MerchantId,
    /// The operator's own number for it.
    pub reference: String,
    /// As on its sign.
    pub name: String,
    /// GB 32100 unified social credit identifier.
    pub legal_id: Option<String>,
    /// ISO 18245 category, four digits.
    pub mcc: String,
    /// The city it stands in, as printed into its codes.
    pub city: String,
    /// GB/T 2260 region code, six digits.
    pub region: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// From when on it takes no more payments; refunds go on.
    pub closed_at: Option<Timestamp>,
}

impl Shop {
    /// What a payment of `amount` costs this shop ([`rules::fee`]).
    pub fn fee(&self, amount: Money) -> Money {
        rules::fee(&self.mcc, amount)
    }

    /// Whether it takes payments.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }
}

/// A till of a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Till {
    /// Derived from shop and name.
    pub id: TillId,
    /// Whose.
    pub merchant: MerchantId,
    /// What the shop calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// From when on it is out of use.
    pub closed_at: Option<Timestamp>,
}

/// What a shop is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenShop {
    /// The operator's own number for the shop: the idempotency key.
    pub reference: String,
    /// As on its sign, 1 to [`rules::NAME_CHARS_MAX`] characters.
    pub name: String,
    /// GB 32100 unified social credit identifier, where the shop has one.
    pub legal_id: Option<String>,
    /// ISO 18245 category, four digits.
    pub mcc: String,
    /// The city it stands in, at most 15 characters (EMV QRCPS field 60).
    pub city: String,
    /// GB/T 2260 region code, six digits.
    pub region: String,
}

/// What a shop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Can be paid out or refunded from now.
    pub available: Money,
    /// Reserved by movements under way.
    pub reserved: Money,
}

/// How long a node trusts what it remembers of a shop.
pub const TRUST: Duration = Duration::from_secs(10);
/// How many shops a node remembers.
const REMEMBER_MAX: usize = 200_000;

/// Shops and tills in memory, each with the time it was read.
#[derive(Debug, Default)]
pub struct State {
    shops: RwLock<HashMap<MerchantId, (Timestamp, Arc<Shop>)>>,
    /// Tills in use, and whose they are.
    tills: RwLock<HashMap<TillId, (Timestamp, MerchantId)>>,
}

/// Whether what was read at `at` may still be relied on.
fn trusted(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now.since(at) < TRUST
}

impl State {
    fn fresh(&self, id: MerchantId, now: Timestamp) -> Option<Arc<Shop>> {
        let held = self.shops.read().expect("no panic while held");
        held.get(&id).filter(|(at, _)| trusted(*at, now)).map(|(_, shop)| shop.clone())
    }

    fn put(&self, shop: Shop, now: Timestamp) -> Arc<Shop> {
        let shop = Arc::new(shop);
        let mut held = self.shops.write().expect("no panic while held");
        if held.len() >= REMEMBER_MAX {
            held.clear(); // the table still knows
        }
        held.insert(shop.id, (now, shop.clone()));
        shop
    }

    /// Whose till it is, if it is known to be in use.
    fn till_owner(&self, till: TillId, now: Timestamp) -> Option<MerchantId> {
        let held = self.tills.read().expect("no panic while held");
        held.get(&till).filter(|(at, _)| trusted(*at, now)).map(|(_, merchant)| *merchant)
    }

    fn put_till(&self, till: &Till, now: Timestamp) {
        let mut held = self.tills.write().expect("no panic while held");
        if till.closed_at.is_some() {
            held.remove(&till.id);
            return;
        }
        if held.len() >= REMEMBER_MAX {
            held.clear(); // the table still knows
        }
        held.insert(till.id, (now, till.merchant));
    }
}

/// The id of the shop that an operator knows by this reference.
pub fn id_of(reference: &str) -> MerchantId {
    MerchantId::derive(&[reference.as_bytes()])
}

fn check(request: &OpenShop) -> Result<(), MerchantError> {
    let fields = [
        ("reference", rules::reference_acceptable(&request.reference)),
        ("name", rules::name_acceptable(&request.name)),
        ("legal_id", request.legal_id.as_deref().is_none_or(rules::legal_id_acceptable)),
        ("mcc", rules::mcc_acceptable(&request.mcc)),
        ("city", rules::name_acceptable(&request.city) && request.city.chars().count() <= 15),
        ("region", rules::region_acceptable(&request.region)),
    ];
    match fields.iter().find(|(_, good)| !good) {
        Some((field, _)) => Err(MerchantError::Malformed(field)),
        None => Ok(()),
    }
}

/// The first field in which what is there is not what was asked for.
fn difference(there: &Shop, asked: &OpenShop) -> Option<&'static str> {
    let fields = [
        ("name", there.name == asked.name),
        ("legal_id", there.legal_id == asked.legal_id),
        ("mcc", there.mcc == asked.mcc),
        ("city", there.city == asked.city),
        ("region", there.region == asked.region),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}

fn shop(request: &OpenShop, id: MerchantId, created_at: Timestamp) -> Shop {
    let OpenShop { reference, name, legal_id, mcc, city, region } = request.clone();
    Shop { id, reference, name, legal_id, mcc, city, region, created_at, closed_at: None }
}

/// Opens a shop. Doing it again with the same reference and content answers with the same shop.
pub async fn open(city: &City, by: &Operator, request: OpenShop) -> Result<Shop, MerchantError> {
    by.role.require(Role::Staff)?;
    check(&request)?;
    let (id, by, now) = (id_of(&request.reference), by.id, city.now());
    // A name that no code can carry is refused here, not when the poster is printed.
    poster::payload_static(&shop(&request, id, now), &city.settings)?;
    let ledger = books::money(city.settings.currency);
    let account = books::never_overdrawn(books::merchant(id), ledger, account_code::MERCHANT);
    books::ensure(&city.ledger, vec![account]).await?;
    let row = request.clone();
    let shop: Result<Shop, MerchantError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::open(conn, id, &row, by, now).await?) }))
        .await;
    let shop = shop?;
    if let Some(field) = difference(&shop, &request) {
        return Err(MerchantError::ReferenceTaken(field));
    }
    city.merchant.put(shop.clone(), now);
    Ok(shop)
}

/// The shop of this id, open or closed. From memory where possible.
pub async fn get(city: &City, id: MerchantId) -> Result<Arc<Shop>, MerchantError> {
    let now = city.now();
    if let Some(shop) = city.merchant.fresh(id, now) {
        return Ok(shop);
    }
    let mut conn = city.store.read().await?;
    let shop = store::get(&mut conn, id).await?.ok_or(MerchantError::Unknown)?;
    Ok(city.merchant.put(shop, now))
}

/// Up to `limit` shops, newest first, after the shop `after`.
pub async fn list(
    city: &City,
    by: &Operator,
    after: Option<MerchantId>,
    limit: u32,
) -> Result<Vec<Shop>, MerchantError> {
    by.role.require(Role::Viewer)?;
    let mut conn = city.store.read().await?;
    let after = match after {
        None => None,
        Some(id) => Some(store::get(&mut conn, id).await?.ok_or(MerchantError::Unknown)?),
    };
    Ok(store::list(&mut conn, after.as_ref(), limit).await?)
}

/// Closes a shop: it takes no more payments. What it has stays its own.
pub async fn close(city: &City, by: &Operator, id: MerchantId) -> Result<Shop, MerchantError> {
    by.role.require(Role::Admin)?;
    let now = city.now();
    let closed: Result<Option<Shop>, MerchantError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::close(conn, id, now).await?;
                Ok(store::get(conn, id).await?)
            })
        })
        .await;
    let shop = closed?.ok_or(MerchantError::Unknown)?;
    city.merchant.put(shop.clone(), now);
    Ok(shop)
}

/// Adds a till. The same name again is the same till, taken into use again if it was closed.
pub async fn add_till(city: &City, who: &Merchant, name: &str) -> Result<Till, MerchantError> {
    who.role.require(Role::Admin)?;
    if !rules::name_acceptable(name) {
        return Err(MerchantError::Malformed("name"));
    }
    let (merchant, name, now) = (who.id, name.to_owned(), city.now());
    let till = TillId::derive(&[&merchant.to_bytes(), name.as_bytes()]);
    city.store
        .write(move |conn| {
            Box::pin(async move { Ok(store::add_till(conn, till, merchant, &name, now).await?) })
        })
        .await
}

/// The shop's tills in use, by name.
pub async fn tills(city: &City, who: &Merchant) -> Result<Vec<Till>, MerchantError> {
    let mut conn = city.store.read().await?;
    Ok(store::tills(&mut conn, who.id).await?)
}

/// Takes a till out of use and ends its keys. Asked again it does what is left of that.
pub async fn close_till(city: &City, who: &Merchant, till: TillId) -> Result<Till, MerchantError> {
    who.role.require(Role::Admin)?;
    let (merchant, now) = (who.id, city.now());
    let closed: Result<Option<Till>, MerchantError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::close_till(conn, merchant, till, now).await?) }))
        .await;
    let closed = closed?.ok_or(MerchantError::TillUnknown)?;
    city.merchant.put_till(&closed, now);
    identity::revoke_till_keys(city, merchant.as_u128(), till).await?;
    Ok(closed)
}

/// Refuses as `till_unknown` what is not a till of the shop in use. From memory where possible.
pub async fn require_till(city: &City, merchant: MerchantId, till: TillId) -> Result<(), MerchantError> {
    let now = city.now();
    if city.merchant.till_owner(till, now) == Some(merchant) {
        return Ok(());
    }
    let mut conn = city.store.read().await?;
    let found = store::till(&mut conn, merchant, till).await?.filter(|till| till.closed_at.is_none());
    city.merchant.put_till(&found.ok_or(MerchantError::TillUnknown)?, now);
    Ok(())
}

/// Up to `limit` shops whose reference this is, or whose name holds it, by name.
pub async fn search(city: &City, text: &str, limit: u32) -> Result<Vec<Shop>, MerchantError> {
    let mut conn = city.store.read().await?;
    Ok(store::search(&mut conn, text, limit).await?)
}

/// What the shop has, straight from the ledger.
pub async fn balance(city: &City, who: &Merchant) -> Result<Balance, MerchantError> {
    balance_of(city, who.id).await
}

/// What the shop of this id has. Callers check who may see that.
pub async fn balance_of(city: &City, shop: MerchantId) -> Result<Balance, MerchantError> {
    let found = city.ledger.lookup_accounts(vec![books::merchant(shop)]).await.map_err(Fault::from)?;
    let account = found.first().ok_or(MerchantError::Unknown)?;
    let spent = account.debits_posted.saturating_add(account.debits_pending);
    let money = |minor: u128| {
        let minor = i64::try_from(minor).map_err(|_| Fault::Books("a balance beyond 64 bits".into()))?;
        Ok::<_, Fault>(Money::new(minor, city.settings.currency))
    };
    Ok(Balance {
        available: money(account.credits_posted.saturating_sub(spent))?,
        reserved: money(account.debits_pending)?,
    })
}

/// The shop's poster: its name and the code that every payer's app can scan.
pub async fn poster(city: &City, who: &Merchant) -> Result<poster::Poster, MerchantError> {
    let shop = get(city, who.id).await?;
    poster::Poster::new(&shop, &city.settings)
}
