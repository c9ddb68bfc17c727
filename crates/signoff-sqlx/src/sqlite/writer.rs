//! The one connection that writes.

use std::ops::{Deref, DerefMut};

use signoff::Error;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::database;

/// SQLite has one writer at a time; more connections would only wait for each other, and badly.
///
/// Held, not in a pool: a pool asks the connection's thread whether it lives whenever it is lent and given back, and with
/// an idle processor each question takes as long as a third of a commit.
#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    held: Mutex<Option<SqliteConnection>>,
}

impl Writer {
    /// Connects at first use.
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self { options, held: Mutex::new(None) }
    }

    /// Waits for its turn, and connects if there is no connection that works. For what is one statement, and so commits
    /// by itself.
    pub(super) async fn take(&self) -> Result<Writing<'_>, Error> {
        let mut place = self.held.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(database)?,
        };
        Ok(Writing { place, connection })
    }

    /// A transaction that has the write lock from its first statement on.
    pub(super) async fn begin(&self) -> Result<Writing<'_>, Error> {
        let mut writing = self.take().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *writing).await.map_err(database)?;
        Ok(writing)
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.held.lock().await.take() {
            // What was confirmed is in the log, whatever this says.
            let _ = connection.close().await;
        }
    }
}

/// The connection while somebody writes with it. Dropped, as after an error or by a caller that gives up, it is closed,
/// and what was not committed is rolled back.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    place: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Writing<'_> {
    /// Commits a transaction that was begun, and keeps the connection for the next one.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        self.done();
        Ok(())
    }

    /// Keeps the connection for the next one. No transaction is open.
    pub(super) fn done(mut self) {
        *self.place = Some(self.connection);
    }
}

impl Deref for Writing<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
