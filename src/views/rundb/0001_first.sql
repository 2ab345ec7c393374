-- Times are UNIX milliseconds. Every row can be rebuilt from the store.
CREATE TABLE runs (
    run          TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    store        TEXT NOT NULL,
    cloud        TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    deadline_ms  INTEGER NOT NULL,
    started_ms   INTEGER,
    ended_ms     INTEGER,
    outcome      TEXT,              -- NULL while it is open
    exit_code    INTEGER,
    epochs       INTEGER NOT NULL,
    message      TEXT NOT NULL,
    closed       INTEGER NOT NULL   -- 1 once it is proven that nothing is left
) STRICT;

CREATE TABLE workers (
    run          TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    host         TEXT NOT NULL,
    incarnation  INTEGER NOT NULL,
    grp          TEXT NOT NULL,
    instance     TEXT,
    rank         INTEGER,
    address      TEXT,
    state        TEXT NOT NULL,     -- asked, launched, sealed, lost, released, gone
    evidence     TEXT NOT NULL,
    PRIMARY KEY (run, host, incarnation)
) STRICT;

CREATE TABLE steps (
    run          TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    seq          INTEGER NOT NULL,  -- where it ended in the journal
    host         TEXT NOT NULL,
    ended_ms     INTEGER NOT NULL,
    elapsed_ms   INTEGER,
    ending       TEXT NOT NULL,     -- completed, timeout, cancelled, out_of_memory, interrupted, sealed, stored
    failed       INTEGER,
    changed      INTEGER,
    rc           INTEGER,
    msg          TEXT,
    result       TEXT,              -- JSON; NULL where it is sealed or stands in a blob
    blob         TEXT,              -- SHA-256 of the blob in the store
    PRIMARY KEY (run, key)
) STRICT;

CREATE TABLE log_archives (
    run          TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    host         TEXT NOT NULL,
    incarnation  INTEGER NOT NULL,
    store_key    TEXT NOT NULL,
    size         INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    zip          BLOB,              -- NULL above the limit: then it stands in the store alone
    PRIMARY KEY (run, host, incarnation)
) STRICT;

CREATE INDEX runs_by_time ON runs (created_ms);
CREATE INDEX steps_by_host ON steps (run, host);
