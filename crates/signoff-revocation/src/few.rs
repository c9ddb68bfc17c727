//! The cutoffs of scopes that are few: clients, keys, and everything at once. They are compared whole, without a hash.

use std::sync::Arc;

use crate::fault::{Fault, seeded};
use crate::position::{Cutoff, Position};
use crate::scope::{Scope, ScopeKind};
use crate::shard::Entry;
use crate::tick::Horizon;

/// From so many clients and keys on, further ones are hashed like everything else.
const MOST: usize = if cfg!(any(signoff_loom, signoff_shuttle)) { 1 } else { 16 };

/// An immutable list; a change makes another one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Few {
    everything: Option<Entry>,
    named: Arc<[Named]>,
    /// Whether there are, or were, scopes of this kind among the hashed ones: clients, keys.
    crowded: [bool; 2],
}

#[derive(Clone, Debug)]
struct Named {
    kind: ScopeKind,
    id: Box<str>,
    entry: Entry,
}

impl Few {
    /// The cutoff of everything kills this position.
    pub(crate) fn everything_kills(&self, pos: Position) -> bool {
        self.everything.is_some_and(|entry| entry.cutoff.kills(pos))
    }

    /// The cutoff of a client, a key or everything, as far as this list knows.
    pub(crate) fn cutoff(&self, scope: Scope<'_>) -> Option<Cutoff> {
        if scope == Scope::Everything {
            return self.everything.map(|entry| entry.cutoff);
        }
        self.named.iter().find(|named| named.is(scope)).map(|named| named.entry.cutoff)
    }

    /// Whether a client or key that is not in the list has to be looked up by its hash.
    pub(crate) fn is_crowded(&self, kind: ScopeKind) -> bool {
        kind != ScopeKind::Everything && self.crowded[usize::from(kind == ScopeKind::Key)]
    }

    /// This list with the entry added or raised; `None` when it is to be hashed instead.
    pub(crate) fn with(&self, scope: Scope<'_>, entry: Entry) -> Option<Self> {
        let mut few = self.clone();
        let mut named = few.named.to_vec();
        let fits = named.len() < MOST && !self.is_crowded(scope.kind());
        let known = match scope {
            Scope::Everything => few.everything.as_mut(),
            scope => named.iter_mut().find(|named| named.is(scope)).map(|named| &mut named.entry),
        };
        match (known, scope) {
            (Some(known), _) if seeded(Fault::Merge) => *known = entry,
            (Some(known), _) => {
                *known = Entry { cutoff: known.cutoff.merge(entry.cutoff), expires: known.expires.max(entry.expires) };
            }
            (None, Scope::Everything) => few.everything = Some(entry),
            // Once one of a kind is hashed, later ones are, too: none is ever in both places.
            (None, Scope::Client(id) | Scope::Key(id)) if fits => {
                named.push(Named { kind: scope.kind(), id: id.into(), entry });
            }
            (None, _) => return None,
        }
        few.named = named.into();
        Some(few)
    }

    /// This list when some of the kind are hashed.
    pub(crate) fn crowded(&self, kind: ScopeKind) -> Self {
        let mut few = self.clone();
        few.crowded[usize::from(kind == ScopeKind::Key)] = true;
        few
    }

    /// This list without what the horizon has passed.
    pub(crate) fn without(&self, horizon: Horizon) -> Self {
        let lives = |entry: &Entry| !horizon.passed(entry.expires);
        Self {
            everything: self.everything.filter(lives),
            named: self.named.iter().filter(|named| lives(&named.entry)).cloned().collect(),
            crowded: self.crowded,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.named.len() + usize::from(self.everything.is_some())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.named.iter().map(|named| (size_of::<Named>() + named.id.len()) as u64).sum()
    }
}

impl Named {
    fn is(&self, scope: Scope<'_>) -> bool {
        self.kind == scope.kind() && self.id.as_bytes() == scope.id()
    }
}
