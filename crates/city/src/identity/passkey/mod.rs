//! Passkeys (W3C Web Authentication): a resident's phone or computer signs a challenge instead of their typing a
//! one-time code. Discoverable, so that signing in needs no phone number; only with finger, face or the device's PIN.
//!
//! - A challenge lives 5 minutes and serves once, whatever comes of it.
//! - The signature counter of a passkey never goes back ([`store::used`]), on any number of nodes.
//! - Adding one asks for a session and the PIN, where one was set, before there is a challenge: who took somebody's
//!   session gets no door of his own by it. A session opened by a passkey is as good as any other.

pub mod http;
pub mod rules;
mod store;

use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::{PasskeyId, ResidentId};
use sha2::{Digest as _, Sha256};

use self::rules::{ClientData, Refused, Verifier};
use super::session::{self, Opened};
use super::{IdentityError, Resident, pin};
use crate::{City, Fault};

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Which.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// Whether its owner's other devices may have it too.
    pub backup_eligible: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last opened a session.
    pub used_at: Option<Timestamp>,
}

/// A passkey with what checks its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The id its authenticator knows it by.
    pub credential_id: Vec<u8>,
    /// Whose.
    pub resident: ResidentId,
    /// To check signatures by.
    pub verifier: Verifier,
    /// How the browser may reach the authenticator: hints, as it gave them.
    pub transports: Vec<String>,
    /// As its owner sees it.
    pub passkey: Passkey,
}

/// What an authenticator answers when a passkey is added.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The credential's id as the browser says it.
    pub credential_id: Vec<u8>,
    /// `clientDataJSON`, byte for byte.
    pub client_json: Vec<u8>,
    /// `attestationObject`.
    pub attestation: Vec<u8>,
    /// How the browser reached it.
    pub transports: Vec<String>,
}

/// What an authenticator answers when somebody signs in.
#[derive(Clone, Debug)]
pub struct Asserted {
    /// The credential's id.
    pub credential_id: Vec<u8>,
    /// `clientDataJSON`, byte for byte.
    pub client_json: Vec<u8>,
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// Whose passkey the authenticator says it is.
    pub user_handle: Option<Vec<u8>>,
}

/// A fresh challenge, 32 random bytes: for this resident to add a passkey, or for anybody to sign in.
async fn challenge(city: &City, resident: Option<ResidentId>) -> Result<[u8; 32], IdentityError> {
    let mut bits = [0; 32];
    city.rng.fill(&mut bits);
    let (hash, now) = (Sha256::digest(bits).to_vec(), city.now());
    let expires = now.plus(Duration::from_secs(rules::CHALLENGE_TTL_S));
    let added: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::add_challenge(conn, hash, resident, now, expires).await?) })
        })
        .await;
    added?;
    Ok(bits)
}

/// Uses up the challenge that was answered.
async fn spend(city: &City, client: &ClientData, resident: Option<ResidentId>) -> Result<(), IdentityError> {
    let (hash, now) = (Sha256::digest(client.challenge()?).to_vec(), city.now());
    let taken: Result<Option<Option<ResidentId>>, IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::take_challenge(conn, hash, now).await?) }))
        .await;
    if taken? == Some(resident) { Ok(()) } else { Err(IdentityError::PasskeyChallengeGone) }
}

/// What a browser needs to have a passkey made: the challenge, and the passkeys there are already. A resident with a
/// PIN shows it here, and not when the passkey is made: one that is then refused would stay on the phone.
pub async fn begin_adding(
    city: &City,
    who: &Resident,
    pin: Option<&str>,
) -> Result<([u8; 32], Vec<Stored>), IdentityError> {
    let known = {
        let mut conn = city.store.read().await?;
        store::of_resident(&mut conn, who.id).await?
    };
    if i64::try_from(known.len()).unwrap_or(i64::MAX) >= rules::PASSKEYS_MAX {
        return Err(IdentityError::PasskeysMax);
    }
    pin::require_pin_if_set(city, who, pin).await?;
    Ok((challenge(city, Some(who.id)).await?, known))
}

/// Adds a passkey that an authenticator made.
pub async fn add(city: &City, who: &Resident, name: &str, made: Attested) -> Result<Passkey, IdentityError> {
    if !super::rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    let client = ClientData::read(&made.client_json)?;
    spend(city, &client, Some(who.id)).await?;
    let presented = rules::add(&city.settings.relying_party, &client, &made.attestation)?;
    if presented.credential_id != made.credential_id {
        return Err(Refused::Malformed("id").into());
    }
    let now = Timestamp::from_millis(city.now().as_millis()); // as the table keeps it
    let passkey = Passkey {
        id: PasskeyId::new(now, &*city.rng),
        name: name.to_owned(),
        backup_eligible: presented.verifier.backup_eligible,
        created_at: now,
        used_at: None,
    };
    let row = Stored {
        credential_id: presented.credential_id.clone(),
        resident: who.id,
        verifier: presented.verifier,
        transports: made.transports.into_iter().filter(|t| is_transport(t)).take(8).collect(),
        passkey: passkey.clone(),
    };
    let added: Result<bool, IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                super::store::hold_resident(conn, row.resident).await?;
                Ok(store::add(conn, &row).await?)
            })
        })
        .await;
    if added? {
        return Ok(passkey);
    }
    let mut conn = city.store.read().await?;
    let known = store::is_known(&mut conn, presented.credential_id).await?;
    Err(if known { IdentityError::PasskeyExists } else { IdentityError::PasskeysMax })
}

/// `usb`, `smart-card`, …: the standard has an open list, so the form is all that is asked of one.
fn is_transport(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// The resident's passkeys, oldest first.
pub async fn list(city: &City, who: &Resident) -> Result<Vec<Passkey>, IdentityError> {
    let mut conn = city.store.read().await?;
    Ok(store::of_resident(&mut conn, who.id).await?.into_iter().map(|stored| stored.passkey).collect())
}

/// Removes a passkey: it opens nothing from now on. All other sessions of the resident end: who removes a passkey may be
/// shutting somebody out, and which session it opened is not kept.
pub async fn remove(city: &City, who: &Resident, passkey: PasskeyId) -> Result<(), IdentityError> {
    let (resident, own, now) = (who.id, who.session, city.now());
    let removed: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::remove(conn, resident, passkey, now).await?;
                Ok(super::store::revoke_other_sessions(conn, resident, own, now).await?)
            })
        })
        .await;
    city.identity.sessions.forget(|(held, _)| held.id == resident && held.session != own);
    match removed {
        Err(IdentityError::Fault(Fault::Store(::store::StoreError::Guard))) => {
            Err(IdentityError::PasskeyUnknown)
        }
        other => other,
    }
}

/// A challenge for whoever wants to sign in by passkey.
pub async fn begin_sign_in(city: &City) -> Result<[u8; 32], IdentityError> {
    challenge(city, None).await
}

/// Signs in by passkey: a session of the passkey's owner.
pub async fn sign_in(city: &City, answer: Asserted) -> Result<Opened, IdentityError> {
    let client = ClientData::read(&answer.client_json)?;
    spend(city, &client, None).await?;
    let known = {
        let mut conn = city.store.read().await?;
        store::by_credential(&mut conn, answer.credential_id).await?
    };
    let known = known.ok_or(IdentityError::PasskeyUnknown)?;
    if answer.user_handle.is_none_or(|handle| handle != known.resident.to_bytes()) {
        return Err(Refused::Owner.into());
    }
    let rp = &city.settings.relying_party;
    let (json, data, signature) = (&answer.client_json, &answer.authenticator_data, &answer.signature);
    let counter = rules::sign_in(rp, &client, json, &known.verifier, data, signature)?;
    let (passkey, now) = (known.passkey.id, city.now());
    let noted: Result<(), IdentityError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::used(conn, passkey, counter, now).await?) }))
        .await;
    match noted {
        // Another use was faster, with the same counter or a later one.
        Err(IdentityError::Fault(Fault::Store(::store::StoreError::Guard))) => {
            return Err(Refused::Counter.into());
        }
        other => other?,
    }
    session::open_for(city, known.resident).await
}
