//! Routes of dangerous acts: enrolling, tiers, operators, keys, opening and closing shops, packs, ending silent bill
//! payments.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::ids::{
    BillId, BillerId, CollectorId, KeyId, MerchantId, OperatorId, PaymentId, ResidentId, TillId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::City;
use crate::bill::http::{BillerAnswer, read_all};
use crate::bill::{self, Verdict};
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::http::{KeyAnswer, NewKeyAnswer, ProfileAnswer};
use crate::identity::{self, IdentityError, Operator, OwnerKind, Role, Tier};
use crate::merchant::http::ShopAnswer;
use crate::merchant::{self, OpenShop, key::WantedKey};
use crate::operator::audit::{Act, audited};

/// The largest pack, in bytes.
const PACK_BYTES_MAX: u64 = 64 << 10;

/// Every route of dangerous acts.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(enrol))
        .routes(routes!(put_tier))
        .routes(routes!(add_operator))
        .routes(routes!(add_key))
        .routes(routes!(revoke_key))
        .routes(routes!(open_shop))
        .routes(routes!(close_shop))
        .routes(routes!(add_key_for_merchant))
        .routes(routes!(add_pack))
        .routes(routes!(resolve_bill_payment))
}

/// Why.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::operator) struct Reason {
    /// Why, 4 to 200 characters; for the audit trail. Needed in a browser's session, optional with an API key.
    pub(in crate::operator) reason: Option<String>,
}

/// The tier an operator found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TierRequest {
    /// 1, 2 or 3.
    #[schema(minimum = 1, maximum = 3)]
    tier: i64,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Raise a resident's tier
///
/// By an operator of role admin who has seen the papers. Tiers are never lowered.
#[utoipa::path(put, path = "/v1/residents/{resident}/tier", tag = "operator", security(("bearer" = [])),
    params(("resident" = String, Path, description = "res_…")), request_body = TierRequest,
    responses((status = 200, body = ProfileAnswer), (status = "default", body = Problem)))]
async fn put_tier(
    State(city): State<City>,
    by: Operator,
    Path(resident): Path<ResidentId>,
    Json(request): Json<TierRequest>,
) -> Answer<Json<ProfileAnswer>> {
    let tier = Tier::from_number(request.tier)
        .ok_or_else(|| Problem::new(422, "tier_unknown", "a tier is 1, 2 or 3"))?;
    let act = Act::on("raise_tier", resident).with(format!("tier={}", tier.number()));
    let raise = identity::raise_tier(&city, &by, resident, tier);
    Ok(Json(ProfileAnswer::masked(audited(&city, &by, request.reason.as_deref(), act, raise).await?)))
}

/// Somebody at a counter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolRequest {
    /// Eleven digits of a Chinese mobile, or E.164.
    #[schema(example = "13800001111")]
    phone: String,
    #[schema(example = "王小明")]
    name: String,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Enrol a resident
///
/// By an operator of role staff, at a counter. Who has the phone already is answered as they are. Phone and name are
/// masked, as in every answer about a person to an operator.
#[utoipa::path(post, path = "/v1/residents", tag = "operator", security(("bearer" = [])),
    request_body = EnrolRequest,
    responses((status = 200, body = ProfileAnswer), (status = "default", body = Problem)))]
async fn enrol(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<EnrolRequest>,
) -> Answer<Json<ProfileAnswer>> {
    by.role.require(Role::Staff)?;
    // Whom the trail is to name: who has the phone already, else who is new. Two counters that enrol one new phone at once
    // enrol one person; the other's row then names an id that nobody got.
    let resident = match identity::resident_of_phone(&city, &request.phone).await {
        Ok(there) => there.id,
        Err(IdentityError::ResidentUnknown) => ResidentId::new(city.now(), &*city.rng),
        Err(other) => return Err(other.into()),
    };
    let enrol = identity::enrol(&city, &by, resident, &request.phone, &request.name);
    let done = audited(&city, &by, request.reason.as_deref(), Act::on("enrol", resident), enrol).await?;
    Ok(Json(ProfileAnswer::masked(done)))
}

/// Another person who runs the city.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OperatorRequest {
    /// 1 to 40 characters.
    #[schema(example = "值班 2")]
    name: String,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// A new operator and its first key.
#[derive(Serialize, ToSchema)]
struct NewOperatorAnswer {
    #[schema(value_type = String, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    operator: OperatorId,
    key: KeyAnswer,
    /// Of role admin. Send as `authorization: Bearer …`; shown once.
    #[schema(example = "yok_…")]
    secret: String,
}

/// Add an operator
///
/// By an operator of role admin. The answer has a key of role admin; `POST /v1/keys` makes lesser ones.
#[utoipa::path(post, path = "/v1/operators", tag = "operator", security(("bearer" = [])),
    request_body = OperatorRequest,
    responses((status = 201, body = NewOperatorAnswer), (status = "default", body = Problem)))]
async fn add_operator(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<OperatorRequest>,
) -> Answer<(StatusCode, Json<NewOperatorAnswer>)> {
    // Before anything is entered: what is refused here would be a row of the trail for whoever has a key.
    by.role.require(Role::Admin)?;
    let act = Act::on("add_operator", "");
    let add = identity::add_operator(&city, &by, &request.name);
    let new = audited(&city, &by, request.reason.as_deref(), act, add).await?;
    let operator = OperatorId::from_u128(new.key.owner);
    Ok((StatusCode::CREATED, Json(NewOperatorAnswer { operator, key: new.key.into(), secret: new.secret })))
}

/// Whom a new key is for and what it may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    /// `mch_…`, `blr_…`, `col_…` or `opr_…`.
    #[schema(example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    owner: String,
    role: Role,
    name: String,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// The owner of keys that a text names.
pub(in crate::operator) fn owner(text: &str) -> Answer<(OwnerKind, u128)> {
    if let Ok(id) = text.parse::<MerchantId>() {
        Ok((OwnerKind::Merchant, id.as_u128()))
    } else if let Ok(id) = text.parse::<BillerId>() {
        Ok((OwnerKind::Biller, id.as_u128()))
    } else if let Ok(id) = text.parse::<OperatorId>() {
        Ok((OwnerKind::Operator, id.as_u128()))
    } else if let Ok(id) = text.parse::<CollectorId>() {
        Ok((OwnerKind::Collector, id.as_u128()))
    } else {
        Err(Problem::new(422, "owner_malformed", "an owner is `mch_…`, `blr_…`, `col_…` or `opr_…`"))
    }
}

/// Add a key for anybody
///
/// By an operator of role admin: the first key of a biller, another key of an operator. For a shop rather use
/// `POST /v1/merchants/{merchant}/keys`: whether a `mch_…` or `blr_…` exists is not checked here, and a key of
/// nobody opens nothing. An operator must exist.
#[utoipa::path(post, path = "/v1/keys", tag = "operator", security(("bearer" = [])), request_body = KeyRequest,
    responses((status = 201, body = NewKeyAnswer), (status = "default", body = Problem)))]
async fn add_key(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<KeyRequest>,
) -> Answer<(StatusCode, Json<NewKeyAnswer>)> {
    by.role.require(Role::Admin)?;
    let (kind, bits) = owner(&request.owner)?;
    let act = Act::on("add_key", &request.owner).with(format!("role={}", request.role.name()));
    let add = async {
        if kind == OwnerKind::Operator {
            let owner = OperatorId::from_u128(bits);
            return identity::create_operator_key(&city, &by, owner, request.role, &request.name).await;
        }
        identity::create_key(&city, kind, bits, request.role, None, &request.name).await
    };
    let new = audited(&city, &by, request.reason.as_deref(), act, add).await?;
    Ok((StatusCode::CREATED, Json(new.into())))
}

/// End anybody's key
///
/// By an operator of role admin: a leaked key of whomever.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "operator", security(("bearer" = [])),
    params(("key" = String, Path, description = "key_…"), Reason),
    responses((status = 204, description = "ended"), (status = "default", body = Problem)))]
async fn revoke_key(
    State(city): State<City>,
    by: Operator,
    Path(key): Path<KeyId>,
    Query(why): Query<Reason>,
) -> Answer<StatusCode> {
    let revoke = identity::revoke_any_key(&city, &by, key);
    audited(&city, &by, why.reason.as_deref(), Act::on("revoke_key", key), revoke).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a shop is opened with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenRequest {
    /// Your own number for the shop; opening it again with the same one is the same shop.
    #[schema(example = "shop-0001")]
    reference: String,
    /// As on its sign, 1 to 60 characters.
    #[schema(example = "西湖面馆")]
    name: String,
    /// GB 32100 unified social credit identifier.
    #[schema(example = "91350100M000100Y43")]
    legal_id: Option<String>,
    /// ISO 18245 category.
    #[schema(example = "5812")]
    mcc: String,
    /// At most 15 characters.
    #[schema(example = "杭州")]
    city: String,
    /// GB/T 2260 region code.
    #[schema(example = "330106")]
    region: String,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Open a shop
///
/// By an operator of role staff. Opening it again with the same reference and content changes nothing.
#[utoipa::path(post, path = "/v1/merchants", tag = "operator", security(("bearer" = [])),
    request_body = OpenRequest,
    responses((status = 200, body = ShopAnswer), (status = "default", body = Problem)))]
async fn open_shop(
    State(city): State<City>,
    by: Operator,
    Json(r): Json<OpenRequest>,
) -> Answer<Json<ShopAnswer>> {
    by.role.require(Role::Staff)?;
    let OpenRequest { reference, name, legal_id, mcc, city: town, region, reason } = r;
    let act = Act::on("open_shop", merchant::id_of(&reference));
    let request = OpenShop { reference, name, legal_id, mcc, city: town, region };
    let shop = audited(&city, &by, reason.as_deref(), act, merchant::open(&city, &by, request)).await?;
    Ok(Json(ShopAnswer::masked(&shop)))
}

/// Close a shop
///
/// By an operator of role admin. It takes no more payments; refunds go on, and what it has stays its own.
#[utoipa::path(post, path = "/v1/merchants/{merchant}/close", tag = "operator", security(("bearer" = [])),
    params(("merchant" = String, Path, description = "mch_…"), Reason),
    responses((status = 200, body = ShopAnswer), (status = "default", body = Problem)))]
async fn close_shop(
    State(city): State<City>,
    by: Operator,
    Path(merchant): Path<MerchantId>,
    Query(why): Query<Reason>,
) -> Answer<Json<ShopAnswer>> {
    let close = merchant::close(&city, &by, merchant);
    let shop = audited(&city, &by, why.reason.as_deref(), Act::on("close_shop", merchant), close).await?;
    Ok(Json((&shop).into()))
}

/// What a shop's first key may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstKeyRequest {
    role: Role,
    name: String,
    /// The till it belongs to, if to one.
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Add a key for a shop
///
/// By an operator of role admin: how a shop gets its first key.
#[utoipa::path(post, path = "/v1/merchants/{merchant}/keys", tag = "operator", security(("bearer" = [])),
    params(("merchant" = String, Path, description = "mch_…")), request_body = FirstKeyRequest,
    responses((status = 201, body = NewKeyAnswer), (status = "default", body = Problem)))]
async fn add_key_for_merchant(
    State(city): State<City>,
    by: Operator,
    Path(merchant): Path<MerchantId>,
    Json(request): Json<FirstKeyRequest>,
) -> Answer<(StatusCode, Json<NewKeyAnswer>)> {
    let FirstKeyRequest { role, name, till, reason } = request;
    let act = Act::on("add_key", merchant).with(format!("role={}", role.name()));
    let wanted = WantedKey { role, till, name };
    let add = merchant::key::add_first(&city, &by, merchant, &wanted);
    Ok((StatusCode::CREATED, Json(audited(&city, &by, reason.as_deref(), act, add).await?.into())))
}

/// Add a biller
///
/// With its pack, or give it new rules; by an operator of role admin.
#[utoipa::path(post, path = "/v1/billers", tag = "operator", security(("bearer" = [])), params(Reason),
    request_body(content = String, content_type = "application/toml"),
    responses((status = 200, body = BillerAnswer), (status = "default", body = Problem)))]
async fn add_pack(
    State(city): State<City>,
    by: Operator,
    Query(why): Query<Reason>,
    body: Body,
) -> Answer<Json<BillerAnswer>> {
    let bytes = read_all(body, PACK_BYTES_MAX).await?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Problem::new(422, "pack_malformed", "the pack cannot be read: it is not UTF-8"))?;
    // Who it is for, as far as the text can be read: what cannot is refused, and the trail says so.
    let read = bill::Pack::parse(&text).ok();
    let subject = read.as_ref().map(|pack| pack.biller.to_string()).unwrap_or_default();
    let act = Act::on("put_pack", subject);
    let act =
        act.with(read.map(|pack| format!("pack={} rules={}", pack.spec.id, pack.hash)).unwrap_or_default());
    let add = bill::add_pack(&city, &by, &text);
    let pack = audited(&city, &by, why.reason.as_deref(), act, add).await?;
    Ok(Json(BillerAnswer::of(&city, &pack)))
}

/// How a payment is to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveBillPaymentRequest {
    /// What the biller says of it: `paid` or `not_paid`.
    outcome: Verdict,
    /// Your record of the biller's answer, 1 to 64 visible ASCII characters; its hash stays in the ledger.
    #[schema(example = "CALL-20260303-17")]
    reference: String,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// A payment that has ended.
#[derive(Debug, Serialize, ToSchema)]
struct ResolveBillPaymentAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    amount: Amount,
    /// How it ended.
    outcome: Verdict,
    /// Whether it had ended so before this request.
    repeated: bool,
}

/// End a payment whose biller stays silent
///
/// As the biller says when asked by other means: `paid` gives the money to the biller, `not_paid` back
/// to the payer. Safe to repeat; refused with `payment_final` where it has ended the other way. By an
/// operator of role admin.
#[utoipa::path(post, path = "/v1/bill-payments/{id}/resolve", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = ResolveBillPaymentRequest,
    responses((status = 200, body = ResolveBillPaymentAnswer), (status = "default", body = Problem)))]
async fn resolve_bill_payment(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<PaymentId>,
    Json(request): Json<ResolveBillPaymentRequest>,
) -> Answer<Json<ResolveBillPaymentAnswer>> {
    let outcome = if request.outcome == Verdict::Paid { "paid" } else { "not_paid" };
    let act = Act::on("resolve_bill_payment", id).with(format!("outcome={outcome}"));
    let resolve = bill::resolve_payment(&city, &by, id, request.outcome, &request.reference);
    let ended = audited(&city, &by, request.reason.as_deref(), act, resolve).await?;
    let (payment, currency) = (ended.payment, city.settings.currency);
    Ok(Json(ResolveBillPaymentAnswer {
        id: payment.payment,
        bill: payment.bill,
        biller: payment.biller,
        amount: Amount { minor: payment.amount_minor, currency },
        outcome: ended.verdict,
        repeated: ended.repeated,
    }))
}
