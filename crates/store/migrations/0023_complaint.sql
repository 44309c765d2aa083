-- Complaints about bills and their payments. What money moved is in the ledger alone; a row says whose turn it is.
CREATE TABLE complaint (
    id             BYTEA NOT NULL PRIMARY KEY, -- derived from resident, bill and kind
    resident       BYTEA NOT NULL,
    biller         BYTEA NOT NULL,
    bill           BYTEA NOT NULL,
    payment        BYTEA,           -- of this resident; none where nothing was paid here
    kind           TEXT NOT NULL,   -- paid_but_due, paid_twice, wrong_account, wrong_amount
    words          TEXT NOT NULL,   -- the resident's
    evidence       TEXT NOT NULL,   -- JSON: as it was when it was raised
    finding        TEXT NOT NULL,
    proposal       TEXT NOT NULL,   -- refund, correct, dismiss, look
    proposed       BIGINT,          -- minor units
    raised_at      BIGINT NOT NULL, -- ms
    step           BIGINT NOT NULL, -- the number of its newest step; the guard against two at once
    state          TEXT NOT NULL,   -- biller, operator, supervisor, second, refunding, refunded, corrected, dismissed
    level          TEXT NOT NULL,   -- operator, supervisor: who decides
    due_at         BIGINT,          -- ms; none once it has ended
    answer         TEXT,            -- the biller's: accept, reject
    answer_amount  BIGINT,          -- minor units that it would give back
    answer_words   TEXT,
    decision       BIGINT NOT NULL, -- how many refunds were decided: the newest's number
    amount         BIGINT,          -- minor units: of the newest decision
    decided_by     BYTEA,           -- the operator
    decided_key    BYTEA,
    ask_biller     BIGINT NOT NULL, -- 1: the biller is asked first
    problem        TEXT,            -- why a decided refund is not made yet
    verdict        TEXT,            -- why it ended so, in the operator's words
    ended_at       BIGINT,
    reopened       BIGINT NOT NULL  -- 1: once is all
);
CREATE INDEX complaint_resident ON complaint (resident, raised_at, id);
CREATE INDEX complaint_biller ON complaint (biller, raised_at, id);
CREATE INDEX complaint_raised ON complaint (raised_at, id);
CREATE INDEX complaint_due ON complaint (state, due_at);

-- Every step, forever.
CREATE TABLE complaint_step (
    complaint BYTEA NOT NULL,
    step      BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    actor     TEXT NOT NULL,  -- resident, biller, operator, clock, ledger
    operator  BYTEA,
    what      TEXT NOT NULL,
    words     TEXT,
    amount    BIGINT,         -- minor units
    state     TEXT NOT NULL,  -- whose turn it was from then on
    due_at    BIGINT,
    PRIMARY KEY (complaint, step)
);
