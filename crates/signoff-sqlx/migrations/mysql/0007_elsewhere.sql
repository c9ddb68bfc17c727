-- Sessions of other stores that belong to sessions here, from the login until they are destroyed. While its session lives
-- the row waits at the absolute end of that; once it has ended the row says that the logout is not finished.
CREATE TABLE signoff_elsewhere (
    sid              BINARY(16)     NOT NULL,
    n                BIGINT         NOT NULL,  -- counts those of a session, from 0
    subject          VARBINARY(255) NOT NULL,  -- as the log has it
    destroyer        VARBINARY(64)  NOT NULL,  -- the name of what destroys it
    handle           VARBINARY(512) NOT NULL,  -- the key that the other store has it under: perhaps a secret
    ended            TINYINT        NOT NULL,  -- 1 when the log was seen to end its session, or it was tried
    attempts         BIGINT         NOT NULL,
    retry_at         BIGINT         NOT NULL,  -- when it is tried next
    trouble          VARCHAR(64),              -- what the last failure was
    PRIMARY KEY (sid, n),
    KEY signoff_elsewhere_by_time (ended, retry_at),
    KEY signoff_elsewhere_by_subject (subject)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row: up to where the log was looked at for ends of such sessions. What it misses is due at its session's end.
CREATE TABLE signoff_elsewhere_seen (
    id               INT            NOT NULL PRIMARY KEY,  -- 1
    position         BIGINT         NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
INSERT INTO signoff_elsewhere_seen SELECT 1, head FROM signoff_meta;
