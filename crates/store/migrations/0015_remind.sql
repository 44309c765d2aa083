-- How a resident wants to be told; without a row as a new resident.
CREATE TABLE remind_preference (
    resident_id BYTEA NOT NULL PRIMARY KEY,
    sms         BIGINT NOT NULL, -- 0, 1: also by SMS
    quiet_from  BIGINT,          -- minutes of the local day; NULL with quiet_to: never quiet
    quiet_to    BIGINT,
    language    TEXT NOT NULL,   -- zh, en
    due_days    BIGINT NOT NULL, -- due_soon so many days before
    muted       TEXT NOT NULL,   -- kinds not wanted, comma between
    changed_at  BIGINT NOT NULL
);

-- Notes: planned, and what became of them. The sent ones are the inbox.
CREATE TABLE remind_note (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from resident, kind, what it is about and step: told once
    resident_id BYTEA NOT NULL,
    owner       BYTEA NOT NULL,             -- whose account; the resident himself, or who lets him watch
    kind        TEXT NOT NULL,
    biller      BYTEA NOT NULL,
    account_no  TEXT NOT NULL,
    bill        BYTEA,
    mandate     BYTEA,
    step        BIGINT NOT NULL,
    amount      BIGINT,                     -- minor units; at sending that of the moment
    on_day      BIGINT,                     -- 20260325: due, debited, tried again or cut on
    reason      TEXT,                       -- the code of a refusal
    state       TEXT NOT NULL,              -- planned, sent, paid_meanwhile, consent_ended, unwanted
    send_at     BIGINT NOT NULL,            -- ms; a node at work moves it ahead
    sms         TEXT NOT NULL,              -- none, due, sent, failed
    created_at  BIGINT NOT NULL,
    sent_at     BIGINT,
    read_at     BIGINT
);
-- What is to be sent: little of the table, at one end of each state.
CREATE INDEX remind_note_due ON remind_note (state, send_at);
-- The inbox, newest first; the id settles ties.
CREATE INDEX remind_note_inbox ON remind_note (resident_id, sent_at, id);

-- How far the day's planning has come through the kept accounts.
CREATE TABLE remind_sweep (
    day         BIGINT NOT NULL PRIMARY KEY, -- 20260302
    resident_id BYTEA NOT NULL,              -- the last account taken in; empty at the start
    biller      BYTEA NOT NULL,
    account_no  TEXT NOT NULL,
    finished_at BIGINT
);
-- Who keeps an account, for what concerns all who do.
CREATE INDEX bill_account_at ON bill_account (biller, account_no);
