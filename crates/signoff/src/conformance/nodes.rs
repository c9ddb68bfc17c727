//! Contracts of stores that nodes share.

use super::races::all;
use crate::store::{Node, Nodes};
use crate::{ErrorKind, NodeId, Position, Store};

fn id() -> NodeId {
    NodeId::generate().expect("random numbers")
}

fn at(position: u64) -> Position {
    Position::new(position).expect("a small position")
}

fn nodes(store: &dyn Store) -> &dyn Nodes {
    store.nodes().expect("a store that nodes share")
}

async fn row(store: &dyn Store, id: &NodeId) -> Option<Node> {
    let rows = nodes(store).behind(Position::MAX).await.expect("answered");
    let mut found = rows.into_iter().filter(|row| row.id == *id);
    let row = found.next();
    assert_eq!(found.next(), None, "two rows of one node");
    row
}

/// A row comes by joining, once, and goes by leaving; what is renewed is a row that is there.
pub async fn a_row_is_renewed_and_never_made_by_it(store: &dyn Store) {
    let (one, other) = (id(), id());
    assert!(!nodes(store).renew(&one, at(1)).await.expect("answered"), "nobody has joined");
    assert_eq!(row(store, &one).await, None, "a renewal made a row");

    nodes(store).join(&one, "pod-1 'ü'").await.expect("joined");
    let joined = Node { id: one, name: "pod-1 'ü'".into(), renewals: 0, applied: Position::ZERO };
    assert_eq!(row(store, &one).await, Some(joined));
    assert!(nodes(store).renew(&one, at(7)).await.expect("answered"));
    let again = nodes(store).join(&one, "another").await.expect_err("it is there");
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let renewed = Node { id: one, name: "pod-1 'ü'".into(), renewals: 1, applied: at(7) };
    assert_eq!(row(store, &one).await, Some(renewed), "joining again changed the row");

    assert!(!nodes(store).renew(&one, at(6)).await.expect("answered"), "it has applied more");
    assert!(nodes(store).renew(&one, at(7)).await.expect("answered"), "it may stay where it is");
    nodes(store).join(&other, "").await.expect("joined");
    assert!(nodes(store).renew(&other, at(9)).await.expect("answered"));
    assert_eq!(row(store, &one).await.map(|row| (row.renewals, row.applied)), Some((2, at(7))));

    nodes(store).leave(&one).await.expect("left");
    nodes(store).leave(&one).await.expect("nobody left");
    assert_eq!(row(store, &one).await, None);
    assert!(!nodes(store).renew(&one, at(10)).await.expect("answered"), "it has left");
    assert!(row(store, &other).await.is_some(), "another one's row");
}

/// Behind is who has applied less, and only they.
pub async fn those_behind_are_found(store: &dyn Store) {
    let ids = [id(), id(), id()];
    for (id, applied) in ids.iter().zip([5, 6, u64::MAX >> 1]) {
        nodes(store).join(id, "").await.expect("joined");
        assert!(nodes(store).renew(id, at(applied)).await.expect("answered"));
    }
    for (position, expected) in [(0, 0), (5, 0), (6, 1), (7, 2)] {
        let behind = nodes(store).behind(at(position)).await.expect("answered");
        let mut behind: Vec<_> = behind.into_iter().map(|row| row.id).collect();
        behind.sort_unstable();
        let mut wanted = ids[..expected].to_vec();
        wanted.sort_unstable();
        assert_eq!(behind, wanted, "behind {position}");
    }
}

/// Who expels says which row was seen; one that was renewed since stays.
pub async fn only_what_was_seen_is_expelled(store: &dyn Store) {
    let (one, other) = (id(), id());
    for id in [&one, &other] {
        nodes(store).join(id, "").await.expect("joined");
        assert!(nodes(store).renew(id, at(1)).await.expect("answered"));
    }
    for renewals in [0, 2, u64::MAX] {
        assert!(!nodes(store).expel(&one, renewals).await.expect("answered"), "it is not at {renewals}");
    }
    let attempts = (0..8).map(|_| nodes(store).expel(&one, 1)).collect();
    let expelled = all(attempts).await.into_iter().filter(|expelled| *expelled.as_ref().expect("answered")).count();
    assert_eq!(expelled, 1, "of several who saw the same, one expels");
    assert_eq!(row(store, &one).await, None);
    assert!(!nodes(store).renew(&one, at(2)).await.expect("answered"), "it was expelled");
    assert!(row(store, &other).await.is_some(), "another one's row");
    nodes(store).announce().await.expect("announced");
}
