-- How each way to a biller was found last, by whichever node asked last.
CREATE TABLE coverage_way (
    biller BYTEA NOT NULL,
    way TEXT NOT NULL,
    live BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (biller, way)
);
-- When a way was live: from when to when, still when `closed_at` is null.
CREATE TABLE coverage_span (
    biller BYTEA NOT NULL,
    way TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    PRIMARY KEY (biller, way, opened_at)
);
-- Bills paid, by biller and month (202603); counted from the ledger's feed.
CREATE TABLE coverage_use (
    biller BYTEA NOT NULL,
    month BIGINT NOT NULL,
    payments BIGINT NOT NULL,
    PRIMARY KEY (biller, month)
);
