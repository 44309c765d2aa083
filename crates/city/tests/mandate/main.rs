//! Mandates through their verbs and routes: the life of a debit, caps, races of nodes and people.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/power.rs"]
mod power_bills;

mod caps;
mod http;
mod life;
mod races;

use city::identity::Resident;
use city::mandate::{self, Mandate, Run, RunState, Target, Terms, When};
use city::{bill, remind};
use common::{PIN, Town};
use kernel::Date;
use kernel::ids::BillId;
use power_bills::{POWER, power};

/// For POWER[0]: ¥300 a bill, ¥500 a month, told two days before, three days before it is due.
pub fn terms() -> Terms {
    Terms {
        member: None,
        target: Target::Account { biller: power(), account_no: POWER[0].to_owned() },
        cap_bill: 30_000,
        cap_month: 50_000,
        valid_from: Date::constant(2026, 3, 2),
        valid_until: None,
        notice_days: 2,
        pay: When::BeforeDue(3),
    }
}

/// A resident with this much and a PIN.
pub async fn payer(town: &Town, phone: &str, minor: i64) -> Resident {
    let who = town.rich(phone, minor).await;
    town.pin(&who).await;
    who
}

/// Makes a mandate.
pub async fn made(town: &Town, who: &Resident, key: &str, terms: Terms) -> Mandate {
    mandate::create(&town.city, who, key, terms, Some(PIN)).await.expect("a mandate")
}

/// Runs what is due now.
pub async fn work(town: &Town) {
    mandate::work(&town.city).await.expect("it works");
    remind::work(&town.city).await.expect("it works");
}

/// What a mandate does about a bill.
pub async fn run(town: &Town, who: &Resident, mandate: &Mandate, bill: BillId) -> Option<Run> {
    let runs = mandate::runs(&town.city, who, mandate.id, None, 200).await.expect("runs");
    runs.into_iter().find(|run| run.bill == bill)
}

/// How far it is.
pub async fn state(town: &Town, who: &Resident, mandate: &Mandate, bill: BillId) -> Option<RunState> {
    run(town, who, mandate, bill).await.map(|run| run.state)
}

/// Whether a bill is paid, by the ledger.
pub async fn is_paid(town: &Town, bill: BillId) -> bool {
    let view = bill::bill(&town.city, bill).await.expect("a bill");
    matches!(view.standing, bill::Standing::Settled(_))
}

/// The kinds of the notes in the inbox, oldest first.
pub async fn told(town: &Town, who: &Resident) -> Vec<remind::NoteKind> {
    let (notes, _) = remind::inbox(&town.city, who, None, 200).await.expect("an inbox");
    notes.into_iter().rev().map(|note| note.tell.kind).collect()
}
