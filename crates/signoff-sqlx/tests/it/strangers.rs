//! Statements wait for the rows that they are about, and for no others: somebody else holds the session of a stranger, and
//! all of the work goes on. Where it would not, two transactions could each hold what the other waits for.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use signoff::store::{CreateOutcome, ExchangeOutcome, SessionKey, Target, Touch};
use signoff::{SessionId, Store, Subject};
use sqlx::{AssertSqlSafe, Connection};

use crate::exchanges::{exchange, log_in};
use crate::ordering::{at, create, end, sign_off};
use crate::replacing::heir;
use crate::service::Database;

/// Less than how long the databases wait for a lock.
async fn soon<T>(what: &str, work: impl Future<Output = Result<T, signoff::Error>>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(8), work).await;
    done.unwrap_or_else(|_| panic!("{what} waits for a stranger")).unwrap_or_else(|error| panic!("{what}: {error:?}"))
}

/// Locks the rows of a session, and no gaps between rows, as long as the connection lives.
macro_rules! hold {
    ($connection:ty, $url:expr, $begin:expr, $id:expr) => {{
        let mut shell = <$connection>::connect($url).await.unwrap();
        let of = |table| format!("SELECT sid FROM {table} WHERE sid = {} FOR UPDATE; ", $id);
        let sql = format!("{}; {}{}", $begin, of("signoff_session"), of("signoff_refresh"));
        let held = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut shell).await.unwrap();
        assert_eq!(held.len(), 2);
        Box::new(shell)
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_the_rows_of_strangers() {
    const BEGIN: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN";
    for database in Database::each() {
        let store = database.join().await.unwrap();
        let stranger = log_in(&*store, "stranger", 0).await;
        let id: String = stranger.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let _shell: Box<dyn Any> = match &database {
            Database::MariaDb(url) => hold!(sqlx::MySqlConnection, url, BEGIN, format!("X'{id}'")),
            Database::Postgres(url) => hold!(sqlx::PgConnection, url, "BEGIN", format!("'\\x{id}'")),
        };
        work(&*store).await;
        assert!(load(&*store, stranger).await);
    }
}

async fn load(store: &dyn Store, id: SessionId) -> bool {
    soon("load", store.load_session(SessionKey::Id(&id), at(1))).await.is_some()
}

async fn work(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(create(store, "alice", 9_000).await);
    }
    let refreshed = log_in(store, "alice", 1).await;

    let exchanged = soon("a refresh", store.exchange(&[exchange(1, 0, 1)], at(1))).await;
    assert!(matches!(exchanged.outcomes[..], [ExchangeOutcome::Rotated(_)]), "{exchanged:?}");
    let exchanged = soon("a theft", store.exchange(&[exchange(1, 9, 2)], at(1))).await;
    assert!(matches!(exchanged.outcomes[..], [ExchangeOutcome::Reused(_)]), "{exchanged:?}");
    assert!(!load(store, refreshed).await);

    let touches = [ids[0], ids[1]].map(|id| Touch { id, idle_expires_at: at(9_000) });
    assert!(soon("a touch", store.touch_sessions(&touches, at(1))).await.iter().all(Option::is_some));

    let old = soon("load", store.load_session(SessionKey::Id(&ids[0]), at(1))).await.unwrap();
    let new = heir(&old);
    let created = soon("a replacement", store.create_sessions(std::slice::from_ref(&new), at(1))).await;
    assert!(matches!(created.outcomes[..], [CreateOutcome::Created(_)]), "{created:?}");

    soon("a logout", store.sign_off(&[end(&ids[1..2])], at(1))).await;
    soon("two logouts", store.sign_off(&[end(&ids[2..3]), end(&ids[3..])], at(1))).await;
    soon("a logout of two", store.sign_off(&[end(&ids[2..]), end(&[new.session.id])], at(1))).await;
    let one = create(store, "alice", 100).await;
    let subject = |except| Target::Subject { subject: Subject::new("alice").unwrap(), except, revoke_until: at(9_000) };
    soon("all but one", store.sign_off(&[sign_off(subject(Some(one)))], at(1))).await;
    soon("all", store.sign_off(&[sign_off(subject(None))], at(1))).await;
    for id in ids.into_iter().chain([new.session.id, one]) {
        assert!(!load(store, id).await);
    }

    let purged = soon("a purge", store.purge(at(200), 10)).await;
    assert_eq!(purged.sessions, 1);
}
