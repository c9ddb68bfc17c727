//! The connections that commit what moves the head of the log.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use signoff::{Error, ErrorKind};
use sqlx::{Connection, Database, Pool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::{Dialect, PATIENCE, TRUSTED, detached};
use crate::error::is_answer;

/// Held, not borrowed from the pool each time: a pool asks the server whether a connection lives when it comes back.
pub(super) struct Writer<D: Database> {
    pool: Pool<D>,
    most: u32,
    turns: Semaphore,
    /// The one that was used last is used next, so whoever is alone always has the same.
    idle: Mutex<Vec<Idle<D>>>,
}

struct Idle<D: Database> {
    connection: D::Connection,
    since: Instant,
}

impl<D: Dialect> Writer<D> {
    /// So many connections at the most, each made when it is needed for the first time.
    pub(super) fn new(pool: Pool<D>, most: u32) -> Self {
        Self { pool, most, turns: Semaphore::new(most as usize), idle: Mutex::default() }
    }

    /// Waits for its turn, and makes a new connection if there is none that works.
    pub(super) async fn take(&self) -> Result<Writing<'_, D>, Error> {
        let closed = |_| Error::new(ErrorKind::Internal, "the connections that write are gone");
        let turn = self.turns.acquire().await.map_err(closed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(idle) if idle.since.elapsed() < TRUSTED => idle.connection,
            Some(mut idle) => match idle.connection.ping().await {
                Ok(()) => idle.connection,
                Err(_) => detached(&self.pool).await?,
            },
            None => detached(&self.pool).await?,
        };
        Ok(Writing { writer: self, connection, _turn: turn })
    }

    /// When nobody writes any more.
    pub(super) async fn close(&self) {
        let _turns = self.turns.acquire_many(self.most).await;
        let idle = std::mem::take(&mut *self.idle());
        for idle in idle {
            // A server that is gone already has closed it.
            let _ = idle.connection.close().await;
        }
    }
}

impl<D: Database> Writer<D> {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle<D>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection while somebody commits with it. Dropped, as a caller that gives up does, it is closed, and the server
/// rolls back what was not committed.
pub(crate) struct Writing<'a, D: Database> {
    writer: &'a Writer<D>,
    connection: D::Connection,
    _turn: SemaphorePermit<'a>,
}

impl<D: Database> Writing<'_, D> {
    /// Keeps the connection for the next one, unless it may be broken.
    pub(crate) async fn done<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let is_good = match &result {
            Ok(_) => true,
            // The rollback of a transaction that failed goes to the server with the next question. What it has locked, the
            // head of the log for one, must not wait for that.
            Err(error) => {
                is_answer(error)
                    && tokio::time::timeout(PATIENCE, self.connection.ping()).await.is_ok_and(|done| done.is_ok())
            }
        };
        if is_good {
            self.writer.idle().push(Idle { connection: self.connection, since: Instant::now() });
        }
        result
    }
}

impl<D: Database> Deref for Writing<'_, D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.connection
    }
}

impl<D: Database> DerefMut for Writing<'_, D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.connection
    }
}
