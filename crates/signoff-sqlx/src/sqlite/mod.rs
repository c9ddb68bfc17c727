//! SQLite: one process, one file, no server. This file opens it; its neighbours hold the SQL.

mod audit;
mod create;
mod elsewhere;
mod exchange;
mod key_ring;
mod log;
mod owner;
mod purge;
mod sessions;
mod sign_off;
mod writer;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use signoff::audit::AuditEvent;
use signoff::store::{
    CreatedSessions, Exchange, Exchanged, Intent, IntentsOf, LogRead, NewSession, Nodes, Postponed, Purged, Seat,
    SessionKey, Settled, SignOff, SignedOff, StoredKeyRing, Terms, Touch,
};
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, Position, Session, SessionId, Store, Subject, TokenHash, Update};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::create::{Look, looking_twice};
use crate::durability::Durability;
use crate::error::{database, migration};
use crate::migrations::migrator;
use crate::sign_off::distinct_sessions;
use crate::steps;
use crate::touch::{in_order, once_each};
use owner::Owner;
use writer::{Writer, Writing};

/// A store in a SQLite file that this process owns while it has it open.
///
/// Durable: WAL with `synchronous=FULL`, so a confirmed commit survives the loss of power on a disk that keeps what it
/// confirmed. A second opener, in this process or another, gets an error: two owners would not hear of each other's
/// logouts. The file is created readable by its owner only.
///
/// Beside the database lie SQLite's own `-wal` and `-shm` files and an empty `-owner` file, which carries the lock.
#[derive(Debug)]
pub struct SqliteStore {
    seat: Seat,
    writer: Writer,
    readers: SqlitePool,
    _owner: Owner,
}

const MIGRATIONS: [(&str, &str); 6] = [
    ("signoff", include_str!("../../migrations/sqlite/0001_signoff.sql")),
    ("key ring", include_str!("../../migrations/sqlite/0002_key_ring.sql")),
    ("refresh", include_str!("../../migrations/sqlite/0003_refresh.sql")),
    ("authenticated at", include_str!("../../migrations/sqlite/0004_authenticated_at.sql")),
    ("elsewhere", include_str!("../../migrations/sqlite/0005_elsewhere.sql")),
    ("end sessions", include_str!("../../migrations/sqlite/0006_end_sessions.sql")),
];

/// Connections that read; with WAL they wait for nobody.
const READERS: u32 = 4;

impl SqliteStore {
    /// Opens the file at `path`, creating and migrating it as needed.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: somebody else has it open, or its file system cannot do WAL.
    /// * [`ErrorKind::Data`]: it is no SQLite database, is damaged, or was written by a newer version.
    /// * [`ErrorKind::Unavailable`]: it cannot be read or written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (owner, path) = Owner::take(path.as_ref())?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            // Flushes the drive's cache on macOS too, where fsync does not; elsewhere it means nothing.
            .pragma("fullfsync", "1");
        // A checkpoint every 1,000 pages, as SQLite has it: with four times as many, logouts are no quicker, and whoever shares a
        // core with them waits half as long again at the 99th percentile.
        let writer = options.clone().pragma("cache_size", "-65536").pragma("wal_autocheckpoint", "1000");
        // A batch of logouts is answered in one go, so that the commit waits for no reader of the answer.
        let writer = Writer::new(writer.row_buffer_size(1_024));
        let mut writing = writer.take().await?;
        check_durability(&mut writing).await?;
        migrator(&MIGRATIONS).run_direct(None, &mut *writing, false).await.map_err(migration)?;
        writing.done();
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // There is no server that could have gone away.
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "ON").pragma("cache_size", "-16384"))
            .await
            .map_err(database)?;
        Ok(Self { seat: Seat::new(), writer, readers, _owner: owner })
    }

    /// What a confirmed commit survives: everything, or the file would not have been opened.
    pub fn durability(&self) -> Durability {
        Durability::FULL
    }

    /// Waits for the connections to end. Dropping the store does the same without waiting.
    pub async fn close(self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that has the write lock from its first statement on.
    async fn begin(&self) -> Result<Writing<'_>, Error> {
        self.writer.begin().await
    }

    async fn create(&self, batch: &[NewSession], look: Look, now: Timestamp) -> Result<CreatedSessions, Error> {
        let mut transaction = self.begin().await?;
        let created = crate::create::run(&mut *transaction, batch, look, now).await?;
        transaction.commit().await.map_err(database)?;
        Ok(created)
    }
}

/// Settings that lose commits are found out at start, not after the first loss of power.
async fn check_durability(connection: &mut SqliteConnection) -> Result<(), Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(database)?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await.map_err(database)?;
    if mode != "wal" || synchronous < 2 {
        return Err(Error::new(ErrorKind::Misuse, "this file system cannot keep a SQLite database in WAL mode"));
    }
    Ok(())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for SqliteStore {
    fn seat(&self) -> &Seat {
        &self.seat
    }

    /// A file is one process's.
    fn nodes(&self) -> Option<&dyn Nodes> {
        None
    }

    /// SQLite has one writer.
    fn commits_at_once(&self) -> usize {
        1
    }

    async fn agree(&self, terms: Terms) -> Result<Terms, Error> {
        let mut transaction = self.begin().await?;
        let agreed = log::agree(&mut transaction, terms).await?;
        transaction.commit().await.map_err(database)?;
        Ok(agreed)
    }

    async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error> {
        looking_twice!(|look| self.create(batch, look, now).await)
    }

    async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
        sessions::load(&self.readers, key, now).await
    }

    async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error> {
        sessions::find_by_token(&self.readers, token).await
    }

    async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error> {
        exchange::find(&self.readers, family).await
    }

    async fn list_sessions(
        &self,
        subject: &Subject,
        after: Option<&SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        sessions::list(&self.readers, subject, after, limit, now).await
    }

    async fn update_session(&self, id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Result<Update, Error> {
        let mut transaction = self.begin().await?;
        let update = sessions::update(&mut transaction, id, version, data, now).await?;
        transaction.commit().await.map_err(database)?;
        Ok(update)
    }

    async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error> {
        let mut transaction = self.begin().await?;
        let touched = sessions::touch(&mut transaction, &once_each(batch), now).await?;
        transaction.commit().await.map_err(database)?;
        Ok(in_order(batch, &touched))
    }

    async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
        if let Some(asked) = distinct_sessions(batch) {
            let mut writing = self.writer.take().await?;
            let signed_off = sign_off::end_sessions(&mut writing, batch, &asked, now).await?;
            writing.done();
            return Ok(signed_off);
        }
        let mut transaction = self.begin().await?;
        steps::reached("sign-off: begun");
        let signed_off = crate::sign_off::run(&mut *transaction, batch, now).await?;
        transaction.commit().await.map_err(database)?;
        steps::reached("sign-off: committed");
        Ok(signed_off)
    }

    async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
        let mut transaction = self.begin().await?;
        let exchanged = crate::families::run(&mut *transaction, batch, now).await?;
        transaction.commit().await.map_err(database)?;
        steps::reached("exchange: committed");
        Ok(exchanged)
    }

    async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        crate::elsewhere::intents(self, of, limit, now).await
    }

    async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
        let mut transaction = self.begin().await?;
        let written = crate::elsewhere::postpone(&mut *transaction, postponed).await?;
        transaction.commit().await.map_err(database)?;
        Ok(written)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        crate::elsewhere::settle(&mut *transaction, settled).await?;
        transaction.commit().await.map_err(database)
    }

    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        log::read(&self.readers, after, limit).await
    }

    async fn record(&self, event: &AuditEvent) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        audit::insert(&mut transaction, std::slice::from_ref(event)).await?;
        transaction.commit().await.map_err(database)
    }

    async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
        audit::trail(&self.readers, subject, limit).await
    }

    async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
        let mut writing = self.writer.take().await?;
        let purged = purge::run(&mut writing, horizon, limit).await?;
        writing.done();
        Ok(purged)
    }

    async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error> {
        key_ring::load(&self.readers).await
    }

    async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let saved = key_ring::save(&mut transaction, expected, document).await?;
        transaction.commit().await.map_err(database)?;
        Ok(saved)
    }
}
