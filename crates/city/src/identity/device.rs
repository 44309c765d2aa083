//! Devices: phones that make payment codes offline. The index that turns a code back into its
//! device lives in memory and is filled from the table at start.

use std::sync::RwLock;
use std::time::Duration;

use codes::payment_code::{DeviceSecret, LocatorIndex, PaymentCode, Refused};
use hmac::{Hmac, KeyInit as _, Mac as _};
use kernel::Timestamp;
use kernel::ids::{DeviceId, ResidentId};
use sha2::Sha256;
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Device, IdentityError, Merchant, Resident, store};
use crate::{City, Fault};

/// How many locators one portion of upkeep computes: some ten milliseconds.
const PORTION: usize = 20_000;
/// How many devices are read from the table at once.
const READ_MAX: u32 = 1_000;
/// How often revocations of other nodes are read.
const UNLOAD_EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Index(RwLock<Loaded>);

#[derive(Default)]
struct Loaded {
    codes: LocatorIndex,
    owners: HashMap<u128, ResidentId>,
    /// The newest device read from the table; younger ones may have been added by another node.
    newest: Option<DeviceId>,
}

/// A new device and the secret its phone must keep.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The device.
    pub device: Device,
    /// 32 bytes; shown once.
    pub secret: [u8; 32],
}

/// Who shows a payment code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Who pays.
    pub resident: ResidentId,
    /// With which phone.
    pub device: DeviceId,
    /// The marker that a try with this code must create in the ledger: one code, one try.
    pub burn_id: u128,
}

/// Adds a phone of the resident.
pub async fn add_device(city: &City, who: &Resident, name: &str) -> Result<NewDevice, IdentityError> {
    if !super::rules::name_acceptable(name) {
        return Err(IdentityError::NameMalformed);
    }
    let id = DeviceId::new(city.now(), &*city.rng);
    let secret = device_secret(city, id);
    let device = Device { id, resident: who.id, name: name.to_owned(), created_at: city.now() };
    let row = device.clone();
    let added: Result<(), IdentityError> =
        city.store.write(move |conn| Box::pin(async move { Ok(store::add_device(conn, &row).await?) })).await;
    added?;
    let mut index = city.identity.devices.0.write().expect("no panic while held");
    index.codes.insert(id.as_u128(), &DeviceSecret::new(secret));
    index.owners.insert(id.as_u128(), who.id);
    Ok(NewDevice { device, secret })
}

/// The resident's phones, oldest first.
pub async fn devices(city: &City, who: &Resident) -> Result<Vec<Device>, IdentityError> {
    let mut conn = city.store.read().await?;
    Ok(store::devices(&mut conn, who.id).await?)
}

/// Takes a phone away: none of its codes pays from now on.
pub async fn revoke_device(city: &City, who: &Resident, device: DeviceId) -> Result<(), IdentityError> {
    let (resident, now) = (who.id, city.now());
    let revoked: Result<(), IdentityError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::revoke_device(conn, resident, device, now).await?) })
        })
        .await;
    match revoked {
        Err(IdentityError::Fault(Fault::Store(::store::StoreError::Guard))) => {
            Err(IdentityError::DeviceUnknown)
        }
        other => {
            other?;
            city.identity.devices.0.write().expect("no panic while held").remove(device);
            Ok(())
        }
    }
}

impl Loaded {
    fn remove(&mut self, device: DeviceId) {
        self.codes.remove(device.as_u128());
        self.owners.remove(&device.as_u128());
    }

    fn resolve(&self, code: PaymentCode, now_s: u64) -> Result<Payer, Refused> {
        let found = self.codes.resolve(&code, now_s)?;
        let resident = *self.owners.get(&found.device_id).ok_or(Refused::Unknown)?;
        Ok(Payer { resident, device: DeviceId::from_u128(found.device_id), burn_id: found.burn_id })
    }
}

/// Who made this payment code, which `scanner` scanned. Knows nothing of whether it was used: the ledger does.
pub async fn resolve_code(city: &City, scanner: &Merchant, text: &str) -> Result<Payer, IdentityError> {
    let code = PaymentCode::parse(text).map_err(IdentityError::CodeMalformed)?;
    let now_s = u64::try_from(city.now().as_secs()).unwrap_or(0);
    let (index, guesses) = (&city.identity.devices.0, &city.identity.guesses);
    let mut found = index.read().expect("no panic while held").resolve(code, now_s);
    if found == Err(Refused::NotReady) {
        let mut index = index.write().expect("no panic while held");
        index.codes.maintain(now_s, PORTION);
        found = index.resolve(code, now_s);
    }
    if found != Err(Refused::Unknown) {
        guesses.lock().expect("no panic while held").admit(scanner, code.locator(), now_s)?;
        return found.map_err(IdentityError::CodeRefused);
    }
    let counted = guesses.lock().expect("no panic while held").unknown(scanner, code.locator(), now_s)?;
    if counted.alarm {
        tracing::warn!("many unknown payment codes are being scanned: somebody may be guessing");
    }
    // Perhaps another node has just added the phone.
    load(city).await?;
    let found = index.read().expect("no panic while held").resolve(code, now_s);
    if found != Err(Refused::Unknown) {
        guesses.lock().expect("no panic while held").give_back(counted);
    }
    found.map_err(IdentityError::CodeRefused)
}

/// Whose phone made this code, if it is a live one that this node knows. For a trade that needs no code
/// any more: a till that asks again with a dead one is not guessing, and nothing is counted.
pub fn payer_of(city: &City, text: &str) -> Option<Payer> {
    let code = PaymentCode::parse(text).ok()?;
    let now_s = u64::try_from(city.now().as_secs()).unwrap_or(0);
    city.identity.devices.0.read().expect("no panic while held").resolve(code, now_s).ok()
}

/// The secret of a device: HMAC-SHA-256 of its id under a key that is kept outside the database, so that
/// whoever steals the tables cannot make a single payment code.
fn device_secret(city: &City, device: DeviceId) -> [u8; 32] {
    let key = &city.settings.device_key;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"yima device secret v1");
    mac.update(&device.to_bytes());
    mac.finalize().into_bytes().into()
}

/// Takes in the devices that the table has and memory has not.
pub async fn load(city: &City) -> Result<(), Fault> {
    let newest = city.identity.devices.0.read().expect("no panic while held").newest;
    // Ids begin with the clock (ms, 48 bits) of the node that made them: look back a minute for clocks that differ.
    let mut after = DeviceId::from_u128(newest.map_or(0, |d| d.as_u128().saturating_sub(60_000 << 80)));
    loop {
        let mut conn = city.store.read().await?;
        let rows = store::devices_after(&mut conn, after, READ_MAX).await?;
        drop(conn);
        let mut index = city.identity.devices.0.write().expect("no panic while held");
        for (device, resident) in &rows {
            if index.owners.insert(device.as_u128(), *resident).is_none() {
                index.codes.insert(device.as_u128(), &DeviceSecret::new(device_secret(city, *device)));
            }
            index.newest = index.newest.max(Some(*device));
            after = *device;
        }
        if rows.len() < READ_MAX as usize {
            let now_s = u64::try_from(city.now().as_secs()).unwrap_or(0);
            index.codes.maintain(now_s, PORTION);
            return Ok(());
        }
    }
}

/// Takes out the devices that were revoked since `since`, here or on another node.
async fn unload(city: &City, since: Timestamp) -> Result<(), Fault> {
    let mut conn = city.store.read().await?;
    let gone = store::devices_revoked_since(&mut conn, since).await?;
    drop(conn);
    let mut index = city.identity.devices.0.write().expect("no panic while held");
    for device in gone {
        index.remove(device);
    }
    Ok(())
}

/// Keeps the tables of payment codes ready, a portion at a time, and learns every few seconds which
/// devices other nodes revoked.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        let mut pause = Duration::from_millis(1);
        let mut unloaded_at = city.now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let now = city.now();
            if now.since(unloaded_at) >= UNLOAD_EVERY {
                // Look back twice as far as needed: node clocks differ a little.
                if let Err(why) = unload(&city, unloaded_at.minus(UNLOAD_EVERY)).await {
                    tracing::warn!(%why, "revoked devices could not be read");
                } else {
                    unloaded_at = now;
                }
            }
            let now_s = u64::try_from(now.as_secs()).unwrap_or(0);
            let left =
                city.identity.devices.0.write().expect("no panic while held").codes.maintain(now_s, PORTION);
            pause = Duration::from_millis(if left.remaining > 0 { 5 } else { 1_000 });
        }
    })]
}

/// Whether any phone was ever added that is still in use: their codes need the key they were derived from.
pub fn any_device(city: &City) -> bool {
    !city.identity.devices.0.read().expect("no panic while held").owners.is_empty()
}
