-- signoff's tables on SQLite. Times and positions are whole microseconds; ids and hashes are raw bytes; text compares
-- byte for byte (BINARY is SQLite's default collation).

-- One row: the head of the revocation log, and what all openings agreed on.
CREATE TABLE signoff_meta (
    id               INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    head             INTEGER NOT NULL,  -- the position that was handed out last
    previous         INTEGER NOT NULL,  -- the head before that
    longest_session  INTEGER NOT NULL,  -- never shrinks: revocations must outlive every session ever promised
    leeway           INTEGER NOT NULL   -- never shrinks
) STRICT;
INSERT INTO signoff_meta VALUES (1, 0, 0, 0, 0);

-- A destroyed session keeps its row, without data and claims, until it is purged: a second logout finds it gone, not unknown.
CREATE TABLE signoff_session (
    sid              BLOB    NOT NULL PRIMARY KEY,
    subject          TEXT    NOT NULL,
    client_id        TEXT    NOT NULL,
    born             INTEGER NOT NULL,  -- position
    created_at       INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    idle_expires_at  INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    destroyed_at     INTEGER,           -- NULL while it lives
    version          INTEGER NOT NULL,
    scope            TEXT,
    claims           TEXT,              -- JSON object
    data             BLOB    NOT NULL,
    device           TEXT,
    address          TEXT,
    user_agent       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX signoff_session_by_subject ON signoff_session (subject, sid) WHERE destroyed_at IS NULL;
CREATE INDEX signoff_session_by_end ON signoff_session (expires_at);

-- Opaque tokens, as hashes: a stolen copy of this table opens nothing.
CREATE TABLE signoff_token (
    hash             BLOB    NOT NULL PRIMARY KEY,
    sid              BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signoff_token_by_session ON signoff_token (sid);

-- The revocation log. kind: 1 token, 2 session, 3 subject, 4 client, 5 key, 6 everything.
CREATE TABLE signoff_log (
    position         INTEGER NOT NULL PRIMARY KEY,
    kind             INTEGER NOT NULL,
    id               BLOB    NOT NULL,
    expires_at       INTEGER NOT NULL   -- no token that it kills can be accepted after this time
) STRICT;
CREATE INDEX signoff_log_by_end ON signoff_log (expires_at);

-- What the wide entries of the log (subject, client, everything) add up to: sessions born before are cut off.
CREATE TABLE signoff_cutoff (
    kind             INTEGER NOT NULL,
    id               BLOB    NOT NULL,
    position         INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Who did what, when and why. Never a token; sessions by fingerprint. Never purged by signoff.
CREATE TABLE signoff_audit (
    seq              INTEGER PRIMARY KEY,
    at               INTEGER NOT NULL,
    kind             TEXT    NOT NULL,
    subject          TEXT,
    actor            TEXT    NOT NULL,
    reason           TEXT,
    session          TEXT,
    logout           BLOB,
    detail           TEXT,
    address          TEXT,
    user_agent       TEXT
) STRICT;
CREATE INDEX signoff_audit_by_subject ON signoff_audit (subject, seq) WHERE subject IS NOT NULL;
