-- Webhooks: where a shop wants its events sent, what was sent there, and how each try went. The events
-- themselves are in the ledger's feed; every row here but the endpoints can be made again from it.
CREATE TABLE webhook_endpoint (
    id              BYTEA NOT NULL PRIMARY KEY,
    merchant_id     BYTEA NOT NULL,
    url             TEXT NOT NULL,
    types           TEXT,             -- event types it wants, a space between; NULL is all
    secret          BYTEA NOT NULL,   -- signs every delivery, so it is kept as it is
    previous_secret BYTEA,            -- signs as well until previous_until
    previous_until  BIGINT,
    from_ledger     BIGINT NOT NULL,  -- ledger timestamp (ns): later events are its own
    created_at      BIGINT NOT NULL,
    failing_since   BIGINT,           -- first failure since the last success
    disabled_at     BIGINT,
    disabled_why    TEXT,
    deleted_at      BIGINT
);
CREATE INDEX webhook_endpoint_merchant ON webhook_endpoint (merchant_id);

-- One row. Counts up with every change of an endpoint; whoever writes deliveries from a list of
-- endpoints checks that the list is of this number.
CREATE TABLE webhook_change (
    id BIGINT NOT NULL PRIMARY KEY,
    n  BIGINT NOT NULL
);
INSERT INTO webhook_change (id, n) VALUES (1, 0);

CREATE TABLE webhook_delivery (
    endpoint_id BYTEA NOT NULL REFERENCES webhook_endpoint (id),
    event_id    BYTEA NOT NULL,   -- derived from the transfer: writing an event twice is once
    type        TEXT NOT NULL,
    trade_id    BYTEA NOT NULL,   -- ordering key
    at          BIGINT NOT NULL,  -- ledger timestamp (ns)
    body        TEXT NOT NULL,
    state       TEXT NOT NULL,    -- pending, delivered, given_up
    tries       BIGINT NOT NULL,  -- since it was last set to pending
    next_at     BIGINT NOT NULL,  -- ms, while pending
    finished_at BIGINT,
    PRIMARY KEY (endpoint_id, event_id)
);
-- The log of an endpoint is read from the newest to the oldest.
CREATE INDEX webhook_delivery_log ON webhook_delivery (endpoint_id, at);
-- "What of this trade comes before?"
CREATE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, trade_id, at);

CREATE TABLE webhook_attempt (
    id          BYTEA NOT NULL PRIMARY KEY, -- UUIDv7: in order of time
    endpoint_id BYTEA NOT NULL,
    event_id    BYTEA NOT NULL,
    started_at  BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    status      BIGINT,                     -- HTTP status, where there was an answer
    error       TEXT                        -- why it does not count as delivered
);
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (endpoint_id, event_id, id);
