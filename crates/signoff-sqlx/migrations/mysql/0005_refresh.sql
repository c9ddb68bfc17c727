-- Refresh tokens: one row for all that follow from one login, however often they are exchanged. Hashes of tokens, and the
-- current token sealed under a key that follows from the one before: a stolen copy of this table opens nothing.
CREATE TABLE signoff_refresh (
    family           BINARY(32)     NOT NULL PRIMARY KEY,  -- hash of what the tokens have in common
    sid              BINARY(16)     NOT NULL,
    current          BINARY(32)     NOT NULL,  -- hash of the token that may be exchanged
    previous         BINARY(32),               -- hash of the one before
    sealed           VARBINARY(64),            -- the current token, for those who present the one before
    grace_until      BIGINT         NOT NULL,  -- until when they may; 0 when it is over and nothing is left to forget
    generation       BIGINT         NOT NULL,  -- how many tokens there were
    reuse            BINARY(16),               -- the logout that a token used before led to
    UNIQUE KEY signoff_refresh_by_session (sid),
    KEY signoff_refresh_by_grace (grace_until)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
