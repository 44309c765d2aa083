//! Routes of a resident's passkeys. What goes to the browser and comes back is the standard's own JSON (Web
//! Authentication Level 3, section 5.1): `PublicKeyCredential.parseCreationOptionsFromJSON` and `toJSON()` fit. Members
//! that browsers add to it are passed over here, unlike anywhere else.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kernel::Timestamp;
use kernel::ids::PasskeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{ALGORITHMS, CHALLENGE_TTL_S, Refused, mask_phone};
use super::{Asserted, Attested, Passkey};
use crate::City;
use crate::http::{Answer, Json, Path, Problem};
use crate::identity::{self, IdentityError, Resident};

/// Every route of residents' own passkeys.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(passkey_options))
        .routes(routes!(list_passkeys, add_passkey))
        .routes(routes!(remove_passkey))
}

/// How long the browser waits for the authenticator, ms.
const TIMEOUT_MS: u64 = CHALLENGE_TTL_S * 1_000;

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str, part: &'static str) -> Result<Vec<u8>, IdentityError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed(part).into())
}

/// What to hand to `navigator.credentials.create`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeyCreation {
    public_key: PasskeyCreationOptions,
}

/// `PublicKeyCredentialCreationOptionsJSON`; bytes are base64url.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeyCreationOptions {
    rp: PasskeyRp,
    user: PasskeyUser,
    challenge: String,
    pub_key_cred_params: Vec<PasskeyAlgorithm>,
    /// Milliseconds.
    timeout: u64,
    exclude_credentials: Vec<PasskeyDescriptor>,
    authenticator_selection: PasskeySelection,
    #[schema(example = "none")]
    attestation: &'static str,
}

#[derive(Serialize, ToSchema)]
struct PasskeyRp {
    #[schema(example = "localhost")]
    id: String,
    name: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeyUser {
    id: String,
    #[schema(example = "+86138****1111")]
    name: String,
    display_name: String,
}

#[derive(Serialize, ToSchema)]
struct PasskeyAlgorithm {
    #[serde(rename = "type")]
    #[schema(example = "public-key")]
    kind: &'static str,
    /// COSE: -8 EdDSA, -7 ES256, -257 RS256.
    alg: i64,
}

#[derive(Serialize, ToSchema)]
struct PasskeyDescriptor {
    #[serde(rename = "type")]
    #[schema(example = "public-key")]
    kind: &'static str,
    id: String,
    transports: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeySelection {
    #[schema(example = "required")]
    resident_key: &'static str,
    require_resident_key: bool,
    #[schema(example = "required")]
    user_verification: &'static str,
}

/// Who wants to add a passkey.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyBegin {
    /// The PIN; needed where one was set.
    pin: Option<String>,
}

/// Begin adding a passkey
///
/// With the PIN, where one was set; without a body where none was. The challenge is good for 5 minutes and one answer.
#[utoipa::path(post, path = "/v1/me/passkeys/options", tag = "identity", security(("bearer" = [])),
    request_body = PasskeyBegin,
    responses((status = 200, body = PasskeyCreation), (status = "default", body = Problem)))]
async fn passkey_options(
    State(city): State<City>,
    who: Resident,
    begin: Option<Json<PasskeyBegin>>,
) -> Answer<Json<PasskeyCreation>> {
    let pin = begin.and_then(|Json(begin)| begin.pin);
    let profile = identity::profile(&city, &who).await?;
    let (challenge, known) = super::begin_adding(&city, &who, pin.as_deref()).await?;
    let exclude_credentials = known.into_iter().map(|known| PasskeyDescriptor {
        kind: "public-key",
        id: text(&known.credential_id),
        transports: known.transports,
    });
    Ok(Json(PasskeyCreation {
        public_key: PasskeyCreationOptions {
            rp: PasskeyRp { id: city.settings.relying_party.id().to_owned(), name: "一码 Yima" },
            user: PasskeyUser {
                id: text(&who.id.to_bytes()),
                name: mask_phone(&profile.phone),
                display_name: profile.name,
            },
            challenge: text(&challenge),
            pub_key_cred_params: ALGORITHMS
                .map(|alg| PasskeyAlgorithm { kind: "public-key", alg })
                .into_iter()
                .collect(),
            timeout: TIMEOUT_MS,
            exclude_credentials: exclude_credentials.collect(),
            authenticator_selection: PasskeySelection {
                resident_key: "required",
                require_resident_key: true,
                user_verification: "required",
            },
            attestation: "none",
        },
    }))
}

/// `RegistrationResponseJSON` and a name. Other members are passed over.
#[derive(Deserialize, ToSchema)]
struct PasskeyRequest {
    /// What to call it, 1 to 40 characters.
    #[schema(example = "小明的手机")]
    name: String,
    /// The credential's id, base64url.
    id: String,
    response: PasskeyAttestation,
}

#[derive(Deserialize, ToSchema)]
struct PasskeyAttestation {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    #[serde(rename = "attestationObject")]
    attestation_object: String,
    #[serde(default)]
    #[schema(example = json!(["internal"]))]
    transports: Vec<String>,
}

/// A passkey.
#[derive(Serialize, ToSchema)]
struct PasskeyAnswer {
    #[schema(value_type = String, example = "psk_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PasskeyId,
    name: String,
    /// Whether its owner's other devices may have it too.
    synced: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last opened a session.
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

impl From<Passkey> for PasskeyAnswer {
    fn from(p: Passkey) -> PasskeyAnswer {
        PasskeyAnswer {
            id: p.id,
            name: p.name,
            synced: p.backup_eligible,
            created_at: p.created_at,
            used_at: p.used_at,
        }
    }
}

/// Add a passkey
///
/// What `navigator.credentials.create` gave, with a name. Whatever comes of it, its challenge is used up.
#[utoipa::path(post, path = "/v1/me/passkeys", tag = "identity", security(("bearer" = [])),
    request_body = PasskeyRequest,
    responses((status = 201, body = PasskeyAnswer), (status = "default", body = Problem)))]
async fn add_passkey(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<PasskeyRequest>,
) -> Answer<(StatusCode, Json<PasskeyAnswer>)> {
    let made = Attested {
        credential_id: bytes(&request.id, "id")?,
        client_json: bytes(&request.response.client_data_json, "clientDataJSON")?,
        attestation: bytes(&request.response.attestation_object, "attestationObject")?,
        transports: request.response.transports,
    };
    let added = super::add(&city, &who, &request.name, made).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// List my passkeys
#[utoipa::path(get, path = "/v1/me/passkeys", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = Vec<PasskeyAnswer>), (status = "default", body = Problem)))]
async fn list_passkeys(State(city): State<City>, who: Resident) -> Answer<Json<Vec<PasskeyAnswer>>> {
    let passkeys = super::list(&city, &who).await?;
    Ok(Json(passkeys.into_iter().map(PasskeyAnswer::from).collect()))
}

/// Remove a passkey
///
/// It opens nothing from now on, and all other sessions of the resident end.
#[utoipa::path(delete, path = "/v1/me/passkeys/{passkey}", tag = "identity", security(("bearer" = [])),
    params(("passkey" = String, Path, description = "psk_…")),
    responses((status = 204, description = "removed"), (status = "default", body = Problem)))]
async fn remove_passkey(
    State(city): State<City>,
    who: Resident,
    Path(passkey): Path<PasskeyId>,
) -> Answer<StatusCode> {
    super::remove(&city, &who, passkey).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to hand to `navigator.credentials.get`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyAssertion {
    public_key: PasskeyAssertionOptions,
}

/// `PublicKeyCredentialRequestOptionsJSON`; bytes are base64url.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeyAssertionOptions {
    challenge: String,
    /// Milliseconds.
    timeout: u64,
    #[schema(example = "localhost")]
    rp_id: String,
    #[schema(example = "required")]
    user_verification: &'static str,
}

/// Options for signing in: for whoever has a passkey of this city.
pub(crate) async fn assertion(city: &City) -> Answer<PasskeyAssertion> {
    let challenge = super::begin_sign_in(city).await?;
    Ok(PasskeyAssertion {
        public_key: PasskeyAssertionOptions {
            challenge: text(&challenge),
            timeout: TIMEOUT_MS,
            rp_id: city.settings.relying_party.id().to_owned(),
            user_verification: "required",
        },
    })
}

/// `AuthenticationResponseJSON`. Other members are passed over.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasskeySignInRequest {
    /// The credential's id, base64url.
    id: String,
    response: PasskeySignature,
}

#[derive(Deserialize, ToSchema)]
struct PasskeySignature {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
    signature: String,
    #[serde(rename = "userHandle")]
    user_handle: Option<String>,
}

impl PasskeySignInRequest {
    /// Its bytes.
    pub(crate) fn read(self) -> Answer<Asserted> {
        let handle = self.response.user_handle.map(|handle| bytes(&handle, "userHandle")).transpose()?;
        Ok(Asserted {
            credential_id: bytes(&self.id, "id")?,
            client_json: bytes(&self.response.client_data_json, "clientDataJSON")?,
            authenticator_data: bytes(&self.response.authenticator_data, "authenticatorData")?,
            signature: bytes(&self.response.signature, "signature")?,
            user_handle: handle,
        })
    }
}
