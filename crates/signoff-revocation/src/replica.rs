//! A node's copy of the live part of the log. It applies pages in order and never goes back.

use std::collections::VecDeque;
use std::fmt;

use crate::dump::Dump;
use crate::fault::{Fault, seeded};
use crate::hash::Fingerprint;
use crate::position::{Cutoff, Position};
use crate::scope::{Revocation, Scope, ScopeKind};
use crate::set::{Full, Reader, RevocationSet};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::time::Timestamp;

/// A stretch of the log: all entries after `after`, up to and including `through`.
///
/// A page is complete because the log is commit-ordered: whoever reads `through` as the head in one snapshot sees
/// every entry below it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it, and its three parts are all there is to a page")]
pub struct LogPage {
    /// The page begins behind this position.
    pub after: Position,
    /// The entries, in growing order of position.
    pub entries: Vec<Revocation>,
    /// The page ends here: the position of its last entry, or the head of the log when nothing follows.
    pub through: Position,
}

/// The live part of the log in memory, and the position up to which it is complete.
///
/// ```
/// use signoff_revocation::{LogPage, Position, Replica, Revocation, Scope, Timestamp, Verdict};
///
/// let replica = Replica::new();
/// let until = Timestamp::from_secs(1_900_000_000).unwrap();
/// let at = Position::new(70).unwrap();
///
/// // Everything minted for alice before position 70 is dead.
/// let everywhere = Revocation::new(Scope::Subject("alice"), at, until);
/// replica.apply(&LogPage { after: Position::ZERO, entries: vec![everywhere], through: at })?;
///
/// let born = |pos| replica.verdict(&[Scope::Token(b"jti-1"), Scope::Subject("alice")], Position::new(pos).unwrap());
/// assert!(matches!(born(69), Verdict::Dead(_)));
/// assert_eq!(born(70), Verdict::Alive);
/// # Ok::<(), signoff_revocation::ApplyError>(())
/// ```
#[derive(Debug)]
pub struct Replica {
    set: RevocationSet,
    /// Invariant: goes from [`LOADING`] to [`READY`] with a complete page, back when an entry found no room, and to
    /// [`DISTRUSTED`] for good. Readers look at it for every verdict, so nothing that is written often may share its line.
    state: AtomicU64,
    progress: Progress,
}

/// What changes with every page, on a line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Progress {
    /// Invariant: every unexpired entry at or below this position is in the set. Stored after they are (Release), so
    /// whoever reads it (Acquire) sees them. It never goes back.
    applied: AtomicU64,
    /// Appliers take turns; readers never take this lock.
    turn: Mutex<Turn>,
}

/// What only appliers look at.
struct Turn {
    /// Up to where pages failed for lack of room.
    owed: Position,
    /// The newest entries, as many as [`Dump::RECENT`] or all since the start. Invariant: all that the log had, as it was
    /// applied, from the first of them to the last, and the last is at or below the applied position.
    recent: VecDeque<Revocation>,
}

impl Turn {
    /// Takes note of a page that has been applied, and that begins where something was applied already.
    fn note(&mut self, entries: &[Revocation]) {
        let last = self.recent.back().map_or(Position::ZERO, Revocation::position);
        let new = &entries[entries.partition_point(|entry| entry.position() <= last)..];
        let new = &new[new.len().saturating_sub(Dump::RECENT)..];
        let gone = (self.recent.len() + new.len()).saturating_sub(Dump::RECENT);
        self.recent.drain(..gone);
        self.recent.extend(new.iter().cloned());
    }
}

impl fmt::Debug for Turn {
    // What is revoked is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("owed", &self.owed).finish_non_exhaustive()
    }
}

impl Replica {
    /// How many calls of [`Replica::purge_part`] go through the whole set.
    pub const PARTS: usize = RevocationSet::PARTS;

    /// A replica that knows nothing yet and therefore says [`Verdict::Unready`].
    pub fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// The same, with [a limit](RevocationSet::with_limit) on the bytes of its set.
    pub fn with_limit(bytes: usize) -> Self {
        Self::loaded(RevocationSet::with_limit(bytes), &[])
    }

    /// One that knows the log up to the last of these entries, but not what came since.
    pub(crate) fn loaded(set: RevocationSet, recent: &[Revocation]) -> Self {
        let mut turn = Turn { owed: Position::ZERO, recent: VecDeque::new() };
        turn.note(recent);
        let applied = AtomicU64::new(recent.last().map_or(0, |entry| entry.position().get()));
        let progress = Progress { applied, turn: Mutex::new(turn) };
        Self { set, state: AtomicU64::new(LOADING), progress }
    }

    /// Publishes the entries of a page, then reports the position up to which the replica is complete.
    ///
    /// Pages may overlap and repeat. Expired entries may be left out of them.
    ///
    /// # Errors
    ///
    /// * [`ApplyError::Gap`]: the page begins behind the applied position. Its entries are in force all the same (to
    ///   revoke early is the harmless direction), but the position stays: read the log from there and apply that.
    /// * [`ApplyError::Disordered`]: the positions of the page do not grow. Nothing of it is applied.
    /// * [`ApplyError::Full`]: there was no room for all of its entries. Until a page is applied that reaches as far, the
    ///   replica is [`Verdict::Unready`], for it may lack revocations that others rely on.
    /// * [`ApplyError::WentBack`]: the page ends before it begins: the log is shorter than what was applied, as after a
    ///   restored backup or a lost commit. The replica then distrusts itself, for the log may lack revocations.
    pub fn apply(&self, page: &LogPage) -> Result<Position, ApplyError> {
        if page.through < page.after {
            self.distrust();
            return Err(ApplyError::WentBack { applied: page.after, head: page.through });
        }
        let mut last = page.after;
        for entry in &page.entries {
            if entry.position() <= last || entry.position() > page.through {
                return Err(ApplyError::Disordered);
            }
            last = entry.position();
        }
        let mut turn = lock(&self.progress.turn);
        let entries = page.entries.iter().map(|entry| (entry.scope(), entry.cutoff(), entry.expires_at()));
        if self.insert(entries).is_err() {
            turn.owed = page.through.max(turn.owed);
            // Fails when it is loading already, or distrusted.
            let _ = self.state.compare_exchange(READY, LOADING, Ordering::AcqRel, Ordering::Acquire);
            return Err(ApplyError::Full { applied: self.applied() });
        }
        let applied = self.applied();
        if page.after > applied {
            return Err(ApplyError::Gap { applied });
        }
        let applied = applied.max(page.through);
        let order = if seeded(Fault::Barrier) { Ordering::Relaxed } else { Ordering::Release };
        self.progress.applied.store(applied.get(), order);
        turn.note(&page.entries);
        if applied >= turn.owed {
            // Fails when the replica is ready already, or distrusted, which is for good.
            let _ = self.state.compare_exchange(LOADING, READY, Ordering::AcqRel, Ordering::Acquire);
        }
        Ok(applied)
    }

    fn insert<'a>(&self, entries: impl ExactSizeIterator<Item = (Scope<'a>, Cutoff, Timestamp)>) -> Result<(), Full> {
        if entries.len() > MANY {
            return self.set.load(entries);
        }
        entries.into_iter().try_for_each(|(scope, cutoff, expires_at)| self.set.insert(scope, cutoff, expires_at))
    }

    /// From now on, and for good, nothing is alive: for a node that found out that its copy of the log cannot be right.
    pub fn distrust(&self) {
        self.state.store(DISTRUSTED, Ordering::Release);
    }

    /// The position up to which the replica is complete.
    pub fn applied(&self) -> Position {
        Position::new(self.progress.applied.load(Ordering::Acquire)).unwrap_or(Position::MAX)
    }

    /// Whether a token with these scopes, born at `pos`, is dead. [`Scope::Everything`] need not be named.
    pub fn verdict(&self, scopes: &[Scope<'_>], pos: Position) -> Verdict {
        if self.state.load(Ordering::Acquire) != READY {
            return Verdict::Unready;
        }
        self.set.dead_by(scopes, pos).map_or(Verdict::Alive, Verdict::Dead)
    }

    /// Hashes a scope ahead for [`Replica::verdict_hashed`]; see [`RevocationSet::fingerprint`].
    pub fn fingerprint(&self, scope: Scope<'_>) -> Option<Fingerprint> {
        self.set.fingerprint(scope)
    }

    /// As [`Replica::verdict`], for a token whose scopes were hashed before; see [`RevocationSet::dead_by_hashed`].
    #[inline]
    pub fn verdict_hashed<'a, const N: usize>(
        &self,
        hashed: &[Fingerprint],
        named: impl FnOnce() -> [Scope<'a>; N],
        pos: Position,
    ) -> Verdict {
        if self.state.load(Ordering::Acquire) != READY {
            return Verdict::Unready;
        }
        self.set.dead_by_hashed(hashed, named, pos).map_or(Verdict::Alive, Verdict::Dead)
    }

    /// A handle for one thread that asks for many verdicts; see [`RevocationSet::reader`].
    pub fn reader(&self) -> ReplicaReader<'_> {
        ReplicaReader { state: &self.state, set: self.set.reader() }
    }

    /// What it keeps, to be kept elsewhere and to be loaded again; `None` while there is nothing to keep, and when the replica
    /// distrusts itself.
    ///
    /// The newest entries are noted first, and the set is read afterwards: so it has whatever the log had up to them, and
    /// perhaps some of what was applied meanwhile. To have more is harmless; the other way round, whoever loaded it would go
    /// on behind entries that it lacks, and accept what they kill.
    pub fn dump(&self) -> Option<Dump<'_>> {
        let recent: Vec<_> = lock(&self.progress.turn).recent.iter().cloned().collect();
        let sound = !recent.is_empty() && self.state.load(Ordering::Acquire) != DISTRUSTED;
        sound.then(|| Dump::new(&self.set, recent))
    }

    /// The newest entry of the log that it has; another one when there is something new to [dump](Self::dump).
    pub fn newest(&self) -> Option<Revocation> {
        lock(&self.progress.turn).recent.back().cloned()
    }

    /// Forgets what expired at or before `horizon`; see [`RevocationSet::purge`].
    pub fn purge(&self, horizon: Timestamp) -> usize {
        self.set.purge(horizon)
    }

    /// The same in parts; see [`RevocationSet::purge_part`].
    pub fn purge_part(&self, horizon: Timestamp) -> usize {
        self.set.purge_part(horizon)
    }

    /// How many scopes are cut off.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether no scope is cut off.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// What the set takes of the heap, in bytes.
    pub fn bytes(&self) -> usize {
        self.set.bytes()
    }
}

/// Pages with more entries than this are loaded in bulk.
const MANY: usize = 10_000;

const LOADING: u64 = 0;
const READY: u64 = 1;
const DISTRUSTED: u64 = 2;

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

/// Verdicts for one thread; see [`Replica::reader`].
#[derive(Debug)]
pub struct ReplicaReader<'a> {
    state: &'a AtomicU64,
    set: Reader<'a>,
}

impl ReplicaReader<'_> {
    /// As [`Replica::verdict`].
    #[inline]
    pub fn verdict(&mut self, scopes: &[Scope<'_>], pos: Position) -> Verdict {
        if self.state.load(Ordering::Acquire) != READY {
            return Verdict::Unready;
        }
        self.set.dead_by(scopes, pos).map_or(Verdict::Alive, Verdict::Dead)
    }
}

/// What the replica knows of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a verdict that nobody looks at protects nobody"]
#[non_exhaustive]
pub enum Verdict {
    /// No scope of it is cut off.
    Alive,
    /// It is revoked; by which kind of scope, for the log.
    Dead(ScopeKind),
    /// The replica cannot tell: refuse.
    Unready,
}

/// Why a page did not move the applied position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ApplyError {
    /// The entries of the page are out of order or outside its bounds.
    Disordered,
    /// There was no room for all entries of the page; nothing is alive until a page that reaches as far is applied.
    Full {
        /// Read the log after this position.
        applied: Position,
    },
    /// Entries between `applied` and the page are missing; the entries of the page are in force all the same.
    Gap {
        /// Read the log after this position.
        applied: Position,
    },
    /// The log ends before what was applied already: the store lost commits.
    WentBack {
        /// Where the page was said to begin: what its reader had applied.
        applied: Position,
        /// Where the log ends now.
        head: Position,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disordered => f.write_str("the entries of a log page are out of order"),
            Self::Full { applied } => write!(f, "no room for the log entries after position {}", applied.get()),
            Self::Gap { applied } => write!(f, "log entries after position {} are missing", applied.get()),
            Self::WentBack { applied, head } => {
                write!(f, "the log ends at {}, but {} was applied already", head.get(), applied.get())
            }
        }
    }
}

impl std::error::Error for ApplyError {}
