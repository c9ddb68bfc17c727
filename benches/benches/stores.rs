//! Logging out and refreshing, durably: many at once, and one logout alone.
//!
//! Claims: with 256 callers at once, how many times as many logouts, and refreshes, group commit does as a transaction
//! each; alone, how many times as long a logout takes as the cheapest durable write there is, one INSERT.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use signoff::refresh::Refresh;
use signoff::{Cause, Context, KeySet, Login, Secret, Settings, SigningKey, Signoff, Subject};
use signoff_benches::{Contestant, Length, Unit, claim, file_system, interleave, median, now, remark};
use signoff_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

type Failure = Box<dyn Error + Send + Sync>;

const CALLERS: usize = 256;

fn main() -> Result<(), Failure> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let on = file_system(Path::new(env!("CARGO_TARGET_TMPDIR")));
    remark(format_args!(
        "SQLite in WAL mode with synchronous=FULL, in new files on {on}. Sessions and their tokens (EdDSA) are made \
         beforehand.\nA logout verifies the token, destroys the session, logs the revocation, writes the audit record, \
         commits, and applies.\nA refresh seals the successor, exchanges, notes that the session is used, commits, and \
         signs a JWT."
    ));
    crowd(length, &runtime);
    refreshing_crowd(length, &runtime);
    lone(length, &runtime)
}

fn crowd(length: Length, runtime: &Runtime) {
    let each = length.pick(40, 4);
    let [ours, base] = interleave(
        &format!("logouts, {CALLERS} callers at once, {each} each"),
        Unit::PerSecond,
        length.pick(5, 3),
        [
            Contestant::new("group commit (default settings)", || {
                runtime.block_on(log_out_crowd(each, None)).expect("logouts succeed")
            }),
            Contestant::new("one transaction each (commit_batch = 1)", || {
                runtime.block_on(log_out_crowd(each, Some(1))).expect("logouts succeed")
            }),
        ],
    );
    claim("logout-256-sqlite", &ours, &base);
}

/// Logouts per second on a new file.
async fn log_out_crowd(each: usize, commit_batch: Option<usize>) -> Result<f64, Failure> {
    let folder = folder()?;
    let signoff = open(folder.path(), commit_batch).await?;
    let mut callers = Vec::with_capacity(CALLERS);
    for _ in 0..CALLERS {
        callers.push(log_in(&signoff, each).await?);
    }
    let start = now();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|tokens| {
            let signoff = signoff.clone();
            tokio::spawn(async move {
                for token in tokens {
                    let receipt = signoff.log_out(&[token.expose()], Cause::logout()).await?;
                    assert_eq!(receipt.destroyed(), 1);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let taken = now() - start;
    signoff.close().await;
    Ok((CALLERS * each) as f64 / taken.as_secs_f64())
}

fn refreshing_crowd(length: Length, runtime: &Runtime) {
    let each = length.pick(40, 4);
    let [ours, base] = interleave(
        &format!("refreshes, {CALLERS} callers at once, {each} each"),
        Unit::PerSecond,
        length.pick(5, 3),
        [
            Contestant::new("group commit (default settings)", || {
                runtime.block_on(refresh_crowd(each, None)).expect("refreshes succeed")
            }),
            Contestant::new("one transaction each (commit_batch = 1)", || {
                runtime.block_on(refresh_crowd(each, Some(1))).expect("refreshes succeed")
            }),
        ],
    );
    claim("refresh-256-sqlite", &ours, &base);
}

/// Refreshes per second on a new file: each caller has a session, and presents what the refresh before gave.
async fn refresh_crowd(each: usize, commit_batch: Option<usize>) -> Result<f64, Failure> {
    let folder = folder()?;
    let signoff = open(folder.path(), commit_batch).await?;
    let mut callers = Vec::with_capacity(CALLERS);
    for n in 0..CALLERS {
        let issued = signoff.log_in(Login::new(Subject::new(&format!("user-{n}"))?)).await?;
        callers.push(issued.refresh_token.ok_or("refresh tokens are on")?);
    }
    let start = now();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|mut token| {
            let signoff = signoff.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    token = signoff.refresh(token.expose(), Context::new()).await?.refresh_token;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let taken = now() - start;
    signoff.close().await;
    Ok((CALLERS * each) as f64 / taken.as_secs_f64())
}

fn lone(length: Length, runtime: &Runtime) -> Result<(), Failure> {
    let (rounds, each) = (length.pick(31, 9), 100);
    let folder = folder()?;
    let signoff = runtime.block_on(open(folder.path(), None))?;
    let mut tokens = runtime.block_on(log_in(&signoff, (rounds + 1) * each))?;
    let mut connection = Some(runtime.block_on(plain(folder.path()))?);

    let [ours, base] = interleave(
        &format!("one at a time, p50 of {each}"),
        Unit::Nanoseconds,
        rounds,
        [
            Contestant::new("logout", || {
                let (signoff, tokens) = (signoff.clone(), tokens.split_off(tokens.len() - each));
                on_a_worker(runtime, async move {
                    let mut taken = Vec::with_capacity(each);
                    for token in &tokens {
                        let start = now();
                        let receipt = signoff.log_out(&[token.expose()], Cause::logout()).await;
                        taken.push(now() - start);
                        assert!(receipt.is_ok_and(|receipt| receipt.destroyed() == 1), "a logout succeeds");
                    }
                    p50(&taken)
                })
            }),
            Contestant::new("one-row INSERT through sqlx, held connection", || {
                let mut held = connection.take().expect("it is put back");
                let (taken, held) = on_a_worker(runtime, async move {
                    let mut taken = Vec::with_capacity(each);
                    for _ in 0..each {
                        let start = now();
                        let insert = sqlx::query("INSERT INTO plain (id, at) VALUES (?, ?)");
                        let inserted = insert.bind([7; 16].as_slice()).bind(1_i64).execute(&mut held).await;
                        taken.push(now() - start);
                        assert!(inserted.is_ok(), "an insert succeeds");
                    }
                    (p50(&taken), held)
                });
                connection = Some(held);
                taken
            }),
        ],
    );
    claim("logout-lone-sqlite", &ours, &base);
    if let Some(connection) = connection {
        runtime.block_on(connection.close())?;
    }
    runtime.block_on(signoff.close());
    Ok(())
}

/// As in an application, where handlers run on the runtime's own threads.
fn on_a_worker<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(work)).expect("no panics")
}

fn p50(taken: &[Duration]) -> f64 {
    median(taken.iter().map(|taken| taken.as_secs_f64() * 1e9).collect())
}

fn folder() -> Result<TempDir, std::io::Error> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

async fn open(folder: &Path, commit_batch: Option<usize>) -> Result<Signoff, Failure> {
    let store = SqliteStore::open(folder.join("signoff.sqlite3")).await?;
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.refresh = Some(Refresh::default());
    settings.commit_batch = commit_batch.unwrap_or(settings.commit_batch);
    Ok(Signoff::open(store, KeySet::new(SigningKey::generate()?), settings).await?)
}

async fn log_in(signoff: &Signoff, count: usize) -> Result<Vec<Secret>, Failure> {
    let mut tokens = Vec::with_capacity(count);
    for n in 0..count {
        tokens.push(signoff.log_in(Login::new(Subject::new(&format!("user-{n}"))?)).await?.token);
    }
    Ok(tokens)
}

/// The base: the smallest table, the same durability.
async fn plain(folder: &Path) -> Result<SqliteConnection, Failure> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("plain.sqlite3"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    sqlx::query("CREATE TABLE plain (position INTEGER PRIMARY KEY, id BLOB NOT NULL, at INTEGER NOT NULL)")
        .execute(&mut connection)
        .await?;
    Ok(connection)
}
