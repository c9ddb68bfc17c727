//! Nodes of one MariaDB database, which cannot wake them, woken by Redis. (What both brokers must do is tested in signoff-nats.)

use std::sync::Arc;
use std::time::Duration;

use signoff::store::Hints;
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, Cause, KeySet, Login, Rejection, Settings, SigningKey, Signoff, Subject};
use signoff_redis::RedisHints;
use signoff_sqlx::{MySqlStore, ServerOptions};
use signoff_test_servers::{MariaDb, Redis};
use sqlx::Connection as _;

const LEASE: Duration = Duration::from_secs(8);

async fn join(url: &str, hints: Option<&Redis>) -> Signoff {
    let store = MySqlStore::open_with(url, &ServerOptions::new().shared(LEASE)).await.unwrap();
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.hints = hints.map(|redis| Arc::new(RedisHints::open(&redis.url(), "bank").unwrap()) as Arc<dyn Hints>);
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await.unwrap()
}

/// How many questions the server is asked in a second in which nothing happens.
async fn questions(url: &str) -> u64 {
    let mut connection = sqlx::MySqlConnection::connect(url).await.unwrap();
    let mut count = async || {
        let sql = "SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.GLOBAL_STATUS \
                   WHERE VARIABLE_NAME = 'COM_SELECT'";
        sqlx::query_scalar::<_, u64>(sql).fetch_one(&mut connection).await.unwrap()
    };
    let before = count().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    count().await - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_a_database_that_cannot_wake_them_are_woken() {
    // One of its own: what it is asked is counted.
    let (server, redis) = (MariaDb::start(&[]).unwrap(), Redis::start().unwrap());
    let url = server.database().unwrap();
    let alone = join(&url, None).await;
    let looks = questions(&url).await;
    assert!(looks >= 10, "{looks}: without hints nodes look all the time, or the below would mean nothing");
    alone.close().await;

    let (a, b) = (join(&url, Some(&redis)).await, join(&url, Some(&redis)).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let looks = questions(&url).await;
    assert!(looks < 10, "{looks}: two nodes that are woken need not look");

    let (clock, mut taken) = (SystemClock::new(), Vec::new());
    for n in 0..20 {
        let (one, other) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let token = one.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap().token;
        assert!(other.verify(token.expose()).is_ok());
        let began = clock.elapsed();
        let _ = one.log_out(&[token.expose()], Cause::logout()).await.unwrap();
        taken.push(clock.elapsed() - began);
        assert_eq!(other.verify(token.expose()).unwrap_err(), Rejection::Revoked);
    }
    taken.sort_unstable();
    // A quarter of a lease, less an eighth of it.
    assert!(taken[10] < LEASE / 4 / 4, "hints do not wake: {taken:?}");

    // Redis goes, and a logout takes until the other reads the log.
    tokio::task::block_in_place(|| redis.crash()).unwrap();
    let token = a.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap().token;
    let _ = a.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    assert_eq!(b.verify(token.expose()).unwrap_err(), Rejection::Revoked);
    a.close().await;
    b.close().await;
}
