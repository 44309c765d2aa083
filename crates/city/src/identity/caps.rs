//! KYC allowances as ledger accounts: the chain that moves money also draws the allowance, so no
//! number of payments at the same moment can pass it.
//!
//! One cap account per resident and window (lifetime, or a year), on the KYC shadow ledger, never
//! overdrawn; funded from the pool by one grant per tier reached. Must never be read to decide
//! whether a payment may go ahead: the ledger decides that.

use std::collections::HashSet;
use std::sync::Mutex;

use kernel::derive_u128;
use kernel::ids::ResidentId;
use ledger::Transfer;

use super::Resident;
use super::rules::{Allowance, Tier};
use crate::books::{self, account_code, shadow, transfer_code};
use crate::{City, Fault};

/// Caps known to be funded for a tier, so that the hot path does not ask again.
#[derive(Debug, Default)]
pub struct Funded(Mutex<HashSet<(u128, u8)>>);

/// How many caps are remembered; beyond it the memory is dropped and filled again.
const FUNDED_MAX: usize = 2_000_000;

/// The cap account of a resident for a window.
pub fn cap_account(resident: ResidentId, window: &str) -> u128 {
    derive_u128("kyc_cap", &[&resident.to_bytes(), window.as_bytes()])
}

/// The draw that a payment of `amount` by `who` must carry in its chain; `main_id` is the payment's
/// transfer. Makes and funds the cap account when this is its first use. If the ledger refuses the
/// draw with `ExceedsCredits`, the allowance is used up.
pub async fn cap_transfer(
    city: &City,
    who: &Resident,
    amount: i64,
    main_id: u128,
) -> Result<Transfer, Fault> {
    cap_transfer_of(city, who.id, who.tier, amount, main_id).await
}

/// [`cap_transfer`] for a resident who is not the caller: the one whose payment code was scanned.
pub async fn cap_transfer_of(
    city: &City,
    resident: ResidentId,
    tier: Tier,
    amount: i64,
    main_id: u128,
) -> Result<Transfer, Fault> {
    let allowance = tier.allowance(city.now().date(city.settings.offset));
    let cap = cap_account(resident, &allowance.window);
    fund(city, cap, tier, &allowance).await?;
    Ok(draw(city, cap, amount, main_id))
}

fn draw(city: &City, cap: u128, amount: i64, main_id: u128) -> Transfer {
    let ledger = shadow::kyc(city.settings.currency);
    let currency = city.settings.currency;
    let drawn =
        books::transfer(city.rng.u128(), cap, books::pool(ledger), amount, currency, transfer_code::CAP_DRAW);
    Transfer { ledger, user_data_128: main_id, ..drawn }
}

/// Gives the share of a refund back to the cap it was drawn from: the draw that names `main_id`.
/// `None` when the payment drew no cap.
pub async fn cap_return(
    city: &City,
    main_id: u128,
    amount: i64,
    refund: u128,
) -> Result<Option<Transfer>, Fault> {
    let ledger = shadow::kyc(city.settings.currency);
    let filter = ledger::QueryFilter {
        user_data_128: main_id,
        ledger,
        code: transfer_code::CAP_DRAW,
        limit: 1,
        ..ledger::QueryFilter::default()
    };
    let drawn = city.ledger.query_transfers(filter).await?;
    Ok(drawn.first().map(|drawn| {
        let (from, to) = (drawn.credit_account_id, drawn.debit_account_id);
        let currency = city.settings.currency;
        let back = books::transfer(city.rng.u128(), from, to, amount, currency, transfer_code::CAP_RETURN);
        Transfer { ledger, user_data_128: refund, ..back }
    }))
}

/// Makes the cap account and gives it every grant of the tier, once each.
async fn fund(city: &City, cap: u128, tier: Tier, allowance: &Allowance) -> Result<(), Fault> {
    let funded = &city.identity.funded.0;
    if funded.lock().expect("no panic while held").contains(&(cap, tier.number())) {
        return Ok(());
    }
    let ledger = shadow::kyc(city.settings.currency);
    books::ensure(&city.ledger, vec![books::never_overdrawn(cap, ledger, account_code::KYC_CAP)]).await?;
    let grants: Vec<Transfer> = allowance
        .grants
        .iter()
        .map(|(number, amount)| {
            let id = derive_u128("kyc_grant", &[&cap.to_be_bytes(), &[*number]]);
            let currency = city.settings.currency;
            let grant =
                books::transfer(id, books::pool(ledger), cap, *amount, currency, transfer_code::CAP_GRANT);
            Transfer { ledger, ..grant }
        })
        .collect();
    for result in city.ledger.create_transfers(grants).await? {
        if !books::is_there(result.status) {
            return Err(Fault::Books(format!("kyc grant: {:?}", result.status)));
        }
    }
    let mut funded = funded.lock().expect("no panic while held");
    if funded.len() >= FUNDED_MAX {
        funded.clear();
    }
    funded.insert((cap, tier.number()));
    Ok(())
}

/// What the allowance of today still covers, in minor units.
pub async fn cap_left(city: &City, resident: ResidentId, tier: Tier) -> Result<(String, i64), Fault> {
    let allowance = tier.allowance(city.now().date(city.settings.offset));
    let cap = cap_account(resident, &allowance.window);
    fund(city, cap, tier, &allowance).await?;
    let left = books::available(&city.ledger, cap).await?;
    Ok((allowance.window, left))
}
