-- Supply to accounts at billers: cut announced, cut, ordered to be restored. An account nobody ever told of has no
-- row: its supply is on.
CREATE TABLE supply (
    biller     BYTEA NOT NULL,
    account_no TEXT NOT NULL,
    state      TEXT NOT NULL,   -- on, cut_announced, cut, restoring
    cut_on     BIGINT,          -- 20260331: the day announced
    since      BIGINT NOT NULL, -- ms: of its newest change
    step       BIGINT NOT NULL, -- the number of its newest change; the guard against two at once
    PRIMARY KEY (biller, account_no)
);
-- "Is anything cut at all", and what was announced lately.
CREATE INDEX supply_state ON supply (state, since);

-- Every change, forever.
CREATE TABLE supply_change (
    biller     BYTEA NOT NULL,
    account_no TEXT NOT NULL,
    step       BIGINT NOT NULL,
    state      TEXT NOT NULL,
    cut_on     BIGINT,
    cause      TEXT NOT NULL,   -- biller, payment
    at         BIGINT NOT NULL,
    PRIMARY KEY (biller, account_no, step)
);

-- Orders to restore, one a cut: the id is derived from biller, account and the step of the cut.
CREATE TABLE restore_order (
    id           BYTEA NOT NULL PRIMARY KEY,
    biller       BYTEA NOT NULL,
    account_no   TEXT NOT NULL,
    state        TEXT NOT NULL,   -- ordered, offered, accepted, confirmed
    ordered_at   BIGINT NOT NULL,
    confirm_by   BIGINT NOT NULL,
    sent         BIGINT NOT NULL, -- how often it was sent
    last_answer  TEXT,            -- what the biller last said
    confirmed_at BIGINT
);
CREATE INDEX restore_order_biller ON restore_order (biller, state, id);
CREATE INDEX restore_order_late ON restore_order (state, confirm_by);
CREATE INDEX restore_order_account ON restore_order (biller, account_no, ordered_at);
