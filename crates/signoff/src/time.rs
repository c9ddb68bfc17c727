//! The only file that asks the operating system for the time.

use std::fmt;
use std::time::Duration;

pub use signoff_revocation::Timestamp;

/// Where the facade gets the time from. Everything below it takes `now` as an argument.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock; `None` when it is unreadable, or shows a time before 1970 or after 9999. Nothing is accepted
    /// then: a token's end cannot be compared with a time that does not exist.
    fn wall(&self) -> Option<Timestamp>;

    /// Time elapsed since some fixed moment, suspended time included; it never goes back and cannot be set.
    fn elapsed(&self) -> Duration;
}

/// The operating system's clocks: the real-time clock, and `CLOCK_BOOTTIME` on Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock(());

impl SystemClock {
    /// The operating system's clocks.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    fn wall(&self) -> Option<Timestamp> {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).ok()?)
    }

    #[cfg(target_os = "linux")]
    fn elapsed(&self) -> Duration {
        // `Instant` is CLOCK_MONOTONIC on Linux, which stands still while the machine is suspended.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    fn elapsed(&self) -> Duration {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

/// A clock that moves only when told to, for tests.
#[cfg(feature = "test-util")]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
#[derive(Clone, Debug)]
pub struct ManualClock(std::sync::Arc<std::sync::Mutex<(Option<Timestamp>, Duration)>>);

#[cfg(feature = "test-util")]
impl ManualClock {
    /// A clock that shows `wall` until it is moved.
    pub fn new(wall: Timestamp) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new((Some(wall), Duration::ZERO))))
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut clock = self.lock();
        clock.0 = clock.0.map(|wall| wall.saturating_add(by));
        clock.1 += by;
    }

    /// Sets the wall clock alone, as an administrator or a broken time server would; `None` makes it unreadable.
    pub fn step(&self, wall: Option<Timestamp>) {
        self.lock().0 = wall;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Option<Timestamp>, Duration)> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

#[cfg(feature = "test-util")]
impl Clock for ManualClock {
    fn wall(&self) -> Option<Timestamp> {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_reads_sensibly() {
        let clock = SystemClock::new();
        assert!(clock.wall().unwrap() > Timestamp::from_secs(1_700_000_000).unwrap());
        let before = clock.elapsed();
        assert!(clock.elapsed() >= before);
    }
}
