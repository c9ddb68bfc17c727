//! How long a logout waits until no node can accept what it revoked. It reads no rows and wakes nobody.

use std::time::Duration;

use super::LeaseTerms;
use crate::position::Position;

/// A logout that is committed and waits for the other nodes.
///
/// It is over as soon as all of them report that they have applied its position, and otherwise by time alone, whatever
/// the rows say and even if they cannot be read: after [`LeaseTerms::observer`] no lease is left that counts from before
/// the commit. What the promise covers is every check that *starts* when it is over; one that is running may still
/// accept.
///
/// A logout that finds everything revoked already waits likewise, for the head of the log as of that finding: whoever
/// revoked it may be waiting still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    position: Position,
    since: Duration,
    longest: Duration,
}

/// What the rows of the nodes said, read *after* the commit was known.
///
/// A read that began earlier may have missed a node that joined before the commit and has not applied it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are rows, or none, or nobody knows")]
pub enum LowWater {
    /// The lowest position that any of the rows reports as applied.
    At(Position),
    /// There are no rows: no node holds a lease.
    NoRows,
    /// The rows were not read, or not since then. Only time tells.
    Unknown,
}

impl Waiting {
    /// Waits for `position`, from a reading of the clock taken when its commit was *known*: after the answer, or after it
    /// was read back when the answer was lost.
    ///
    /// For a commit that several logouts share, the position is the last one of it.
    pub const fn new(position: Position, known_at: Duration, terms: &LeaseTerms) -> Self {
        Self { position, since: known_at, longest: terms.observer() }
    }

    /// The position that is waited for.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Whether no check that starts now, on any node, accepts what was revoked.
    #[must_use = "whoever does not wait returns while other nodes still accept"]
    pub fn is_over(&self, now: Duration, low_water: LowWater) -> bool {
        let applied = match low_water {
            LowWater::At(lowest) => lowest >= self.position,
            LowWater::NoRows => true,
            LowWater::Unknown => false,
        };
        applied || self.left(now).is_zero()
    }

    /// How long it takes at most from now.
    pub fn left(&self, now: Duration) -> Duration {
        self.longest.saturating_sub(now.saturating_sub(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    fn at(position: u64) -> LowWater {
        LowWater::At(Position::new(position).unwrap())
    }

    fn terms() -> LeaseTerms {
        LeaseTerms::new(Duration::from_secs(2)).unwrap()
    }

    fn waiting(known_at: Duration) -> Waiting {
        Waiting::new(Position::new(70).unwrap(), known_at, &terms())
    }

    #[test]
    fn rows_end_it_at_once() {
        let now = Duration::from_secs(5);
        assert!(!waiting(now).is_over(now, at(0)));
        assert!(!waiting(now).is_over(now, at(69)));
        assert!(waiting(now).is_over(now, at(70)));
        assert!(waiting(now).is_over(now, at(71)));
        assert!(waiting(now).is_over(now, LowWater::NoRows));
        assert!(!waiting(now).is_over(now, LowWater::Unknown));
    }

    #[test]
    fn time_ends_it_whatever_the_rows_say() {
        let wait = terms().observer();
        for known_at in [Duration::ZERO, NANO, Duration::MAX - wait] {
            for rows in [at(0), at(69), LowWater::Unknown] {
                assert!(!waiting(known_at).is_over(known_at + wait - NANO, rows));
                assert!(waiting(known_at).is_over(known_at + wait, rows));
            }
            assert_eq!(waiting(known_at).left(known_at), wait);
            assert_eq!(waiting(known_at).left(known_at + wait - NANO), NANO);
            assert_eq!(waiting(known_at).left(known_at + wait), Duration::ZERO);
            assert_eq!(waiting(known_at).left(Duration::MAX), Duration::ZERO);
        }
    }

    #[test]
    fn a_clock_at_its_end_or_behind_ends_nothing() {
        assert!(!waiting(Duration::MAX).is_over(Duration::MAX, LowWater::Unknown));
        assert!(!waiting(Duration::MAX).is_over(Duration::ZERO, LowWater::Unknown));
        assert_eq!(waiting(Duration::MAX).left(Duration::ZERO), terms().observer());
    }
}
