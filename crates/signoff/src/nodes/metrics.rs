//! What a node counts, for whoever watches it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::lock;
use crate::store::Node;
use crate::{NodeId, Position};

/// What has happened to this node since it was opened, and how it stands: see
/// [`Signoff::node_metrics`](crate::Signoff::node_metrics). Counters only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NodeMetrics {
    /// Cycles that renewed the lease.
    pub renewals: u64,
    /// Cycles that failed, mostly because the store did not answer in time.
    pub failures: u64,
    /// How often the lease ran out: from then until the next renewal every check was answered with
    /// [`Rejection::Stale`](crate::Rejection::Stale).
    pub fenced: u64,
    /// How often the node joined: once, and again after each time that it was expelled.
    pub joined: u64,
    /// How often it found its row gone, because others took it for dead.
    pub expelled: u64,
    /// Rows of other nodes that this one deleted, because they had not changed for a lease and an eighth.
    pub expels: u64,
    /// Logouts that waited for the other nodes.
    pub waits: u64,
    /// Among them those that ended by time: a node was gone, cut off, or too slow.
    pub waited_out: u64,
    /// How long the lease lasts if it is not renewed; zero when the node may not answer.
    pub lease_left: Duration,
    /// How long ago the log was read to its head, at the latest, by the last cycle that renewed the lease.
    pub log_age: Duration,
    /// How far the log is applied.
    pub applied: Position,
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) renewals: Counter,
    pub(super) failures: Counter,
    pub(super) fenced: Counter,
    pub(super) joined: Counter,
    pub(super) expelled: Counter,
    pub(super) expels: Counter,
    pub(super) waits: Counter,
    pub(super) waited_out: Counter,
    /// When the last cycle that renewed the lease began.
    pub(super) read_at: Mutex<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn read(&self, now: Duration, lease_left: Duration, applied: Position) -> NodeMetrics {
        NodeMetrics {
            renewals: self.renewals.get(),
            failures: self.failures.get(),
            fenced: self.fenced.get(),
            joined: self.joined.get(),
            expelled: self.expelled.get(),
            expels: self.expels.get(),
            waits: self.waits.get(),
            waited_out: self.waited_out.get(),
            lease_left,
            log_age: now.saturating_sub(*lock(&self.read_at)),
            applied,
        }
    }
}

/// Since when this node has seen the rows of others as they are.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<BTreeMap<NodeId, (u64, Duration)>>);

impl Ages {
    /// Takes note of all rows, and says of each how long it has been seen unchanged.
    pub(super) fn of(&self, rows: &[Node], now: Duration) -> Vec<Duration> {
        let mut seen = lock(&self.0);
        let since = |row: &Node| match seen.get(&row.id) {
            Some((renewals, since)) if *renewals == row.renewals => *since,
            _ => now,
        };
        let noted: Vec<_> = rows.iter().map(|row| (row.id, (row.renewals, since(row)))).collect();
        let ages = noted.iter().map(|(_, (_, since))| now.saturating_sub(*since)).collect();
        *seen = noted.into_iter().collect();
        ages
    }
}
