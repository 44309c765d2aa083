//! Looking somebody up: a resident by phone or id, a shop by id, reference or name. Every look has a reason and
//! is in the trail before anything is shown. Must never show a whole phone number, name or legal identifier.

pub mod http;

use std::sync::Arc;

use kernel::ids::{MerchantId, ResidentId};

use super::audit::{Act, DONE, looked};
use super::{OperatorError, rules};
use crate::identity::{self, IdentityError, Operator, Profile, Role};
use crate::merchant::{self, MerchantError, Shop};
use crate::{City, Refusal, wallet};

/// A resident, as an operator's role may see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenResident {
    /// To be masked by whoever shows it.
    pub profile: Profile,
    /// Balance and what the allowance still covers (its window and minor units), with role staff.
    pub money: Option<(wallet::Balance, String, i64)>,
}

/// A shop, as an operator's role may see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenShop {
    /// Its legal identifier is to be masked by whoever shows it.
    pub shop: Arc<Shop>,
    /// What it has, with role staff.
    pub balance: Option<merchant::Balance>,
}

/// How many shops one look shows.
const SHOPS_MAX: u32 = 50;

/// The reason of a look: always needed.
fn reason(given: Option<&str>) -> Result<String, OperatorError> {
    rules::reason(given, true)?.ok_or(OperatorError::ReasonMissing)
}

/// The resident of a whole phone number or id; none where nobody has it.
pub async fn find_resident(
    city: &City,
    by: &Operator,
    text: &str,
    why: Option<&str>,
) -> Result<Option<SeenResident>, OperatorError> {
    let why = reason(why)?;
    let found = match text.parse::<ResidentId>() {
        Ok(id) => identity::resident(city, id).await,
        Err(_) => identity::resident_of_phone(city, text).await,
    };
    match found {
        Ok(profile) => {
            looked(city, by, why, Act::on("find_resident", profile.id), DONE).await?;
            Ok(Some(see_resident(city, by, profile).await?))
        }
        Err(none @ IdentityError::ResidentUnknown) => {
            // Not what was asked for: that may be somebody's phone number.
            looked(city, by, why, Act::on("find_resident", ""), none.code()).await?;
            Ok(None)
        }
        Err(IdentityError::PhoneMalformed) => Err(OperatorError::LookUpMalformed),
        Err(other) => Err(other.into()),
    }
}

/// The resident of this id.
pub async fn resident(
    city: &City,
    by: &Operator,
    id: ResidentId,
    why: Option<&str>,
) -> Result<SeenResident, OperatorError> {
    let why = reason(why)?;
    let found = identity::resident(city, id).await;
    let outcome = found.as_ref().err().map_or(DONE, Refusal::code);
    looked(city, by, why, Act::on("look_at_resident", id), outcome).await?;
    see_resident(city, by, found?).await
}

async fn see_resident(city: &City, by: &Operator, profile: Profile) -> Result<SeenResident, OperatorError> {
    let mut money = None;
    if by.role >= Role::Staff {
        let (window, left) = identity::cap_left(city, profile.id, profile.tier).await?;
        money = Some((wallet::balance_of(city, profile.id).await?, window, left));
    }
    Ok(SeenResident { profile, money })
}

/// Shops by id, reference, or part of their name.
pub async fn find_shops(
    city: &City,
    by: &Operator,
    text: &str,
    why: Option<&str>,
) -> Result<Vec<SeenShop>, OperatorError> {
    let why = reason(why)?;
    let text = text.trim();
    let found: Vec<Arc<Shop>> = if let Ok(id) = text.parse::<MerchantId>() {
        match merchant::get(city, id).await {
            Ok(shop) => vec![shop],
            Err(MerchantError::Unknown) => Vec::new(),
            Err(other) => return Err(other.into()),
        }
    } else if (2..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        merchant::search(city, text, SHOPS_MAX).await?.into_iter().map(Arc::new).collect()
    } else {
        return Err(OperatorError::LookUpMalformed);
    };
    let subject = match &found[..] {
        [one] => one.id.to_string(),
        _ => String::new(),
    };
    let act = Act::on("find_shops", subject).with(format!("found={}", found.len()));
    looked(city, by, why, act, DONE).await?;
    let mut seen = Vec::with_capacity(found.len());
    for shop in found {
        seen.push(see_shop(city, by, shop).await?);
    }
    Ok(seen)
}

/// The shop of this id.
pub async fn shop(
    city: &City,
    by: &Operator,
    id: MerchantId,
    why: Option<&str>,
) -> Result<SeenShop, OperatorError> {
    let why = reason(why)?;
    let found = merchant::get(city, id).await;
    let outcome = found.as_ref().err().map_or(DONE, Refusal::code);
    looked(city, by, why, Act::on("look_at_shop", id), outcome).await?;
    see_shop(city, by, found?).await
}

async fn see_shop(city: &City, by: &Operator, shop: Arc<Shop>) -> Result<SeenShop, OperatorError> {
    let balance =
        if by.role >= Role::Staff { Some(merchant::balance_of(city, shop.id).await?) } else { None };
    Ok(SeenShop { shop, balance })
}
