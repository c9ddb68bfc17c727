//! Places in the revocation log, and the cutoffs made of them.

use crate::time::Timestamp;

/// A place in the log of revocations: a hybrid logical clock in microseconds.
///
/// A store assigns positions inside its transactions with [`Position::next`], so a position never repeats and never
/// goes back, whatever the wall clocks do. Positions are not consecutive: that a reader has missed nothing follows
/// from the order of commits, not from counting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position(u64);

impl Position {
    /// Before the first entry of any log.
    pub const ZERO: Self = Self(0);
    /// The last position; databases keep positions as signed 64-bit integers.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// `None` above [`Position::MAX`].
    pub const fn new(position: u64) -> Option<Self> {
        if position > Self::MAX.0 { None } else { Some(Self(position)) }
    }

    /// The number itself, at most `i64::MAX`.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position of what commits after `head`: `max(head + 1, now)`, or `None` when the numbers are used up.
    pub fn next(head: Self, now: Timestamp) -> Option<Self> {
        Self::new((head.0 + 1).max(now.as_micros().unsigned_abs()))
    }

    /// The position after this one, or `None` when the numbers are used up.
    pub fn following(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// What a scope's revocations add up to: everything born before this is dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cutoff(u64);

impl Cutoff {
    /// Kills every token of the scope, whatever position it claims.
    ///
    /// For tokens and sessions, whose ids never come back, and for keys: whoever holds a leaked key writes any
    /// position they like.
    pub const ABSOLUTE: Self = Self(u64::MAX);

    /// Kills what was born before `position`.
    pub const fn at(position: Position) -> Self {
        Self(position.0)
    }

    /// Whether a token born at `pos` is dead by this cutoff.
    pub const fn kills(self, pos: Position) -> bool {
        pos.0 < self.0
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Both cutoffs together: the larger.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

// A token's position is at most `i64::MAX`, so the absolute cutoff kills even that one.
const _: () = assert!(Cutoff::ABSOLUTE.kills(Position::MAX));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_grow_whatever_the_clock_does() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let first = Position::next(Position::ZERO, at(1_000)).unwrap();
        assert_eq!(first.get(), 1_000);
        assert_eq!(Position::next(first, at(0)).unwrap().get(), 1_001, "a clock that steps back");
        assert_eq!(Position::next(first, at(1_000)).unwrap().get(), 1_001, "a clock that stands still");
        assert_eq!(Position::next(Position::MAX, at(0)), None);
        assert_eq!(Position::MAX.following(), None);
    }

    #[test]
    fn a_cutoff_kills_what_was_born_before_it() {
        let pos = |n| Position::new(n).unwrap();
        let cutoff = Cutoff::at(pos(5));
        assert!(cutoff.kills(pos(4)));
        assert!(!cutoff.kills(pos(5)));
        assert!(cutoff.merge(Cutoff::ABSOLUTE).kills(Position::MAX));
        assert_eq!(Cutoff::at(pos(3)).merge(cutoff), cutoff.merge(Cutoff::at(pos(3))));
    }
}
