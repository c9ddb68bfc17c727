//! Forgetting what is long over, from the store and from memory: on demand, and by a task that takes its time. How far it
//! may go is decided by [`PurgeHorizon`].

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use signoff_revocation::{PurgeHorizon, Replica};
use tokio::time::Instant;

use crate::commit::{catch_up, unreadable_clock};
use crate::keeper::Tender;
use crate::panics::unless_panicking;
use crate::secret::random;
use crate::store::{Purged, Store};
use crate::time::{Clock, Timestamp};
use crate::{Error, ErrorKind};

/// Purges the store and the replica of one [`Signoff`](crate::Signoff).
pub(crate) struct Purger {
    store: Arc<dyn Store>,
    replica: Arc<Replica>,
    clock: Arc<dyn Clock>,
    horizon: Mutex<PurgeHorizon>,
}

/// How many rows of each kind a call deletes at the most, and how many of them one transaction: a logout that comes meanwhile
/// waits for that on SQLite.
const BATCH: u32 = 1_000;
const SLICE: u32 = 25;
/// While there is more, the store rests for so many times as long as the last transaction took: of a hundred logouts, one meets
/// a purge. Where that does not suffice until the next purge is due, it rests half as long, and half of that, and so on.
const REST: u32 = 100;
const SHORTEST_REST: u32 = 3;
/// The least pause between two batches, and the first pause after a failure, which doubles from there.
const LEAST_PAUSE: Duration = Duration::from_millis(50);
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// A store that hangs must not end the task.
const PATIENCE: Duration = Duration::from_secs(60);

impl Purger {
    /// Begins to watch the clocks, at `now`.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        replica: Arc<Replica>,
        clock: Arc<dyn Clock>,
        now: Timestamp,
    ) -> Arc<Self> {
        let horizon = Mutex::new(PurgeHorizon::new(now, clock.elapsed()));
        Arc::new(Self { store, replica, clock, horizon })
    }

    /// One batch from the store, and everything that is over from memory.
    pub(crate) async fn purge(&self) -> Result<Purged, Error> {
        let (ControlFlow::Continue(purged) | ControlFlow::Break(purged)) = self.purge_once(REST).await?;
        Ok(purged)
    }

    async fn purge_once(&self, rest: u32) -> Result<ControlFlow<Purged, Purged>, Error> {
        let Some(horizon) = self.horizon()? else { return Ok(ControlFlow::Break(Purged::default())) };
        let purged = self.purge_batch(horizon, rest).await?;
        for _ in 0..Replica::PARTS {
            self.replica.purge_part(horizon);
            // A part takes about a millisecond when ten million revocations are live.
            tokio::task::yield_now().await;
        }
        // Where memory was short, what found no room may do so now.
        in_time(catch_up(&*self.store, &self.replica)).await?;
        Ok(purged)
    }

    /// Deletes from the store until nothing is left, or the batch is full.
    async fn purge_batch(&self, horizon: Timestamp, rest: u32) -> Result<ControlFlow<Purged, Purged>, Error> {
        let mut purged = Purged::default();
        for _ in 0..BATCH / SLICE {
            let began = Instant::now();
            let slice = in_time(self.store.purge(horizon, SLICE)).await?;
            purged.sessions += slice.sessions;
            purged.revocations += slice.revocations;
            purged.successors += slice.successors;
            // A slice that reached its bound may have left some.
            if ![slice.sessions, slice.revocations, slice.successors].contains(&u64::from(SLICE)) {
                return Ok(ControlFlow::Break(purged));
            }
            tokio::time::sleep(began.elapsed() * rest).await;
        }
        Ok(ControlFlow::Continue(purged))
    }

    /// Purges every so often until the result is dropped; never if there is no period.
    pub(crate) fn start(self: &Arc<Self>, every: Option<Duration>) -> Tender {
        Tender::new(every.map(|every| tokio::spawn(tend(Arc::downgrade(self), every))))
    }

    fn horizon(&self) -> Result<Option<Timestamp>, Error> {
        let now = self.clock.wall().ok_or_else(unreadable_clock)?;
        let mut horizon = self.horizon.lock().unwrap_or_else(|poison| poison.into_inner());
        Ok(horizon.advance(now, self.clock.elapsed()))
    }

    /// All that is over, batch by batch, so that it is done before the next time if it can be.
    async fn purge_all(&self, every: Duration, rest: &mut u32) -> Result<(), Error> {
        let began = Instant::now();
        let mut due = began + every;
        let mut purged = self.purge_once(*rest).await?;
        while purged.is_continue() {
            if Instant::now() >= due {
                *rest = (*rest / 2).max(SHORTEST_REST);
                due += every;
            }
            tokio::time::sleep(LEAST_PAUSE).await;
            let Some(horizon) = self.horizon()? else { return Ok(()) };
            purged = self.purge_batch(horizon, *rest).await?;
        }
        if began.elapsed() < every / 4 {
            *rest = (*rest * 2).min(REST);
        }
        Ok(())
    }
}

async fn tend(purger: Weak<Purger>, every: Duration) {
    let mut pause = every;
    let (mut retry, mut rest) = (FIRST_RETRY, REST);
    loop {
        tokio::time::sleep(scattered(pause)).await;
        let Some(purger) = purger.upgrade() else { return };
        let round = unless_panicking(purger.purge_all(every, &mut rest));
        match round.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the store panicked during a purge")))
        {
            Ok(()) => (pause, retry) = (every, FIRST_RETRY),
            Err(error) => {
                // Nothing depends on it but disk and memory, and what is over stays over.
                tracing::warn!(target: "signoff", %error, "the purge did not finish; trying again");
                pause = retry.min(every);
                retry = retry.saturating_mul(2);
            }
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::new(ErrorKind::Unavailable, "the store hangs");
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

/// Within a quarter more or less: nodes that were started together shall not all do the same together.
pub(crate) fn scattered(pause: Duration) -> Duration {
    // Without random numbers there are worse things to worry about.
    let [byte] = random::<1>().unwrap_or([128]);
    pause.saturating_mul(384 + u32::from(byte)) / 512
}
