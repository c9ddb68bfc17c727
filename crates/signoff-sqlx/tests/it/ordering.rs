//! The log is in the order of commits: a reader that polls it misses nothing, whoever else writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signoff::audit::{AuditEvent, AuditKind, Context};
use signoff::store::{CreateOutcome, IntentsOf, NewSession, Scope, SessionKey, SessionTarget, SignOff, Target};
use signoff::time::Timestamp;
use signoff::{Actor, Cause, ClientId, LogoutId, Position, Session, SessionId, Store, Subject};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::service::Database;

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs).unwrap()
}

pub(crate) fn sign_off(target: Target) -> SignOff {
    SignOff { id: LogoutId::generate().unwrap(), target, cause: Cause::logout(), margin: Duration::from_secs(60) }
}

pub(crate) fn end(ids: &[SessionId]) -> SignOff {
    sign_off(Target::Sessions(ids.iter().map(|id| SessionTarget { id: *id, revoke_unknown_until: None }).collect()))
}

/// The record of a login.
pub(crate) fn login(owner: &str) -> AuditEvent {
    AuditEvent {
        at: at(0),
        kind: AuditKind::LoggedIn,
        subject: Some(Subject::new(owner).unwrap()),
        actor: Actor::Subject,
        reason: None,
        session: None,
        logout: None,
        detail: None,
        context: Context::new(),
    }
}

/// A new session that ends at second `expires`.
pub(crate) async fn create(store: &dyn Store, owner: &str, expires: i64) -> SessionId {
    let session = Session {
        id: SessionId::generate(at(0)).unwrap(),
        subject: Subject::new(owner).unwrap(),
        client_id: ClientId::new("app").unwrap(),
        born: Position::ZERO,
        created_at: at(0),
        authenticated_at: at(0),
        last_seen_at: at(0),
        idle_expires_at: at(expires),
        expires_at: at(expires),
        scope: None,
        claims: None,
        data: Vec::new(),
        version: 1,
        device: None,
        context: Context::new(),
        elsewhere: Vec::new(),
    };
    let id = session.id;
    add(store, NewSession { session, token: None, refresh: None, audit: login(owner), replaces: None }).await;
    id
}

/// Creates what cannot be refused.
pub(crate) async fn add(store: &dyn Store, new: NewSession) {
    let created = store.create_sessions(&[new], at(0)).await.unwrap();
    assert!(matches!(created.outcomes[..], [CreateOutcome::Created(_)]), "{created:?}");
}

/// Two connections of somebody with a shell, and what they say.
macro_rules! interleave {
    ($connection:ty, $database:expr, $table:expr) => {{
        let database: &Database = $database;
        database.execute($table).await;
        let connect = async || <$connection>::connect(database.url()).await.unwrap();
        let (mut slow, mut fast, mut reader) = (connect().await, connect().await, connect().await);
        let insert = "INSERT INTO naive_log (what) VALUES ('revoked')";
        let mut cursor = 0_i64;
        let mut seen = 0;
        let mut first = slow.begin().await.unwrap();
        sqlx::raw_sql(insert).execute(&mut *first).await.unwrap();
        sqlx::raw_sql(insert).execute(&mut fast).await.unwrap();
        for commit_first in [true, false] {
            let sql = format!("SELECT position FROM naive_log WHERE position > {cursor} ORDER BY position");
            for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut reader).await.unwrap() {
                cursor = row.get(0);
                seen += 1;
            }
            if commit_first {
                sqlx::raw_sql("COMMIT").execute(&mut *first).await.unwrap();
            }
        }
        seen
    }};
}

#[tokio::test]
async fn a_log_numbered_by_the_database_loses_an_entry() {
    for database in Database::each() {
        let seen = match &database {
            Database::Postgres(_) => interleave!(
                sqlx::PgConnection,
                &database,
                "CREATE TABLE naive_log (position bigserial PRIMARY KEY, what text)"
            ),
            Database::MariaDb(_) => interleave!(
                sqlx::MySqlConnection,
                &database,
                "CREATE TABLE naive_log (position BIGINT AUTO_INCREMENT PRIMARY KEY, what TEXT) ENGINE = InnoDB"
            ),
        };
        assert_eq!(seen, 1, "both were committed, and the reader that polled has passed one of them by");
    }
}

/// The same interleaving with our log: the second transaction cannot get its number before the first one has ended.
#[tokio::test]
async fn our_log_makes_the_second_wait() {
    for database in Database::each() {
        let (node, reader) = (database.join().await.unwrap(), database.join().await.unwrap());
        let slow = "UPDATE signoff_meta SET previous = head, head = head + 1; \
                    INSERT INTO signoff_log SELECT head, 5, 'slow', 2000000000000 FROM signoff_meta";
        let (locked, committed) = (tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel::<()>());
        let shell = {
            let database = database.clone();
            tokio::spawn(async move {
                macro_rules! shell {
                    ($connection:ty, $url:expr) => {{
                        let mut connection = <$connection>::connect($url).await.unwrap();
                        let mut transaction = connection.begin().await.unwrap();
                        sqlx::raw_sql(slow).execute(&mut *transaction).await.unwrap();
                        locked.0.send(()).unwrap();
                        committed.1.await.unwrap();
                        transaction.commit().await.unwrap();
                    }};
                }
                match &database {
                    Database::Postgres(url) => shell!(sqlx::PgConnection, url),
                    Database::MariaDb(url) => shell!(sqlx::MySqlConnection, url),
                }
            })
        };
        locked.1.await.unwrap();
        let fast = tokio::spawn(async move {
            let request = sign_off(Target::Scope { revocation: Scope::Key("fast").into(), revoke_until: at(5_000) });
            node.sign_off(&[request], at(1)).await.unwrap()
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!fast.is_finished());
        let before = reader.log_after(Position::ZERO, 100).await.unwrap();
        assert!(before.page.entries.is_empty());
        committed.0.send(()).unwrap();
        shell.await.unwrap();
        let fast = fast.await.unwrap();
        let after = reader.log_after(before.page.through, 100).await.unwrap();
        let scopes: Vec<_> = after.page.entries.iter().map(|entry| entry.scope()).collect();
        assert_eq!(scopes, [Scope::Key("slow"), Scope::Key("fast")]);
        assert_eq!(fast.page.after, after.page.entries[0].position(), "it says where it went on from");
    }
}

/// Four nodes with several callers each write whatever there is to write, and one reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_polls_misses_nothing() {
    for database in Database::each() {
        let mut nodes: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..4 {
            nodes.push(Arc::from(database.join().await.unwrap()));
        }
        let reader = database.join().await.unwrap();
        let shared: Vec<_> = {
            let mut shared = Vec::new();
            for _ in 0..40 {
                shared.push(create(&*nodes[0], "alice", 9_000).await);
            }
            shared
        };
        let done = Arc::new(AtomicBool::new(false));
        let poll = {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                let mut cursor = Position::ZERO;
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let read = reader.log_after(cursor, 7).await.unwrap();
                    assert_eq!(read.page.after, cursor);
                    cursor = read.page.through;
                    seen.extend(read.page.entries);
                    if last && cursor == read.head {
                        return seen;
                    }
                }
            })
        };
        let mut callers = Vec::new();
        for caller in 0..8_usize {
            let (node, shared) = (Arc::clone(&nodes[caller % nodes.len()]), shared.clone());
            callers.push(tokio::spawn(async move {
                let mut entries = Vec::new();
                let owner = format!("caller {caller}");
                for n in 0..30_usize {
                    let own = create(&*node, &owner, 9_000).await;
                    // Sessions that others end as well, in another order; one's own; a subject; a token.
                    let pair = [shared[(caller * 7 + n) % 40], shared[(40 + n - caller) % 40]];
                    let batch = match n % 5 {
                        0 => vec![end(&[own])],
                        1 => vec![end(&pair), end(&[own])],
                        2 => vec![end(&[own, SessionId::generate(at(0)).unwrap()])],
                        3 => vec![
                            end(&pair[..1]),
                            sign_off(Target::Subject {
                                subject: Subject::new(&owner).unwrap(),
                                except: (n % 2 == 0).then_some(own),
                                revoke_until: at(9_000),
                            }),
                        ],
                        _ => {
                            let id = LogoutId::generate().unwrap();
                            let token = Scope::Token(id.as_bytes()).into();
                            vec![sign_off(Target::Scope { revocation: token, revoke_until: at(9_000) })]
                        }
                    };
                    let signed_off = loop {
                        match node.sign_off(&batch, at(n as i64)).await {
                            Ok(signed_off) => break signed_off,
                            // A second deadlock in a row: nothing happened.
                            Err(error) => assert_eq!(error.kind(), signoff::ErrorKind::Unavailable),
                        }
                    };
                    assert!(signed_off.page.entries.iter().all(|entry| entry.position() > signed_off.page.after));
                    entries.extend(signed_off.page.entries);
                }
                entries
            }));
        }
        let mut written = BTreeMap::new();
        for caller in callers {
            for entry in caller.await.unwrap() {
                assert!(written.insert(entry.position(), entry).is_none(), "a position was handed out twice");
            }
        }
        done.store(true, Ordering::SeqCst);
        let seen = poll.await.unwrap();
        assert!(written.len() > 200);
        assert_eq!(seen, written.into_values().collect::<Vec<_>>(), "{database:?}");
    }
}

/// A login that is committed after a logout of everything has looked for sessions, and before it has its position, is part of
/// what that ends: destroyed, counted, and due in the other store that it has a session in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_slips_in_below_everywhere_is_destroyed_with_it() {
    for database in Database::each() {
        let store: Arc<dyn Store> = Arc::from(database.join().await.unwrap());
        create(&*store, "alice", 9_000).await;
        let late = SessionId::generate(at(0)).unwrap();
        let (sleep, id) = match &database {
            Database::MariaDb(_) => ("SLEEP(1)", format!("x'{}'", hex(&late))),
            Database::Postgres(_) => ("pg_sleep(1)", format!("'\\x{}'", hex(&late))),
        };
        let end = at(9_000).as_micros();
        let login = format!(
            "BEGIN; SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE; SELECT {sleep}; \
             UPDATE signoff_meta SET previous = head, head = head + 1 WHERE id = 1; \
             INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, \
             idle_expires_at, expires_at, version, data) \
             SELECT {id}, 'alice', 'app', head, 1, 1, 1, {end}, {end}, 1, '' FROM signoff_meta; \
             INSERT INTO signoff_elsewhere (sid, n, subject, destroyer, handle, ended, attempts, retry_at) \
             VALUES ({id}, 0, 'alice', 'redis', 'key', 0, 0, {end}); COMMIT"
        );
        let slips_in = {
            let database = database.clone();
            tokio::spawn(async move { database.execute(&login).await })
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        let everywhere =
            Target::Subject { subject: Subject::new("alice").unwrap(), except: None, revoke_until: at(9_060) };
        let ended = store.sign_off(&[sign_off(everywhere)], at(1)).await.unwrap();
        slips_in.await.unwrap();
        assert_eq!(ended.outcomes[0].destroyed, 2, "{database:?}");
        assert!(store.load_session(SessionKey::Id(&late), at(2)).await.unwrap().is_none());
        let due = store.intents(IntentsOf::Due, 10, at(2)).await.unwrap();
        assert_eq!(due.iter().map(|intent| intent.key.session).collect::<Vec<_>>(), [late], "{database:?}");
    }
}

fn hex(id: &SessionId) -> String {
    id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
