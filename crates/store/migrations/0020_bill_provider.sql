-- What came of reading the catalogue of a service provider: the newest time for each connection. begun_at of a reading
-- that is under way keeps other nodes from beginning one.
CREATE TABLE provider_sync (
    connection TEXT NOT NULL PRIMARY KEY,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT,
    report TEXT
);
