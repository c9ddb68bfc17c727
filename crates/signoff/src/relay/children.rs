//! The nodes behind a relay, as functions of `now`: who they are, how far they are, and who is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use signoff_revocation::LeaseTerms;

use crate::store::Node;
use crate::{NodeId, Position};

/// The rows that would be in the store if the nodes had rows of their own there.
#[derive(Debug, Default)]
pub(super) struct Children(BTreeMap<NodeId, Child>);

#[derive(Debug)]
struct Child {
    node: Node,
    /// When the last message came that counts. Every lease of the node counts from before it was sent.
    heard_at: Duration,
}

impl Children {
    /// Adds a node; `false` when there is one of this id.
    pub(super) fn join(&mut self, id: NodeId, name: &str, now: Duration) -> bool {
        let node = Node { id, name: name.to_owned(), renewals: 0, applied: Position::ZERO };
        if self.0.contains_key(&id) {
            return false;
        }
        self.0.insert(id, Child { node, heard_at: now }).is_none()
    }

    /// Notes how far a node is. `false` when it is not there (any more), or said more before: never inserts.
    pub(super) fn renew(&mut self, id: &NodeId, applied: Position, now: Duration) -> bool {
        let Some(child) = self.0.get_mut(id).filter(|child| child.node.applied <= applied) else { return false };
        child.node.renewals += 1;
        child.node.applied = applied;
        child.heard_at = now;
        true
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.0.contains_key(id)
    }

    /// Deletes a node if it is still at this number of renewals.
    pub(super) fn expel(&mut self, id: &NodeId, renewals: u64) -> bool {
        self.0.get(id).is_some_and(|child| child.node.renewals == renewals) && self.leave(id)
    }

    pub(super) fn leave(&mut self, id: &NodeId) -> bool {
        self.0.remove(id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets the nodes whose leases are over. What they send later finds nothing to renew.
    pub(super) fn expire(&mut self, now: Duration, terms: &LeaseTerms) {
        self.0.retain(|_, child| now.saturating_sub(child.heard_at) < terms.observer());
    }

    /// What all nodes have applied; `head` when there is none.
    pub(super) fn low_water(&self, head: Position) -> Position {
        self.0.values().map(|child| child.node.applied).min().unwrap_or(head).min(head)
    }

    /// Those that have applied less than this position.
    pub(super) fn behind(&self, position: Position) -> impl Iterator<Item = Node> {
        self.0.values().map(|child| &child.node).filter(move |node| node.applied < position).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Position {
        Position::new(position).unwrap()
    }

    #[test]
    fn rows_behave_as_those_of_a_store() {
        let terms = LeaseTerms::new(Duration::from_secs(8)).unwrap();
        let (one, two) = (NodeId::from_bytes([1; 16]), NodeId::from_bytes([2; 16]));
        let (mut children, start) = (Children::default(), Duration::from_secs(100));
        assert_eq!(children.low_water(at(7)), at(7), "nobody holds anything up");
        assert!(children.join(one, "one", start) && !children.join(one, "again", start));
        assert_eq!(children.low_water(at(7)), Position::ZERO, "it has applied nothing yet");
        assert!(children.renew(&one, at(5), start) && !children.renew(&one, at(4), start), "never back");
        assert!(!children.renew(&two, at(5), start), "never inserts");
        assert!(children.join(two, "two", start) && children.renew(&two, at(9), start));
        assert_eq!((children.low_water(at(7)), children.low_water(at(4))), (at(5), at(4)), "not past the head");
        assert_eq!(children.behind(at(9)).map(|node| node.id).collect::<Vec<_>>(), [one]);

        assert!(!children.expel(&two, 0) && children.expel(&two, 1) && !children.contains(&two));
        children.expire(start + terms.observer() - Duration::from_nanos(1), &terms);
        assert!(children.contains(&one));
        children.expire(start + terms.observer(), &terms);
        assert!(!children.renew(&one, at(9), start + terms.observer()), "it is gone, and stays so");
    }
}
