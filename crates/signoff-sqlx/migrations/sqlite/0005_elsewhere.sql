-- Sessions of other stores that belong to sessions here, from the login until they are destroyed. While its session lives
-- the row waits at the absolute end of that; once it has ended the row says that the logout is not finished.
CREATE TABLE signoff_elsewhere (
    sid              BLOB    NOT NULL,
    n                INTEGER NOT NULL,  -- counts those of a session, from 0
    subject          BLOB    NOT NULL,  -- as the log has it
    destroyer        TEXT    NOT NULL,  -- the name of what destroys it
    handle           TEXT    NOT NULL,  -- the key that the other store has it under: perhaps a secret
    ended            INTEGER NOT NULL,  -- 1 when the log was seen to end its session, or it was tried
    attempts         INTEGER NOT NULL,
    retry_at         INTEGER NOT NULL,  -- when it is tried next
    trouble          TEXT,              -- what the last failure was
    PRIMARY KEY (sid, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX signoff_elsewhere_by_time ON signoff_elsewhere (ended, retry_at);
CREATE INDEX signoff_elsewhere_by_subject ON signoff_elsewhere (subject);

-- One row: up to where the log was looked at for ends of such sessions. What it misses is due at its session's end.
CREATE TABLE signoff_elsewhere_seen (
    id               INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position         INTEGER NOT NULL
) STRICT;
INSERT INTO signoff_elsewhere_seen SELECT 1, head FROM signoff_meta;
