//! A node's copy of the live part of the log. It applies pages in order and never goes back.

use std::fmt;

use crate::position::Position;
use crate::scope::{Revocation, Scope, ScopeKind};
use crate::set::RevocationSet;
use crate::sync::{AtomicU64, Mutex, Ordering};
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
#[derive(Debug)]
pub struct Replica {
    set: RevocationSet,
    /// Invariant: every unexpired entry at or below this position is in `set`. Stored after they are (Release), so
    /// whoever reads it (Acquire) sees them. It never goes back.
    applied: AtomicU64,
    /// Invariant: goes from [`LOADING`] to [`READY`] with the first page, and to [`DISTRUSTED`] for good.
    state: AtomicU64,
    /// Appliers take turns; readers never take this lock.
    turn: Mutex<()>,
}

impl Replica {
    /// A replica that knows nothing yet and therefore says [`Verdict::Unready`].
    pub fn new() -> Self {
        Self {
            set: RevocationSet::new(),
            applied: AtomicU64::new(0),
            state: AtomicU64::new(LOADING),
            turn: Mutex::new(()),
        }
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
        let _turn = self.turn.lock().unwrap_or_else(|poison| poison.into_inner());
        for entry in &page.entries {
            self.set.insert(entry.scope(), entry.cutoff(), entry.expires_at());
        }
        let applied = self.applied();
        if page.after > applied {
            return Err(ApplyError::Gap { applied });
        }
        let applied = applied.max(page.through);
        self.applied.store(applied.get(), Ordering::Release);
        // Fails when the replica is ready already, or distrusted, which is for good.
        let _ = self.state.compare_exchange(LOADING, READY, Ordering::AcqRel, Ordering::Acquire);
        Ok(applied)
    }

    /// From now on, and for good, nothing is alive: for a node that found out that its copy of the log cannot be right.
    pub fn distrust(&self) {
        self.state.store(DISTRUSTED, Ordering::Release);
    }

    /// The position up to which the replica is complete.
    pub fn applied(&self) -> Position {
        Position::new(self.applied.load(Ordering::Acquire)).unwrap_or(Position::MAX)
    }

    /// Whether a token with these scopes, born at `pos`, is dead. [`Scope::Everything`] need not be named.
    pub fn verdict(&self, scopes: &[Scope<'_>], pos: Position) -> Verdict {
        if self.state.load(Ordering::Acquire) != READY {
            return Verdict::Unready;
        }
        let kills = |scope: Scope<'_>| self.set.cutoff(scope).is_some_and(|cutoff| cutoff.kills(pos));
        match scopes.iter().copied().chain([Scope::Everything]).find(|scope| kills(*scope)) {
            Some(scope) => Verdict::Dead(scope.kind()),
            None => Verdict::Alive,
        }
    }

    /// Forgets what expired at or before `horizon`; see [`RevocationSet::purge`].
    pub fn purge(&self, horizon: Timestamp) -> usize {
        self.set.purge(horizon)
    }

    /// How many scopes are cut off.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether no scope is cut off.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

const LOADING: u64 = 0;
const READY: u64 = 1;
const DISTRUSTED: u64 = 2;

impl Default for Replica {
    fn default() -> Self {
        Self::new()
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
            Self::Gap { applied } => write!(f, "log entries after position {} are missing", applied.get()),
            Self::WentBack { applied, head } => {
                write!(f, "the log ends at {}, but {} was applied already", head.get(), applied.get())
            }
        }
    }
}

impl std::error::Error for ApplyError {}
