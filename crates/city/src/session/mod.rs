//! Signing in and out in a browser: the routes `/v1/session`, for residents, shops and operators alike. What a session
//! is and whether one is live is [`crate::identity::session`]'s business; this slice gives it its cookie, and the
//! person, shop or operator behind it a name. It keeps nothing of its own.

pub mod http;

use kernel::Timestamp;
use kernel::ids::{MerchantId, OperatorId, TillId};

use crate::City;
use crate::http::Problem;
use crate::identity::session::{App, Holder};
use crate::identity::{self, Role};
use crate::merchant;

/// Who is signed in, as their own screen may show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `res_…`, `mch_…` or `opr_…`.
    pub id: String,
    /// Of the resident, the shop, the operator.
    pub name: String,
    /// What the key may do that opened the session; residents have no role.
    pub role: Option<Role>,
    /// The till that the shop's key belongs to, if to one.
    pub till: Option<TillId>,
}

/// A live session without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Of which app.
    pub app: App,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub who: Who,
}

/// The session of this token, and who is behind it.
pub async fn current(city: &City, app: App, token: &str) -> Result<Current, Problem> {
    let (holder, expires_at) = identity::session::find(city, app, token).await?;
    Ok(Current { app, expires_at, who: who(city, app, &holder).await? })
}

async fn who(city: &City, app: App, holder: &Holder) -> Result<Who, Problem> {
    let key = match holder {
        Holder::Resident(resident) => {
            let (name, _) = identity::name_and_tier(city, resident.id).await?;
            return Ok(Who { id: resident.id.to_string(), name, role: None, till: None });
        }
        Holder::Key(key) => key,
    };
    let (id, name) = if app == App::Merchant {
        let id = MerchantId::from_u128(key.owner);
        (id.to_string(), merchant::get(city, id).await?.name.clone())
    } else {
        let id = OperatorId::from_u128(key.owner);
        (id.to_string(), identity::session::operator_name(city, id).await?)
    };
    Ok(Who { id, name, role: Some(key.role), till: key.till })
}
