//! Nodes that share a store: each answers from its own copy of the log while it has a lease, and a logout waits until no
//! node can accept its tokens.
//!
//! The rules, and why they hold, are in `docs/consistency.md`. The arithmetic of leases is in
//! [`signoff_revocation`]; here are the clock, the store and the tasks.

mod cycle;
mod facade;
mod metrics;
mod wait;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use signoff_revocation::{Lease, LeaseTerms, Observations, Replica};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::store::{Hints, Node, Nodes, Store};
use crate::time::Clock;
use crate::{Error, ErrorKind, NodeId, Position, Settings};

pub(crate) use facade::Basis;
pub use metrics::NodeMetrics;

use metrics::{Ages, Counters};
use wait::Waiters;

/// How far a logout reaches before it returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Reach {
    /// No node accepts the tokens any more.
    #[default]
    Everywhere,
    /// This node does not; the others follow as soon as they read the log, and no later than the length of a lease.
    Local,
}

/// A node as another one sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Made anew whenever the node joins.
    pub id: NodeId,
    /// What the application calls it ([`Settings::node_name`](crate::Settings::node_name)).
    pub name: String,
    /// Whether it is the one that was asked.
    pub is_self: bool,
    /// How far it had applied the log when it renewed its lease last.
    pub applied: Position,
    /// How many revocations it had not applied then, at most 1,000: what came since the last renewal of a node that keeps up.
    pub lacks: u32,
    /// How long ago the first of those was written; zero when there are none. A node that keeps up lags by up to a quarter
    /// of a lease.
    pub lag: Duration,
    /// How often it has renewed its lease.
    pub renewals: u64,
    /// For how long this node has seen the row unchanged: zero when it looks for the first time. Its lease is over, and so
    /// probably is the node, when this is longer than a lease and an eighth.
    pub unchanged_for: Duration,
}

/// How many entries of the log are looked at to say how far nodes lag.
const LISTED: u32 = 1_000;

/// This process as a node of a shared store.
pub(crate) struct Member {
    store: Arc<dyn Store>,
    replica: Arc<Replica>,
    clock: Arc<dyn Clock>,
    terms: LeaseTerms,
    name: String,
    hints: Option<Arc<dyn Hints>>,
    lease: Lease,
    /// The row that this node renews, if it has joined. Held for as long as a cycle runs: there is never a second one.
    row: tokio::sync::Mutex<Option<NodeId>>,
    /// The same, to be read while a cycle runs. A cycle that has not joined yet has none.
    id: Mutex<Option<NodeId>>,
    observations: Mutex<Observations<NodeId>>,
    ages: Ages,
    counters: Counters,
    waiters: Waiters,
    /// Somebody wants a cycle before its time.
    wanted: Notify,
    /// Somebody has something to announce.
    announcing: Notify,
}

/// The tasks of a node. They end when this is dropped; [`Membership::leave`] gives the row back as well.
pub(crate) struct Membership {
    member: Arc<Member>,
    tasks: Vec<JoinHandle<()>>,
}

impl Membership {
    /// Joins. When this returns, the node has a lease, and the log to its head. `None` when the store is not shared.
    pub(crate) async fn join(
        store: Arc<dyn Store>,
        replica: Arc<Replica>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Option<Self>, Error> {
        let Some(length) = store.nodes().map(Nodes::lease) else { return Ok(None) };
        let misuse =
            |error| Error::new(ErrorKind::Misuse, "the store's leases are too short or too long").with_source(error);
        let member = Arc::new(Member {
            terms: LeaseTerms::new(length).map_err(misuse)?,
            store,
            replica,
            clock,
            name: settings.node_name.clone(),
            hints: settings.hints.clone(),
            lease: Lease::new(),
            row: tokio::sync::Mutex::default(),
            id: Mutex::default(),
            observations: Mutex::new(Observations::new()),
            ages: Ages::default(),
            counters: Counters::default(),
            waiters: Waiters::default(),
            wanted: Notify::new(),
            announcing: Notify::new(),
        });
        member.cycle().await?;
        let tasks = vec![
            tokio::spawn(cycle::run(Arc::clone(&member))),
            tokio::spawn(cycle::listen(Arc::clone(&member))),
            tokio::spawn(wait::announce(Arc::clone(&member))),
            tokio::spawn(wait::run(Arc::clone(&member))),
        ];
        Ok(Some(Self { member, tasks }))
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Stops answering, and gives the row back, so that nobody waits for this node.
    pub(crate) async fn leave(self) {
        for task in &self.tasks {
            task.abort();
        }
        // First of all, and before the row is gone: a cycle that is under way cannot undo it.
        self.member.lease.stop();
        let mut row = self.member.row.lock().await;
        if let (Some(id), Ok(nodes)) = (row.take(), self.member.nodes()) {
            // If that fails, the others expel it in time.
            let _ = self.member.in_time(nodes.leave(&id)).await;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.member.lease.stop();
    }
}

impl Member {
    /// Whether this node may answer from its replica. To be asked *before* the replica.
    #[inline]
    pub(crate) fn may_answer(&self) -> bool {
        self.lease.holds(self.clock.elapsed())
    }

    /// All nodes that have a row.
    pub(crate) async fn list(&self) -> Result<Vec<NodeStatus>, Error> {
        let rows = self.in_time(self.nodes()?.behind(Position::MAX)).await?;
        let lowest = rows.iter().map(|row| row.applied).min().unwrap_or(Position::MAX);
        let log = self.in_time(self.store.log_after(lowest, LISTED)).await?;
        let (own, now) = (self.own_id(), self.clock.elapsed());
        let wall = self.clock.wall().map_or(0, |wall| wall.as_micros().unsigned_abs()).max(log.head.get());
        let ages = self.ages.of(&rows, now);
        let status = |(Node { id, name, renewals, applied }, unchanged_for)| {
            let mut lacking = log.page.entries.iter().filter(|entry| entry.position() > applied).peekable();
            let lag = lacking.peek().map_or(0, |first| wall.saturating_sub(first.position().get()));
            NodeStatus {
                id,
                name,
                is_self: own == Some(id),
                applied,
                lag: Duration::from_micros(lag),
                lacks: u32::try_from(lacking.count()).unwrap_or(LISTED),
                renewals,
                unchanged_for,
            }
        };
        Ok(rows.into_iter().zip(ages).map(status).collect())
    }

    pub(crate) fn metrics(&self) -> NodeMetrics {
        let now = self.clock.elapsed();
        self.counters.read(now, self.lease.left(now), self.replica.applied())
    }

    fn own_id(&self) -> Option<NodeId> {
        *lock(&self.id)
    }

    fn nodes(&self) -> Result<&dyn Nodes, Error> {
        self.store.nodes().ok_or_else(|| Error::new(ErrorKind::Internal, "the store was shared, and is not any more"))
    }

    /// No call may take so long that a lease runs out over it.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| Error::new(ErrorKind::Unavailable, "the store did not answer within a quarter of a lease");
        tokio::time::timeout(self.terms.holder() / 4, call).await.map_err(late)?
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("id", &self.own_id()).finish_non_exhaustive()
    }
}
