//! Sessions: opaque tokens with an end, kept as hashes. A resident's is opened by a one-time code or a passkey, and
//! may be sent as a bearer token or kept in a browser's cookie; that of a shop or an operator is opened by an API key
//! and lives in a cookie only. The key itself never gets into a cookie.
//!
//! - A key's session may do what the key may, and ends with it, whichever way the key ends.
//! - A request by cookie that may change something must prove that our own page made it ([`rules::csrf`]): browsers
//!   send cookies along with whatever a foreign page makes them ask for.

pub mod http;
pub mod rules;

use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::{KeyId, OperatorId, ResidentId, SessionId};

use super::{IdentityError, Key, OwnerKind, Resident, authenticate_key, secret, sha256, store};
use crate::{City, Fault};

/// The app that a browser session is for: one browser may have one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum App {
    /// A resident's phone.
    Resident,
    /// A shop's till.
    Merchant,
    /// The city's console.
    Operator,
}

impl App {
    /// All of them.
    pub const ALL: [App; 3] = [App::Resident, App::Merchant, App::Operator];

    /// What the tokens of such sessions begin with.
    fn prefix(self) -> &'static str {
        match self {
            App::Resident => "yrs_",
            App::Merchant => "yms_",
            App::Operator => "yos_",
        }
    }

    /// Whose keys open such sessions.
    fn owner(self) -> Option<OwnerKind> {
        match self {
            App::Resident => None,
            App::Merchant => Some(OwnerKind::Merchant),
            App::Operator => Some(OwnerKind::Operator),
        }
    }
}

/// Whether this text looks like a resident's session token.
pub(super) fn is_residents(token: &str) -> bool {
    token.starts_with(App::Resident.prefix())
}

/// A session that was just opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The opaque token; shown once, kept as a hash.
    pub token: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Whom a live session is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A resident.
    Resident(Resident),
    /// Whoever holds this key.
    Key(Key),
}

/// A token nobody has yet, and the row it will be known by.
pub(super) struct Fresh {
    pub opened: Opened,
    pub id: SessionId,
    pub hash: Vec<u8>,
    pub now: Timestamp,
}

pub(super) fn fresh(city: &City, app: App) -> Fresh {
    let now = city.now();
    let token = secret(app.prefix(), &*city.rng);
    let hash = sha256(&token).to_vec();
    let expires_at = now.plus(Duration::from_secs(rules::ttl_s(app)));
    Fresh { opened: Opened { token, expires_at }, id: SessionId::new(now, &*city.rng), hash, now }
}

/// Opens a session for a resident who proved who they are another way than by one-time code.
pub(super) async fn open_for(city: &City, resident: ResidentId) -> Result<Opened, IdentityError> {
    let Fresh { opened, id, hash, now } = fresh(city, App::Resident);
    let expires_at = opened.expires_at;
    let added: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::add_session(conn, hash, id, resident, now, expires_at).await?) })
        })
        .await;
    added?;
    Ok(opened)
}

/// Opens a session of a shop or an operator by an API key of theirs.
pub async fn open_by_key(city: &City, app: App, key: &str) -> Result<(Opened, Key), IdentityError> {
    let kind = app.owner().ok_or(IdentityError::Unauthenticated)?;
    let key = authenticate_key(city, key, kind).await?;
    let Fresh { opened, id, hash, now } = fresh(city, app);
    let (key_id, expires_at) = (key.id, opened.expires_at);
    // What memory still trusts may have been revoked on another node: the row is added only to a live key.
    let added: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(
                async move { Ok(store::add_key_session(conn, hash, id, key_id, now, expires_at).await?) },
            )
        })
        .await;
    match added {
        Err(IdentityError::Fault(Fault::Store(::store::StoreError::Guard))) => {
            Err(IdentityError::Unauthenticated)
        }
        other => other.map(|()| (opened, key)),
    }
}

/// Whose session this token is of, and when it ends.
pub async fn find(city: &City, app: App, token: &str) -> Result<(Holder, Timestamp), IdentityError> {
    if !token.starts_with(app.prefix()) {
        return Err(IdentityError::Unauthenticated);
    }
    match app {
        App::Resident => {
            let (resident, expires) = live(city, token).await?;
            Ok((Holder::Resident(resident), expires))
        }
        App::Merchant | App::Operator => {
            let (key, expires) = live_by_key(city, token).await?;
            // The prefix is the client's word; the key's kind is ours.
            if Some(key.owner_kind) != app.owner() {
                return Err(IdentityError::Unauthenticated);
            }
            Ok((Holder::Key(key), expires))
        }
    }
}

/// The resident of this session, and when it ends.
pub(super) async fn live(city: &City, token: &str) -> Result<(Resident, Timestamp), IdentityError> {
    if !is_residents(token) {
        return Err(IdentityError::Unauthenticated);
    }
    let (hash, now) = (sha256(token), city.now());
    if let Some((resident, expires)) = city.identity.sessions.get(&hash, now)
        && now < expires
    {
        return Ok((resident, expires));
    }
    let mut conn = city.store.read().await?;
    let found = store::session(&mut conn, hash.to_vec(), now).await?;
    let (session, id, tier, expires) = found.ok_or(IdentityError::Unauthenticated)?;
    let resident = Resident { id, tier, session };
    city.identity.sessions.put(hash, (resident, expires), now);
    Ok((resident, expires))
}

async fn live_by_key(city: &City, token: &str) -> Result<(Key, Timestamp), IdentityError> {
    let (hash, now) = (sha256(token), city.now());
    if let Some((key, expires)) = city.identity.key_sessions.get(&hash, now)
        && now < expires
    {
        return Ok((key, expires));
    }
    let mut conn = city.store.read().await?;
    let found = store::key_session(&mut conn, hash.to_vec(), now).await?;
    let (key, expires) = found.ok_or(IdentityError::Unauthenticated)?;
    city.identity.key_sessions.put(hash, (key.clone(), expires), now);
    Ok((key, expires))
}

/// Ends the session of this token; one that is not live is left as it is.
pub async fn end(city: &City, app: App, token: &str) -> Result<(), IdentityError> {
    let (hash, now) = (sha256(token), city.now());
    let row = hash.to_vec();
    let ended: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                match app {
                    App::Resident => store::end_session(conn, row, now).await?,
                    App::Merchant | App::Operator => store::end_key_session(conn, row, now).await?,
                }
                Ok(())
            })
        })
        .await;
    ended?;
    city.identity.sessions.drop_one(&hash);
    city.identity.key_sessions.drop_one(&hash);
    Ok(())
}

/// Ends one's own session, however it was sent.
pub async fn sign_out(city: &City, who: &Resident) -> Result<(), IdentityError> {
    let (session, now) = (who.session, city.now());
    let revoked: Result<(), IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::revoke_session(conn, session, now).await?) }))
        .await;
    revoked?;
    city.identity.sessions.forget(|(resident, _)| resident.session == session);
    Ok(())
}

/// Forgets the sessions of keys that ended.
pub(super) fn forget_keys(city: &City, gone: impl Fn(&Key) -> bool) {
    city.identity.key_sessions.forget(|(key, _)| gone(key));
}

/// Forgets the sessions of one key.
pub(super) fn forget_key(city: &City, key: KeyId) {
    forget_keys(city, |k| k.id == key);
}

/// What an operator is called.
pub async fn operator_name(city: &City, operator: OperatorId) -> Result<String, IdentityError> {
    let mut conn = city.store.read().await?;
    store::operator_name(&mut conn, operator).await?.ok_or(IdentityError::OperatorUnknown)
}
