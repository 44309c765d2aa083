-- Work that must happen later, at least once: webhook deliveries, follow-ups, timers.
CREATE TABLE job (
    id           BYTEA NOT NULL PRIMARY KEY, -- 16 bytes, derived from kind and key: enqueueing twice is once
    kind         TEXT NOT NULL,
    payload      TEXT NOT NULL,              -- JSON of the slice that owns the kind
    run_at       BIGINT NOT NULL,            -- ms since the epoch: due from then on
    leased_until BIGINT,                     -- ms; a worker has it until then
    attempts     BIGINT NOT NULL,
    last_error   TEXT
);
-- Workers ask "which of my kind is due first".
CREATE INDEX job_due ON job (kind, run_at);

-- How far each follower of the ledger's feed has come; moved in the transaction of what it wrote.
CREATE TABLE follower (
    name  TEXT NOT NULL PRIMARY KEY,
    after BIGINT NOT NULL -- ledger timestamp (ns) of the last transfer taken in
);
