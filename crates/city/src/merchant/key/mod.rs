//! The API keys of shops. A key may belong to a till: what it orders and charges is that till's, and it ends
//! when the till does. Secrets are made and kept by [`crate::identity`], never here.

pub mod http;

use kernel::ids::{MerchantId, TillId};

use super::{MerchantError, get, require_till};
use crate::City;
use crate::identity::{self, Merchant, NewKey, Operator, OwnerKind, Role};

/// What a shop's new key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedKey {
    /// What it may do.
    pub role: Role,
    /// The till it belongs to, if to one; a till of the shop, in use.
    pub till: Option<TillId>,
    /// What people call it.
    pub name: String,
}

/// Makes another key for one's own shop.
pub async fn add_own(city: &City, who: &Merchant, wanted: &WantedKey) -> Result<NewKey, MerchantError> {
    who.role.require(Role::Admin)?;
    add(city, who.id, wanted).await
}

/// Makes a key for a shop: how it gets its first one.
pub async fn add_first(
    city: &City,
    by: &Operator,
    merchant: MerchantId,
    wanted: &WantedKey,
) -> Result<NewKey, MerchantError> {
    by.role.require(Role::Admin)?;
    get(city, merchant).await?;
    add(city, merchant, wanted).await
}

async fn add(city: &City, merchant: MerchantId, wanted: &WantedKey) -> Result<NewKey, MerchantError> {
    if let Some(till) = wanted.till {
        require_till(city, merchant, till).await?;
    }
    let (owner, WantedKey { role, till, name }) = (merchant.as_u128(), wanted);
    Ok(identity::create_key(city, OwnerKind::Merchant, owner, *role, *till, name).await?)
}
