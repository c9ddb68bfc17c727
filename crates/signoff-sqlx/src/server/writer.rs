//! The connections that commit what moves the head of the log.

use std::ops::{Deref, DerefMut};

use signoff::{Error, ErrorKind};
use sqlx::{Connection, Database, Pool};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::{Dialect, PATIENCE, TRUSTED, detached};
use crate::error::is_answer;

/// Held, not borrowed from the pool each time: a pool asks the server whether a connection lives when it comes back.
pub(super) struct Writer<D: Database> {
    pool: Pool<D>,
    places: Vec<Mutex<Option<Held<D>>>>,
    free: Semaphore,
}

struct Held<D: Database> {
    connection: D::Connection,
    used: Instant,
}

impl<D: Dialect> Writer<D> {
    /// So many connections at the most, each made when it is taken for the first time.
    pub(super) fn new(pool: Pool<D>, most: usize) -> Self {
        Self { pool, places: (0..most).map(|_| Mutex::new(None)).collect(), free: Semaphore::new(most) }
    }

    /// Waits for its turn, and makes a new connection if there is none that works.
    pub(super) async fn take(&self) -> Result<Writing<'_, D>, Error> {
        let closed = |_| Error::new(ErrorKind::Internal, "the connections that write are gone");
        let permit = self.free.acquire().await.map_err(closed)?;
        // Whoever has a permit finds a place. The first that is free, so that whoever is alone always has the same.
        let place = self.places.iter().find_map(|place| place.try_lock().ok());
        let mut place = place.ok_or_else(|| Error::new(ErrorKind::Internal, "more write than there are places"))?;
        let connection = match place.take() {
            Some(held) if held.used.elapsed() < TRUSTED => held.connection,
            Some(mut held) => match held.connection.ping().await {
                Ok(()) => held.connection,
                Err(_) => detached(&self.pool).await?,
            },
            None => detached(&self.pool).await?,
        };
        Ok(Writing { place, connection, _permit: permit })
    }

    pub(super) async fn close(&self) {
        for place in &self.places {
            if let Some(held) = place.lock().await.take() {
                // A server that is gone already has closed it.
                let _ = held.connection.close().await;
            }
        }
    }
}

/// The connection while somebody commits with it. Dropped, as a caller that gives up does, it is closed, and the server
/// rolls back what was not committed.
pub(crate) struct Writing<'a, D: Database> {
    place: MutexGuard<'a, Option<Held<D>>>,
    connection: D::Connection,
    // Given back after the place is.
    _permit: SemaphorePermit<'a>,
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
            *self.place = Some(Held { connection: self.connection, used: Instant::now() });
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
