-- The logout of sessions, each by its id: the whole transaction in one call, because every statement is a round trip. In a
-- client that splits statements at semicolons, change the DELIMITER first.
--
-- `asked` is a JSON array of arrays: number, session id, margin, how long to revoke an unknown one, and the audit record but
-- for its time and subject; all texts and bytes as hexadecimal digits, in the order of ids, in which rows are locked.
-- Their columns have lengths because MariaDB would put tables with a LONGTEXT into files.
CREATE PROCEDURE signoff_end_sessions(IN asked LONGTEXT, IN now_micros BIGINT, IN latest BIGINT)
SQL SECURITY INVOKER
BEGIN
    DECLARE found LONGTEXT;
    DECLARE total, head_before, base BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;

    -- What there is: state 0 unknown, 1 gone, 2 alive; and until when each is to be revoked.
    SELECT JSON_ARRAYAGG(JSON_ARRAY(
            a.n, IF(s.sid IS NULL, 0, IF(s.destroyed_at IS NULL, 2, 1)),
            CASE WHEN s.sid IS NULL THEN a.unknown_until
            WHEN s.destroyed_at IS NULL THEN LEAST(s.expires_at + a.margin, latest) END,
            HEX(s.subject), a.sid, a.kind, a.actor, a.reason, a.session, a.logout, a.detail, a.address, a.user_agent)),
        COUNT(CASE WHEN s.sid IS NULL THEN a.unknown_until WHEN s.destroyed_at IS NULL THEN 1 END)
    INTO found, total
    FROM JSON_TABLE(asked, '$[*]' COLUMNS (
        n BIGINT PATH '$[0]' ERROR ON ERROR, sid VARCHAR(32) CHARSET ascii PATH '$[1]' ERROR ON ERROR,
        margin BIGINT PATH '$[2]' ERROR ON ERROR, unknown_until BIGINT PATH '$[3]' ERROR ON ERROR,
        kind VARCHAR(128) CHARSET ascii PATH '$[4]' ERROR ON ERROR, actor VARCHAR(640) CHARSET ascii PATH '$[5]' ERROR ON ERROR,
        reason VARCHAR(128) CHARSET ascii PATH '$[6]' ERROR ON ERROR, session VARCHAR(64) CHARSET ascii PATH '$[7]' ERROR ON ERROR,
        logout VARCHAR(32) CHARSET ascii PATH '$[8]' ERROR ON ERROR, detail VARCHAR(2048) CHARSET ascii PATH '$[9]' ERROR ON ERROR,
        address VARCHAR(128) CHARSET ascii PATH '$[10]' ERROR ON ERROR, user_agent VARCHAR(1024) CHARSET ascii PATH '$[11]' ERROR ON ERROR)) AS a
    LEFT JOIN signoff_session AS s ON s.sid = UNHEX(a.sid)
    FOR UPDATE;

    IF total > 0 THEN
        UPDATE JSON_TABLE(asked, '$[*]' COLUMNS (sid VARCHAR(32) CHARSET ascii PATH '$[1]' ERROR ON ERROR)) AS a
        STRAIGHT_JOIN signoff_session AS s ON s.sid = UNHEX(a.sid)
        SET s.destroyed_at = now_micros, s.data = '', s.claims = NULL
        WHERE s.destroyed_at IS NULL;

        -- The lock of this row puts commits in order: whoever comes second waits here until this transaction has ended.
        UPDATE signoff_meta SET previous = head, head = GREATEST(head, now_micros - 1) + total WHERE id = 1;
        SELECT previous, head - total INTO head_before, base FROM signoff_meta WHERE id = 1;

        INSERT INTO signoff_log (position, kind, id, expires_at)
        SELECT base + ROW_NUMBER() OVER (ORDER BY n), 2, UNHEX(sid), until
        FROM JSON_TABLE(found, '$[*]' COLUMNS (
            n BIGINT PATH '$[0]' ERROR ON ERROR, until BIGINT PATH '$[2]' ERROR ON ERROR,
            sid VARCHAR(32) CHARSET ascii PATH '$[4]' ERROR ON ERROR)) AS f
        WHERE until IS NOT NULL;

        INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
        SELECT now_micros, UNHEX(kind), UNHEX(subject), UNHEX(actor), UNHEX(reason), UNHEX(session), UNHEX(logout),
            UNHEX(detail), UNHEX(address), UNHEX(user_agent)
        FROM JSON_TABLE(found, '$[*]' COLUMNS (
            n BIGINT PATH '$[0]' ERROR ON ERROR, until BIGINT PATH '$[2]' ERROR ON ERROR,
            subject VARCHAR(510) CHARSET ascii PATH '$[3]' ERROR ON ERROR,
            kind VARCHAR(128) CHARSET ascii PATH '$[5]' ERROR ON ERROR, actor VARCHAR(640) CHARSET ascii PATH '$[6]' ERROR ON ERROR,
            reason VARCHAR(128) CHARSET ascii PATH '$[7]' ERROR ON ERROR, session VARCHAR(64) CHARSET ascii PATH '$[8]' ERROR ON ERROR,
            logout VARCHAR(32) CHARSET ascii PATH '$[9]' ERROR ON ERROR, detail VARCHAR(2048) CHARSET ascii PATH '$[10]' ERROR ON ERROR,
            address VARCHAR(128) CHARSET ascii PATH '$[11]' ERROR ON ERROR, user_agent VARCHAR(1024) CHARSET ascii PATH '$[12]' ERROR ON ERROR)) AS f
        WHERE until IS NOT NULL;
    ELSE
        -- READ COMMITTED: this sees whatever destroyed the sessions that were found gone, below the head.
        SELECT head INTO head_before FROM signoff_meta WHERE id = 1;
    END IF;
    COMMIT;

    SELECT state, until, head_before, base
    FROM JSON_TABLE(found, '$[*]' COLUMNS (
        n BIGINT PATH '$[0]' ERROR ON ERROR, state BIGINT PATH '$[1]' ERROR ON ERROR,
        until BIGINT PATH '$[2]' ERROR ON ERROR)) AS f
    ORDER BY n;
END
