//! Sessions that take the place of others, and touches, from several nodes at once; and rows of earlier versions.

use std::sync::Arc;
use std::time::Duration;

use signoff::audit::{Cause, Reason};
use signoff::store::{CreateOutcome, NewSession, Replace, Scope, SessionKey, Target, Touch};
use signoff::test_util::FailingStore;
use signoff::{Actor, ErrorKind, Login, LogoutId, Session, SessionId, Store, Subject};
use signoff_sqlx::SqliteStore;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::ordering::{at, create, login, sign_off};
use crate::service::{BOTH, Database, alice, serve};

/// A session like the old one that takes its place.
pub(crate) fn heir(old: &Session) -> NewSession {
    let cause = Cause::new(Actor::Subject, Reason::Replaced);
    let logout = LogoutId::generate().unwrap();
    let replace = Replace { id: old.id, version: None, logout, cause, margin: Duration::from_secs(60) };
    let session = Session { id: SessionId::generate(old.created_at).unwrap(), ..old.clone() };
    NewSession { session, token: None, refresh: None, audit: login(old.subject.as_str()), replaces: Some(replace) }
}

/// Takes the place of a session again and again until it is gone, and says how often it could.
async fn replace_until_gone(store: Arc<dyn Store>, mut old: Session) -> u32 {
    for links in 0..200 {
        let next = heir(&old);
        let created = loop {
            match store.create_sessions(std::slice::from_ref(&next), at(1)).await {
                Ok(created) => break created,
                // A second deadlock in a row: nothing happened.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
        };
        match created.outcomes[0] {
            CreateOutcome::Created(_) => old = next.session,
            CreateOutcome::Gone => return links,
            other => panic!("{other:?}"),
        }
    }
    200
}

async fn load(store: &dyn Store, id: SessionId) -> Session {
    store.load_session(SessionKey::Id(&id), at(1)).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_chain_of_replacements_outlives_the_logout_of_another_node() {
    for database in Database::each() {
        let replacing: Arc<dyn Store> = Arc::from(database.join().await.unwrap());
        let also: Arc<dyn Store> = Arc::from(database.join().await.unwrap());
        let ending = database.join().await.unwrap();
        let mut links = 0;
        for round in 0..24_u64 {
            let spared = create(&*ending, "alice", 9_000).await;
            let mut chains = Vec::new();
            for store in [&replacing, &also] {
                let old = load(&**store, create(&**store, "alice", 9_000).await).await;
                chains.push(tokio::spawn(replace_until_gone(Arc::clone(store), old)));
            }
            let subject = |except| Target::Subject { subject: alice(), except, revoke_until: at(9_000) };
            let wide = |scope: Scope<'_>| Target::Scope { revocation: scope.into(), revoke_until: at(9_000) };
            let (target, expect) = match round % 4 {
                0 => (subject(None), vec![]),
                1 | 2 => (subject(Some(spared)), vec![spared]),
                // This touches no row of the sessions.
                _ => (wide(Scope::Everything), vec![]),
            };
            tokio::time::sleep(Duration::from_millis(round * 2)).await;
            let request = sign_off(target);
            let signed_off = ending.sign_off(&[request], at(1)).await;
            signed_off.unwrap_or_else(|error| panic!("{database:?}, round {round}: {error:?}"));
            let living = ending.list_sessions(&alice(), None, 100, at(1)).await.unwrap();
            let living: Vec<_> = living.iter().map(|session| session.id).collect();
            assert_eq!(living, expect, "{database:?}, round {round}");
            for chain in chains {
                links += chain.await.unwrap();
            }
            let again = ending.list_sessions(&alice(), None, 100, at(1)).await.unwrap();
            assert_eq!(again.len(), living.len(), "{database:?}, round {round}");
            ending.sign_off(&[sign_off(subject(None))], at(1)).await.unwrap();
        }
        assert!(links > 24, "{database:?}: {links} replacements before the logouts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn touches_of_two_nodes_and_logouts_never_wait_in_a_circle() {
    for database in Database::each() {
        let nodes: Vec<Arc<dyn Store>> =
            vec![Arc::from(database.join().await.unwrap()), Arc::from(database.join().await.unwrap())];
        let mut ids = Vec::new();
        for _ in 0..60 {
            ids.push(create(&*nodes[0], "alice", 9_000).await);
        }
        let touching = nodes.iter().enumerate().map(|(n, node)| {
            let (node, mut ids) = (Arc::clone(node), ids.clone());
            if n == 1 {
                ids.reverse();
            }
            tokio::spawn(async move {
                for round in 0..40_i64 {
                    let batch: Vec<_> =
                        ids.iter().map(|id| Touch { id: *id, idle_expires_at: at(100 + round) }).collect();
                    // A deadlock would be an error, or be repeated once: twice in a row must not happen either.
                    let touched = node.touch_sessions(&batch, at(round)).await.unwrap();
                    assert_eq!(touched.len(), ids.len());
                }
            })
        });
        let touching: Vec<_> = touching.collect();
        for (n, id) in ids.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
            let request =
                if n % 2 == 0 { crate::ordering::end(&[*id]) } else { crate::ordering::end(&[ids[59 - n], *id]) };
            nodes[n % 2].sign_off(&[request], at(1)).await.unwrap();
            assert!(nodes[1].load_session(SessionKey::Id(id), at(1)).await.unwrap().is_none());
        }
        for task in touching {
            task.await.unwrap();
        }
        for id in ids.iter().step_by(3) {
            assert!(nodes[0].load_session(SessionKey::Id(id), at(1)).await.unwrap().is_none(), "a touch revived it");
        }
    }
}

#[tokio::test]
async fn a_session_of_an_earlier_version_was_authenticated_when_it_was_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let store = SqliteStore::open(&path).await.unwrap();
    let id = create(&store, "alice", 9_000).await;
    store.close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let back = "ALTER TABLE signoff_session DROP COLUMN authenticated_at; \
                DELETE FROM _signoff_migrations WHERE description = 'authenticated at'";
    sqlx::raw_sql(back).execute(&mut connection).await.unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).await.unwrap();
    let session = load(&store, id).await;
    assert_eq!((session.authenticated_at, session.created_at), (at(0), at(0)));
}

/// Ten thousand requests of a thousand sessions within an interval write a thousand rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_of_an_interval_write_each_session_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let count = "CREATE TABLE updates (n INTEGER); INSERT INTO updates VALUES (0); \
                 CREATE TRIGGER counted AFTER UPDATE ON signoff_session BEGIN UPDATE updates SET n = n + 1; END";
    sqlx::raw_sql(count).execute(&mut connection).await.unwrap();
    let store = FailingStore::new(SqliteStore::open(&path).await.unwrap());
    let switch = store.switch();
    let signoff = serve(store, BOTH[1]).await.unwrap();
    let logins: Vec<_> = (0..1_000)
        .map(|n| {
            let signoff = signoff.clone();
            tokio::spawn(async move {
                let login = Login::new(Subject::new(&format!("person {n}")).unwrap());
                let issued = signoff.log_in(login).await.unwrap();
                Arc::new(signoff.authenticate(issued.token.expose()).await.unwrap())
            })
        })
        .collect();
    let before = switch.calls();
    let mut sessions = Vec::new();
    for login in logins {
        sessions.push(login.await.unwrap());
    }
    // Each loaded its token; the logins shared their transactions.
    let logins = switch.calls() - before - 1_000.min(switch.calls() - before);
    assert!(logins < 200, "{logins} transactions for 1000 logins");
    let before = switch.calls();
    let touches: Vec<_> = (0..10_000)
        .map(|n| {
            let (signoff, live) = (signoff.clone(), Arc::clone(&sessions[n % 1_000]));
            tokio::spawn(async move { signoff.touch(&live).await.unwrap() })
        })
        .collect();
    for touch in touches {
        assert!(touch.await.unwrap());
    }
    let transactions = switch.calls() - before;
    assert!((4..=20).contains(&transactions), "{transactions} transactions for 1000 sessions");
    let rows: i64 = sqlx::query_scalar("SELECT n FROM updates").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 1_000);
}
