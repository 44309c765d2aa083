//! Routes of identity. The extractors that make authorization an argument type are in [`super::session::http`].

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kernel::Timestamp;
use kernel::ids::{DeviceId, KeyId, ResidentId, TillId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Key, NewKey, Profile, Resident, Role, rules};
use crate::City;
use crate::http::{Amount, Answer, Json, Path, Problem};

/// Every route of identity.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(request_code))
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(put_pin))
        .routes(routes!(reset_pin))
        .routes(routes!(list_devices, add_device))
        .routes(routes!(revoke_device))
        .merge(super::passkey::http::routes())
}

/// A phone to send a one-time code to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    /// Eleven digits of a Chinese mobile, or E.164.
    #[schema(example = "13800001111")]
    phone: String,
}

/// Send a one-time code
///
/// Six digits, good for 5 minutes and 5 guesses, once a minute to the same phone.
#[utoipa::path(post, path = "/v1/sign-in/code", tag = "identity", request_body = CodeRequest,
    responses((status = 202, description = "on its way"), (status = "default", body = Problem)))]
async fn request_code(State(city): State<City>, Json(request): Json<CodeRequest>) -> Answer<StatusCode> {
    super::request_code(&city, &request.phone).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Phone and one-time code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    /// The phone the code was sent to.
    #[schema(example = "13800001111")]
    phone: String,
    /// The six digits.
    #[schema(example = "042137")]
    code: String,
    /// For who comes the first time.
    #[schema(example = "王小明")]
    name: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
struct SignInAnswer {
    /// Send as `authorization: Bearer …`; shown once.
    #[schema(example = "yrs_…")]
    token: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Who it is.
    resident: ProfileAnswer,
}

/// A resident's own data.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProfileAnswer {
    #[schema(value_type = String, example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ResidentId,
    #[schema(example = "+8613800001111")]
    phone: String,
    name: String,
    /// KYC class 1, 2 or 3.
    tier: u8,
    has_pin: bool,
    pin_locked: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl ProfileAnswer {
    /// As operators see a person: `138****0001`, `王*明`.
    pub(crate) fn masked(p: Profile) -> ProfileAnswer {
        let (phone, name) = (rules::mask_phone(&p.phone), rules::mask_middle(&p.name));
        ProfileAnswer { phone, name, ..p.into() }
    }
}

impl From<Profile> for ProfileAnswer {
    fn from(p: Profile) -> ProfileAnswer {
        ProfileAnswer {
            id: p.id,
            phone: p.phone,
            name: p.name,
            tier: p.tier.number(),
            has_pin: p.has_pin,
            pin_locked: p.pin_locked,
            created_at: p.created_at,
        }
    }
}

/// Sign in
///
/// Who comes for the first time becomes a resident of tier 1 with an empty wallet.
#[utoipa::path(post, path = "/v1/sign-in", tag = "identity", request_body = SignInRequest,
    responses((status = 200, body = SignInAnswer), (status = "default", body = Problem)))]
async fn sign_in(State(city): State<City>, Json(request): Json<SignInRequest>) -> Answer<Json<SignInAnswer>> {
    let signed = super::sign_in(&city, &request.phone, &request.code, request.name.as_deref()).await?;
    Ok(Json(SignInAnswer {
        token: signed.token,
        expires_at: signed.expires_at,
        resident: signed.resident.into(),
    }))
}

/// Sign out
///
/// Ends this session.
#[utoipa::path(post, path = "/v1/sign-out", tag = "identity", security(("bearer" = [])),
    responses((status = 204, description = "ended"), (status = "default", body = Problem)))]
async fn sign_out(State(city): State<City>, who: Resident) -> Answer<StatusCode> {
    super::sign_out(&city, &who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A resident's data and allowance.
#[derive(Debug, Serialize, ToSchema)]
struct MeAnswer {
    resident: ProfileAnswer,
    /// `lifetime` or the year the allowance is for.
    #[schema(example = "2026")]
    allowance_window: String,
    /// What payments may still draw in that window.
    allowance_left: Amount,
    /// Up to this amount a payment needs no PIN.
    no_pin_limit: Amount,
}

/// Read my data
///
/// With what the KYC allowance still covers.
#[utoipa::path(get, path = "/v1/me", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = MeAnswer), (status = "default", body = Problem)))]
async fn me(State(city): State<City>, who: Resident) -> Answer<Json<MeAnswer>> {
    let profile = super::profile(&city, &who).await?;
    let (allowance_window, left) = super::cap_left(&city, who.id, profile.tier).await?;
    let currency = city.settings.currency;
    Ok(Json(MeAnswer {
        resident: profile.into(),
        allowance_window,
        allowance_left: Amount { minor: left, currency },
        no_pin_limit: Amount { minor: city.settings.no_pin_limit_minor, currency },
    }))
}

/// The first PIN, or another one in the place of `old`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PinRequest {
    /// Six digits, not all the same, not a run.
    pin: String,
    /// The PIN until now; absent for the first.
    old: Option<String>,
}

/// Set or change the PIN
#[utoipa::path(put, path = "/v1/me/pin", tag = "identity", security(("bearer" = [])), request_body = PinRequest,
    responses((status = 204, description = "set"), (status = "default", body = Problem)))]
async fn put_pin(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<PinRequest>,
) -> Answer<StatusCode> {
    match &request.old {
        None => super::set_first_pin(&city, &who, &request.pin).await?,
        Some(old) => super::change_pin(&city, &who, old, &request.pin).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Another PIN, by one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetPinRequest {
    /// Six digits, not all the same, not a run.
    pin: String,
    /// The one-time code sent to the resident's phone.
    code: String,
}

/// Reset the PIN
///
/// The way out of a locked PIN: request a code for the own phone first.
#[utoipa::path(post, path = "/v1/me/pin/reset", tag = "identity", security(("bearer" = [])),
    request_body = ResetPinRequest,
    responses((status = 204, description = "set and unlocked"), (status = "default", body = Problem)))]
async fn reset_pin(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<ResetPinRequest>,
) -> Answer<StatusCode> {
    super::reset_pin(&city, &who, &request.code, &request.pin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A phone that makes payment codes.
#[derive(Debug, Serialize, ToSchema)]
struct DeviceAnswer {
    #[schema(value_type = String, example = "dev_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DeviceId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<super::Device> for DeviceAnswer {
    fn from(d: super::Device) -> DeviceAnswer {
        DeviceAnswer { id: d.id, name: d.name, created_at: d.created_at }
    }
}

/// List my devices
#[utoipa::path(get, path = "/v1/me/devices", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = Vec<DeviceAnswer>), (status = "default", body = Problem)))]
async fn list_devices(State(city): State<City>, who: Resident) -> Answer<Json<Vec<DeviceAnswer>>> {
    let devices = super::devices(&city, &who).await?;
    Ok(Json(devices.into_iter().map(DeviceAnswer::from).collect()))
}

/// What to call the phone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeviceRequest {
    name: String,
}

/// A new device with the secret it makes payment codes from.
#[derive(Serialize, ToSchema)]
struct NewDeviceAnswer {
    device: DeviceAnswer,
    /// 32 bytes, base64; shown once. How codes are made from it: `docs/reference/codes.md`.
    secret: String,
}

/// Add a device
#[utoipa::path(post, path = "/v1/me/devices", tag = "identity", security(("bearer" = [])),
    request_body = DeviceRequest,
    responses((status = 201, body = NewDeviceAnswer), (status = "default", body = Problem)))]
async fn add_device(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<DeviceRequest>,
) -> Answer<(StatusCode, Json<NewDeviceAnswer>)> {
    let added = super::add_device(&city, &who, &request.name).await?;
    let answer =
        NewDeviceAnswer { device: added.device.into(), secret: BASE64_STANDARD.encode(added.secret) };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Remove a device
///
/// None of its codes pays from now on.
#[utoipa::path(delete, path = "/v1/me/devices/{device}", tag = "identity", security(("bearer" = [])),
    params(("device" = String, Path, description = "dev_…")),
    responses((status = 204, description = "removed"), (status = "default", body = Problem)))]
async fn revoke_device(
    State(city): State<City>,
    who: Resident,
    Path(device): Path<DeviceId>,
) -> Answer<StatusCode> {
    super::revoke_device(&city, &who, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyAnswer {
    #[schema(value_type = String, example = "key_01h2xcejqtf2nbrexx3vqjhp41")]
    id: KeyId,
    role: Role,
    name: String,
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
}

impl From<Key> for KeyAnswer {
    fn from(k: Key) -> KeyAnswer {
        KeyAnswer { id: k.id, role: k.role, name: k.name, till: k.till }
    }
}

/// A new API key.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyAnswer {
    key: KeyAnswer,
    /// Send as `authorization: Bearer …`; shown once.
    #[schema(example = "ymk_…")]
    secret: String,
}

impl From<NewKey> for NewKeyAnswer {
    fn from(new: NewKey) -> NewKeyAnswer {
        NewKeyAnswer { key: new.key.into(), secret: new.secret }
    }
}
