-- Sessions of other stores that belong to sessions here, from the login until they are destroyed. While its session lives
-- the row waits at the absolute end of that; once it has ended the row says that the logout is not finished.
CREATE TABLE signoff_elsewhere (
    sid              bytea   NOT NULL,
    n                bigint  NOT NULL,  -- counts those of a session, from 0
    subject          bytea   NOT NULL,  -- as the log has it
    destroyer        text    NOT NULL,  -- the name of what destroys it
    handle           text    NOT NULL,  -- the key that the other store has it under: perhaps a secret
    ended            bigint  NOT NULL,  -- 1 when the log was seen to end its session, or it was tried
    attempts         bigint  NOT NULL,
    retry_at         bigint  NOT NULL,  -- when it is tried next
    trouble          text,              -- what the last failure was
    PRIMARY KEY (sid, n)
);
CREATE INDEX signoff_elsewhere_by_time ON signoff_elsewhere (ended, retry_at);
CREATE INDEX signoff_elsewhere_by_subject ON signoff_elsewhere (subject);

-- One row: up to where the log was looked at for ends of such sessions. What it misses is due at its session's end.
CREATE TABLE signoff_elsewhere_seen (
    id               integer NOT NULL PRIMARY KEY CHECK (id = 1),
    position         bigint  NOT NULL
);
INSERT INTO signoff_elsewhere_seen SELECT 1, head FROM signoff_meta;
