//! The set of live cutoffs, shared by any number of readers and writers. It knows nothing of logs and their order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::position::Cutoff;
use crate::scope::{Scope, ScopeKind};
use crate::sync::RwLock;
use crate::time::Timestamp;

/// Which scopes are cut off, and where.
///
/// An entry lives until its `expires_at`, never less: nothing is evicted by size or recency. The hash is keyed per
/// process, so ids chosen to collide achieve nothing.
#[derive(Debug)]
pub struct RevocationSet {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

type Shard = RwLock<[HashMap<Box<[u8]>, Entry>; ScopeKind::ALL.len()]>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    cutoff: Cutoff,
    expires_at: Timestamp,
}

// Loom replays schedules, and a keyed hash would choose another shard each time.
const SHARDS: usize = if cfg!(signoff_loom) { 1 } else { 64 };

impl RevocationSet {
    /// An empty set.
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::new(Default::default())).collect(), hasher: RandomState::new() }
    }

    /// Adds a cutoff, or raises the one that is there: both the cutoff and the expiry become the larger.
    pub fn insert(&self, scope: Scope<'_>, cutoff: Cutoff, expires_at: Timestamp) {
        // A lock poisoned by a panicking writer is written to all the same: more revocations are the safe direction.
        let mut shard = self.shard(scope).write().unwrap_or_else(|poison| poison.into_inner());
        let map = &mut shard[slot(scope.kind())];
        if let Some(entry) = map.get_mut(scope.id()) {
            *entry = Entry { cutoff: entry.cutoff.merge(cutoff), expires_at: entry.expires_at.max(expires_at) };
        } else {
            map.insert(scope.id().into(), Entry { cutoff, expires_at });
        }
    }

    /// The cutoff of `scope`, if it has one. A poisoned lock answers [`Cutoff::ABSOLUTE`]: fail closed.
    pub fn cutoff(&self, scope: Scope<'_>) -> Option<Cutoff> {
        let Ok(shard) = self.shard(scope).read() else { return Some(Cutoff::ABSOLUTE) };
        shard[slot(scope.kind())].get(scope.id()).map(|entry| entry.cutoff)
    }

    /// Forgets the entries that expired at or before `horizon` and says how many they were.
    ///
    /// A horizon that runs ahead of real time revives the dead: take it from a [`PurgeHorizon`](crate::PurgeHorizon).
    pub fn purge(&self, horizon: Timestamp) -> usize {
        let mut dropped = 0;
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(|poison| poison.into_inner());
            for map in shard.iter_mut() {
                let before = map.len();
                map.retain(|_, entry| entry.expires_at > horizon);
                dropped += before - map.len();
                if map.capacity() > 4 * map.len() {
                    map.shrink_to_fit();
                }
            }
        }
        dropped
    }

    /// How many scopes are cut off.
    pub fn len(&self) -> usize {
        let count = |shard: &Shard| {
            let shard = shard.read().unwrap_or_else(|poison| poison.into_inner());
            shard.iter().map(HashMap::len).sum::<usize>()
        };
        self.shards.iter().map(count).sum()
    }

    /// Whether no scope is cut off.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, scope: Scope<'_>) -> &Shard {
        let hash = self.hasher.hash_one((scope.kind(), scope.id()));
        &self.shards[hash as usize % SHARDS]
    }
}

impl Default for RevocationSet {
    fn default() -> Self {
        Self::new()
    }
}

const fn slot(kind: ScopeKind) -> usize {
    kind.code() as usize - 1
}
