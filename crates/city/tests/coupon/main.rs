//! Coupons through their verbs and routes: campaigns, payments with a coupon, refunds, races of nodes.

#[path = "../common/mod.rs"]
mod common;

mod campaigns;
mod pay;
mod races;
mod refund;

use city::City;
use city::books;
use city::coupon::{self, Wanted};
use city::identity::{Merchant, Resident};
use city::trade::{self, Paid, Pay, Precreate, TradeError};
use common::{Town, monday};
use kernel::Currency;
use kernel::ids::CampaignId;
use std::time::Duration;

/// "¥5 off from ¥30", today and tomorrow.
pub fn wanted(town: &Town, budget: i64) -> Wanted {
    Wanted {
        name: "满30减5".to_owned(),
        discount: town.money(500),
        minimum: town.money(3_000),
        budget: town.money(budget),
        valid_from: monday(),
        valid_until: monday().plus(Duration::from_hours(48)),
        shop: None,
    }
}

/// A campaign with its budget.
pub async fn campaign(town: &Town, key: &str, wanted: &Wanted) -> CampaignId {
    let made = coupon::create(&town.city, &town.operator, key, wanted).await.expect("a campaign");
    coupon::fund(&town.city, &town.operator, made.id, wanted.budget).await.expect("a budget");
    made.id
}

/// Pays the order of this number, made where it is not there yet, with a coupon.
pub async fn pay(
    city: &City,
    (shop, who): (&Merchant, &Resident),
    order_no: &str,
    minor: i64,
    coupon: impl Into<Option<CampaignId>>,
) -> Result<Paid, TradeError> {
    let order = Precreate {
        order_no: order_no.to_owned(),
        amount: kernel::Money::new(minor, city.settings.currency),
        subject: None,
        till: None,
        expires_in_s: Some(24 * 3600),
    };
    let code = trade::precreate(city, shop, order).await.expect("an order").qr;
    let key = order_no.to_owned();
    trade::pay(city, who, Pay { code, amount: None, pin: None, coupon: coupon.into(), key }).await
}

/// A town with a shop, a payer with ¥100 and a campaign with a budget for so many coupons.
pub async fn square(coupons: i64) -> (Town, Merchant, Resident, CampaignId) {
    let town = Town::new().await;
    let shop = town.shop("S-1").await;
    let payer = town.rich("13800001111", 10_000).await;
    let wanted = wanted(&town, coupons * 500);
    let campaign = campaign(&town, "c", &wanted).await;
    (town, shop, payer, campaign)
}

/// What the payer, the shop (with what it paid in fees) and the campaign have.
pub async fn have(town: &Town, shop: &Merchant, payer: &Resident, campaign: CampaignId) -> [i64; 3] {
    let fees = town.available(books::fees(Currency::CNY)).await;
    let shop = town.available(books::merchant(shop.id)).await + fees;
    [town.available(books::wallet(payer.id)).await, shop, town.available(books::campaign(campaign)).await]
}
