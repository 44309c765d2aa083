-- Campaigns of coupons, as they were set up. What of a budget is left, and who has used a coupon, is in the ledger.
CREATE TABLE coupon_campaign (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from the operator and the request's key
    name        TEXT NOT NULL,
    discount    BIGINT NOT NULL,            -- minor units
    minimum     BIGINT NOT NULL,            -- minor units
    budget      BIGINT NOT NULL,            -- minor units; as asked for
    valid_from  BIGINT NOT NULL,            -- ms
    valid_until BIGINT NOT NULL,            -- ms; not valid from then on
    merchant_id BYTEA,                      -- at this shop only; NULL: everywhere
    created_by  BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT                      -- since when an operator has ended it
);
-- What can be used now: most campaigns are over, so those that are not stand at one end.
CREATE INDEX coupon_campaign_until ON coupon_campaign (valid_until);
-- The list of operators, newest first; the id settles ties.
CREATE INDEX coupon_campaign_created ON coupon_campaign (created_at, id);
