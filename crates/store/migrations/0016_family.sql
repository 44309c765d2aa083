-- Who may look after whose bills. A row is an invitation and what became of it; none is ever deleted.
CREATE TABLE family_link (
    id           BYTEA NOT NULL PRIMARY KEY, -- derived from the helper and the request's key
    helper       BYTEA NOT NULL,             -- who asked, and sees
    owner        BYTEA NOT NULL,             -- whose accounts they are, and who consents
    asked        TEXT NOT NULL,              -- watch, pay (with watch)
    granted      TEXT,                       -- what the owner consented to
    label        TEXT,                       -- what the helper calls the owner
    state        TEXT NOT NULL,              -- invited, active, declined, ended, lapsed
    live         BYTEA UNIQUE,               -- helper and owner while invited or active: one link at a time
    created_at   BIGINT NOT NULL,
    consented_at BIGINT,
    ended_at     BIGINT,
    ended_by     BYTEA
);
CREATE INDEX family_helper ON family_link (helper, created_at, id);
CREATE INDEX family_owner ON family_link (owner, created_at, id);
CREATE TABLE family_event (
    link_id     BYTEA NOT NULL,
    at          BIGINT NOT NULL,
    what        TEXT NOT NULL, -- invited, consented_watch, consented_pay, declined, ended, lapsed
    resident_id BYTEA,         -- who did it; NULL: time
    PRIMARY KEY (link_id, at, what)
);
