-- Browsers: sessions that an API key opened, and residents' passkeys.
CREATE TABLE key_session (
    token_hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the opaque token in the cookie
    id         BYTEA NOT NULL UNIQUE,
    key_id     BYTEA NOT NULL REFERENCES api_key (id), -- a session is as good as its key: it ends when the key does
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX key_session_key ON key_session (key_id);

CREATE TABLE passkey (
    credential_id   BYTEA NOT NULL PRIMARY KEY, -- chosen by the authenticator; unique among all residents (WebAuthn 7.1)
    id              BYTEA NOT NULL UNIQUE,      -- ours, for paths
    resident_id     BYTEA NOT NULL REFERENCES resident (id),
    name            TEXT NOT NULL,
    algorithm       BIGINT NOT NULL,            -- COSE: -7 ES256, -8 EdDSA, -257 RS256
    public_key      BYTEA NOT NULL,             -- as the algorithm's verifier takes it, not a secret
    counter         BIGINT NOT NULL,            -- the authenticator's signature counter, 0 where it has none
    backup_eligible BIGINT NOT NULL,            -- 1 where the authenticator may copy it to other devices
    transports      TEXT NOT NULL,              -- hints for the browser, separated by spaces
    created_at      BIGINT NOT NULL,
    used_at         BIGINT,
    removed_at      BIGINT
);
CREATE INDEX passkey_resident ON passkey (resident_id);

-- What an authenticator is to sign. A row is deleted by its first use, so no answer serves twice.
CREATE TABLE passkey_challenge (
    challenge_hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the 32 random bytes
    resident_id    BYTEA,                      -- who adds a passkey; null for a sign-in
    expires_at     BIGINT NOT NULL
);
-- Old ones are deleted when a new one is made.
CREATE INDEX passkey_challenge_expires ON passkey_challenge (expires_at);
