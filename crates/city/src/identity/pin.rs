//! The pay PIN: argon2id, counted before it is compared, locked after five wrong, unlocked with a
//! one-time code. Must never log a PIN or keep one outside a request.

use argon2::{Algorithm, Argon2, Params, Version};
use kernel::hex;

use super::{IdentityError, Resident, profile, rules, spend_code, store};
use crate::{City, Fault};

/// OWASP's minimum for argon2id: 19 MiB, two passes, one lane. About 20 ms of one core.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// Refuses unless `amount` is small enough to need no PIN, or `pin` is the right one.
pub async fn require_pin(
    city: &City,
    who: &Resident,
    amount: i64,
    pin: Option<&str>,
) -> Result<(), IdentityError> {
    if amount <= city.settings.no_pin_limit_minor {
        return Ok(());
    }
    let pin = pin.ok_or(IdentityError::PinRequired)?;
    check(city, who, pin).await
}

/// Refuses unless `pin` is the resident's: for what lets others, or the city, act in the resident's name.
pub async fn require_pin_always(city: &City, who: &Resident, pin: Option<&str>) -> Result<(), IdentityError> {
    check(city, who, pin.ok_or(IdentityError::PinRequired)?).await
}

/// Refuses unless `pin` is the resident's, where one was set: for what opens a door to the account.
pub async fn require_pin_if_set(city: &City, who: &Resident, pin: Option<&str>) -> Result<(), IdentityError> {
    if !profile(city, who).await?.has_pin {
        return Ok(());
    }
    check(city, who, pin.ok_or(IdentityError::PinRequired)?).await
}

/// Sets the first PIN.
pub async fn set_first_pin(city: &City, who: &Resident, pin: &str) -> Result<(), IdentityError> {
    let (hash, resident) = (hash_new(city, pin).await?, who.id);
    let set: Result<bool, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::set_pin(conn, resident, &hash, true).await?) }))
        .await;
    if set? { Ok(()) } else { Err(IdentityError::PinExists) }
}

/// Sets another PIN in the place of the old one.
pub async fn change_pin(city: &City, who: &Resident, old: &str, pin: &str) -> Result<(), IdentityError> {
    let hash = hash_new(city, pin).await?;
    check(city, who, old).await?;
    put(city, who, hash).await
}

/// Unlocks: sets another PIN by a one-time code sent to the resident's phone.
pub async fn reset_pin(city: &City, who: &Resident, code: &str, pin: &str) -> Result<(), IdentityError> {
    let hash = hash_new(city, pin).await?;
    let phone = profile(city, who).await?.phone;
    spend_code(city, &phone, code).await?;
    put(city, who, hash).await
}

async fn put(city: &City, who: &Resident, hash: String) -> Result<(), IdentityError> {
    let resident = who.id;
    let set: Result<bool, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::set_pin(conn, resident, &hash, false).await?) }))
        .await;
    if set? { Ok(()) } else { Err(IdentityError::ResidentUnknown) }
}

async fn check(city: &City, who: &Resident, pin: &str) -> Result<(), IdentityError> {
    let resident = who.id;
    let begun: Result<Option<Option<String>>, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::begin_pin_try(conn, resident).await?) }))
        .await;
    let stored = begun?.ok_or(IdentityError::PinLocked)?;
    let right = match &stored {
        Some(stored) => verify(city, stored.clone(), pin.to_owned()).await?,
        None => false,
    };
    if right || stored.is_none() {
        let ended: Result<(), IdentityError> = city
            .store
            .write(move |conn| Box::pin(async move { Ok(store::end_pin_try(conn, resident).await?) }))
            .await;
        ended?;
    }
    match (stored, right) {
        (None, _) => Err(IdentityError::PinNotSet),
        (Some(_), true) => Ok(()),
        (Some(_), false) => {
            let mut conn = city.store.read().await?;
            match store::pin_tries_left(&mut conn, resident).await? {
                0 => Err(IdentityError::PinLocked),
                left => Err(IdentityError::PinWrong(left)),
            }
        }
    }
}

async fn hash_new(city: &City, pin: &str) -> Result<String, IdentityError> {
    if !rules::pin_acceptable(pin) {
        return Err(IdentityError::PinUnacceptable);
    }
    let mut salt = [0; 16];
    city.rng.fill(&mut salt);
    let hash = slow_hash(city, pin.to_owned(), salt.to_vec(), MEMORY_KIB, PASSES).await?;
    Ok(format!("argon2id${MEMORY_KIB}${PASSES}${}${}", hex(&salt), hex(&hash)))
}

async fn verify(city: &City, stored: String, pin: String) -> Result<bool, IdentityError> {
    let corrupt = || Fault::Store(::store::StoreError::Corrupt("resident.pin"));
    let parts: Vec<&str> = stored.split('$').collect();
    let ["argon2id", memory, passes, salt, wanted] = parts.as_slice() else { return Err(corrupt().into()) };
    let memory = memory.parse().map_err(|_| corrupt())?;
    let passes = passes.parse().map_err(|_| corrupt())?;
    let salt = unhex(salt).ok_or_else(corrupt)?;
    let hash = hex(&slow_hash(city, pin, salt, memory, passes).await?);
    // Both sides are outputs of argon2 over a secret salt: comparing them in variable time tells nothing.
    Ok(hash == *wanted)
}

async fn slow_hash(
    city: &City,
    pin: String,
    salt: Vec<u8>,
    memory_kib: u32,
    passes: u32,
) -> Result<[u8; 32], IdentityError> {
    let _slot =
        city.identity.pin_slots.acquire().await.map_err(|_| Fault::Store(::store::StoreError::Closed))?;
    let hashed = tokio::task::spawn_blocking(move || {
        let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|e| e.to_string())?;
        let mut hash = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(pin.as_bytes(), &salt, &mut hash)
            .map_err(|e| e.to_string())?;
        Ok::<_, String>(hash)
    });
    let hashed = hashed.await.map_err(|e| Fault::Books(e.to_string()))?;
    Ok(hashed.map_err(Fault::Books)?)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    nibbles?.chunks(2).map(|pair| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok()).collect()
}
