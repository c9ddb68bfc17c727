//! Several nodes on one memory store: for tests, and to see what nodes do.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::MemoryStore;
use crate::store::{Node, Nodes, Seat};
use crate::{Error, ErrorKind, NodeId, Position};

/// What the handles of a shared store have in common beside its rows.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    lease: Duration,
    announced: Arc<Notify>,
}

impl MemoryStore {
    /// An empty store that several [`Signoff`](crate::Signoff)s of this process share, each by a handle of its own: this one
    /// and those of [`MemoryStore::another`].
    pub fn shared(lease: Duration) -> Self {
        Self { shared: Some(Shared { lease, announced: Arc::default() }), ..Self::default() }
    }

    /// Another handle of the same rows: with a seat of its own if the store is shared, else with the same one.
    #[must_use]
    pub fn another(&self) -> Self {
        let seat = if self.shared.is_some() { Seat::new() } else { Seat(Arc::clone(&self.seat.0)) };
        Self { seat, state: Arc::clone(&self.state), shared: self.shared.clone() }
    }

    fn as_shared(&self) -> Result<&Shared, Error> {
        self.shared.as_ref().ok_or_else(|| Error::new(ErrorKind::Misuse, "the memory store is not shared"))
    }
}

#[async_trait]
impl Nodes for MemoryStore {
    fn lease(&self) -> Duration {
        self.shared.as_ref().map_or(Duration::ZERO, |shared| shared.lease)
    }

    async fn join(&self, id: &NodeId, name: &str) -> Result<(), Error> {
        match self.lock()?.nodes.entry(*id) {
            Entry::Occupied(_) => Err(Error::new(ErrorKind::Conflict, "a node of this id has joined")),
            Entry::Vacant(vacant) => {
                vacant.insert(Node { id: *id, name: name.to_owned(), renewals: 0, applied: Position::ZERO });
                Ok(())
            }
        }
    }

    async fn renew(&self, id: &NodeId, applied: Position) -> Result<bool, Error> {
        let mut state = self.lock()?;
        let Some(node) = state.nodes.get_mut(id).filter(|node| node.applied <= applied) else { return Ok(false) };
        node.renewals += 1;
        node.applied = applied;
        Ok(true)
    }

    async fn behind(&self, position: Position) -> Result<Vec<Node>, Error> {
        Ok(self.lock()?.nodes.values().filter(|node| node.applied < position).cloned().collect())
    }

    async fn expel(&self, id: &NodeId, renewals: u64) -> Result<bool, Error> {
        let mut state = self.lock()?;
        let is_still = state.nodes.get(id).is_some_and(|node| node.renewals == renewals);
        Ok(is_still && state.nodes.remove(id).is_some())
    }

    async fn leave(&self, id: &NodeId) -> Result<(), Error> {
        self.lock()?.nodes.remove(id);
        Ok(())
    }

    async fn announce(&self) -> Result<(), Error> {
        self.as_shared()?.announced.notify_waiters();
        Ok(())
    }

    async fn heard(&self) -> Result<(), Error> {
        self.as_shared()?.announced.notified().await;
        Ok(())
    }
}
