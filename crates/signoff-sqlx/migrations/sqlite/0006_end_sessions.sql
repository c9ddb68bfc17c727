-- The logout of sessions, each by its id: the whole transaction in one statement, because with the thread that SQLite runs
-- on every statement is a round trip. Who inserts a row here has looked a session up, and says what to do about it; with
-- until NULL that is nothing. The rows of one statement are done in their order.
CREATE VIEW signoff_end AS SELECT
    0   AS n,            -- which of those that were asked for
    x'' AS sid,
    0   AS destroyed,    -- whether it lives until now
    0   AS known,        -- whether it has a row
    0   AS until,        -- until when it is to be revoked
    0   AS head,         -- the position that was handed out last
    0   AS at,           -- now; and the record
    ''  AS kind,
    ''  AS subject,
    ''  AS actor,
    ''  AS reason,
    ''  AS session,
    x'' AS logout,
    ''  AS detail,
    ''  AS address,
    ''  AS user_agent
WHERE false;
CREATE TRIGGER signoff_end_session INSTEAD OF INSERT ON signoff_end WHEN NEW.until IS NOT NULL BEGIN
    UPDATE signoff_session SET destroyed_at = NEW.at, data = x'', claims = NULL WHERE sid = NEW.sid AND NEW.destroyed;
    UPDATE signoff_meta SET previous = head, head = max(head, NEW.at - 1) + 1;
    INSERT INTO signoff_log (position, kind, id, expires_at) SELECT head, 2, NEW.sid, NEW.until FROM signoff_meta;
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
    VALUES (NEW.at, NEW.kind, NEW.subject, NEW.actor, NEW.reason, NEW.session, NEW.logout, NEW.detail, NEW.address,
        NEW.user_agent);
END;

-- No index knows what a logout changes, so it writes one page of sessions. Whose sessions are over is found out in the rows.
DROP INDEX signoff_session_by_subject;
CREATE INDEX signoff_session_by_subject ON signoff_session (subject);
-- Purging looks for what is over, and for nothing else.
CREATE INDEX signoff_cutoff_by_end ON signoff_cutoff (expires_at);
