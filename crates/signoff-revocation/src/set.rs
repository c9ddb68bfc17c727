//! The set of live cutoffs, shared by any number of readers and writers. It knows nothing of logs and their order.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::few::Few;
use crate::hash::{Fingerprint, Keys, Print};
use crate::position::{Cutoff, Position};
use crate::scope::{Scope, ScopeKind};
use crate::shard::{Entry, Shard};
use crate::sync::{Cached, TALLY, Tally};
use crate::table::{REGIONS, Root, Table};
use crate::tick::{GRANULE, Horizon, Tick};
use crate::time::Timestamp;

/// Which scopes are cut off, and where.
///
/// An entry lives until its `expires_at`, never less: nothing is evicted by size or recency. See the
/// [crate page](crate) for what a reader may see and when, and for what this costs.
#[derive(Debug)]
pub struct RevocationSet {
    table: Table,
    keys: Keys,
    /// The region whose turn it is in [`RevocationSet::purge_part`].
    next: Tally,
}

impl RevocationSet {
    /// How much longer than asked an entry may be kept, by the resolution of expiry: 2^27 microseconds, about 134
    /// seconds. What expires after the year 2112 is never dropped.
    pub const GRANULE: Duration = GRANULE;
    /// How many calls of [`RevocationSet::purge_part`] go through the whole set.
    pub const PARTS: usize = REGIONS;

    /// An empty set, as large as memory allows.
    pub fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// An empty set that takes at most so many bytes of the heap for its tables, and says [`Full`] beyond.
    ///
    /// While a shard is replaced, both count; only a purge may go beyond the limit by the one that it builds, and the names
    /// of up to 16 clients and 16 keys are outside of it. Choose it from the number of revocations that are live at a
    /// time: at most 18 bytes for each token or session, 32 for each subject, and 100 KB for the rest.
    pub fn with_limit(bytes: usize) -> Self {
        Self::with_keys(Keys::new(), bytes)
    }

    pub(crate) fn with_keys(keys: Keys, bytes: usize) -> Self {
        Self { table: Table::new(bytes as u64), keys, next: Tally::new(0) }
    }

    /// Adds a cutoff, or raises the one that is there: both the cutoff and the expiry become the larger.
    ///
    /// Tokens, sessions and keys are always cut off for good, whatever the cutoff says (see
    /// [`ScopeKind::is_absolute`]). When this has returned `Ok`, every check that begins afterwards, on any thread, sees it.
    ///
    /// # Errors
    ///
    /// [`Full`] when the limit is reached or memory is short. Then the scope is **not** cut off, and nothing else was
    /// dropped to make room: refuse every token until a later attempt succeeds. [`Replica`](crate::Replica) does so.
    pub fn insert(&self, scope: Scope<'_>, cutoff: Cutoff, expires_at: Timestamp) -> Result<(), Full> {
        self.insert_entry(scope, entry(scope, cutoff, expires_at))
    }

    pub(crate) fn insert_entry(&self, scope: Scope<'_>, entry: Entry) -> Result<(), Full> {
        if scope.kind().is_few() && self.table.insert_few(scope, entry)? {
            return Ok(());
        }
        self.table.insert(self.keys.print(scope), entry)
    }

    /// Adds or raises many cutoffs, at least twice as fast as one by one.
    ///
    /// It collects up to 8,192 entries for each of 128 parts before it inserts them, so while it runs it needs up to 34 MB
    /// for tokens and sessions, and as much for subjects, outside of any limit.
    ///
    /// # Errors
    ///
    /// [`Full`] as from [`RevocationSet::insert`]: an unknown part of the entries is in force, which is the safe direction.
    pub fn load<'a>(&self, entries: impl IntoIterator<Item = (Scope<'a>, Cutoff, Timestamp)>) -> Result<(), Full> {
        // Region by region: what is touched together then fits the processor's caches.
        let mut waiting = vec![Vec::new(); REGIONS];
        for (scope, cutoff, expires_at) in entries {
            if scope.kind().is_few() {
                self.insert(scope, cutoff, expires_at)?;
                continue;
            }
            let print = self.keys.print(scope);
            let region: &mut Vec<(Print, Entry)> = &mut waiting[usize::from(print.region)];
            region.try_reserve(1).map_err(|_| Full)?;
            region.push((print, entry(scope, cutoff, expires_at)));
            if region.len() == TOGETHER {
                self.table.insert_all(print.region, region)?;
            }
        }
        for (region, mut entries) in (0..=u8::MAX).zip(waiting) {
            self.table.insert_all(region, &mut entries)?;
        }
        Ok(())
    }

    /// The cutoff of `scope`, if it has one.
    pub fn cutoff(&self, scope: Scope<'_>) -> Option<Cutoff> {
        cutoff(&self.table.root(), &self.keys, scope)
    }

    /// The first of these scopes whose cutoff kills a token born at `pos`; [`Scope::Everything`] need not be named.
    #[must_use = "a token that is dead by one of its scopes must be refused"]
    pub fn dead_by(&self, scopes: &[Scope<'_>], pos: Position) -> Option<ScopeKind> {
        dead_by(&self.table.root(), &self.keys, scopes, pos)
    }

    /// Hashes a token, a session or a subject ahead, for [`RevocationSet::dead_by_hashed`]. `None` for the scopes of which
    /// there are few, which are compared by name.
    pub fn fingerprint(&self, scope: Scope<'_>) -> Option<Fingerprint> {
        self.keys.fingerprint(scope)
    }

    /// As [`RevocationSet::dead_by`], for a token whose scopes were hashed before. `named` must give its client and its key;
    /// it is asked only if a client or a key is revoked.
    ///
    /// A fingerprint of another set cannot be looked up here, so it counts as revoked.
    #[inline]
    #[must_use = "a token that is dead by one of its scopes must be refused"]
    pub fn dead_by_hashed<'a, const N: usize>(
        &self,
        hashed: &[Fingerprint],
        named: impl FnOnce() -> [Scope<'a>; N],
        pos: Position,
    ) -> Option<ScopeKind> {
        let root = self.table.root();
        let calls = |one: &Fingerprint| {
            let print = one.print();
            !self.keys.took(one) || root.shard(print).is_some_and(|shard| shard.calls_for_a_look(print))
        };
        // Every fingerprint is asked for before any answer is waited for, as in `dead_by`.
        let look = hashed.iter().fold(false, |look, one| look | calls(one));
        if look && let Some(kind) = find_hashed_killer(&root, &self.keys, hashed, pos) {
            return Some(kind);
        }
        let names = root.few.has_names().then(named);
        dead_by(&root, &self.keys, names.as_ref().map_or(&[], |names| names), pos)
    }

    /// A handle for one thread that checks often: it saves a few nanoseconds per check.
    ///
    /// While it is idle it keeps the tables that it saw last in memory, so do not park many of them.
    pub fn reader(&self) -> Reader<'_> {
        Reader { root: self.table.cached(), keys: &self.keys }
    }

    /// Forgets the entries that expired at or before `horizon` (as far as [`RevocationSet::GRANULE`] tells) and says how
    /// many they were.
    ///
    /// A horizon that runs ahead of real time revives the dead: take it from a [`PurgeHorizon`](crate::PurgeHorizon).
    /// Shards in which something expired are rebuilt one after the other; nobody waits for more than one of them. Where
    /// memory is too short for that, a shard is left as it is.
    pub fn purge(&self, horizon: Timestamp) -> usize {
        (0..Self::PARTS).map(|_| self.purge_part(horizon)).sum()
    }

    /// Does one of [`RevocationSet::PARTS`] parts of what [`RevocationSet::purge`] does, each call the next part: to
    /// spread the work.
    pub fn purge_part(&self, horizon: Timestamp) -> usize {
        let horizon = Horizon::of(horizon);
        let region = self.next.fetch_add(1, TALLY) % Self::PARTS as u64;
        let few = if region == 0 { self.table.purge_few(horizon) } else { 0 };
        few + self.table.purge(region as u8, horizon)
    }

    /// What it hashes with, for a dump.
    pub(crate) fn keys_to_bytes(&self) -> Vec<u8> {
        self.keys.to_bytes()
    }

    /// The scopes that are compared whole, as they are now.
    pub(crate) fn few(&self) -> Few {
        self.table.root().few.clone()
    }

    /// See [`Table::published`].
    pub(crate) fn published(&self, region: u8) -> Arc<[Shard]> {
        self.table.published(region)
    }

    /// See [`Table::fill`].
    pub(crate) fn fill(&self, region: u8, entries: &mut Vec<(Print, Entry)>) -> Result<(), Full> {
        self.table.fill(region, entries)
    }

    /// See [`Table::crowd`].
    pub(crate) fn crowd(&self, kind: ScopeKind) -> Result<bool, Full> {
        self.table.crowd(kind)
    }

    /// How many scopes are cut off.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no scope is cut off.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes of the heap, in bytes. Tables that an idle [`Reader`] keeps alive are not counted.
    pub fn bytes(&self) -> usize {
        self.table.bytes() as usize
    }
}

/// How many entries of a region a bulk load collects: in a large set some hundred per shard.
const TOGETHER: usize = 8_192;

impl Default for RevocationSet {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks for one thread; see [`RevocationSet::reader`].
pub struct Reader<'a> {
    root: Cached<'a, Root>,
    keys: &'a Keys,
}

impl Reader<'_> {
    /// As [`RevocationSet::cutoff`].
    #[inline]
    pub fn cutoff(&mut self, scope: Scope<'_>) -> Option<Cutoff> {
        cutoff(self.root.load(), self.keys, scope)
    }

    /// As [`RevocationSet::dead_by`].
    #[inline]
    #[must_use = "a token that is dead by one of its scopes must be refused"]
    pub fn dead_by(&mut self, scopes: &[Scope<'_>], pos: Position) -> Option<ScopeKind> {
        dead_by(self.root.load(), self.keys, scopes, pos)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

#[inline]
fn cutoff(root: &Root, keys: &Keys, scope: Scope<'_>) -> Option<Cutoff> {
    match scope {
        Scope::Session(_) | Scope::Subject(_) | Scope::Token(_) => hashed(root, keys, scope),
        Scope::Client(_) | Scope::Everything | Scope::Key(_) => named(root, keys, scope),
    }
}

#[inline]
fn hashed(root: &Root, keys: &Keys, scope: Scope<'_>) -> Option<Cutoff> {
    let print = keys.print(scope);
    let shard = root.shard(print)?;
    if shard.calls_for_a_look(print) { shard.cutoff(print) } else { None }
}

// Not inlined, so that the path of the many scopes stays small.
#[inline(never)]
fn named(root: &Root, keys: &Keys, scope: Scope<'_>) -> Option<Cutoff> {
    let (names, id) = match scope {
        Scope::Client(id) => (&root.few.clients, id),
        Scope::Key(id) => (&root.few.keys, id),
        _ => return root.few.everything.map(|entry| entry.cutoff),
    };
    names.cutoff(id).or_else(|| if names.crowded { hashed(root, keys, scope) } else { None })
}

#[inline]
fn dead_by(root: &Root, keys: &Keys, scopes: &[Scope<'_>], pos: Position) -> Option<ScopeKind> {
    let kills = |cutoff: Option<Cutoff>| cutoff.is_some_and(|cutoff| cutoff.kills(pos));
    let calls = |scope| {
        let print = keys.print(scope);
        root.shard(print).is_some_and(|shard| shard.calls_for_a_look(print))
    };
    // Nearly every token is alive. So every scope is only asked whether it calls for a look, without waiting for the
    // answer before the next: the processor overlaps the misses of its caches.
    let mut look = kills(root.few.everything.map(|entry| entry.cutoff));
    for scope in scopes {
        look |= match *scope {
            Scope::Client(id) => kills(root.few.clients.cutoff(id)) || root.few.clients.crowded && calls(*scope),
            Scope::Everything => false,
            Scope::Key(id) => kills(root.few.keys.cutoff(id)) || root.few.keys.crowded && calls(*scope),
            Scope::Session(_) | Scope::Subject(_) | Scope::Token(_) => calls(*scope),
        };
    }
    if look { find_killer(root, keys, scopes, pos) } else { None }
}

#[cold]
fn find_hashed_killer(root: &Root, keys: &Keys, hashed: &[Fingerprint], pos: Position) -> Option<ScopeKind> {
    let cutoff = |print| root.shard(print).and_then(|shard| shard.cutoff(print));
    let kills = |one: &&Fingerprint| !keys.took(one) || cutoff(one.print()).is_some_and(|cutoff| cutoff.kills(pos));
    hashed.iter().find(kills).map(Fingerprint::kind)
}

#[cold]
fn find_killer(root: &Root, keys: &Keys, scopes: &[Scope<'_>], pos: Position) -> Option<ScopeKind> {
    let kills = |scope: &Scope<'_>| cutoff(root, keys, *scope).is_some_and(|cutoff| cutoff.kills(pos));
    scopes.iter().copied().chain([Scope::Everything]).find(kills).map(|scope| scope.kind())
}

fn entry(scope: Scope<'_>, cutoff: Cutoff, expires_at: Timestamp) -> Entry {
    let cutoff = if scope.kind().is_absolute() { Cutoff::ABSOLUTE } else { cutoff };
    Entry { cutoff, expires: Tick::of(expires_at) }
}

/// There is no room for another entry: the limit is reached, or memory is short. The scope is not cut off.
///
/// Nothing was dropped to make room. Fail closed: accept no token until the entry is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for another revocation: the limit of the set is reached or memory is short")
    }
}

impl Error for Full {}
