-- Billers, what they bill, and what came of the files they hand over and get back.
CREATE TABLE biller (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from the pack's id; also the payable account in the ledger
    pack_id     TEXT NOT NULL UNIQUE,
    hash        TEXT NOT NULL,              -- SHA-256 of the pack: the version of its rules
    pack        TEXT NOT NULL,              -- the TOML text
    updated_at  BIGINT NOT NULL,
    operator_at BIGINT                      -- when an operator gave this pack; NULL: as shipped, renewed by releases
);

-- One row a bill, never changed. Whether it is paid is in the ledger. There is one index only, and
-- the id does all its work: its first half is a hash of biller and account number, its second of the
-- bill number, so it is the uniqueness of a bill, the way to it, and the way to an account's bills.
-- A second index costs a third of the import's speed.
CREATE TABLE bill (
    id         BYTEA NOT NULL PRIMARY KEY,
    biller     BYTEA NOT NULL,
    account_no TEXT NOT NULL,
    bill_no    TEXT NOT NULL,
    period     BIGINT NOT NULL, -- 202603; 0 for none
    amount     BIGINT NOT NULL, -- minor units
    due        BIGINT NOT NULL, -- 20260331
    holder     TEXT NOT NULL
);

CREATE TABLE import (
    id          BYTEA NOT NULL PRIMARY KEY, -- derived from biller and the file's SHA-256: a file is imported once
    biller      BYTEA NOT NULL,
    sha256      TEXT NOT NULL,
    name        TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    records     BIGINT NOT NULL,            -- in the file, by the first pass
    line        BIGINT NOT NULL,            -- lines taken in so far
    at_byte     BIGINT NOT NULL,            -- and the bytes of them: where to go on after a crash
    added       BIGINT NOT NULL,            -- bills that were new
    unchanged   BIGINT NOT NULL,            -- bills that were there, the same
    refused     BIGINT NOT NULL,            -- rows with an error
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX import_biller ON import (biller, created_at);

CREATE TABLE import_error (
    import_id BYTEA NOT NULL,
    line      BIGINT NOT NULL,
    field     TEXT NOT NULL,
    code      TEXT NOT NULL,
    PRIMARY KEY (import_id, line)
);

-- What the biller and the bank say of a day, line by line, as they returned it.
CREATE TABLE returned_line (
    biller    BYTEA NOT NULL,
    day       BIGINT NOT NULL, -- 20260302
    source    TEXT NOT NULL,   -- biller, bank
    line      BIGINT NOT NULL,
    reference TEXT NOT NULL,
    amount    BIGINT NOT NULL,
    PRIMARY KEY (biller, day, source, line)
);
-- That a file was returned at all, even an empty one.
CREATE TABLE returned_file (
    biller      BYTEA NOT NULL,
    day         BIGINT NOT NULL,
    source      TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    lines       BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (biller, day, source)
);

-- The newest three-way match of a day. The ledger can make it again at any time.
CREATE TABLE reconciliation (
    biller BYTEA NOT NULL,
    day    BIGINT NOT NULL,
    report TEXT NOT NULL,   -- JSON: totals of the three sides, what was paid out
    breaks BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    PRIMARY KEY (biller, day)
);
CREATE TABLE reconciliation_break (
    biller    BYTEA NOT NULL,
    day       BIGINT NOT NULL,
    number    BIGINT NOT NULL,
    source    TEXT NOT NULL,  -- who disagrees with the ledger: biller, bank
    code      TEXT NOT NULL,
    remedy    TEXT NOT NULL,
    reference TEXT NOT NULL,
    ours      BIGINT,         -- minor units; NULL where the ledger has none
    theirs    BIGINT,         -- minor units; NULL where the other side has none
    PRIMARY KEY (biller, day, number)
);
