//! Times of expiry in 25 bits: a granule of 2^27 microseconds, up to the year 2112, and "never" beyond.

use std::time::Duration;

use crate::fault::{Fault, seeded};
use crate::time::Timestamp;

pub(crate) const TICK_BITS: u32 = 25;
const GRANULE_BITS: u32 = 27;
/// What one tick lasts.
pub(crate) const GRANULE: Duration = Duration::from_micros(1 << GRANULE_BITS);

/// When an entry may be forgotten: the first granule that begins at or after that time. Late is the harmless direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tick(u32);

impl Tick {
    /// Too far off to be told: such an entry is never forgotten.
    pub(crate) const NEVER: Self = Self((1 << TICK_BITS) - 1);

    pub(crate) fn of(expires_at: Timestamp) -> Self {
        let granules = expires_at.as_micros().unsigned_abs().div_ceil(1 << GRANULE_BITS);
        Self(u32::try_from(granules).map_or(Self::NEVER.0, |granules| granules.min(Self::NEVER.0)))
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits as u32 & Self::NEVER.0)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }
}

/// How far forgetting may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon(u32);

impl Horizon {
    pub(crate) fn of(horizon: Timestamp) -> Self {
        let granules = horizon.as_micros().unsigned_abs() >> GRANULE_BITS;
        let granules = granules + u64::from(seeded(Fault::Purge));
        // Below `NEVER`, which no horizon reaches.
        Self(u32::try_from(granules).unwrap_or(u32::MAX).min(Tick::NEVER.0 - 1))
    }

    pub(crate) const fn passed(self, tick: Tick) -> bool {
        tick.0 <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forgotten_early() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let granule = 1 << GRANULE_BITS;
        for expires_at in [0, 1, granule - 1, granule, granule + 1, 1_800_000_000_000_000] {
            let tick = Tick::of(at(expires_at));
            assert!(!Horizon::of(at((expires_at - 1).max(0))).passed(tick) || expires_at == 0, "{expires_at}");
            assert!(Horizon::of(at(expires_at + granule)).passed(tick), "{expires_at}");
        }
        assert_eq!(Tick::of(Timestamp::MAX), Tick::NEVER);
        assert!(!Horizon::of(Timestamp::MAX).passed(Tick::NEVER));
        assert_eq!(Tick::from_bits(Tick::NEVER.bits()), Tick::NEVER);
    }
}
