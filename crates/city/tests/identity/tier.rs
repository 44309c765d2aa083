//! Tiers are raised by an admin and never lowered.

use city::identity::{self, Operator, Role, Tier};
use kernel::OsRng;
use kernel::ids::ResidentId;

use crate::common::{Town, code, monday};

#[tokio::test]
async fn tiers_only_rise() {
    let town = Town::new().await;
    let who = town.resident("13800001111").await;
    for (tier, wanted) in [
        (Tier::I, Ok(Tier::I)),
        (Tier::II, Ok(Tier::II)),
        (Tier::I, Err("tier_lower")),
        (Tier::II, Ok(Tier::II)),
        (Tier::III, Ok(Tier::III)),
        (Tier::II, Err("tier_lower")),
    ] {
        let raised = identity::raise_tier(&town.city, &town.operator, who.id, tier).await;
        match wanted {
            Ok(now) => assert_eq!(raised.expect("raised").tier, now),
            Err(wanted) => assert_eq!(code(raised), wanted, "{tier:?}"),
        }
    }
    let nobody = ResidentId::new(monday(), &OsRng);
    assert_eq!(
        code(identity::raise_tier(&town.city, &town.operator, nobody, Tier::II).await),
        "resident_unknown"
    );
    for role in [Role::Viewer, Role::Staff] {
        let clerk = Operator { role, ..town.operator };
        assert_eq!(code(identity::raise_tier(&town.city, &clerk, who.id, Tier::III).await), "forbidden");
    }
}
