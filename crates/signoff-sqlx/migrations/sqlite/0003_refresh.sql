-- Refresh tokens: one row for all that follow from one login, however often they are exchanged. Hashes of tokens, and the
-- current token sealed under a key that follows from the one before: a stolen copy of this table opens nothing.
CREATE TABLE signoff_refresh (
    family           BLOB    NOT NULL PRIMARY KEY,  -- hash of what the tokens have in common
    sid              BLOB    NOT NULL,
    current          BLOB    NOT NULL,  -- hash of the token that may be exchanged
    previous         BLOB,              -- hash of the one before
    sealed           BLOB,              -- the current token, for those who present the one before; NULL when nobody may
    grace_until      INTEGER NOT NULL,  -- until when they may
    generation       INTEGER NOT NULL,  -- how many tokens there were
    reuse            BLOB               -- the logout that a token used before led to
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX signoff_refresh_by_session ON signoff_refresh (sid);
CREATE INDEX signoff_refresh_by_grace ON signoff_refresh (grace_until) WHERE sealed IS NOT NULL;
