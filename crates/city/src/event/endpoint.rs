//! Verbs of webhook endpoints and of the delivery log. All of them need a key of role admin, as an
//! endpoint receives every trade of the shop.

use kernel::ids::{EndpointId, EventId};

use super::message::EventType;
use super::{Attempt, Delivery, DeliveryState, Endpoint, EventError, rules, signature, store};
use crate::City;
use crate::identity::{Merchant, Role};

/// The secret of an endpoint as the receiver wants it; shown once.
pub type SecretText = String;

fn fresh_secret(city: &City) -> [u8; signature::SECRET_BYTES] {
    let mut secret = [0; signature::SECRET_BYTES];
    city.rng.fill(&mut secret);
    secret
}

/// Creates an endpoint for what is committed from now on. `types` names the event types it wants; an
/// empty list is all.
pub async fn create_endpoint(
    city: &City,
    who: &Merchant,
    url: &str,
    types: &[String],
) -> Result<(Endpoint, SecretText), EventError> {
    who.role.require(Role::Admin)?;
    let url = rules::url(url, city.settings.webhook_private).map_err(EventError::Url)?;
    let known =
        |name: &String| EventType::from_name(name).ok_or_else(|| EventError::TypeUnknown(name.clone()));
    let wanted = types.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let endpoint = Endpoint {
        id: EndpointId::new(city.now(), &*city.rng),
        merchant: who.id,
        url: url.into(),
        types: (!wanted.is_empty()).then_some(wanted),
        from_ledger: *city.ledger.committed().borrow(),
        created_at: city.now(),
        failing_since: None,
        disabled: None,
    };
    let (row, secret) = (endpoint.clone(), fresh_secret(city));
    let added: Result<bool, EventError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::add_endpoint(conn, &row, &secret).await?) }))
        .await;
    if !added? {
        return Err(EventError::EndpointsMax);
    }
    city.event.changed.notify_one();
    Ok((endpoint, signature::secret_text(&secret)))
}

/// The shop's endpoints, oldest first.
pub async fn endpoints(city: &City, who: &Merchant) -> Result<Vec<Endpoint>, EventError> {
    who.role.require(Role::Admin)?;
    let mut conn = city.store.read().await?;
    Ok(store::endpoints(&mut conn, who.id).await?)
}

/// One endpoint of the shop.
pub async fn endpoint(city: &City, who: &Merchant, id: EndpointId) -> Result<Endpoint, EventError> {
    who.role.require(Role::Admin)?;
    let mut conn = city.store.read().await?;
    store::own_endpoint(&mut conn, who.id, id).await?.ok_or(EventError::EndpointUnknown)
}

/// Deletes an endpoint. What was on its way is given up; its log is kept.
pub async fn delete_endpoint(city: &City, who: &Merchant, id: EndpointId) -> Result<(), EventError> {
    endpoint(city, who, id).await?;
    let now = city.now();
    let deleted: Result<(), EventError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::delete_endpoint(conn, id, now).await?) }))
        .await;
    match deleted {
        // Somebody else was first.
        Err(EventError::Fault(crate::Fault::Store(::store::StoreError::Guard))) => {
            return Err(EventError::EndpointUnknown);
        }
        other => other?,
    }
    city.event.changed.notify_one();
    Ok(())
}

/// Takes a disabled endpoint into use again, for what is committed from now on; [`super::replay`]
/// brings what it missed. One in use is left as it is.
pub async fn enable_endpoint(city: &City, who: &Merchant, id: EndpointId) -> Result<Endpoint, EventError> {
    endpoint(city, who, id).await?;
    let from = *city.ledger.committed().borrow();
    let enabled: Result<(), EventError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::enable_endpoint(conn, id, from).await?) }))
        .await;
    enabled?;
    city.event.changed.notify_one();
    endpoint(city, who, id).await
}

/// Gives an endpoint a new secret. For a day every delivery carries a signature of the old one as well.
pub async fn rotate_secret(city: &City, who: &Merchant, id: EndpointId) -> Result<SecretText, EventError> {
    endpoint(city, who, id).await?;
    let (secret, until) = (fresh_secret(city), city.now().plus(rules::OLD_SECRET_TTL));
    let rotated: Result<(), EventError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::rotate_secret(conn, id, &secret, until).await?) }))
        .await;
    rotated?;
    Ok(signature::secret_text(&secret))
}

/// The log of an endpoint before ledger timestamp `before`, newest first.
pub async fn deliveries(
    city: &City,
    who: &Merchant,
    id: EndpointId,
    state: Option<DeliveryState>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Delivery>, EventError> {
    endpoint(city, who, id).await?;
    let mut conn = city.store.read().await?;
    let before = before.unwrap_or(ledger::TIMESTAMP_MAX);
    Ok(store::deliveries(&mut conn, id, state, before, limit).await?)
}

/// One delivery with every try of it, oldest first.
pub async fn delivery(
    city: &City,
    who: &Merchant,
    id: EndpointId,
    event: EventId,
) -> Result<(Delivery, Vec<Attempt>), EventError> {
    endpoint(city, who, id).await?;
    let mut conn = city.store.read().await?;
    let found = store::get_delivery(&mut conn, id, event).await?.ok_or(EventError::DeliveryUnknown)?;
    Ok((found, store::attempts(&mut conn, id, event).await?))
}

/// The endpoints of any shop that are disabled, the newest to be so first, at most `limit`. Callers check who
/// may see that.
pub async fn disabled(city: &City, limit: u32) -> Result<Vec<Endpoint>, EventError> {
    let mut conn = city.store.read().await?;
    Ok(store::disabled_endpoints(&mut conn, limit).await?)
}
