//! The check of an opaque token from the session cache, beside the query that it saves.
//!
//! Claims: with a thousand and with a hundred thousand sessions, presented in random order, measured as in `seen`.

use std::error::Error;

use ring::digest;
use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::{Contestant, Length, Unit, claim, file_system, interleave, remark};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::runtime::Runtime;

use crate::ours;

/// Tokens that arrive at once.
const BATCH: usize = 256;

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    check(length, runtime, 1_000, "opaque-check-1e3")?;
    check(length, runtime, 100_000, "opaque-check-1e5")
}

fn check(length: Length, runtime: &Runtime, sessions: usize, id: &str) -> Result<(), Box<dyn Error>> {
    // What a check from the cache takes does not depend on the store, and a map in memory is quickly filled. With as
    // much room as this the cache turns nobody away.
    let signoff = ours::open_opaque(runtime, 2 * sessions)?;
    let tokens = ours::tokens(runtime, &signoff, sessions)?;
    for token in &tokens {
        runtime.block_on(signoff.authenticate(token))?;
    }

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("plain.sqlite3"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let mut connection = runtime.block_on(options.connect())?;
    runtime.block_on(fill(&mut connection, &tokens))?;

    let arrivals = |series, batch| Arrivals::new(&tokens, Order::Random { series }, batch);
    let [nothing, ours, rested, base] = interleave(
        &format!("check an opaque token, {sessions} sessions, on {}", file_system(folder.path())),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new("nothing", arrivals(0, BATCH).busy().isolated(|token| !token.is_empty())),
            Contestant::new(
                "Signoff::verify from the session cache, revocation included",
                arrivals(1, BATCH).busy().isolated(|token| signoff.verify(token).is_ok()),
            ),
            Contestant::new(
                "the same, after something else",
                arrivals(3, BATCH).isolated(|token| signoff.verify(token).is_ok()),
            ),
            Contestant::new(
                "SELECT by primary key through sqlx, SQLite, one connection",
                arrivals(2, BATCH / 4)
                    .busy()
                    .isolated(|token| runtime.block_on(select(&mut connection, token)).is_ok()),
            ),
        ],
    );
    let net_base = base.net_of(&nothing);
    claim(id, &ours.net_of(&nothing), &net_base);
    remark(format_args!("  after something else it is {:.5}", rested.net_of(&nothing).over(&net_base)));
    remark(format_args!(
        "  sqlx asks a thread of its own: where that has to wake an idle core, the query takes up to ten times as long"
    ));
    Ok(())
}

/// What one would write without a cache: the hash is the key, and the row is found or it is not.
async fn fill(connection: &mut SqliteConnection, tokens: &[String]) -> Result<(), sqlx::Error> {
    let table = "CREATE TABLE session (hash BLOB PRIMARY KEY, subject TEXT, expires_at INTEGER) WITHOUT ROWID";
    let mut transaction = connection.begin().await?;
    sqlx::query(table).execute(&mut *transaction).await?;
    for (number, token) in tokens.iter().enumerate() {
        let insert = sqlx::query("INSERT INTO session VALUES (?, ?, ?)");
        let insert = insert.bind(hash(token).as_ref().to_vec()).bind(format!("user-{number}")).bind(i64::MAX);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn select(connection: &mut SqliteConnection, token: &str) -> Result<(String, i64), sqlx::Error> {
    let (query, hash) = (sqlx::query("SELECT subject, expires_at FROM session WHERE hash = ?"), hash(token));
    let row = query.bind(hash.as_ref()).fetch_one(connection).await?;
    Ok((row.get(0), row.get(1)))
}

fn hash(token: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, token.as_bytes())
}
