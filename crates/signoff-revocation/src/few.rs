//! The cutoffs of scopes that are few: clients, keys, and everything at once. They are compared whole, without a hash.

use std::sync::Arc;

use crate::position::Cutoff;
use crate::scope::{Scope, ScopeKind};
use crate::shard::Entry;
use crate::tick::Horizon;

/// From so many clients or keys on, further ones are hashed like everything else.
const MOST: usize = if cfg!(any(signoff_loom, signoff_shuttle)) { 1 } else { 16 };

/// Immutable lists; a change makes others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Few {
    pub(crate) everything: Option<Entry>,
    pub(crate) clients: Names,
    pub(crate) keys: Names,
}

/// The cutoffs of one kind, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Invariant: no name is here and among the hashed scopes.
    named: Arc<[Named]>,
    /// Whether there are, or were, scopes of this kind among the hashed ones. Invariant: set before the first of them is
    /// inserted, and never unset.
    pub(crate) crowded: bool,
}

#[derive(Clone, Debug)]
struct Named {
    id: Box<str>,
    entry: Entry,
}

impl Few {
    /// With the entry added or raised. Says `false` when it is to be hashed instead; then readers know where to look.
    pub(crate) fn insert(&mut self, scope: Scope<'_>, entry: Entry) -> bool {
        match scope {
            Scope::Client(id) => self.clients.insert(id, entry),
            Scope::Key(id) => self.keys.insert(id, entry),
            Scope::Everything => {
                self.everything = Some(self.everything.map_or(entry, |known| known.merge(entry)));
                true
            }
            _ => false,
        }
    }

    /// Every one of them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Scope<'_>, Entry)> {
        let everything = self.everything.map(|entry| (Scope::Everything, entry));
        let clients = self.clients.named.iter().map(|named| (Scope::Client(&named.id), named.entry));
        let keys = self.keys.named.iter().map(|named| (Scope::Key(&named.id), named.entry));
        everything.into_iter().chain(clients).chain(keys)
    }

    /// The kinds of which some are, or were, among the hashed scopes.
    pub(crate) fn crowded(&self) -> impl Iterator<Item = ScopeKind> {
        let kinds = [(&self.clients, ScopeKind::Client), (&self.keys, ScopeKind::Key)];
        kinds.into_iter().filter_map(|(names, kind)| names.crowded.then_some(kind))
    }

    /// From now on readers look for this kind among the hashed scopes as well. Says `false` of another kind.
    pub(crate) fn crowd(&mut self, kind: ScopeKind) -> bool {
        let names = match kind {
            ScopeKind::Client => &mut self.clients,
            ScopeKind::Key => &mut self.keys,
            _ => return false,
        };
        names.crowded = true;
        true
    }

    /// Whether a client or a key is, or was, among them.
    #[inline]
    pub(crate) fn has_names(&self) -> bool {
        [&self.clients, &self.keys].into_iter().any(|names| names.crowded || !names.named.is_empty())
    }

    /// Without what the horizon has passed.
    pub(crate) fn without(&self, horizon: Horizon) -> Self {
        Self {
            everything: self.everything.filter(|entry| !horizon.passed(entry.expires)),
            clients: self.clients.without(horizon),
            keys: self.keys.without(horizon),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.named.len() + self.keys.named.len() + usize::from(self.everything.is_some())
    }

    pub(crate) fn bytes(&self) -> u64 {
        let named = self.clients.named.iter().chain(&*self.keys.named);
        named.map(|named| (size_of::<Named>() + named.id.len()) as u64).sum()
    }
}

impl Names {
    #[inline]
    pub(crate) fn cutoff(&self, id: &str) -> Option<Cutoff> {
        self.named.iter().find(|named| *named.id == *id).map(|named| named.entry.cutoff)
    }

    fn insert(&mut self, id: &str, entry: Entry) -> bool {
        let mut named = self.named.to_vec();
        if let Some(known) = named.iter_mut().find(|named| *named.id == *id) {
            known.entry = known.entry.merge(entry);
        } else if named.len() < MOST && !self.crowded {
            named.push(Named { id: id.into(), entry });
        } else {
            // Once one of a kind is hashed, later ones are, too: none is ever in both places.
            self.crowded = true;
            return false;
        }
        self.named = named.into();
        true
    }

    fn without(&self, horizon: Horizon) -> Self {
        let lives = |named: &&Named| !horizon.passed(named.entry.expires);
        Self { named: self.named.iter().filter(lives).cloned().collect(), crowded: self.crowded }
    }
}
