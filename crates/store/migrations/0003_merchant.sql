-- Shops and their tills. What a shop has earned is in the ledger, never here.
CREATE TABLE merchant (
    id         BYTEA NOT NULL PRIMARY KEY, -- derived from reference; also the balance account in the ledger
    reference  TEXT NOT NULL UNIQUE,       -- the operator's own number of the shop: opening twice is once
    name       TEXT NOT NULL,
    legal_id   TEXT,                       -- GB 32100 unified social credit identifier
    mcc        TEXT NOT NULL,              -- ISO 18245, four digits
    city       TEXT NOT NULL,
    region     TEXT NOT NULL,              -- GB/T 2260, six digits
    opened_by  BYTEA NOT NULL,             -- operator
    created_at BIGINT NOT NULL,
    closed_at  BIGINT
);
-- Lists go from the newest to the oldest; the id settles ties.
CREATE INDEX merchant_created ON merchant (created_at, id);

CREATE TABLE till (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from shop and name: adding twice is once
    merchant_id BYTEA NOT NULL REFERENCES merchant (id),
    name        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    closed_at   BIGINT
);
CREATE INDEX till_merchant ON till (merchant_id);
