-- When the person last proved who they are. Of the sessions that there are, nothing says that it was after the login.
ALTER TABLE signoff_session ADD COLUMN authenticated_at INTEGER NOT NULL DEFAULT 0;
UPDATE signoff_session SET authenticated_at = created_at;
