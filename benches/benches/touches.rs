//! What noting the use of sessions writes: rows per second at 10,000 requests per second over 1,000 sessions, beside one
//! write per session and interval, which is what an exact idle timeout costs at the least.
//!
//! The facade, on a file of SQLite, with opaque tokens: each request verifies its token and notes the use beside it, as the
//! layer for tower does. Rows are counted by a trigger in the database, so nothing of ours is taken at its word.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signoff::{Delivery, KeySet, Login, Settings, SigningKey, Signoff, Subject};
use signoff_benches::{Length, Series, Unit, claim, file_system, now, remark};
use signoff_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

const SESSIONS: usize = 1_000;
const REQUESTS_PER_SECOND: usize = 10_000;
/// A tenth of the idle time.
const INTERVAL: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(5);

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_time().build()?.block_on(measure())
}

async fn measure() -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().join("touches.sqlite3");
    SqliteStore::open(&path).await?.close().await;
    count_updates(&path).await?;
    let signoff = open(&path).await?;
    let tokens = log_in(&signoff).await?;

    let intervals = Length::from_args().pick(10, 3);
    // The first interval is that of the first requests, which all write at once.
    let mut served = serve(&signoff, &tokens, INTERVAL).await?;
    let before = updates(&path).await?;
    let start = now();
    served += serve(&signoff, &tokens, INTERVAL * intervals as u32).await?;
    let elapsed = (now() - start).as_secs_f64();
    let written = updates(&path).await? - before;

    remark(format_args!(
        "\nnoting use: {SESSIONS} sessions, {REQUESTS_PER_SECOND} requests/s asked for, {served} served, an interval of \
         {INTERVAL:?}, {intervals} intervals, on {}",
        file_system(folder.path())
    ));
    let ours = Series::new("rows written by touches", Unit::PerSecond, vec![written as f64 / elapsed]);
    let least = ours.target("one per session and interval", SESSIONS as f64 / INTERVAL.as_secs_f64());
    remark(format_args!("  {ours}\n  {least}"));
    claim("touch-writes", &ours, &least);
    signoff.close().await;
    Ok(())
}

async fn open(path: &Path) -> Result<Signoff, Failure> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = Delivery::Opaque;
    settings.idle = INTERVAL * 10;
    settings.access_lifetime = settings.idle;
    let keys = KeySet::new(SigningKey::generate()?);
    Ok(Signoff::open(SqliteStore::open(path).await?, keys, settings).await?)
}

async fn log_in(signoff: &Signoff) -> Result<Vec<Arc<str>>, Failure> {
    let mut logins = JoinSet::new();
    for n in 0..SESSIONS {
        let (signoff, login) = (signoff.clone(), Login::new(Subject::new(&format!("person {n}"))?));
        logins.spawn(async move { signoff.log_in(login).await.map(|issued| Arc::from(issued.token.expose())) });
    }
    Ok(logins.join_all().await.into_iter().collect::<Result<_, _>>()?)
}

/// Serves requests at the rate, as far as the machine gets, and says how many.
async fn serve(signoff: &Signoff, tokens: &[Arc<str>], time: Duration) -> Result<usize, Failure> {
    let start = now();
    let mut served = 0;
    let mut notes = JoinSet::new();
    while now() - start < time {
        let due = ((now() - start).as_secs_f64() * REQUESTS_PER_SECOND as f64) as usize;
        for n in served..due {
            // All sessions by turns, in an order that no index has.
            let live = signoff.authenticate(&tokens[n * 617 % SESSIONS]).await?;
            let signoff = signoff.clone();
            notes.spawn(async move { signoff.touch(&live).await });
        }
        served = due.max(served);
        while let Some(noted) = notes.try_join_next() {
            check(noted??)?;
        }
        tokio::time::sleep(TICK).await;
    }
    for noted in notes.join_all().await {
        check(noted?)?;
    }
    Ok(served)
}

fn check(is_alive: bool) -> Result<(), Failure> {
    if is_alive { Ok(()) } else { Err("a session that is in use all the time is over".into()) }
}

/// Has the database count the changes of sessions.
async fn count_updates(path: &Path) -> Result<(), Failure> {
    let sql = "CREATE TABLE bench_updates (n INTEGER NOT NULL); INSERT INTO bench_updates VALUES (0); \
               CREATE TRIGGER bench_count AFTER UPDATE ON signoff_session BEGIN UPDATE bench_updates SET n = n + 1; END";
    let mut connection = connect(path).await?;
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn updates(path: &Path) -> Result<i64, Failure> {
    let mut connection = connect(path).await?;
    let count = sqlx::query_scalar("SELECT n FROM bench_updates").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

async fn connect(path: &Path) -> Result<SqliteConnection, Failure> {
    Ok(SqliteConnectOptions::new().filename(path).connect().await?)
}
