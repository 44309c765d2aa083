-- Files exchanged with billers through a folder: what came in, which sequence numbers it used up, what went out.
CREATE TABLE exchange_in (
    biller     BYTEA NOT NULL,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,   -- of the content: the same name with other content is another row
    kind       TEXT NOT NULL,   -- bills, returned, ack, unknown
    day        BIGINT NOT NULL, -- 20260302, as the name has it; 0 for none
    seq        BIGINT NOT NULL, -- as the name has it; 0 for none
    bytes      BIGINT NOT NULL,
    state      TEXT NOT NULL,   -- taking, accepted, refused
    code       TEXT,            -- why it was refused
    import_id  BYTEA,           -- bills: the import it became
    records    BIGINT NOT NULL,
    amount     BIGINT NOT NULL, -- sum of the records, minor units
    arrived_at BIGINT NOT NULL,
    ended_at   BIGINT,          -- when it was accepted or refused
    told_at    BIGINT,          -- when its acknowledgement lay in the folder
    PRIMARY KEY (biller, name, sha256)
);
-- The newest first, page by page.
CREATE INDEX exchange_in_newest ON exchange_in (biller, arrived_at);

-- A number of a series serves once: whoever inserts it has it. Gaps are what is missing here.
CREATE TABLE exchange_sequence (
    biller     BYTEA NOT NULL,
    kind       TEXT NOT NULL,
    series     BIGINT NOT NULL, -- the day, where every day counts from the start; else 0
    seq        BIGINT NOT NULL,
    sha256     TEXT NOT NULL,
    arrived_at BIGINT NOT NULL,
    PRIMARY KEY (biller, kind, series, seq)
);

-- One settlement file a day.
CREATE TABLE exchange_out (
    biller     BYTEA NOT NULL,
    day        BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    bytes      BIGINT NOT NULL,
    made_at    BIGINT NOT NULL,
    written_at BIGINT,          -- when it lay in the folder
    acked_at   BIGINT,          -- when the biller acknowledged it
    outcome    TEXT,            -- accepted, refused, as the biller says
    code       TEXT,            -- why the biller refused it
    PRIMARY KEY (biller, day),
    UNIQUE (biller, name)
);

-- Which node works a biller's folder.
CREATE TABLE exchange_lease (
    biller       BYTEA NOT NULL PRIMARY KEY,
    node         TEXT NOT NULL,
    leased_until BIGINT NOT NULL
);
