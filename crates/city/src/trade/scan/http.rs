//! The route that says what a scanned text is.

use axum::extract::State;
use kernel::ids::{MerchantId, TradeId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Scanned;
use crate::City;
use crate::http::{Amount, Answer, Json, Problem};
use crate::identity::Resident;

/// Every route of scanned texts.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(read_code))
}

/// A scanned text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScannedRequest {
    /// As the camera read it, unchanged.
    payload: String,
}

/// What kind of code it is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ScannedKind {
    /// Pay it with `POST /v1/payments` and an amount of your own.
    ShopPoster,
    /// Pay it with `POST /v1/payments`.
    ShopOrder,
    /// Pay it with `POST /v1/transfers`.
    Personal,
}

/// What a scanned text is.
#[derive(Debug, Serialize, ToSchema)]
struct ScannedAnswer {
    kind: ScannedKind,
    /// The shop's name; a person's is masked, its last character stays.
    #[schema(example = "西湖面馆")]
    payee_name: String,
    /// The shop.
    #[schema(value_type = Option<String>, example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    merchant: Option<MerchantId>,
    /// The order's trade.
    #[schema(value_type = Option<String>, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: Option<TradeId>,
    /// What the code asks for; absent where the payer chooses.
    amount: Option<Amount>,
    /// The shop's own number of the order.
    order_no: Option<String>,
    /// What is sold, in the shop's words.
    note: Option<String>,
    /// The order is not payable from then on.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// A payment of more than this needs the PIN.
    needs_pin_above: Amount,
}

impl ScannedAnswer {
    fn of(scanned: Scanned, city: &City) -> ScannedAnswer {
        let limit = Money::new(city.settings.no_pin_limit_minor, city.settings.currency);
        let blank = |kind, payee_name, amount: Option<Money>| ScannedAnswer {
            kind,
            payee_name,
            merchant: None,
            trade: None,
            amount: amount.map(Into::into),
            order_no: None,
            note: None,
            expires_at: None,
            needs_pin_above: limit.into(),
        };
        match scanned {
            Scanned::Personal { name, amount } => blank(ScannedKind::Personal, name, amount),
            Scanned::Poster { merchant, name, amount } => {
                ScannedAnswer { merchant: Some(merchant), ..blank(ScannedKind::ShopPoster, name, amount) }
            }
            Scanned::Order { merchant, name, trade, order_no, amount, subject, expires_at } => {
                ScannedAnswer {
                    merchant: Some(merchant),
                    trade: Some(trade),
                    order_no: Some(order_no),
                    note: subject,
                    expires_at: Some(expires_at),
                    ..blank(ScannedKind::ShopOrder, name, Some(amount))
                }
            }
        }
    }
}

/// Ask what a scanned code is
///
/// A shop's poster, a shop's order or another resident's personal code: whom it pays, and how much. No
/// money moves. A code that this resident cannot pay is refused with the reason. After 20 codes in a day that lead
/// nowhere no code is told any more (`too_many_lookups`).
#[utoipa::path(post, path = "/v1/codes/read", tag = "trade", security(("bearer" = [])),
    request_body = ScannedRequest,
    responses((status = 200, body = ScannedAnswer), (status = "default", body = Problem)))]
async fn read_code(
    State(city): State<City>,
    who: Resident,
    Json(request): Json<ScannedRequest>,
) -> Answer<Json<ScannedAnswer>> {
    let scanned = super::scan(&city, &who, &request.payload).await?;
    Ok(Json(ScannedAnswer::of(scanned, &city)))
}
