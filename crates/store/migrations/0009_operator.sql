-- What the city's operators do: who did what and why, what waits for a second pair of eyes, what was decided
-- about disagreements, and whether the books were found sound. No sum of money here is a truth: the ledger is.

-- The audit trail. Rows are only ever added: one before the act, one in operator_act_end when it has ended. An
-- act without an end was cut off by a crash.
CREATE TABLE operator_act (
    id          BYTEA NOT NULL PRIMARY KEY, -- UUIDv7: in order of time, so the trail needs no other index
    at          BIGINT NOT NULL,            -- ms
    operator_id BYTEA NOT NULL,
    key_id      BYTEA NOT NULL,
    action      TEXT NOT NULL,              -- raise_tier, close_shop, …
    subject     TEXT NOT NULL,              -- res_…, mch_…, key_…; never a phone or a name
    detail      TEXT NOT NULL,              -- what of it: tier=3
    reason      TEXT                        -- the operator's own words
);
CREATE TABLE operator_act_end (
    act_id  BYTEA NOT NULL PRIMARY KEY REFERENCES operator_act (id),
    at      BIGINT NOT NULL,
    outcome TEXT NOT NULL                   -- done, or the code of the refusal
);

-- Deposits, withdrawals and pay-outs above the four-eyes limit: the request as it was asked. Whether money moved
-- is in the ledger; the id there is that of the direct way, so approving twice moves it once.
CREATE TABLE operator_approval (
    id              BYTEA NOT NULL PRIMARY KEY,
    kind            TEXT NOT NULL,   -- deposit, withdrawal, payout
    subject         BYTEA NOT NULL,  -- resident or shop
    amount          BIGINT NOT NULL, -- minor units
    currency        TEXT NOT NULL,   -- ISO 4217
    reference       TEXT NOT NULL,   -- the bank's
    reason          TEXT,
    asked_by        BYTEA NOT NULL,
    asked_key       BYTEA NOT NULL,
    asked_at        BIGINT NOT NULL,
    state           TEXT NOT NULL,   -- waiting; rejected | approved → booked | failed
    decided_by      BYTEA,
    decided_key     BYTEA,
    decided_at      BIGINT,
    decision_reason TEXT,
    ended_at        BIGINT,          -- when it was found booked or failed
    outcome         TEXT             -- the code of the refusal that made it fail
);
-- One request at a time for a reference of the bank; what was rejected or failed may be asked for anew.
CREATE UNIQUE INDEX operator_approval_open ON operator_approval (kind, reference)
    WHERE state IN ('waiting', 'approved');
-- "What waits", oldest first; and the list of one state.
CREATE INDEX operator_approval_state ON operator_approval (state, id);

-- Disagreements of a biller's day that an operator has taken note of. The id is derived from what the
-- disagreement says, so a new match that finds the same again finds it decided.
CREATE TABLE operator_break_decision (
    id          BYTEA NOT NULL PRIMARY KEY,
    biller      BYTEA NOT NULL,
    day         BIGINT NOT NULL, -- 20260302
    operator_id BYTEA NOT NULL,
    key_id      BYTEA NOT NULL,
    reason      TEXT,
    at          BIGINT NOT NULL
);
CREATE INDEX operator_break_decision_day ON operator_break_decision (biller, day);

-- Every time the books were counted again.
CREATE TABLE operator_check (
    id          BYTEA NOT NULL PRIMARY KEY, -- UUIDv7: the newest is the last
    operator_id BYTEA NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    outcome     TEXT NOT NULL,              -- passed, failed, stopped
    report      TEXT NOT NULL               -- JSON
);
