-- What a bank was asked to pay out to billers, and what it said of it. That the money left the biller's balance, and came
-- back, is in the ledger; here is how the bank was told.
CREATE TABLE payout_order (
    id         BYTEA NOT NULL PRIMARY KEY, -- the transfer biller -> bank clearing in the ledger; the bank's EndToEndId
    biller     BYTEA NOT NULL,
    day        BIGINT NOT NULL,            -- 20260302: the day settled
    due        BIGINT NOT NULL,            -- 20260303: from when on the bank may be told
    amount     BIGINT NOT NULL,            -- minor units
    state      TEXT NOT NULL,              -- due, sent, accepted, booked, rejected, returned
    reason     TEXT NOT NULL,              -- of the bank, for a rejection or a return
    creditor   TEXT,                       -- JSON, as the batch named it; NULL until there is one
    batch      BYTEA,
    of         BYTEA UNIQUE,               -- the order this one is sent instead of
    again_at   BIGINT,                     -- when an operator wanted it sent again, ms
    back       BIGINT NOT NULL,            -- whether the money is the biller's again: 0 or 1
    noted      BIGINT NOT NULL,            -- debits seen in notifications and in statements, 0 or 1 each: the bank
    stated     BIGINT NOT NULL,            --   tells of one movement in both
    updated_at BIGINT NOT NULL
);
-- What waits for a batch, and what the bank leaves unanswered.
CREATE INDEX payout_order_state ON payout_order (state, due);
CREATE INDEX payout_order_batch ON payout_order (batch);

-- What was sent: enough to write the same bytes again.
CREATE TABLE payout_batch (
    id      BYTEA NOT NULL PRIMARY KEY, -- derived from day and number: of two that make one at once, one succeeds
    name    TEXT NOT NULL UNIQUE,       -- MsgId
    day     BIGINT NOT NULL,            -- when the bank is asked to pay
    number  BIGINT NOT NULL,            -- of the day, from 1
    debtor  TEXT NOT NULL,              -- JSON, as the configuration had it
    orders  BIGINT NOT NULL,
    amount  BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);

-- What the bank sent; the same message again changes nothing.
CREATE TABLE payout_message (
    kind     TEXT NOT NULL, -- status, statement, notification
    name     TEXT NOT NULL, -- MsgId
    sha256   TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    changed  BIGINT NOT NULL,
    breaks   BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Where the bank and the books disagree.
CREATE TABLE payout_break (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from message, place and code
    found_at    BIGINT NOT NULL,
    message     TEXT NOT NULL,
    code        TEXT NOT NULL,
    reference   TEXT NOT NULL,
    ours        BIGINT,
    theirs      BIGINT,
    resolved_at BIGINT                      -- when a later message explained it
);
CREATE INDEX payout_break_found ON payout_break (found_at, id);
