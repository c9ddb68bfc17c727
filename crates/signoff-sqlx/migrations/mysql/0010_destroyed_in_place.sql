-- A session that lives has room for the time of its end, 0 until then. A row that grows must be moved within its page, and when
-- that is full, InnoDB writes the whole page to its log: every fifth logout wrote 16 KB and more. In a client that splits
-- statements at semicolons, change the DELIMITER before the procedure.
UPDATE signoff_session SET destroyed_at = 0 WHERE destroyed_at IS NULL;
ALTER TABLE signoff_session MODIFY COLUMN destroyed_at BIGINT NOT NULL DEFAULT 0;
DROP PROCEDURE signoff_end_session;
CREATE PROCEDURE signoff_end_session(
    IN id BINARY(16), IN margin BIGINT, IN unknown_until BIGINT, IN kind VARCHAR(64), IN actor LONGTEXT, IN reason VARCHAR(64),
    IN session VARCHAR(64), IN logout BINARY(16), IN detail LONGTEXT, IN address VARCHAR(64), IN user_agent LONGTEXT,
    IN now_micros BIGINT, IN latest BIGINT)
SQL SECURITY INVOKER
BEGIN
    -- What there is: state 0 unknown, 1 gone, 2 alive; and until when it is to be revoked.
    DECLARE state BIGINT DEFAULT 0;
    DECLARE until, head_before, base, ends, destroyed BIGINT;
    DECLARE owner VARBINARY(255);
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    SELECT 1, s.destroyed_at, s.expires_at, s.subject INTO state, destroyed, ends, owner
    FROM signoff_session AS s WHERE s.sid = id FOR UPDATE;
    IF state = 0 THEN
        SET until = unknown_until;
    ELSEIF destroyed = 0 THEN
        SET state = 2, until = LEAST(ends + margin, latest);
        UPDATE signoff_session AS s SET s.destroyed_at = now_micros, s.data = '', s.claims = NULL WHERE s.sid = id;
    ELSE
        SET owner = NULL;
    END IF;
    IF until IS NOT NULL THEN
        INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
        VALUES (now_micros, kind, owner, actor, reason, session, logout, detail, address, user_agent);
        -- The lock of this row puts commits in order: whoever comes second waits here until this transaction has ended.
        UPDATE signoff_meta SET previous = LAST_INSERT_ID(head), head = GREATEST(head, now_micros - 1) + 1
        WHERE signoff_meta.id = 1;
        SET head_before = LAST_INSERT_ID(), base = GREATEST(head_before, now_micros - 1);
        INSERT INTO signoff_log (position, kind, id, expires_at) VALUES (base + 1, 2, id, until);
    ELSE
        -- READ COMMITTED: this sees whatever destroyed a session that was found gone, below the head.
        SELECT m.head INTO head_before FROM signoff_meta AS m WHERE m.id = 1;
    END IF;
    COMMIT;
    SELECT state, until, head_before, base;
END
