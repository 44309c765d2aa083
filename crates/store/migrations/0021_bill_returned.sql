-- What the biller and the bank say of a day, in pieces of many lines: a day may have millions. The lines stand as
-- `bill::reconcile::list` writes them. Files returned before this are still in returned_line.
CREATE TABLE returned_piece (
    biller BYTEA NOT NULL,
    day    BIGINT NOT NULL, -- 20260302
    source TEXT NOT NULL,   -- biller, bank
    file   BYTEA NOT NULL,  -- which upload: pieces of one that broke off are never read
    number BIGINT NOT NULL, -- from 0
    lines  BYTEA NOT NULL,
    put_at BIGINT NOT NULL,
    PRIMARY KEY (biller, day, source, file, number)
);
ALTER TABLE returned_file ADD COLUMN file BYTEA; -- the upload that counts; NULL: in returned_line
