//! How far purging may go, when the wall clock cannot be trusted. It reads no clock: both readings are arguments.

use std::time::Duration;

use crate::time::Timestamp;

/// The time before which expired revocations may be forgotten.
///
/// A wall clock that jumps ahead must not make a node forget live revocations: that would revive the dead. So the
/// horizon follows the slower of the wall clock and a clock that only counts elapsed time (suspension included), keeps
/// a day's distance, and stands still for the first hour after a start.
///
/// Error directions: too late costs disk and memory (a nuisance), too early is a vulnerability. A wall clock that is
/// ahead by more than the distance at start *and* stays so for an hour is not noticed.
#[derive(Clone, Debug)]
pub struct PurgeHorizon {
    /// The readings of both clocks from which elapsed time is counted.
    wall: Timestamp,
    elapsed: Duration,
    started: Duration,
}

impl PurgeHorizon {
    /// How far the horizon stays behind.
    pub const DISTANCE: Duration = Duration::from_secs(24 * 60 * 60);
    /// How long both clocks must have run before anything is purged.
    pub const SETTLE: Duration = Duration::from_secs(60 * 60);

    /// Begins to watch, with the wall clock's time and a reading of the elapsed-time clock.
    pub const fn new(wall: Timestamp, elapsed: Duration) -> Self {
        Self { wall, elapsed, started: elapsed }
    }

    /// Takes note of both clocks and says how far purging may go, if at all.
    pub fn advance(&mut self, wall: Timestamp, elapsed: Duration) -> Option<Timestamp> {
        let counted = self.wall.saturating_add(elapsed.saturating_sub(self.elapsed));
        // A wall clock that went back (or was ahead before) becomes the new start; one that jumped ahead is ignored.
        if wall < counted {
            (self.wall, self.elapsed) = (wall, elapsed);
        }
        let settled = elapsed.saturating_sub(self.started) >= Self::SETTLE;
        settled.then(|| counted.min(wall).saturating_sub(Self::DISTANCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = PurgeHorizon::SETTLE;
    const DAY: Duration = PurgeHorizon::DISTANCE;

    fn start() -> Timestamp {
        Timestamp::from_secs(1_800_000_000).unwrap()
    }

    #[test]
    fn it_stands_still_for_the_first_hour() {
        let mut horizon = PurgeHorizon::new(start(), Duration::from_secs(7));
        assert_eq!(horizon.advance(start().saturating_add(HOUR - Duration::from_secs(7)), HOUR), None);
        let later = start().saturating_add(HOUR);
        assert_eq!(horizon.advance(later, HOUR + Duration::from_secs(7)), Some(later.saturating_sub(DAY)));
    }

    #[test]
    fn a_jump_ahead_does_not_move_it() {
        let mut horizon = PurgeHorizon::new(start(), Duration::ZERO);
        let counted = start().saturating_add(2 * HOUR).saturating_sub(DAY);
        assert_eq!(horizon.advance(Timestamp::MAX, 2 * HOUR), Some(counted));
    }

    #[test]
    fn a_step_back_holds_it_back() {
        let mut horizon = PurgeHorizon::new(start(), Duration::ZERO);
        let back = start().saturating_sub(DAY);
        assert_eq!(horizon.advance(back, 2 * HOUR), Some(back.saturating_sub(DAY)));
        // Even when the clock returns, only elapsed time counts from there on.
        let after = back.saturating_add(HOUR).saturating_sub(DAY);
        assert_eq!(horizon.advance(start(), 3 * HOUR), Some(after));
    }
}
