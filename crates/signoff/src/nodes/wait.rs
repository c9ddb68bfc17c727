//! Waiting until no node can accept what was logged out: one round of reading rows serves all who wait.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signoff_revocation::{LowWater, Waiting};
use tokio::sync::{Notify, oneshot};

use super::{Member, lock};
use crate::panics::unless_panicking;
use crate::store::Node;
use crate::{Error, ErrorKind, Position};

/// Who waits.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<Vec<Waiter>>,
    come: Notify,
}

struct Waiter {
    what: Waiting,
    done: oneshot::Sender<()>,
}

/// The first pauses between two rounds, which double: most nodes answer within milliseconds of the hint.
const SOON: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_millis(32);

impl Member {
    /// Waits until no other node accepts anything that the log revokes up to this position. The commit must be known
    /// already, and this node must have applied it. It takes at most `W`, a lease and an eighth.
    pub(crate) async fn wait_for_all(&self, position: Position) -> Result<(), Error> {
        // The clock starts, and the rows are read, after the commit is known.
        let what = Waiting::new(position, self.clock.elapsed(), &self.terms);
        let (done, over) = oneshot::channel();
        self.announcing.notify_one();
        lock(&self.waiters.waiting).push(Waiter { what, done });
        self.waiters.come.notify_one();
        over.await.map_err(|_| Error::new(ErrorKind::Unavailable, "this node is leaving"))
    }

    /// Tells the other nodes, and does not wait for them.
    pub(crate) fn announce(&self) {
        self.announcing.notify_one();
    }

    /// One round: whoever waited when it began, and for whom it is over, is told. Returns up to where there is something to
    /// look at still: for those who are left, or because a row that was waited for in vain has to be expelled, or the next
    /// logout, on whichever node, would wait for it again.
    async fn round(&self, watched: Option<Position>) -> Option<Position> {
        let (latest, soonest, count) = {
            let (waiting, now) = (lock(&self.waiters.waiting), self.clock.elapsed());
            let latest = waiting.iter().map(|waiter| waiter.what.position()).max().max(watched)?;
            (latest, waiting.iter().map(|waiter| waiter.what.left(now)).min(), waiting.len())
        };
        let rows = match self.nodes() {
            // A store that hangs holds nobody up whose time is over.
            Ok(nodes) => {
                let limit = soonest.unwrap_or(Duration::MAX);
                let rows = tokio::time::timeout(limit, self.in_time(nodes.behind(latest))).await;
                rows.ok().and_then(Result::ok)
            }
            Err(_) => None,
        };
        let now = self.clock.elapsed();
        // This node has applied what it waits for. (A row of its own that it lost is another node's.)
        let own = self.own_id();
        let lowest = rows.iter().flatten().filter(|row| Some(row.id) != own).map(|row| row.applied).min();
        let low_water = match &rows {
            Some(_) => lowest.map_or(LowWater::NoRows, LowWater::At),
            None => LowWater::Unknown,
        };
        let is_left = self.tell(count, now, low_water);
        // What was not read, because somebody's time was over before the answer, is read in the next round.
        let is_clear = low_water == LowWater::NoRows;
        if let Some(rows) = rows {
            self.expel(&rows, now).await;
        }
        (is_left || !is_clear).then_some(latest)
    }

    /// Tells those of the first `count` for whom it is over. Whether somebody is left.
    fn tell(&self, count: usize, now: Duration, low_water: LowWater) -> bool {
        let mut waiting = lock(&self.waiters.waiting);
        // Those who came later are behind the first ones, and this round knows nothing of them.
        let first = count.min(waiting.len());
        let later = waiting.split_off(first);
        let (over, left): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|waiter| waiter.what.is_over(now, low_water));
        waiting.extend(left.into_iter().filter(|waiter| !waiter.done.is_closed()));
        waiting.extend(later);
        for waiter in over {
            self.counters.waits.count();
            if waiter.what.left(now).is_zero() {
                self.counters.waited_out.count();
            }
            let _ = waiter.done.send(());
        }
        !waiting.is_empty()
    }

    /// Deletes the rows that have not changed for `W`, each only as it was seen: their leases are over, and what was on
    /// its way to renew them finds no row.
    async fn expel(&self, rows: &[Node], now: Duration) {
        let seen = rows.iter().map(|row| (row.id, row.renewals));
        let over = lock(&self.observations).observe(seen, now, &self.terms);
        for (id, renewals) in over {
            let Ok(nodes) = self.nodes() else { return };
            if let Ok(true) = self.in_time(nodes.expel(&id, renewals)).await {
                self.counters.expels.count();
                tracing::warn!(target: "signoff", node = id.fingerprint(), "a node that is gone was expelled");
            }
        }
    }
}

/// Goes round while somebody waits, or a row has to be expelled.
pub(super) async fn run(member: Arc<Member>) {
    loop {
        member.waiters.come.notified().await;
        let (mut pause, mut watched) = (SOON, None);
        loop {
            watched = match unless_panicking(member.round(watched)).await {
                Ok(Some(left)) => Some(left),
                Ok(None) => break,
                // A store that panics may do better for those who still wait.
                Err(_) if lock(&member.waiters.waiting).is_empty() => break,
                Err(_) => None,
            };
            // A newcomer begins with short pauses again, and so do all with it.
            match tokio::time::timeout(pause, member.waiters.come.notified()).await {
                Ok(()) => pause = SOON,
                Err(_) => pause = (2 * pause).min(LATER),
            }
        }
    }
}

/// Announces, once for all who asked meanwhile.
pub(super) async fn announce(member: Arc<Member>) {
    loop {
        member.announcing.notified().await;
        let announced = unless_panicking(member.in_time(async {
            match &member.hints {
                Some(hints) => hints.announce().await,
                None => member.nodes()?.announce().await,
            }
        }));
        if !matches!(announced.await, Ok(Ok(()))) {
            tracing::debug!(target: "signoff", name = member.name, "the other nodes were not woken; they read the log in time");
        }
    }
}
