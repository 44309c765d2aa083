-- Who people and organisations are, and how they prove it. Secrets are kept as hashes only; a device's
-- payment-code secret is not kept at all but derived from a key outside the database.
CREATE TABLE resident (
    id           BYTEA NOT NULL PRIMARY KEY, -- also the wallet account in the ledger
    phone        TEXT NOT NULL UNIQUE,       -- E.164, +8613800000000
    name         TEXT NOT NULL,
    tier         BIGINT NOT NULL,            -- 1, 2, 3: KYC class of the payment account
    pin          TEXT,                       -- argon2id parameters, salt and hash
    pin_failures BIGINT NOT NULL,            -- wrong PINs since the last right one; 5 is locked
    created_at   BIGINT NOT NULL
);

CREATE TABLE sign_in_code (
    phone       TEXT NOT NULL PRIMARY KEY,
    code_hash   BYTEA NOT NULL,
    tries       BIGINT NOT NULL,
    sent_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    codes       BIGINT NOT NULL, -- sent since codes_since, none of them used
    codes_since BIGINT NOT NULL
);

CREATE TABLE session (
    token_hash  BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the opaque token
    id          BYTEA NOT NULL UNIQUE,
    resident_id BYTEA NOT NULL REFERENCES resident (id),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX session_resident ON session (resident_id);

CREATE TABLE device (
    id          BYTEA NOT NULL PRIMARY KEY,
    resident_id BYTEA NOT NULL REFERENCES resident (id),
    name        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX device_resident ON device (resident_id);
-- Nodes ask every few seconds what was revoked lately.
CREATE INDEX device_revoked ON device (revoked_at);

CREATE TABLE operator (
    id         BYTEA NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_key (
    key_hash   BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the key
    id         BYTEA NOT NULL UNIQUE,
    owner_kind TEXT NOT NULL,              -- mch, blr, opr
    owner_id   BYTEA NOT NULL,
    role       TEXT NOT NULL,              -- viewer, staff, admin
    till_id    BYTEA,                      -- a key that belongs to one till
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_key_owner ON api_key (owner_id);
