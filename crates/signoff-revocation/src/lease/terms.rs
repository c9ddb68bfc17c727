//! How long leases last, on the clock of whoever holds one and on the clocks of those who wait for its end.

use std::fmt;
use std::time::Duration;

/// The length of leases, and what follows from it for clocks that run slow or fast.
///
/// The length belongs to the *store*: nodes that use one store have to agree on it, or a node still answers when others
/// believe that it has stopped. So it is kept there, and a node that was told another one must not start.
///
/// Let `L` be the length and `d` the drift, 1/8: every clock counts between `1 - d` and `1 + d` seconds in a second. A
/// holder stops after `H = L(1 - d)` on its clock, so before `L` has passed, however slow that is. An observer waits for
/// `W = L(1 + d)` on its clock, so until `L` has passed, however fast that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseTerms {
    length: Duration,
}

impl LeaseTerms {
    /// A hundred milliseconds; in less than that a node cannot renew its lease three times.
    pub const SHORTEST: Duration = Duration::from_millis(100);
    /// An hour; a logout may have to wait for the end of a lease.
    pub const LONGEST: Duration = Duration::from_secs(60 * 60);
    /// A clock may be slow or fast by one part in so many.
    ///
    /// It is not for configuration, because there is a limit to what a time daemon can do to a clock: chronyd slews by up
    /// to 8.3 % unless told otherwise (`maxslewrate`), and Linux refuses ticks that are off by more than 10 % (`ADJ_TICK`)
    /// and frequencies by more than 500 ppm. One in eight is 12.5 %.
    pub const DRIFT_ONE_IN: u64 = 8;

    /// Leases of this length.
    ///
    /// # Errors
    ///
    /// [`LeaseLengthError`] below [`LeaseTerms::SHORTEST`] or above [`LeaseTerms::LONGEST`].
    pub fn new(length: Duration) -> Result<Self, LeaseLengthError> {
        if length < Self::SHORTEST || length > Self::LONGEST {
            return Err(LeaseLengthError { length });
        }
        Ok(Self { length })
    }

    /// `L`, the length itself, in time as it really passes.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// `H`, how long a lease lasts on its holder's clock: rounded down to whole nanoseconds.
    pub const fn holder(&self) -> Duration {
        Duration::from_nanos(self.nanos() - self.nanos().div_ceil(Self::DRIFT_ONE_IN))
    }

    /// `W`, how long others wait on their own clocks until a lease is over: rounded up to whole nanoseconds, and two more
    /// because a reading of a clock is itself rounded to one.
    ///
    /// A clock that only moves every few milliseconds (`CLOCK_*_COARSE`) is therefore not fit for this.
    pub const fn observer(&self) -> Duration {
        Duration::from_nanos(self.nanos() + self.nanos().div_ceil(Self::DRIFT_ONE_IN) + 2)
    }

    const fn nanos(&self) -> u64 {
        // An hour has fewer than 2^42 nanoseconds.
        self.length.as_nanos() as u64
    }
}

/// A lease would be shorter than [`LeaseTerms::SHORTEST`] or longer than [`LeaseTerms::LONGEST`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseLengthError {
    length: Duration,
}

impl fmt::Display for LeaseLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shortest, longest) = (LeaseTerms::SHORTEST, LeaseTerms::LONGEST);
        write!(f, "a lease lasts between {shortest:?} and {longest:?}, not {:?}", self.length)
    }
}

impl std::error::Error for LeaseLengthError {}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn the_length_has_bounds() {
        let (shortest, longest) = (LeaseTerms::SHORTEST, LeaseTerms::LONGEST);
        assert_eq!(LeaseTerms::new(shortest).unwrap().length(), shortest);
        assert_eq!(LeaseTerms::new(longest).unwrap().length(), longest);
        for length in [Duration::ZERO, shortest - NANO, longest + NANO, Duration::MAX] {
            assert_eq!(LeaseTerms::new(length), Err(LeaseLengthError { length }));
        }
        let message = LeaseTerms::new(Duration::ZERO).unwrap_err().to_string();
        assert_eq!(message, "a lease lasts between 100ms and 3600s, not 0ns");
    }

    #[test]
    fn holders_round_down_and_observers_up() {
        let check = |nanos, holder, observer: u128| {
            let terms = LeaseTerms::new(Duration::from_nanos(nanos)).unwrap();
            assert_eq!(terms.holder().as_nanos(), holder, "{nanos}");
            assert_eq!(terms.observer().as_nanos(), observer + 2, "{nanos}");
        };
        check(2_000_000_000, 1_750_000_000, 2_250_000_000);
        check(2_000_000_001, 1_750_000_000, 2_250_000_002);
        check(2_000_000_007, 1_750_000_006, 2_250_000_008);
        check(2_000_000_008, 1_750_000_007, 2_250_000_009);
    }

    /// The inequality that everything rests on: `H / (1 - d) <= L <= W / (1 + d)`.
    #[test]
    fn the_slowest_holder_stops_before_the_fastest_observer_has_waited() {
        let shortest = LeaseTerms::SHORTEST;
        let odd = Duration::from_nanos(3_456_789_012_345);
        for base in [shortest, Duration::from_secs(1), odd, LeaseTerms::LONGEST - Duration::from_nanos(16)] {
            for more in 0..=16 {
                let terms = LeaseTerms::new(base + Duration::from_nanos(more)).unwrap();
                let length = terms.length().as_nanos();
                assert!(terms.holder().as_nanos() * 8 <= length * 7);
                assert!(length * 9 <= (terms.observer().as_nanos() - 2) * 8);
                // No more is lost than a nanosecond of rounding.
                assert!((terms.holder().as_nanos() + 1) * 8 > length * 7);
                assert!((terms.observer().as_nanos() - 3) * 8 < length * 9);
            }
        }
    }
}
