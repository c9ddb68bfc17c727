-- Refresh tokens: one row for all that follow from one login, however often they are exchanged. Hashes of tokens, and the
-- current token sealed under a key that follows from the one before: a stolen copy of this table opens nothing.
CREATE TABLE signoff_refresh (
    family           bytea   NOT NULL PRIMARY KEY,  -- hash of what the tokens have in common
    sid              bytea   NOT NULL,
    current          bytea   NOT NULL,  -- hash of the token that may be exchanged
    previous         bytea,             -- hash of the one before
    sealed           bytea,             -- the current token, for those who present the one before; NULL when nobody may
    grace_until      bigint  NOT NULL,  -- until when they may
    generation       bigint  NOT NULL,  -- how many tokens there were
    reuse            bytea              -- the logout that a token used before led to
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX signoff_refresh_by_session ON signoff_refresh (sid);
CREATE INDEX signoff_refresh_by_grace ON signoff_refresh (grace_until) WHERE sealed IS NOT NULL;
