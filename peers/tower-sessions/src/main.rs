//! tower-sessions with its own store, as a process: `serve FILE STORE`, `load FILE SESSIONS` or `measure FILE STORE`, on a
//! SQLite file. `STORE` is `sqlite`, or `moka` for the same behind its cache.
//!
//! It ends with its standard input, so it never outlives whoever started it.

mod app;
mod measure;

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::io::AsyncReadExt;
use tower_sessions::session::{Id, Record};
use tower_sessions::{CachingSessionStore, Session, SessionStore};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_sqlx_store::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", file, store] => serve(open(file).await?, store).await,
        ["load", file, sessions] => load(open(file).await?, sessions.parse()?).await,
        ["measure", file, store] => measure::serve(file, store).await,
        _ => Err("serve FILE sqlite|moka, load FILE SESSIONS, or measure FILE sqlite|moka".into()),
    }
}

/// As its documentation shows, but with the journal that is fast: a reader does not wait for a writer.
async fn open(file: &str) -> Result<SqliteStore, Box<dyn Error>> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
    store.migrate().await?;
    Ok(store)
}

/// With its cache, as its documentation shows it.
fn cached(store: SqliteStore) -> CachingSessionStore<MokaStore, SqliteStore> {
    CachingSessionStore::new(MokaStore::new(Some(100_000)), store)
}

/// Prints the address, and serves until standard input ends.
async fn serve(store: SqliteStore, which: &str) -> Result<(), Box<dyn Error>> {
    let router = match which {
        "sqlite" => app::app(store),
        "moka" => app::app(cached(store)),
        other => return Err(format!("no store {other}").into()),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    say(format_args!("{}", listener.local_addr()?))?;
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served?,
        _ = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => {}
    }
    Ok(())
}

/// Creates sessions, prints `ready`, and answers each line, a number of loads, with the nanoseconds that one took.
async fn load(store: SqliteStore, sessions: usize) -> Result<(), Box<dyn Error>> {
    let mut ids = Vec::with_capacity(sessions);
    for number in 0..sessions {
        ids.push(create(&store, number).await?);
    }
    say(format_args!("ready"))?;
    let mut next = 0_usize;
    for line in std::io::stdin().lock().lines() {
        let count: usize = line?.trim().parse()?;
        let start = Instant::now();
        for _ in 0..count {
            // A prime step: each of them in turn, far from the one before.
            next = (next + 7_368_787) % ids.len();
            if store.load(&ids[next]).await?.is_none() {
                return Err("a session is gone".into());
            }
        }
        say(format_args!("{}", start.elapsed().as_nanos() as f64 / count as f64))?;
    }
    Ok(())
}

async fn create(store: &SqliteStore, number: usize) -> Result<Id, Box<dyn Error>> {
    let expiry_date = Session::new(None, std::sync::Arc::new(store.clone()), None).expiry_date();
    let data = [("user".to_owned(), format!("user-{number}").into())].into();
    let mut record = Record { id: Id::default(), data, expiry_date };
    store.create(&mut record).await?;
    Ok(record.id)
}

/// A line that the other side reads at once.
fn say(line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
