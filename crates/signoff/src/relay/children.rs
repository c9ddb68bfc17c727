//! The nodes behind a relay, as functions of `now`: who they are, how far they are, and who is gone.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use signoff_revocation::LeaseTerms;

use super::Era;
use crate::store::Node;
use crate::{NodeId, Position};

/// The rows that would be in the store if the nodes had rows of their own there.
#[derive(Debug)]
pub(super) struct Children {
    rows: BTreeMap<NodeId, Child>,
    /// Since when `joined` is complete.
    era: Era,
    /// Who has joined since. A row that was deleted never comes back: it would renew a lease that others have seen the end
    /// of, when a broker holds messages of a node back and repeats others.
    joined: HashSet<NodeId>,
}

#[derive(Debug)]
struct Child {
    node: Node,
    /// When the last message came that counts. Every lease of the node counts from before it was sent.
    heard_at: Duration,
    /// The number of its last renewal.
    count: u64,
}

/// So many join in one era. They are remembered with 16 bytes each, and a little.
const ERA: usize = 100_000;

impl Children {
    pub(super) fn new(era: Era) -> Self {
        Self { rows: BTreeMap::new(), era, joined: HashSet::new() }
    }

    pub(super) const fn era(&self) -> Era {
        self.era
    }

    /// Adds a node; `false` when there is or was one of this id, or it was meant for another relay, or another life of this
    /// one. `next` is the era that begins when this one has had enough.
    pub(super) fn join(&mut self, id: NodeId, name: &str, era: Era, next: Era, now: Duration) -> bool {
        if self.joined.len() >= ERA {
            self.joined.clear();
            self.era = next;
        }
        if era != self.era || self.rows.contains_key(&id) || !self.joined.insert(id) {
            return false;
        }
        let node = Node { id, name: name.to_owned(), renewals: 0, applied: Position::ZERO };
        self.rows.insert(id, Child { node, heard_at: now, count: 0 }).is_none()
    }

    /// Notes how far a node is. `false` when it is not there (any more), or said more before: never inserts. What was said
    /// before and is repeated is true, but prolongs nothing: a node that is gone would hold up logouts for ever.
    pub(super) fn renew(&mut self, id: &NodeId, applied: Position, count: u64, now: Duration) -> bool {
        let Some(child) = self.rows.get_mut(id).filter(|child| child.node.applied <= applied) else { return false };
        if count <= child.count {
            return count == child.count;
        }
        child.count = count;
        child.node.renewals += 1;
        child.node.applied = applied;
        child.heard_at = now;
        true
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.rows.contains_key(id)
    }

    /// Deletes a node if it is still at this number of renewals.
    pub(super) fn expel(&mut self, id: &NodeId, renewals: u64) -> bool {
        self.rows.get(id).is_some_and(|child| child.node.renewals == renewals) && self.leave(id)
    }

    pub(super) fn leave(&mut self, id: &NodeId) -> bool {
        self.rows.remove(id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Forgets the nodes whose leases are over. What they send later finds nothing to renew.
    pub(super) fn expire(&mut self, now: Duration, terms: &LeaseTerms) {
        self.rows.retain(|_, child| now.saturating_sub(child.heard_at) < terms.observer());
    }

    /// What all nodes have applied; `head` when there is none.
    pub(super) fn low_water(&self, head: Position) -> Position {
        self.rows.values().map(|child| child.node.applied).min().unwrap_or(head).min(head)
    }

    /// Those that have applied less than this position.
    pub(super) fn behind(&self, position: Position) -> impl Iterator<Item = Node> {
        self.rows.values().map(|child| &child.node).filter(move |node| node.applied < position).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERA_1: Era = [1; 16];
    const ERA_2: Era = [2; 16];

    fn at(position: u64) -> Position {
        Position::new(position).unwrap()
    }

    #[test]
    fn rows_behave_as_those_of_a_store() {
        let terms = LeaseTerms::new(Duration::from_secs(8)).unwrap();
        let (one, two) = (NodeId::from_bytes([1; 16]), NodeId::from_bytes([2; 16]));
        let (mut children, start) = (Children::new(ERA_1), Duration::from_secs(100));
        assert_eq!(children.low_water(at(7)), at(7), "nobody holds anything up");
        assert!(children.join(one, "one", ERA_1, ERA_2, start) && !children.join(one, "again", ERA_1, ERA_2, start));
        assert_eq!(children.low_water(at(7)), Position::ZERO, "it has applied nothing yet");
        assert!(children.renew(&one, at(5), 1, start) && !children.renew(&one, at(4), 2, start), "never back");
        assert!(!children.renew(&two, at(5), 1, start), "never inserts");
        assert!(children.join(two, "two", ERA_1, ERA_2, start) && children.renew(&two, at(9), 1, start));
        assert_eq!((children.low_water(at(7)), children.low_water(at(4))), (at(5), at(4)), "not past the head");
        assert_eq!(children.behind(at(9)).map(|node| node.id).collect::<Vec<_>>(), [one]);

        assert!(!children.expel(&two, 0) && children.expel(&two, 1) && !children.contains(&two));
        children.expire(start + terms.observer() - Duration::from_nanos(1), &terms);
        assert!(children.contains(&one));
        children.expire(start + terms.observer(), &terms);
        assert!(!children.renew(&one, at(9), 2, start + terms.observer()), "it is gone, and stays so");
    }

    #[test]
    fn what_is_repeated_brings_nobody_back_and_prolongs_nothing() {
        let terms = LeaseTerms::new(Duration::from_secs(8)).unwrap();
        let one = NodeId::from_bytes([1; 16]);
        let (mut children, start, later) = (Children::new(ERA_1), Duration::from_secs(100), Duration::from_secs(105));
        assert!(!children.join(one, "one", ERA_2, ERA_2, start), "meant for another relay");
        assert!(children.join(one, "one", ERA_1, ERA_2, start) && children.renew(&one, at(5), 1, start));
        // Both copies of one message have the same answer, whichever arrives.
        assert!(children.renew(&one, at(5), 1, later));
        assert!(children.renew(&one, at(5), 2, start) && !children.renew(&one, at(5), 1, later));
        children.expire(start + terms.observer(), &terms);
        assert!(!children.contains(&one), "what was repeated later does not count");

        for end in [Children::clear, |children: &mut Children| assert!(children.leave(&NodeId::from_bytes([2; 16])))] {
            let two = NodeId::from_bytes([2; 16]);
            let mut children = Children::new(ERA_1);
            assert!(children.join(two, "two", ERA_1, ERA_2, start));
            end(&mut children);
            assert!(!children.join(two, "two", ERA_1, ERA_2, start) && !children.renew(&two, at(9), 2, start));
        }
    }

    #[test]
    fn those_who_were_there_are_not_remembered_for_ever_and_not_forgotten_either() {
        let id = |n: usize| NodeId::from_bytes((n as u128).to_be_bytes());
        let (mut children, start) = (Children::new(ERA_1), Duration::from_secs(100));
        for n in 0..ERA {
            assert!(children.join(id(n), "", ERA_1, ERA_2, start) && (n == 0 || children.leave(&id(n))));
        }
        assert!(!children.join(id(1), "", ERA_1, ERA_2, start));
        assert_eq!((children.era(), children.joined.len(), children.len()), (ERA_2, 0, 1), "who is there stays");
        assert!(children.join(id(ERA), "", ERA_2, ERA_1, start) && !children.join(id(0), "", ERA_2, ERA_1, start));
    }
}
