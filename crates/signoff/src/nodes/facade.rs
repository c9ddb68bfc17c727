//! What the facade does about nodes: the one door to the replica, the wait of a logout, and what is told of nodes.

use std::sync::Arc;

use signoff_revocation::{Replica, Verdict};

use super::{Member, Membership, NodeMetrics, NodeStatus, Reach};
use crate::{Error, Position, Rejection, Signoff};

/// Why the replica may be believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// This node has a lease, or the store for itself.
    Lease,
    /// The log was read to its head after the question was asked.
    ReadSince,
}

impl Signoff {
    /// The nodes of a shared store, this one among them; none when the store is not shared. What is told of the others is
    /// as old as their last renewal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the store does not answer.
    pub async fn nodes(&self) -> Result<Vec<NodeStatus>, Error> {
        match self.member() {
            Some(member) => member.list().await,
            None => Ok(Vec::new()),
        }
    }

    /// What this node has counted, and how its lease stands; `None` when the store is not shared. It asks nobody, so it can
    /// be exported as often as one likes.
    pub fn node_metrics(&self) -> Option<NodeMetrics> {
        self.member().map(|member| member.metrics())
    }

    /// Whether the store is one that nodes share.
    pub fn is_shared(&self) -> bool {
        self.member().is_some()
    }

    /// Whether this node may answer now: always, unless the store is shared and the lease has run out. For the check by
    /// which a load balancer takes a node out.
    pub fn may_answer(&self) -> bool {
        self.member().is_none_or(|member| member.may_answer())
    }

    pub(crate) fn member(&self) -> Option<&Arc<Member>> {
        self.membership().map(Membership::member)
    }

    /// What the log revokes up to this position, which this node has applied, is dead on the other nodes too when this
    /// returns: that is, if [`Settings::reach`](crate::Settings::reach) says so.
    pub(crate) async fn reach_all(&self, position: Position) -> Result<(), Error> {
        let Some(member) = self.member() else { return Ok(()) };
        match self.settings().reach {
            Reach::Everywhere => member.wait_for_all(position).await,
            Reach::Local => {
                member.announce();
                Ok(())
            }
        }
    }

    /// What a verdict of the replica means. The one door to it: whoever would let somebody in asks here.
    #[inline]
    pub(crate) fn judge(&self, basis: Basis, verdict: impl FnOnce(&Replica) -> Verdict) -> Result<(), Rejection> {
        // First the lease, then the replica: what was applied after the lease ran out must not be missed.
        if basis == Basis::Lease && !self.may_answer() {
            return Err(Rejection::Stale);
        }
        Rejection::from_verdict(verdict(self.replica()))
    }
}
