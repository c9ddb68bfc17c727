//! The horizon of purging against all readings of both clocks so far, none of them forgotten.

use std::time::Duration;

use signoff_revocation::{PurgeHorizon, Timestamp};

pub(crate) struct Watch {
    horizon: PurgeHorizon,
    /// Every reading since the start: the wall clock, and the clock of elapsed time.
    readings: Vec<(Timestamp, Duration)>,
}

impl Watch {
    pub(crate) fn new(wall: Timestamp) -> Self {
        // Not at zero, and no multiple of a minute: the machine was started before the process.
        let elapsed = Duration::from_secs(100);
        Self { horizon: PurgeHorizon::new(wall, elapsed), readings: vec![(wall, elapsed)] }
    }

    /// Lets time pass on one clock and sets the other.
    pub(crate) fn advance(&mut self, wall: Timestamp, by: Duration) {
        let elapsed = self.readings[self.readings.len() - 1].1 + by;
        self.readings.push((wall, elapsed));
        // Whatever reading one counts from, real time may be no later than this.
        let earliest = self.readings.iter().map(|(then, at)| then.saturating_add(elapsed - *at)).min();
        let settled = elapsed - self.readings[0].1 >= PurgeHorizon::SETTLE;
        let expected = earliest.filter(|_| settled).map(|now| now.saturating_sub(PurgeHorizon::DISTANCE));
        assert_eq!(self.horizon.advance(wall, elapsed), expected, "{:?}", self.readings);
    }
}
