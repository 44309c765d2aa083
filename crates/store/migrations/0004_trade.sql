-- What a shop said of a trade before it was paid. Whether it was paid is in the ledger only.
CREATE TABLE trade_order (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from shop and order number: one row each
    merchant_id BYTEA NOT NULL,
    order_no    TEXT NOT NULL,              -- the shop's own
    amount      BIGINT NOT NULL,            -- minor units of the city's currency
    subject     TEXT,
    till_id     BYTEA,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,            -- ms; not payable from then on
    payer_id    BYTEA                       -- whose PIN it waits for
);
-- "What waits for my PIN", newest first.
CREATE INDEX trade_order_waiting ON trade_order (payer_id, created_at) WHERE payer_id IS NOT NULL;
