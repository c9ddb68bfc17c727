//! What a store does for nodes that share it. One that is used by one process at a time needs nothing of this.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, NodeId, Position};

/// The rows by which the nodes of a shared store know of each other, and the hints that wake them.
///
/// Every method is one transaction on the primary that sees whatever was committed before it began: no replica, no
/// snapshot of an earlier transaction. After an `Err` it may have happened or not.
#[async_trait]
pub trait Nodes: fmt::Debug + Send + Sync {
    /// The length of every node's lease, the same for all nodes because the store keeps it.
    fn lease(&self) -> Duration;

    /// Adds the row of a node that begins, with no renewals and nothing applied. The row is committed when this returns.
    ///
    /// - Never overwrites: an error of kind [`Conflict`](crate::ErrorKind::Conflict) when there is one of this id.
    async fn join(&self, id: &NodeId, name: &str) -> Result<(), Error>;

    /// Counts a renewal and writes down how far the node has applied the log.
    ///
    /// - `false`, and nothing is changed, when there is no such row, or it says more already. Never inserts.
    async fn renew(&self, id: &NodeId, applied: Position) -> Result<bool, Error>;

    /// The rows that have applied less than this position, in any order.
    async fn behind(&self, position: Position) -> Result<Vec<Node>, Error>;

    /// Deletes the row if it is still at this number of renewals, and says whether it was.
    async fn expel(&self, id: &NodeId, renewals: u64) -> Result<bool, Error>;

    /// Deletes a node's own row. None succeeds as well.
    async fn leave(&self, id: &NodeId) -> Result<(), Error>;

    /// Wakes the nodes that wait in [`Nodes::heard`], perhaps. A hint that is lost, late, or heard twice costs time.
    async fn announce(&self) -> Result<(), Error>;

    /// Returns when somebody has announced something since the last call, perhaps. A store that cannot tell never returns.
    async fn heard(&self) -> Result<(), Error>;
}

/// Another way to wake nodes than by their store: a message broker that all of them reach.
///
/// Hints carry nothing, and nothing depends on them but how soon a node hears of a logout: one that is lost, late, doubled
/// or forged changes nothing else. Nodes read the log at the latest a quarter of a lease later without any.
#[async_trait]
pub trait Hints: fmt::Debug + Send + Sync + 'static {
    /// Wakes whoever waits in [`Hints::heard`] on other nodes, and perhaps here.
    async fn announce(&self) -> Result<(), Error>;

    /// Returns when somebody has announced something since the last call, perhaps. An error says that something may have
    /// been missed; the node reads the log then, and asks again.
    async fn heard(&self) -> Result<(), Error>;
}

/// A node's row.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Node {
    /// Made anew whenever a node joins.
    pub id: NodeId,
    /// What the application calls it. Need not be unique.
    pub name: String,
    /// How often it was renewed.
    pub renewals: u64,
    /// How far it had applied the log when it was renewed last.
    pub applied: Position,
}
