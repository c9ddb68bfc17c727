-- signoff's tables on PostgreSQL. Times and positions are whole microseconds; ids and hashes are raw bytes; what is looked
-- up by text compares byte for byte (COLLATE "C").

-- One row: the head of the revocation log, and what all openings agreed on. Its lock puts commits in order. It is updated
-- by every logout, so it has room to do that on its page.
CREATE TABLE signoff_meta (
    id               integer NOT NULL PRIMARY KEY CHECK (id = 1),
    head             bigint  NOT NULL,  -- the position that was handed out last
    previous         bigint  NOT NULL,  -- the head before that
    longest_session  bigint  NOT NULL,  -- never shrinks: revocations must outlive every session ever promised
    leeway           bigint  NOT NULL   -- never shrinks
) WITH (fillfactor = 10);
INSERT INTO signoff_meta VALUES (1, 0, 0, 0, 0);

-- A destroyed session keeps its row, without data and claims, until it is purged: a second logout finds it gone, not unknown.
CREATE TABLE signoff_session (
    sid              bytea   NOT NULL PRIMARY KEY,
    subject          text    COLLATE "C" NOT NULL,
    client_id        text    COLLATE "C" NOT NULL,
    born             bigint  NOT NULL,  -- position
    created_at       bigint  NOT NULL,
    last_seen_at     bigint  NOT NULL,
    idle_expires_at  bigint  NOT NULL,
    expires_at       bigint  NOT NULL,
    destroyed_at     bigint,            -- NULL while it lives
    version          bigint  NOT NULL,
    scope            text,
    claims           text,              -- JSON object
    data             bytea   NOT NULL,
    device           text,
    address          text,
    user_agent       text
) WITH (fillfactor = 85);
-- No index knows what a logout changes, so it rewrites one row in its page and no index (a HOT update).
CREATE INDEX signoff_session_by_subject ON signoff_session (subject);
CREATE INDEX signoff_session_by_end ON signoff_session (expires_at);

-- Opaque tokens, as hashes: a stolen copy of this table opens nothing.
CREATE TABLE signoff_token (
    hash             bytea   NOT NULL PRIMARY KEY,
    sid              bytea   NOT NULL
);
CREATE INDEX signoff_token_by_session ON signoff_token (sid);

-- The revocation log. kind: 1 token, 2 session, 3 subject, 4 client, 5 key, 6 everything.
CREATE TABLE signoff_log (
    position         bigint  NOT NULL PRIMARY KEY,
    kind             bigint  NOT NULL,
    id               bytea   NOT NULL,
    expires_at       bigint  NOT NULL   -- no token that it kills can be accepted after this time
);
CREATE INDEX signoff_log_by_end ON signoff_log (expires_at);

-- What the wide entries of the log (subject, client, everything) add up to: sessions born before are cut off.
CREATE TABLE signoff_cutoff (
    kind             bigint  NOT NULL,
    id               bytea   NOT NULL,
    position         bigint  NOT NULL,
    expires_at       bigint  NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX signoff_cutoff_by_end ON signoff_cutoff (expires_at);

-- Who did what, when and why. Never a token; sessions by fingerprint. Never purged by signoff.
CREATE TABLE signoff_audit (
    seq              bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               bigint  NOT NULL,
    kind             text    NOT NULL,
    subject          text    COLLATE "C",
    actor            text    NOT NULL,
    reason           text,
    session          text,
    logout           bytea,
    detail           text,
    address          text,
    user_agent       text
);
CREATE INDEX signoff_audit_by_subject ON signoff_audit (subject, seq) WHERE subject IS NOT NULL;
