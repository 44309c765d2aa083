-- Mandates: bills that residents let the city pay for them. What of a month's cap is left is in the ledger.
CREATE TABLE mandate (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from the resident and the request's key
    resident_id BYTEA NOT NULL,             -- whose wallet pays
    member      BYTEA,                      -- whose accounts are covered; NULL: the resident's own
    biller      BYTEA,                      -- with account_no: this account; NULL: every kept account
    account_no  TEXT,
    categories  TEXT NOT NULL,              -- of kept accounts, comma between; empty: all
    cap_bill    BIGINT NOT NULL,            -- minor units
    cap_month   BIGINT NOT NULL,            -- minor units, for a calendar month; that of the newest version
    valid_from  BIGINT NOT NULL,            -- 20260302
    valid_until BIGINT,                     -- 20261231, included; NULL: until revoked
    notice_days BIGINT NOT NULL,            -- a debit is told of so many days before
    before_due  BIGINT,                     -- debited so many days before the bill is due; NULL: at once
    state       TEXT NOT NULL,              -- active, paused, revoked
    version     BIGINT NOT NULL,            -- counts the changes that needed the PIN, from 1
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL
);
-- A resident's list, newest first; the id settles ties.
CREATE INDEX mandate_resident ON mandate (resident_id, created_at, id);

-- The cap of each version. The ledger is brought to it step by step, so the steps stay.
CREATE TABLE mandate_cap (
    mandate_id BYTEA NOT NULL,
    version    BIGINT NOT NULL,
    month      BIGINT NOT NULL, -- 202603: in which it was set
    cap_month  BIGINT NOT NULL, -- minor units
    PRIMARY KEY (mandate_id, version)
);

-- What a mandate does about a bill: one row, whatever finds it how often.
CREATE TABLE mandate_run (
    mandate_id BYTEA NOT NULL,
    bill       BYTEA NOT NULL,
    biller     BYTEA NOT NULL,
    account_no TEXT NOT NULL,
    amount     BIGINT NOT NULL, -- minor units, as last seen; the debit takes the price of its moment
    due        BIGINT NOT NULL, -- 20260325
    debit_on   BIGINT NOT NULL, -- 20260322
    state      TEXT NOT NULL,   -- found, noticed, debiting, pending, refused, debited, skipped, paid_otherwise, given_up, ended
    tries      BIGINT NOT NULL, -- how often it was refused
    reason     TEXT,            -- the code of the last refusal
    payment    BYTEA,
    next_at    BIGINT,          -- ms: when it is looked at next; NULL: never again
    found_at   BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (mandate_id, bill)
);
-- A mandate's list, newest first; the bill settles ties.
CREATE INDEX mandate_run_found ON mandate_run (mandate_id, found_at, bill);
