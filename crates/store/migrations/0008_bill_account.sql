-- Accounts at billers that residents keep, to see what is due on them. What is due is in the bills, whether it is
-- paid in the ledger.
CREATE TABLE bill_account (
    resident_id BYTEA NOT NULL,
    biller      BYTEA NOT NULL,
    account_no  TEXT NOT NULL,
    label       TEXT,              -- what the resident calls it
    remind_at   BIGINT,            -- since when the resident wants to be reminded; NULL: not
    saved_at    BIGINT NOT NULL,
    PRIMARY KEY (resident_id, biller, account_no)
);
-- How many each resident keeps. Its row is written by whoever adds or removes one, so that no race passes the limit.
CREATE TABLE bill_account_count (
    resident_id BYTEA NOT NULL PRIMARY KEY,
    kept        BIGINT NOT NULL
);

-- A shop's orders, newest first; the id settles ties.
CREATE INDEX trade_order_shop ON trade_order (merchant_id, created_at, id);
