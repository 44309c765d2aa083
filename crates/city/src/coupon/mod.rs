//! City coupons, "spend at least so much, so much off": the city pays a part of what residents pay to shops.
//!
//! A campaign has a budget account in the ledger, and each resident an allowance of one use of it. A payment with
//! a coupon is one linked chain:
//!
//! | event | from | to | how much |
//! |---|---|---|---|
//! | use | the resident's allowance | pool | 1, on a ledger of its own |
//! | subsidy | campaign | payer's wallet | the discount |
//! | payment | payer's wallet | shop | the whole amount; `user_data_64` has the discount |
//! | KYC cap, fee | as without a coupon; the cap is drawn by what the payer pays himself | | |
//!
//! Invariants:
//! - The budget and the one use are accounts that are never overdrawn: on any number of nodes a campaign gives no
//!   more than it has, and a resident uses its coupon once. No check that a race could slip past.
//! - Whatever is refused leaves the coupon unused: the chain happens as a whole or not at all, and what stands in
//!   it before the payment has ids of no meaning, which may be burnt.
//! - A refund takes the discount's share back from the payer, in the refund's own chain, to the last fen: a coupon
//!   cannot be turned into money. The use is not given back.
//! - SQL knows what a campaign is. What is left of it, and who used it, the ledger knows.

mod error;
pub mod http;
pub mod rules;
mod store;

use std::collections::HashMap;
use std::sync::Mutex;

use kernel::ids::{CampaignId, MerchantId, PaymentId, ResidentId, TradeId};
use kernel::{Money, Timestamp, derive_u128};
use ledger::{Account, QueryFilter, Transfer, TransferFlags};

pub use error::CouponError;

use crate::books::{self, Once, account_code, shadow, transfer_code};
use crate::identity::{Operator, Resident, Role};
use crate::merchant;
use crate::wallet::{Moved, WalletError, instant};
use crate::{City, Fault};

/// A campaign as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As residents read it.
    pub name: String,
    /// What a coupon takes off.
    pub discount: Money,
    /// The least amount it is for.
    pub minimum: Money,
    /// For all its coupons together.
    pub budget: Money,
    /// From when on.
    pub valid_from: Timestamp,
    /// Not from then on.
    pub valid_until: Timestamp,
    /// At this shop only.
    pub shop: Option<MerchantId>,
}

/// A campaign. Amounts are minor units of the city's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Which; also its budget account.
    pub id: CampaignId,
    /// As residents read it.
    pub name: String,
    /// What a coupon takes off.
    pub discount_minor: i64,
    /// The least amount it is for.
    pub minimum_minor: i64,
    /// For all its coupons together, as it was asked for.
    pub budget_minor: i64,
    /// From when on.
    pub valid_from: Timestamp,
    /// Not from then on.
    pub valid_until: Timestamp,
    /// At this shop only.
    pub shop: Option<MerchantId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is ended.
    pub ended_at: Option<Timestamp>,
}

impl Campaign {
    /// Whether it is the campaign that was wanted.
    fn is(&self, wanted: &Wanted) -> bool {
        let made = (&self.name, self.discount_minor, self.minimum_minor, self.budget_minor, self.shop);
        let time = (self.valid_from.as_millis(), self.valid_until.as_millis());
        made == (&wanted.name, wanted.discount.minor, wanted.minimum.minor, wanted.budget.minor, wanted.shop)
            && time == (wanted.valid_from.as_millis(), wanted.valid_until.as_millis())
    }
}

/// A campaign and its money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub campaign: Campaign,
    /// Whether its budget is there.
    pub funded: bool,
    /// What of it is left.
    pub left: Money,
}

/// What a payment's coupon was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Of which campaign.
    pub campaign: CampaignId,
    /// What it took off.
    pub discount: Money,
}

/// A coupon that a payment may try to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Of which campaign.
    pub campaign: CampaignId,
    /// What it takes off, minor units.
    pub discount_minor: i64,
    used: Transfer,
    subsidy: Transfer,
}

impl Claim {
    /// What stands in the chain before the payment of this id: first the use, refused with `ExceedsCredits` where
    /// it was used, then the subsidy, refused so where the budget does not cover it.
    pub fn events(&self, payment: u128) -> [Transfer; 2] {
        [self.used, self.subsidy].map(|event| Transfer { user_data_128: payment, ..event })
    }
}

/// What the coupon slice keeps in memory.
#[derive(Default)]
pub struct State {
    names: Mutex<HashMap<CampaignId, String>>,
}

/// How many names a node remembers; beyond it the memory is dropped: the table still knows.
const NAMES_MAX: usize = 10_000;

/// How many campaigns are looked at for one payment.
const LOOKED_AT: u32 = 500;

/// Writes a campaign down, without money. `key` is the operator's idempotency key: the same campaign again is
/// answered again. By an operator of role admin.
pub async fn create(city: &City, by: &Operator, key: &str, wanted: &Wanted) -> Result<Campaign, CouponError> {
    by.role.require(Role::Admin)?;
    rules::campaign(wanted, city.settings.currency)?;
    let (id, now) = (id_of(by, key), city.now());
    let there = match get(city, id).await {
        Err(CouponError::Unknown) => None,
        found => Some(found?),
    };
    let campaign = match there {
        Some(campaign) => campaign,
        None if wanted.valid_until <= now => return Err(CouponError::Malformed("valid_until")),
        None => {
            if let Some(shop) = wanted.shop {
                merchant::get(city, shop).await?;
            }
            let new = Campaign {
                id,
                name: wanted.name.clone(),
                discount_minor: wanted.discount.minor,
                minimum_minor: wanted.minimum.minor,
                budget_minor: wanted.budget.minor,
                valid_from: wanted.valid_from,
                valid_until: wanted.valid_until,
                shop: wanted.shop,
                created_at: now,
                ended_at: None,
            };
            let by = by.id;
            let put: Result<Campaign, CouponError> = city
                .store
                .write(move |conn| Box::pin(async move { Ok(store::put(conn, &new, by).await?) }))
                .await;
            put?
        }
    };
    if campaign.is(wanted) { Ok(campaign) } else { Err(CouponError::KeyUsedDifferently) }
}

/// The campaign that an operator's key names.
pub fn id_of(by: &Operator, key: &str) -> CampaignId {
    CampaignId::derive(&[&by.id.to_bytes(), key.as_bytes()])
}

/// What a campaign's budget is known by in the ledger.
pub fn budget_id(campaign: CampaignId) -> PaymentId {
    PaymentId::derive(&[b"campaign", &campaign.to_bytes()])
}

/// Gives a campaign its budget, once. Whether it needs a second operator is asked before (by the operator slice).
pub async fn fund(
    city: &City,
    by: &Operator,
    campaign: CampaignId,
    amount: Money,
) -> Result<Moved, CouponError> {
    fund_beside(city, by, campaign, amount, None).await
}

/// [`fund`] in one chain with a marker: both or neither. [`WalletError::GivenUp`] where its place is taken.
pub async fn fund_beside(
    city: &City,
    by: &Operator,
    campaign: CampaignId,
    amount: Money,
    beside: Option<Transfer>,
) -> Result<Moved, CouponError> {
    by.role.require(Role::Staff)?;
    let payment = budget_id(campaign);
    let moved = |id, timestamp, repeated| Moved {
        payment: PaymentId::from_u128(id),
        amount,
        at: instant(timestamp),
        repeated,
    };
    if let Some(t) = books::find_once(&city.ledger, payment.as_u128()).await? {
        return Ok(moved(t.id, t.timestamp, true));
    }
    check_funding(city, campaign, amount).await?;
    let currency = city.settings.currency;
    let (from, to) = (books::bank_clearing(currency), books::campaign(campaign));
    let account = books::never_overdrawn(to, books::money(currency), account_code::CAMPAIGN);
    books::ensure(&city.ledger, vec![account]).await?;
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let main = books::transfer(id, from, to, amount.minor, currency, transfer_code::CAMPAIGN_BUDGET);
        let main = Transfer { user_data_128: by.id.as_u128(), ..main };
        [main].into_iter().chain(beside).collect()
    });
    match once.await? {
        Once::Done { id, timestamp } => {
            // Ended while this was under way: nobody could use it.
            if get(city, campaign).await?.ended_at.is_some() {
                give_back(city, by, campaign).await?;
            }
            Ok(moved(id, timestamp, false))
        }
        Once::Already(t) => Ok(moved(t.id, t.timestamp, true)),
        Once::Refused(1, status) if books::is_exists(status) => Err(WalletError::GivenUp.into()),
        Once::Refused(_, status) => Err(WalletError::LedgerRefused(status).into()),
        Once::Exhausted => Err(WalletError::AttemptsExhausted.into()),
    }
}

/// Refuses a budget that cannot be this campaign's, whatever the ledger says.
pub async fn check_funding(city: &City, campaign: CampaignId, amount: Money) -> Result<(), CouponError> {
    let campaign = get(city, campaign).await?;
    if amount != Money::new(campaign.budget_minor, city.settings.currency) {
        return Err(CouponError::Malformed("budget"));
    }
    if campaign.ended_at.is_some() { Err(CouponError::Ended) } else { Ok(()) }
}

/// Ends a campaign and returns what is left of its budget, and when repeated what has come back to it since.
/// By an operator of role admin.
pub async fn end(city: &City, by: &Operator, campaign: CampaignId) -> Result<(Standing, Money), CouponError> {
    by.role.require(Role::Admin)?;
    get(city, campaign).await?;
    let now = city.now();
    let ended: Result<(), CouponError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::end(conn, campaign, now).await?) }))
        .await;
    ended?;
    let returned = Money::new(give_back(city, by, campaign).await?, city.settings.currency);
    let mut standing = standings(city, vec![get(city, campaign).await?]).await?;
    let standing = standing.pop().ok_or_else(|| Fault::Books(format!("{campaign} has no standing")))?;
    Ok((standing, returned))
}

/// Moves what a campaign has back to the bank, minor units.
async fn give_back(city: &City, by: &Operator, campaign: CampaignId) -> Result<i64, Fault> {
    let (from, currency) = (books::campaign(campaign), city.settings.currency);
    if books::available(&city.ledger, from).await? == 0 {
        return Ok(0); // neither is an account needed that was never given a budget
    }
    let (id, to) = (city.rng.u128(), books::bank_clearing(currency));
    // Whatever is left when it is decided, so that no payment at the same moment is in its way.
    let rest = Transfer {
        amount: u128::MAX,
        flags: TransferFlags::BalancingDebit,
        user_data_128: by.id.as_u128(),
        ..books::transfer(id, from, to, 0, currency, transfer_code::CAMPAIGN_RETURN)
    };
    match books::submit(&city.ledger, vec![rest]).await? {
        Ok(_) => {
            let moved = city.ledger.lookup_transfers(vec![id]).await?;
            Ok(moved.first().map_or(0, |t| i64::try_from(t.amount).unwrap_or(i64::MAX)))
        }
        Err((_, status)) => Err(Fault::Books(format!("return of a budget: {status:?}"))),
    }
}

/// What a campaign is called. It never changes, so it is remembered.
pub async fn name_of(city: &City, campaign: CampaignId) -> Result<String, CouponError> {
    let held = |city: &City| city.coupon.names.lock().expect("no panic while held").get(&campaign).cloned();
    if let Some(name) = held(city) {
        return Ok(name);
    }
    let name = get(city, campaign).await?.name;
    let mut names = city.coupon.names.lock().expect("no panic while held");
    if names.len() >= NAMES_MAX {
        names.clear();
    }
    names.insert(campaign, name.clone());
    Ok(name)
}

/// The campaign of this id.
pub async fn get(city: &City, campaign: CampaignId) -> Result<Campaign, CouponError> {
    let mut conn = city.store.read().await?;
    store::get(&mut conn, campaign).await?.ok_or(CouponError::Unknown)
}

/// Campaigns with what is left of them, newest first, after one. By any operator.
pub async fn list(
    city: &City,
    _by: &Operator,
    after: Option<CampaignId>,
    limit: u32,
) -> Result<Vec<Standing>, CouponError> {
    let after = match after {
        None => None,
        Some(after) => Some(get(city, after).await?),
    };
    let mut conn = city.store.read().await?;
    let found = store::list(&mut conn, after.as_ref(), limit).await?;
    drop(conn);
    Ok(standings(city, found).await?)
}

/// The money of campaigns, in their order.
pub async fn standings(city: &City, campaigns: Vec<Campaign>) -> Result<Vec<Standing>, Fault> {
    let ids = campaigns.iter().map(|c| books::campaign(c.id)).collect();
    let accounts = accounts(city, ids).await?;
    let of = |campaign: Campaign| {
        let account = accounts.get(&books::campaign(campaign.id));
        let left = Money::new(account.map_or(0, books::free), city.settings.currency);
        Standing { funded: account.is_some_and(|a| a.credits_posted > 0), left, campaign }
    };
    Ok(campaigns.into_iter().map(of).collect())
}

async fn accounts(city: &City, ids: Vec<u128>) -> Result<HashMap<u128, Account>, Fault> {
    Ok(city.ledger.lookup_accounts(ids).await?.into_iter().map(|a| (a.id, a)).collect())
}

/// The coupons that a resident can use now at a shop for an amount, the best first. Only tells: the ledger decides.
pub async fn usable(
    city: &City,
    who: &Resident,
    shop: MerchantId,
    amount_minor: i64,
) -> Result<Vec<Campaign>, CouponError> {
    let now = city.now();
    let mut conn = city.store.read().await?;
    let mut found = store::valid(&mut conn, shop, amount_minor, now, LOOKED_AT).await?;
    drop(conn);
    // The table narrows it down; what the rule says counts.
    found.retain(|campaign| rules::usable(campaign, shop, amount_minor, now).is_ok());
    let ids = found.iter().flat_map(|c| [books::campaign(c.id), use_account(c.id, who.id)]).collect();
    let accounts = accounts(city, ids).await?;
    found.retain(|c| {
        let left = accounts.get(&books::campaign(c.id)).map_or(0, books::free);
        let used = accounts.get(&use_account(c.id, who.id)).is_some_and(|a| a.debits_posted > 0);
        left >= c.discount_minor && !used
    });
    Ok(found)
}

/// The account of how often a resident may still use a campaign's coupon.
fn use_account(campaign: CampaignId, resident: ResidentId) -> u128 {
    derive_u128("coupon_use", &[&campaign.to_bytes(), &resident.to_bytes()])
}

/// Lets a payment try to use a coupon: refuses what cannot be, and makes the resident's allowance of one use
/// where this is the first try.
pub async fn claim(
    city: &City,
    payer: ResidentId,
    campaign: CampaignId,
    shop: MerchantId,
    amount_minor: i64,
) -> Result<Claim, CouponError> {
    let campaign = get(city, campaign).await?;
    rules::usable(&campaign, shop, amount_minor, city.now())?;
    let account = use_account(campaign.id, payer);
    let ledger = shadow::COUPON_USES;
    let found = accounts(city, vec![account, books::campaign(campaign.id)]).await?;
    if !found.contains_key(&books::campaign(campaign.id)) {
        return Err(CouponError::Exhausted); // its budget was never given
    }
    // One that has a use, or had it, needs none: the chain will tell.
    if found.get(&account).is_none_or(|a| a.credits_posted == 0) {
        books::ensure(&city.ledger, vec![books::never_overdrawn(account, ledger, account_code::COUPON_USE)])
            .await?;
        let id = derive_u128("coupon_use_grant", &[&account.to_be_bytes()]);
        let grant = piece(id, books::pool(ledger), account, transfer_code::CAP_GRANT);
        match books::submit(&city.ledger, vec![grant]).await? {
            Err((_, status)) if !books::is_there(status) => {
                return Err(Fault::Books(format!("coupon use grant: {status:?}")).into());
            }
            _ => {}
        }
    }
    let (id, discount_minor, code) = (campaign.id, campaign.discount_minor, transfer_code::COUPON_SUBSIDY);
    let (from, to) = (books::campaign(id), books::wallet(payer));
    let currency = city.settings.currency;
    Ok(Claim {
        campaign: id,
        discount_minor,
        used: piece(city.rng.u128(), account, books::pool(ledger), transfer_code::CAP_DRAW),
        subsidy: books::transfer(city.rng.u128(), from, to, discount_minor, currency, code),
    })
}

/// One use, on its ledger.
fn piece(id: u128, from: u128, to: u128, code: u16) -> Transfer {
    Transfer {
        id,
        debit_account_id: from,
        credit_account_id: to,
        amount: 1,
        ledger: shadow::COUPON_USES,
        code,
        ..Transfer::default()
    }
}

/// The discount of a payment in the ledger, minor units; 0 without a coupon.
pub fn discount_of(payment: &Transfer) -> i64 {
    i64::try_from(payment.user_data_64).unwrap_or(i64::MAX)
}

/// The coupon that a payment in the ledger was paid with.
pub async fn of_payment(city: &City, payment: &Transfer) -> Result<Option<Used>, Fault> {
    let minor = discount_of(payment);
    if minor == 0 {
        return Ok(None);
    }
    let filter = QueryFilter {
        user_data_128: payment.id,
        ledger: books::money(city.settings.currency),
        code: transfer_code::COUPON_SUBSIDY,
        limit: 1,
        ..QueryFilter::default()
    };
    let found = city.ledger.query_transfers(filter).await?;
    let subsidy = found.first().ok_or_else(|| Fault::Books("a discount without its subsidy".into()))?;
    let campaign = CampaignId::from_u128(subsidy.debit_account_id);
    Ok(Some(Used { campaign, discount: Money::new(minor, city.settings.currency) }))
}

/// What a refund of a payment with a coupon carries in its chain, after the refund itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// What the payer gives back of the discount, minor units.
    pub minor: i64,
    /// First a marker that is there already where another refund came in between: reckon again then. Then the
    /// share, where there is one.
    pub events: Vec<Transfer>,
}

/// The share of the discount that goes back with a refund of `amount`, of which `before` went back already.
/// `None` without a coupon.
pub async fn take_back(
    city: &City,
    trade: TradeId,
    payment: &Transfer,
    before: i64,
    amount: i64,
    refund: u128,
) -> Result<Option<TakenBack>, Fault> {
    let Some(used) = of_payment(city, payment).await? else { return Ok(None) };
    let currency = city.settings.currency;
    let paid = i64::try_from(payment.amount).unwrap_or(i64::MAX);
    let minor = rules::goes_back(used.discount.minor, paid, before, amount);
    let step = derive_u128("coupon_refund_step", &[&trade.to_bytes(), &before.to_be_bytes()]);
    let mut events = vec![books::marker(step, transfer_code::REFUND_STEP)];
    if minor > 0 {
        let (from, to) = (payment.debit_account_id, books::campaign(used.campaign));
        let id = city.rng.u128();
        let back = books::transfer(id, from, to, minor, currency, transfer_code::COUPON_BACK);
        events.push(Transfer { user_data_128: refund, ..back });
    }
    Ok(Some(TakenBack { minor, events }))
}
