//! Sending what is due: everything that may have changed since the planning is asked again at this moment.

use std::time::Duration;

use kernel::{Money, Timestamp};

use super::rules::{self, NoteKind, NoteLanguage, Preferences};
use super::{Note, NoteState, RemindError, preferences, store};
use crate::bill::pack::Name;
use crate::bill::{self, BillError, Standing, saved};
use crate::family::{self, FamilyMay};
use crate::{City, Fault, identity};

/// How many notes a node takes at a time.
const BATCH: u32 = 100;
/// When another node takes up what this one did not end.
const LEASE: Duration = Duration::from_mins(5);
/// A bill that somebody is paying is looked at again after this.
const PAYING: Duration = Duration::from_mins(10);

/// What is to be done with a note now.
enum Now {
    Send(Option<i64>),
    Wait(Timestamp),
    End(NoteState),
}

/// Sends what is due; how many notes there were.
pub async fn due(city: &City) -> Result<usize, Fault> {
    let now = city.now();
    let taken: Result<Vec<Note>, Fault> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::take(conn, now, now.plus(LEASE), BATCH).await?) }))
        .await;
    let taken = taken?;
    let count = taken.len();
    for note in taken {
        if let Err(why) = one(city, &note, now).await {
            // It is taken up again when its lease has run out.
            tracing::error!(%why, note = %note.id, "a note is sent later");
        }
    }
    Ok(count)
}

async fn one(city: &City, note: &Note, now: Timestamp) -> Result<(), RemindError> {
    let wanted = preferences(city, note.tell.resident).await?;
    let id = note.id;
    match judge(city, note, &wanted, now).await? {
        Now::Wait(until) => {
            city.store
                .write(move |conn| Box::pin(async move { Ok(store::postpone(conn, id, until).await?) }))
                .await
        }
        Now::End(state) => end(city, note, state, None, "none", now).await.map(drop),
        Now::Send(amount) => {
            let sms = if wanted.sms { "due" } else { "none" };
            if !end(city, note, NoteState::Sent, amount, sms, now).await? || !wanted.sms {
                return Ok(());
            }
            let text = text(city, note, amount).await?;
            let text = if wanted.language == NoteLanguage::En { text.en } else { text.zh };
            let text = format!("【一码】{text}");
            let sent = identity::send_note(city, note.tell.resident, note.tell.kind.name(), text).await;
            let state = if sent.is_ok() { "sent" } else { "failed" };
            city.store
                .write(move |conn| Box::pin(async move { Ok(store::sms(conn, id, state).await?) }))
                .await
        }
    }
}

async fn end(
    city: &City,
    note: &Note,
    state: NoteState,
    amount: Option<i64>,
    sms: &'static str,
    now: Timestamp,
) -> Result<bool, RemindError> {
    let id = note.id;
    city.store
        .write(move |conn| Box::pin(async move { Ok(store::end(conn, id, state, amount, sms, now).await?) }))
        .await
}

async fn judge(city: &City, note: &Note, wanted: &Preferences, now: Timestamp) -> Result<Now, RemindError> {
    let tell = &note.tell;
    if wanted.muted.contains(&tell.kind) {
        return Ok(Now::End(NoteState::Unwanted));
    }
    if tell.resident != tell.owner
        && !family::allows(city, tell.resident, tell.owner, FamilyMay::Watch).await?
    {
        return Ok(Now::End(NoteState::ConsentEnded));
    }
    // What auto-pay does is told of whether or not the account is kept.
    let is_autopay = matches!(tell.kind, NoteKind::AutopayNotice | NoteKind::AutopayFailed);
    if !is_autopay {
        let kept = saved::saved_by(city, tell.owner).await?;
        let same = |s: &saved::Saved| s.biller == tell.biller && s.account_no == tell.account_no && s.remind;
        if !kept.iter().any(same) {
            return Ok(Now::End(NoteState::Unwanted));
        }
    }
    let until = rules::send_at(now, wanted.quiet, city.settings.offset);
    if until > now {
        return Ok(Now::Wait(until));
    }
    let views = match tell.bill {
        Some(id) => vec![bill::bill(city, id).await?],
        None => match bill::fetch(city, tell.biller, &tell.account_no).await {
            Ok(views) => views,
            Err(BillError::AccountUnknown | BillError::AccountMalformed(_)) => Vec::new(),
            Err(why) => return Err(why.into()),
        },
    };
    let open: i64 = views.iter().filter(|v| v.standing == Standing::Open).map(|v| v.quote.total_minor).sum();
    if open > 0 {
        return Ok(Now::Send(Some(open)));
    }
    let paying = views.iter().any(|view| matches!(view.standing, Standing::Claimed { .. }));
    Ok(if paying { Now::Wait(now.plus(PAYING)) } else { Now::End(NoteState::PaidMeanwhile) })
}

/// What a note says, in both languages.
pub async fn text(city: &City, note: &Note, amount: Option<i64>) -> Result<Name, RemindError> {
    let tell = &note.tell;
    let pack = bill::biller(city, tell.biller).await?;
    let amount = amount.or(tell.amount_minor).map(|minor| {
        format!("{} {}", Money::new(minor, city.settings.currency).amount(), city.settings.currency)
    });
    let another = tell.resident != tell.owner;
    Ok(rules::text(tell.kind, &pack.spec.name, &tell.account_no, amount.as_deref(), tell.on, another))
}
