//! Idle and absolute lifetimes that regulators and guides name. It only gives numbers; sessions keep them.

use std::time::Duration;

use crate::Settings;

/// How long a session lives without being used, and how long at the most.
///
/// ```
/// use signoff::{Settings, Timeouts};
///
/// let settings = Settings::new("https://bank.example", "https://bank.example/api").with_timeouts(Timeouts::NIST_AAL2);
/// assert_eq!(settings.idle.as_secs(), 60 * 60);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two numbers, and no third to come")]
pub struct Timeouts {
    /// Without use: [`Settings::idle`].
    pub idle: Duration,
    /// In any case: [`Settings::absolute`].
    pub absolute: Duration,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Timeouts {
    /// NIST SP 800-63B-4, section 2.1.3: reauthentication after 30 days at the latest; no limit for inactivity.
    pub const NIST_AAL1: Self = Self::of(30 * DAY, 30 * DAY);
    /// NIST SP 800-63B-4, section 2.2.3: 24 hours, and 1 hour of inactivity.
    pub const NIST_AAL2: Self = Self::of(HOUR, 24 * HOUR);
    /// NIST SP 800-63B-4, section 2.3.3: 12 hours, and 15 minutes of inactivity.
    pub const NIST_AAL3: Self = Self::of(15 * MINUTE, 12 * HOUR);
    /// OWASP Session Management Cheat Sheet, for applications of high value: the upper end of 2 to 5 minutes of inactivity,
    /// the lower end of 4 to 8 hours.
    pub const OWASP_HIGH_VALUE: Self = Self::of(5 * MINUTE, 4 * HOUR);
    /// OWASP Session Management Cheat Sheet, for applications of low risk: the upper ends of 15 to 30 minutes of inactivity
    /// and of 4 to 8 hours. The default.
    pub const OWASP_LOW_RISK: Self = Self::of(30 * MINUTE, 8 * HOUR);
    /// PCI DSS 4.0.1, requirement 8.2.8: 15 minutes of inactivity. It names no absolute end; this one is a working day.
    pub const PCI: Self = Self::of(15 * MINUTE, 8 * HOUR);
    /// PSD2, regulation (EU) 2018/389, article 4(3)(d): 5 minutes of inactivity. It names no absolute end; this one is a
    /// working day.
    pub const PSD2: Self = Self::of(5 * MINUTE, 8 * HOUR);

    const fn of(idle: u64, absolute: u64) -> Self {
        Self { idle: Duration::from_secs(idle), absolute: Duration::from_secs(absolute) }
    }
}

impl Settings {
    /// How often the use of a session is written down at the most. The idle end may come this much early.
    pub(crate) fn touch_interval(&self) -> Duration {
        (self.idle / 10).min(Duration::from_secs(60))
    }

    /// The same settings with these lifetimes. Access tokens live for no longer than a session does without use, so
    /// `access_lifetime` shrinks with them.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        (self.idle, self.absolute) = (timeouts.idle, timeouts.absolute);
        self.access_lifetime = self.access_lifetime.min(self.idle);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_good_settings() {
        let all = [
            Timeouts::NIST_AAL1,
            Timeouts::NIST_AAL2,
            Timeouts::NIST_AAL3,
            Timeouts::OWASP_HIGH_VALUE,
            Timeouts::OWASP_LOW_RISK,
            Timeouts::PCI,
            Timeouts::PSD2,
        ];
        for timeouts in all {
            let settings = Settings::new("iss", "aud").with_timeouts(timeouts);
            assert_eq!(Timeouts { idle: settings.idle, absolute: settings.absolute }, timeouts);
            assert!(settings.into_policy().is_ok(), "{timeouts:?}");
        }
        let settings = Settings::new("iss", "aud");
        assert_eq!(Timeouts { idle: settings.idle, absolute: settings.absolute }, Timeouts::OWASP_LOW_RISK);
    }
}
