//! How many rows a verb reads depends neither on how many there are, nor on how many there were when a server planned its
//! statements: that may have been while the tables were empty, as after the first start, or a weekend.

use std::collections::BTreeMap;
use std::time::Duration;

use signoff::store::{IntentsOf, NewSession, Replace, SessionKey, Target, Touch};
use signoff::{Cause, LogoutId, Position, SessionId, Store, TokenHash, Update};
use sqlx::{Connection, Row};

use crate::exchanges::{exchange, hash, log_in};
use crate::ordering::{add, at, end, login, sign_off};
use crate::service::Database;

const ROWS: u64 = 20_000;
/// Of one index, by all verbs together.
const FEW: u64 = 1_000;
/// PostgreSQL plans the first five calls for their values, and only then for all that come.
const SETTLED: u8 = 8;

const TABLES: [&str; 7] = ["session", "token", "refresh", "log", "cutoff", "audit", "elsewhere"];

/// Rows of other people, whose sessions live, and whose wide logouts are remembered. `n` counts.
const FILL: [&str; 7] = [
    "INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, \
     idle_expires_at, expires_at, version, data) SELECT $id, CONCAT('other', n), 'app', 1, 1, 1, 1, $end, $end, 1, ''",
    "INSERT INTO signoff_token (hash, sid) SELECT $hash, $id",
    "INSERT INTO signoff_refresh (family, sid, current, sealed, grace_until, generation) SELECT $hash, $id, $hash, $id, $end, 1",
    "INSERT INTO signoff_log (position, kind, id, expires_at) SELECT n, 2, $id, $end",
    "INSERT INTO signoff_cutoff (kind, id, position, expires_at) SELECT 3, $id, n, $end",
    "INSERT INTO signoff_audit (at, kind, subject, actor) SELECT n, 'logged_in', CONCAT('other', n), 'subject'",
    "INSERT INTO signoff_elsewhere (sid, n, subject, destroyer, handle, ended, attempts, retry_at) \
     SELECT $id, 0, $id, 'redis', 'handle', 0, 0, $end",
];

async fn fill(database: &Database) {
    let (id, hash, rows) = match database {
        Database::MariaDb(_) => {
            ("UNHEX(MD5(n))", "UNHEX(SHA2(n, 256))", format!("(SELECT seq AS n FROM seq_1_to_{ROWS}) AS other"))
        }
        Database::Postgres(_) => {
            ("decode(md5(n::text), 'hex')", "sha256(n::text::bytea)", format!("generate_series(1, {ROWS}) AS other(n)"))
        }
    };
    for insert in FILL {
        let insert = insert.replace("$id", id).replace("$hash", hash).replace("$end", "9000000000000000");
        database.execute(&format!("{insert} FROM {rows}")).await;
    }
    database.execute(&format!("UPDATE signoff_elsewhere_seen SET position = {ROWS}")).await;
}

/// Counts from now on, and nobody plans anew because somebody looked at the tables.
async fn begin(database: &Database) {
    match database {
        Database::MariaDb(_) => database.execute("SET GLOBAL userstat = 1").await,
        Database::Postgres(_) => {
            for table in TABLES {
                database.execute(&format!("ALTER TABLE signoff_{table} SET (autovacuum_enabled = off)")).await;
                database.execute(&format!("VACUUM ANALYZE signoff_{table}")).await;
            }
        }
    }
}

/// The rows that were read so far, by index.
async fn read(database: &Database) -> BTreeMap<String, u64> {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    match database {
        Database::MariaDb(url) => {
            let mut connection = sqlx::MySqlConnection::connect(url).await.unwrap();
            // What is read of a table in its own order counts for the table alone.
            let sql = "SELECT CONCAT(TABLE_NAME, ' ', INDEX_NAME), ROWS_READ FROM information_schema.INDEX_STATISTICS \
                       WHERE TABLE_SCHEMA = DATABASE() \
                       UNION ALL SELECT TABLE_NAME, ROWS_READ FROM information_schema.TABLE_STATISTICS \
                       WHERE TABLE_SCHEMA = DATABASE()";
            for row in sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap() {
                *all.entry(row.get(0)).or_default() += row.get::<i64, _>(1).unsigned_abs();
            }
        }
        Database::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            let sql = "SELECT indexrelname::text, idx_tup_read FROM pg_stat_user_indexes \
                       UNION ALL SELECT relname::text, seq_tup_read FROM pg_stat_user_tables";
            for row in sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap() {
                *all.entry(row.get(0)).or_default() += row.get::<i64, _>(1).unsigned_abs();
            }
        }
    }
    all
}

/// Everything that a store is asked for, for sessions of `n`.
async fn all_verbs(store: &dyn Store, n: u8) {
    let owner = format!("alice{n}");
    let first = log_in(store, &owner, n).await;
    let token = TokenHash::from_bytes([n; 32]);
    let mut new = {
        let session = store.load_session(SessionKey::Id(&first), at(1)).await.unwrap().unwrap();
        NewSession { session, token: Some(token), refresh: None, audit: login(&owner), replaces: None }
    };
    let mut ids = vec![first];
    let replace = Replace {
        id: first,
        version: None,
        logout: LogoutId::generate().unwrap(),
        cause: Cause::logout(),
        margin: Duration::ZERO,
    };
    for replaces in [None, Some(replace)] {
        new.session.id = SessionId::generate(at(0)).unwrap();
        new.token = replaces.is_none().then_some(token);
        ids.push(new.session.id);
        add(store, NewSession { replaces, ..new.clone() }).await;
    }
    let second = ids[1];
    assert!(store.load_session(SessionKey::Token(&token), at(1)).await.unwrap().is_some());
    assert!(store.find_by_token(&token).await.unwrap().is_some());
    assert!(store.find_by_family(&hash(n, 255)).await.unwrap().is_some());
    let subject = new.session.subject.clone();
    assert_eq!(store.list_sessions(&subject, None, 10, at(1)).await.unwrap().len(), 2);
    assert_eq!(store.update_session(&second, 1, b"data", at(1)).await.unwrap(), Update::Saved(2));
    let touches = ids.iter().map(|id| Touch { id: *id, idle_expires_at: at(9_000) });
    store.touch_sessions(&touches.collect::<Vec<_>>(), at(1)).await.unwrap();
    log_in(store, &owner, n + 100).await;
    store.exchange(&[exchange(n + 100, 0, 1), exchange(n, 0, 1)], at(1)).await.unwrap();
    // A theft.
    store.exchange(&[exchange(n + 100, 7, 2)], at(1)).await.unwrap();
    store.sign_off(&[end(&[second])], at(1)).await.unwrap();
    store.sign_off(&[end(&ids), end(&[SessionId::generate(at(0)).unwrap()])], at(1)).await.unwrap();
    let everywhere = |except| sign_off(Target::Subject { subject: subject.clone(), except, revoke_until: at(99) });
    store.sign_off(&[everywhere(Some(first))], at(1)).await.unwrap();
    let signed_off = store.sign_off(&[everywhere(None)], at(1)).await.unwrap();
    for of in [IntentsOf::All, IntentsOf::Due, IntentsOf::Sessions(&ids), IntentsOf::Subject(&subject)] {
        store.intents(of, 10, at(1)).await.unwrap();
    }
    let before = Position::new(signed_off.page.through.get() - 1).unwrap();
    store.log_after(before, 10).await.unwrap();
    assert_eq!(store.audit_trail(&subject, 3).await.unwrap().len(), 3);
    store.purge(at(20_000), 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verb_reads_more_when_the_tables_are_full() {
    for database in Database::each() {
        drop(database.open().await.unwrap());
        begin(&database).await;
        let store = database.join().await.unwrap();
        for n in 0..SETTLED {
            all_verbs(&*store, n).await;
        }
        fill(&database).await;
        let before = read(&database).await;
        all_verbs(&*store, SETTLED).await;
        drop(store);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut after = read(&database).await;
        for (index, count) in &mut after {
            *count -= before.get(index).copied().unwrap_or_default();
        }
        assert!(after.values().all(|count| *count < FEW), "{database:?}: {after:#?}");
        assert!(after.values().any(|count| *count > 0), "nothing was counted");
    }
}
