-- Banks and service providers that collect bills. What they have collected, and what they may, is in the ledger.
CREATE TABLE collector (
    id         BYTEA NOT NULL PRIMARY KEY, -- derived from the reference
    reference  TEXT NOT NULL,              -- the operators' own
    kind       TEXT NOT NULL,              -- bank, provider
    name_zh    TEXT NOT NULL,
    name_en    TEXT NOT NULL,
    billers    TEXT,                       -- blr_… with spaces between; NULL: all
    limit_minor BIGINT NOT NULL,           -- what it may owe, as the newest limit transfer made it
    revision   BIGINT NOT NULL,            -- counts the limits: names the next limit's transfer
    open       BIGINT NOT NULL,            -- 0: collects no more
    created_at BIGINT NOT NULL
);
-- What a collector said of a reference of its own. Whether money moved for it, and whereto, is in the ledger.
CREATE TABLE collector_claim (
    id           BYTEA NOT NULL PRIMARY KEY, -- derived from collector and reference
    collector    BYTEA NOT NULL,
    reference    TEXT NOT NULL,
    kind         TEXT NOT NULL,              -- claim, receipt
    biller       BYTEA NOT NULL,
    account_no   TEXT NOT NULL,
    bill         BYTEA NOT NULL,             -- may be unknown here, of a receipt
    amount       BIGINT NOT NULL,            -- minor units
    late_fee     BIGINT NOT NULL,            -- within it, as quoted
    taken_at     BIGINT,                     -- ms, when the payer gave the money, as the collector says
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,                     -- the collector has the money: from now on it is never lost
    cancelled_at BIGINT,                     -- the collector has not, and never will
    ended_at     BIGINT                      -- when the ledger was found to have its end
);
-- Lists of one collector, newest first.
CREATE INDEX collector_claim_list ON collector_claim (collector, created_at, id);
-- What was acknowledged and has no end yet.
CREATE INDEX collector_claim_open ON collector_claim (confirmed_at) WHERE ended_at IS NULL AND confirmed_at IS NOT NULL;
-- Accounts that money was ever held for: where to look for bills it could pay.
CREATE TABLE bill_advance (
    id         BYTEA NOT NULL PRIMARY KEY, -- that of the account in the ledger
    biller     BYTEA NOT NULL,
    account_no TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX bill_advance_biller ON bill_advance (biller, account_no);
