//! One owner per database, by an advisory lock that the server releases when the connection that took it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signoff::{Error, ErrorKind};
use sqlx::{Connection, Pool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Dialect, detached};

/// Holds the lock while it lives, on a connection of its own that a task keeps from being idle.
#[derive(Debug)]
pub(super) struct Owner {
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    lost: AtomicBool,
    leave: Notify,
}

/// How often the connection is used. Servers close what was idle for minutes or hours; a lost lock should be noticed soon.
const PERIOD: Duration = Duration::from_secs(2);
/// A predecessor that was dropped a moment ago may still have the lock: how often to ask for it, and with what pause.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

impl Owner {
    pub(super) async fn take<D: Dialect>(pool: Pool<D>) -> Result<Self, Error> {
        let mut connection = detached(&pool).await?;
        let mut attempts = 1;
        while !D::own(&mut connection).await? {
            if attempts == ATTEMPTS {
                let what = "the database is in use: one owner at a time, and somebody else has it open";
                return Err(Error::new(ErrorKind::Misuse, what));
            }
            attempts += 1;
            tokio::time::sleep(PAUSE).await;
        }
        let state = Arc::new(State::default());
        let task = tokio::spawn(keep(pool, connection, Arc::clone(&state)));
        Ok(Self { state, task })
    }

    /// Whether somebody else may have taken the lock.
    pub(super) fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::Acquire)
    }

    /// Gives the lock back and waits until that is done.
    pub(super) async fn leave(mut self) {
        self.state.leave.notify_one();
        // A task that panicked has closed its connection by unwinding.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Owner {
    /// The task ends in its own time and gives the lock back.
    fn drop(&mut self) {
        self.state.leave.notify_one();
    }
}

/// Keeps the lock until it is told to leave. When the connection breaks, the server has released the lock: it is taken
/// again as soon as the server answers, and if somebody else was faster, this owner has lost the database for good.
async fn keep<D: Dialect>(pool: Pool<D>, mut connection: D::Connection, state: Arc<State>) {
    while tokio::time::timeout(PERIOD, state.leave.notified()).await.is_err() {
        if connection.ping().await.is_ok() {
            continue;
        }
        let Ok(mut again) = detached(&pool).await else { continue };
        match D::own(&mut again).await {
            Ok(true) => connection = again,
            Ok(false) => {
                state.lost.store(true, Ordering::Release);
                return;
            }
            Err(_) => {}
        }
    }
    let _ = D::disown(&mut connection).await;
    let _ = connection.close().await;
}
