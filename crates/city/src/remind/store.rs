//! The tables of reminding: remind_preference, remind_note, remind_sweep.

use kernel::ids::{BillerId, NoteId, ResidentId};
use kernel::{Date, Timestamp};
use store::{AnyRow, Conn, Row as _, StoreError, id, id_opt, one_row, query, query_scalar};

use super::rules::{NoteKind, NoteLanguage, Preferences, Quiet};
use super::{Note, NoteState, Tell};
use crate::bill::rules::{day_number, day_of};

type Result<T> = std::result::Result<T, StoreError>;

fn state_name(state: NoteState) -> &'static str {
    match state {
        NoteState::Planned => "planned",
        NoteState::Sent => "sent",
        NoteState::PaidMeanwhile => "paid_meanwhile",
        NoteState::ConsentEnded => "consent_ended",
        NoteState::Unwanted => "unwanted",
    }
}

fn state_of(name: &str) -> Option<NoteState> {
    use NoteState::{ConsentEnded, PaidMeanwhile, Planned, Sent, Unwanted};
    [Planned, Sent, PaidMeanwhile, ConsentEnded, Unwanted].into_iter().find(|s| state_name(*s) == name)
}

fn note(row: &AnyRow) -> Result<Note> {
    let time_opt =
        |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    Ok(Note {
        id: id(row, "id")?,
        tell: Tell {
            resident: id(row, "resident_id")?,
            owner: id(row, "owner")?,
            kind: NoteKind::from_name(&kind).ok_or(StoreError::Corrupt("remind_note.kind"))?,
            biller: id(row, "biller")?,
            account_no: row.try_get("account_no")?,
            bill: id_opt(row, "bill")?,
            mandate: id_opt(row, "mandate")?,
            step: row.try_get("step")?,
            amount_minor: row.try_get("amount")?,
            on: row.try_get::<Option<i64>, _>("on_day")?.and_then(day_of),
            reason: row.try_get("reason")?,
        },
        state: state_of(&state).ok_or(StoreError::Corrupt("remind_note.state"))?,
        send_at: Timestamp::from_millis(row.try_get("send_at")?),
        sent_at: time_opt("sent_at")?,
        read_at: time_opt("read_at")?,
    })
}

/// Plans a note unless it was planned before.
pub async fn plan(conn: &mut Conn, note: NoteId, tell: &Tell, now: Timestamp) -> Result<()> {
    query(
        "INSERT INTO remind_note (id, resident_id, owner, kind, biller, account_no, bill, mandate, step, amount, on_day,
         reason, state, send_at, sms, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'planned', $13, 'none', $13)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(note.to_bytes())
    .bind(tell.resident.to_bytes())
    .bind(tell.owner.to_bytes())
    .bind(tell.kind.name())
    .bind(tell.biller.to_bytes())
    .bind(tell.account_no.as_str())
    .bind(tell.bill.map(kernel::Id::to_bytes))
    .bind(tell.mandate.map(kernel::Id::to_bytes))
    .bind(tell.step)
    .bind(tell.amount_minor)
    .bind(tell.on.map(day_number))
    .bind(tell.reason.as_deref())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes up to `limit` notes whose time has come, and moves them to `again`, when another node takes up what this one
/// did not end.
pub async fn take(conn: &mut Conn, now: Timestamp, again: Timestamp, limit: u32) -> Result<Vec<Note>> {
    let rows = query(
        "UPDATE remind_note SET send_at = $1 WHERE id IN (
             SELECT id FROM remind_note WHERE state = 'planned' AND send_at <= $2 ORDER BY send_at LIMIT $3)
         AND state = 'planned' AND send_at <= $2 RETURNING *",
    )
    .bind(again.as_millis())
    .bind(now.as_millis())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(note).collect()
}

/// Ends a note that is planned; `false` when another node has.
pub async fn end(
    conn: &mut Conn,
    id: NoteId,
    state: NoteState,
    amount: Option<i64>,
    sms: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = query(
        "UPDATE remind_note SET state = $2, amount = COALESCE($3, amount), sms = $4, sent_at = $5
         WHERE id = $1 AND state = 'planned'",
    )
    .bind(id.to_bytes())
    .bind(state_name(state))
    .bind(amount)
    .bind(sms)
    .bind((state == NoteState::Sent).then(|| now.as_millis()))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A planned note waits until then.
pub async fn postpone(conn: &mut Conn, id: NoteId, until: Timestamp) -> Result<()> {
    query("UPDATE remind_note SET send_at = $2 WHERE id = $1 AND state = 'planned'")
        .bind(id.to_bytes())
        .bind(until.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// What became of the SMS.
pub async fn sms(conn: &mut Conn, id: NoteId, state: &str) -> Result<()> {
    let done = query("UPDATE remind_note SET sms = $2 WHERE id = $1")
        .bind(id.to_bytes())
        .bind(state)
        .execute(conn)
        .await?;
    one_row(done)
}

/// A page of the inbox, newest first.
pub async fn inbox(
    conn: &mut Conn,
    who: ResidentId,
    before: Option<(Timestamp, NoteId)>,
    limit: u32,
) -> Result<Vec<Note>> {
    let (at, note_id) = before.map_or((i64::MAX, vec![0xff; 16]), |(at, id)| (at.as_millis(), id.to_bytes()));
    let rows = query(
        "SELECT * FROM remind_note WHERE resident_id = $1 AND state = 'sent' AND (sent_at, id) < ($2, $3)
         ORDER BY sent_at DESC, id DESC LIMIT $4",
    )
    .bind(who.to_bytes())
    .bind(at)
    .bind(note_id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(note).collect()
}

/// How many notes of the inbox are unread.
pub async fn unread(conn: &mut Conn, who: ResidentId) -> Result<i64> {
    let count = query_scalar(
        "SELECT COUNT(*) FROM remind_note WHERE resident_id = $1 AND state = 'sent' AND read_at IS NULL",
    );
    Ok(count.bind(who.to_bytes()).fetch_one(conn).await?)
}

/// Marks one note or all as read.
pub async fn read(conn: &mut Conn, who: ResidentId, note: Option<NoteId>, now: Timestamp) -> Result<()> {
    query(
        "UPDATE remind_note SET read_at = $3
         WHERE resident_id = $1 AND ($2 IS NULL OR id = $2) AND state = 'sent' AND read_at IS NULL",
    )
    .bind(who.to_bytes())
    .bind(note.map(NoteId::to_bytes))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// How a resident wants to be told, where it was said.
pub async fn preferences(conn: &mut Conn, who: ResidentId) -> Result<Option<Preferences>> {
    let row = query("SELECT * FROM remind_preference WHERE resident_id = $1")
        .bind(who.to_bytes())
        .fetch_optional(conn)
        .await?;
    let read = |row: &AnyRow| {
        let minute = |column| {
            let value: Option<i64> = row.try_get(column)?;
            Ok::<_, StoreError>(value.and_then(|v| u32::try_from(v).ok()))
        };
        let (language, muted): (String, String) = (row.try_get("language")?, row.try_get("muted")?);
        let days: i64 = row.try_get("due_days")?;
        Ok(Preferences {
            sms: row.try_get::<i64, _>("sms")? != 0,
            quiet: minute("quiet_from")?.zip(minute("quiet_to")?).map(|(from, to)| Quiet { from, to }),
            language: if language == "en" { NoteLanguage::En } else { NoteLanguage::Zh },
            due_days: u32::try_from(days).map_err(|_| StoreError::Corrupt("remind_preference.due_days"))?,
            muted: muted.split(',').filter_map(NoteKind::from_name).collect(),
        })
    };
    row.as_ref().map(read).transpose()
}

/// Keeps how a resident wants to be told.
pub async fn put_preferences(
    conn: &mut Conn,
    who: ResidentId,
    wanted: &Preferences,
    now: Timestamp,
) -> Result<()> {
    let muted: Vec<&str> = wanted.muted.iter().map(|kind| kind.name()).collect();
    query(
        "INSERT INTO remind_preference (resident_id, sms, quiet_from, quiet_to, language, due_days, muted, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (resident_id) DO UPDATE SET sms = $2, quiet_from = $3,
         quiet_to = $4, language = $5, due_days = $6, muted = $7, changed_at = $8",
    )
    .bind(who.to_bytes())
    .bind(i64::from(wanted.sms))
    .bind(wanted.quiet.map(|quiet| i64::from(quiet.from)))
    .bind(wanted.quiet.map(|quiet| i64::from(quiet.to)))
    .bind(if wanted.language == NoteLanguage::En { "en" } else { "zh" })
    .bind(i64::from(wanted.due_days))
    .bind(muted.join(","))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The last account that a day's planning has taken in; nothing at its start.
pub type Place = Option<(ResidentId, BillerId, String)>;

/// Where a day's planning is; `None` when it is finished.
pub async fn place(conn: &mut Conn, day: Date) -> Result<Option<Place>> {
    query(
        "INSERT INTO remind_sweep (day, resident_id, biller, account_no) VALUES ($1, $2, $2, '') ON CONFLICT (day) DO NOTHING",
    )
    .bind(day_number(day))
    .bind(Vec::new())
    .execute(&mut *conn)
    .await?;
    let row = query("SELECT * FROM remind_sweep WHERE day = $1 AND finished_at IS NULL")
        .bind(day_number(day))
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get::<Vec<u8>, _>("resident_id")?.is_empty() {
        return Ok(Some(None));
    }
    Ok(Some(Some((id(&row, "resident_id")?, id(&row, "biller")?, row.try_get("account_no")?))))
}

/// Moves a day's planning on, in the transaction of what it planned; `Guard` when another node has.
pub async fn advance(
    conn: &mut Conn,
    day: Date,
    from: &Place,
    to: &Place,
    end: Option<Timestamp>,
) -> Result<()> {
    let key = |place: &Place| {
        place.as_ref().map_or((Vec::new(), Vec::new(), String::new()), |(resident, biller, account)| {
            (resident.to_bytes(), biller.to_bytes(), account.clone())
        })
    };
    let ((from_r, from_b, from_a), (to_r, to_b, to_a)) = (key(from), key(to));
    let done = query(
        "UPDATE remind_sweep SET resident_id = $5, biller = $6, account_no = $7, finished_at = $8
         WHERE day = $1 AND resident_id = $2 AND biller = $3 AND account_no = $4 AND finished_at IS NULL",
    )
    .bind(day_number(day))
    .bind(from_r)
    .bind(from_b)
    .bind(from_a)
    .bind(to_r)
    .bind(to_b)
    .bind(to_a)
    .bind(end.map(Timestamp::as_millis))
    .execute(conn)
    .await?;
    one_row(done)
}
