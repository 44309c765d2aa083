//! The route that reads a movement again.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{MerchantId, PaymentId, TradeId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Movement;
use crate::City;
use crate::coupon::http::UsedCoupon;
use crate::http::{Amount, Answer, Json, Path, Problem};
use crate::identity::Resident;

/// Every route of movements.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(read_payment))
}

/// A movement of my wallet.
#[derive(Debug, Serialize, ToSchema)]
struct MovementAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    /// `deposit`, `withdrawal`, `transfer`, `trade_payment`, `trade_refund`, `coupon`, `coupon_back`.
    kind: &'static str,
    /// `in` or `out`.
    direction: &'static str,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The other side: a shop's name; a person's is masked, its last character stays. Absent at the bank.
    #[schema(example = "西湖面馆")]
    other_name: Option<String>,
    /// The shop, where one is the other side.
    #[schema(value_type = Option<String>)]
    merchant: Option<MerchantId>,
    /// The trade that was paid or given back.
    #[schema(value_type = Option<String>)]
    trade: Option<TradeId>,
    /// The shop's own number; absent at a poster.
    order_no: Option<String>,
    /// What was sold.
    subject: Option<String>,
    /// How much of a shop payment was given back.
    refunded: Option<Amount>,
    /// What of a shop payment a coupon paid: `amount` is with it. Of a `coupon` or a `coupon_back`, which it was.
    coupon: Option<UsedCoupon>,
}

impl MovementAnswer {
    async fn of(city: &City, m: Movement) -> Answer<MovementAnswer> {
        let (order_no, subject) = m.order.map_or((None, None), |order| (order.order_no, order.subject));
        Ok(MovementAnswer {
            id: m.payment,
            kind: m.kind,
            direction: if m.incoming { "in" } else { "out" },
            amount: m.amount.into(),
            at: m.at,
            other_name: m.other,
            merchant: m.merchant,
            trade: m.trade,
            order_no,
            subject,
            refunded: m.refunded.map(Into::into),
            coupon: UsedCoupon::of(city, m.coupon).await?,
        })
    }
}

/// Read one of my movements
///
/// By the `id` of a payment, a transfer or an entry of the history; all a receipt shows. Whoever pays pays no
/// fee. Bill payments: `GET /v1/bill-payments/{id}`.
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "trade", security(("bearer" = [])),
    params(("id" = String, Path, description = "pay_…")),
    responses((status = 200, body = MovementAnswer), (status = "default", body = Problem)))]
async fn read_payment(
    State(city): State<City>,
    who: Resident,
    Path(id): Path<PaymentId>,
) -> Answer<Json<MovementAnswer>> {
    Ok(Json(MovementAnswer::of(&city, super::movement(&city, &who, id).await?).await?))
}
