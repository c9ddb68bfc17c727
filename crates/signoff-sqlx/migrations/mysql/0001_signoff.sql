-- signoff's tables on MySQL and MariaDB. Times and positions are whole microseconds; ids and hashes are raw bytes; so are
-- the names that things are looked up by, because every collation that both servers have ignores trailing blanks:
-- CONVERT(subject USING utf8mb4) shows them.

-- One row: the head of the revocation log, and what all openings agreed on. Its lock puts commits in order.
CREATE TABLE signoff_meta (
    id               INT     NOT NULL PRIMARY KEY,  -- 1
    head             BIGINT  NOT NULL,  -- the position that was handed out last
    previous         BIGINT  NOT NULL,  -- the head before that
    longest_session  BIGINT  NOT NULL,  -- never shrinks: revocations must outlive every session ever promised
    leeway           BIGINT  NOT NULL   -- never shrinks
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO signoff_meta VALUES (1, 0, 0, 0, 0);

-- A destroyed session keeps its row, without data and claims, until it is purged: a second logout finds it gone, not unknown.
CREATE TABLE signoff_session (
    sid              BINARY(16)     NOT NULL PRIMARY KEY,
    subject          VARBINARY(255) NOT NULL,
    client_id        VARBINARY(255) NOT NULL,
    born             BIGINT         NOT NULL,  -- position
    created_at       BIGINT         NOT NULL,
    last_seen_at     BIGINT         NOT NULL,
    idle_expires_at  BIGINT         NOT NULL,
    expires_at       BIGINT         NOT NULL,
    destroyed_at     BIGINT,                   -- NULL while it lives
    version          BIGINT         NOT NULL,
    scope            LONGTEXT,
    claims           LONGTEXT,                 -- JSON object
    data             LONGBLOB       NOT NULL,
    device           LONGTEXT,
    address          VARCHAR(64),
    user_agent       LONGTEXT,
    KEY signoff_session_by_subject (subject, sid),  -- not of destroyed_at: a logout then changes one row and no index
    KEY signoff_session_by_end (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Opaque tokens, as hashes: a stolen copy of this table opens nothing.
CREATE TABLE signoff_token (
    hash             BINARY(32)     NOT NULL PRIMARY KEY,
    sid              BINARY(16)     NOT NULL,
    KEY signoff_token_by_session (sid)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- The revocation log. kind: 1 token, 2 session, 3 subject, 4 client, 5 key, 6 everything.
CREATE TABLE signoff_log (
    position         BIGINT         NOT NULL PRIMARY KEY,
    kind             TINYINT        NOT NULL,
    id               VARBINARY(512) NOT NULL,
    expires_at       BIGINT         NOT NULL,  -- no token that it kills can be accepted after this time
    KEY signoff_log_by_end (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- What the wide entries of the log (subject, client, everything) add up to: sessions born before are cut off.
CREATE TABLE signoff_cutoff (
    kind             TINYINT        NOT NULL,
    id               VARBINARY(512) NOT NULL,
    position         BIGINT         NOT NULL,
    expires_at       BIGINT         NOT NULL,
    PRIMARY KEY (kind, id),
    KEY signoff_cutoff_by_end (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- Who did what, when and why. Never a token; sessions by fingerprint. Never purged by signoff.
CREATE TABLE signoff_audit (
    seq              BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at               BIGINT         NOT NULL,
    kind             VARCHAR(64)    NOT NULL,
    subject          VARBINARY(255),
    actor            LONGTEXT       NOT NULL,
    reason           VARCHAR(64),
    session          VARCHAR(64),
    logout           BINARY(16),
    detail           LONGTEXT,
    address          VARCHAR(64),
    user_agent       LONGTEXT,
    KEY signoff_audit_by_subject (subject, seq)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
