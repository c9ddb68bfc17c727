//! The set against a `BTreeMap`: equal verdicts after any sequence of operations.

use std::collections::BTreeMap;

use proptest::prelude::*;
use signoff_revocation::{Cutoff, LogPage, Position, Replica, Revocation, Scope, ScopeKind, Timestamp, Verdict};

use crate::{config, granules};

#[derive(Clone, Debug)]
enum Op {
    Revoke { kind: ScopeKind, id: u8, step: u64, expires_at: u64 },
    Purge { horizon: u64 },
    Check { ids: [u8; 5], pos: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6usize, 0..6u8, 1..4u64, 0..64u64).prop_map(|(kind, id, step, expires_at)| Op::Revoke {
            kind: ScopeKind::ALL[kind],
            id,
            step,
            expires_at,
        }),
        1 => (0..64u64).prop_map(|horizon| Op::Purge { horizon }),
        6 => (any::<[u8; 5]>(), 0..200u64).prop_map(|(ids, pos)| Op::Check { ids: ids.map(|id| id % 6), pos }),
    ]
}

fn scope(kind: ScopeKind, id: &[u8]) -> Scope<'_> {
    let id = if kind == ScopeKind::Everything { &[] } else { id };
    Scope::from_parts(kind, id).unwrap()
}

type Model = BTreeMap<(u8, Vec<u8>), (Option<u64>, u64)>;

/// The verdict rule, written down once more in the plainest way: `None` stands for the absolute cutoff.
fn model_is_dead(model: &Model, scopes: &[Scope<'_>], pos: u64) -> bool {
    scopes.iter().any(|scope| match model.get(&(scope.kind().code(), scope.id().to_vec())) {
        Some((None, _)) => true,
        Some((Some(cutoff), _)) => pos < *cutoff,
        None => false,
    })
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn the_replica_equals_the_model(ops in proptest::collection::vec(op(), 1..100)) {
        let replica = Replica::new();
        let mut model = Model::new();
        let mut head = Position::ZERO;
        replica.apply(&LogPage { after: head, entries: vec![], through: head }).unwrap();

        for op in ops {
            match op {
                Op::Revoke { kind, id, step, expires_at } => {
                    let position = Position::new(head.get() + step).unwrap();
                    let id = [id];
                    let scope = scope(kind, &id);
                    let entry = Revocation::new(scope, position, granules(expires_at));
                    replica.apply(&LogPage { after: head, entries: vec![entry], through: position }).unwrap();
                    head = position;

                    let absolute = matches!(kind, ScopeKind::Token | ScopeKind::Session | ScopeKind::Key);
                    let cutoff = if absolute { None } else { Some(position.get()) };
                    let known = model.entry((kind.code(), scope.id().to_vec())).or_insert((cutoff, expires_at));
                    *known = (cutoff, known.1.max(expires_at));
                }
                Op::Purge { horizon } => {
                    let before = model.len();
                    model.retain(|_, (_, expires_at)| *expires_at > horizon);
                    let dropped = replica.purge(granules(horizon));
                    prop_assert_eq!(dropped, before - model.len());
                }
                Op::Check { ids, pos } => {
                    let kinds = ScopeKind::ALL.into_iter().filter(|kind| *kind != ScopeKind::Everything);
                    let mut scopes: Vec<_> = kinds.zip(&ids).map(|(k, id)| scope(k, std::slice::from_ref(id))).collect();
                    let verdict = replica.verdict(&scopes, Position::new(pos).unwrap());
                    scopes.push(Scope::Everything);
                    let dead = model_is_dead(&model, &scopes, pos);
                    prop_assert_eq!(matches!(verdict, Verdict::Dead(_)), dead);
                    prop_assert_eq!(verdict == Verdict::Alive, !dead);
                }
            }
            prop_assert_eq!(replica.len(), model.len());
            prop_assert_eq!(replica.applied(), head);
        }
    }
}

#[test]
fn an_absolute_cutoff_beats_the_last_position() {
    let replica = Replica::new();
    let at = Position::new(1).unwrap();
    let leaked = Revocation::new(Scope::Key("leaked"), at, Timestamp::MAX);
    assert_eq!(leaked.cutoff(), Cutoff::ABSOLUTE);
    replica.apply(&LogPage { after: Position::ZERO, entries: vec![leaked], through: at }).unwrap();
    assert_eq!(replica.verdict(&[Scope::Key("leaked")], Position::MAX), Verdict::Dead(ScopeKind::Key));
}
