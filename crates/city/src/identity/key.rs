//! API keys of shops, billers and operators: shown once, kept as SHA-256 of 256 random bits.

use kernel::Timestamp;
use kernel::ids::{KeyId, OperatorId, TillId};

use super::{IdentityError, Key, Operator, OwnerKind, Role, secret, session, sha256, store};
use crate::{City, Fault};

/// A new key and its secret.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key without its secret.
    pub key: Key,
    /// The secret; shown once.
    pub secret: String,
}

/// Makes a key for `owner`. Callers check who may do that.
pub async fn create_key(
    city: &City,
    owner_kind: OwnerKind,
    owner: u128,
    role: Role,
    till: Option<TillId>,
    name: &str,
) -> Result<NewKey, IdentityError> {
    put_key(city, (owner_kind, owner), role, till, name, None).await
}

/// Makes a key of an operator by another key of one, which is kept: see [`hands`].
pub async fn create_operator_key(
    city: &City,
    by: &Operator,
    owner: OperatorId,
    role: Role,
    name: &str,
) -> Result<NewKey, IdentityError> {
    by.role.require(Role::Admin)?;
    require_operator(city, owner).await?;
    put_key(city, (OwnerKind::Operator, owner.as_u128()), role, None, name, Some(by.key)).await
}

async fn put_key(
    city: &City,
    (owner_kind, owner): (OwnerKind, u128),
    role: Role,
    till: Option<TillId>,
    name: &str,
    made_with: Option<KeyId>,
) -> Result<NewKey, IdentityError> {
    if !super::rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    let now = city.now();
    let secret = secret(owner_kind.secret_prefix(), &*city.rng);
    let key = Key { id: KeyId::new(now, &*city.rng), owner_kind, owner, role, till, name: name.to_owned() };
    let (row, hash) = (key.clone(), sha256(&secret).to_vec());
    let added: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::add_key(conn, hash, &row, made_with, now).await?) })
        })
        .await;
    added?;
    Ok(NewKey { key, secret })
}

/// The live keys of an owner.
pub async fn keys(city: &City, owner: u128) -> Result<Vec<Key>, IdentityError> {
    let mut conn = city.store.read().await?;
    Ok(store::keys(&mut conn, owner).await?)
}

/// Ends a key of `owner`.
pub async fn revoke_key(city: &City, owner: u128, key: KeyId) -> Result<(), IdentityError> {
    revoke(city, Some(owner), key).await
}

/// Ends a key of whomever.
pub async fn revoke_any_key(city: &City, by: &Operator, key: KeyId) -> Result<(), IdentityError> {
    by.role.require(Role::Admin)?;
    revoke(city, None, key).await
}

async fn revoke(city: &City, owner: Option<u128>, key: KeyId) -> Result<(), IdentityError> {
    let now = city.now();
    let revoked: Result<(), IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::revoke_key(conn, owner, key, now).await?) }))
        .await;
    match revoked {
        Err(IdentityError::Fault(Fault::Store(::store::StoreError::Guard))) => Err(IdentityError::KeyUnknown),
        other => {
            other?;
            city.identity.keys.forget(|k| k.id == key);
            session::forget_key(city, key);
            Ok(())
        }
    }
}

/// Ends every key of `owner` that belongs to this till.
pub async fn revoke_till_keys(city: &City, owner: u128, till: TillId) -> Result<(), IdentityError> {
    let now = city.now();
    let revoked: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::revoke_till_keys(conn, owner, till, now).await?) })
        })
        .await;
    revoked?;
    let gone = |key: &Key| key.owner == owner && key.till == Some(till);
    city.identity.keys.forget(gone);
    session::forget_keys(city, gone);
    Ok(())
}

/// Makes another operator, with an admin key.
pub async fn add_operator(city: &City, by: &Operator, name: &str) -> Result<NewKey, IdentityError> {
    by.role.require(Role::Admin)?;
    put_operator(city, name, Some(by.key)).await
}

/// The operators who may hold this key of one: its owner, whoever made it and so saw its secret, who made the key
/// that it was made with, and so on. Nobody for a key that is not there.
pub async fn hands(city: &City, key: KeyId) -> Result<Vec<OperatorId>, IdentityError> {
    let mut conn = city.store.read().await?;
    Ok(store::hands(&mut conn, key).await?)
}

/// An operator as others see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorName {
    /// Who.
    pub id: OperatorId,
    /// What people call them.
    pub name: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// Every operator, oldest first. Callers check who may see that.
pub async fn operators(city: &City) -> Result<Vec<OperatorName>, IdentityError> {
    let mut conn = city.store.read().await?;
    Ok(store::operators(&mut conn).await?)
}

/// Refuses as `operator_unknown` who is not an operator of this city.
pub async fn require_operator(city: &City, operator: OperatorId) -> Result<(), IdentityError> {
    let mut conn = city.store.read().await?;
    let known = store::operator_exists(&mut conn, operator).await?;
    if known { Ok(()) } else { Err(IdentityError::OperatorUnknown) }
}

/// Makes an operator and an admin key for it: how the first key of a city comes to be. Asks for no
/// key: over HTTP it is reached through [`add_operator`] only.
pub async fn bootstrap_operator(city: &City, name: &str) -> Result<NewKey, IdentityError> {
    put_operator(city, name, None).await
}

async fn put_operator(city: &City, name: &str, with: Option<KeyId>) -> Result<NewKey, IdentityError> {
    if !super::rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    let now = city.now();
    let operator = OperatorId::new(now, &*city.rng);
    let row = name.to_owned();
    let added: Result<(), IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::add_operator(conn, operator, &row, now).await?) }))
        .await;
    added?;
    put_key(city, (OwnerKind::Operator, operator.as_u128()), Role::Admin, None, name, with).await
}
