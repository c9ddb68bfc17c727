//! When keys come and go, and the inequalities between those times. No key is made here.

use std::time::Duration;

use crate::{Algorithm, Error, ErrorKind};

/// How the keys of a [`KeyRing`](super::KeyRing) follow each other. Checked when the ring is built.
///
/// ```text
/// created          signs            superseded             gone
///    |-- prepublish --|------ period ------|-- retention ----|
///    | in the JWKS    | signs              | still verifies  |
/// ```
///
/// Two inequalities keep every token acceptable for as long as it says:
///
/// * `prepublish >= jwks_max_age + refresh + SKEW`: before the first node signs with a key, the last node has it
///   (`refresh`), the oldest copy of the published set that lacks it is over (`jwks_max_age`), and the clocks of the
///   node that made the key and of the one that uses it first may disagree ([`Rotation::SKEW`]).
/// * `retention >= refresh + SKEW + lifetime + leeway`, which the ring computes: a node that has not refreshed yet, or
///   whose clock is behind, still signs with the superseded key, and what it signs then is accepted for its lifetime
///   and the leeway.
///
/// All nodes of a service must have the same rotation; while they differ, the shortest period counts.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rotation {
    /// What new keys are made for. Defaults to [`Algorithm::EdDsa`]. A change takes effect with the next rotation.
    pub algorithm: Algorithm,
    /// How long a key signs. Defaults to 90 days, because rotating is automatic and a key that leaked unnoticed is then
    /// worth something for one season at the most.
    pub period: Duration,
    /// How long a key is published before it signs; less than `period`. Defaults to one day, because verifiers that
    /// keep the published set for longer than they were told exist.
    pub prepublish: Duration,
    /// How long others may keep a copy of the published set: the `max-age` of its `Cache-Control`. Defaults to one
    /// hour, because a key that leaked and was removed is accepted by them for that long.
    pub jwks_max_age: Duration,
    /// How often every node reads the ring; at least one second. Defaults to one minute, because that costs one small
    /// query.
    pub refresh: Duration,
}

impl Rotation {
    /// How far the clocks of two machines may differ: five minutes.
    pub const SKEW: Duration = crate::settings::SKEW;

    /// How long others may keep a copy of the published set.
    pub const fn jwks_max_age(&self) -> Duration {
        self.jwks_max_age
    }

    pub(super) fn checked(self) -> Result<Self, Error> {
        let misuse = |what| Err(Error::new(ErrorKind::Misuse, what));
        if self.refresh < Duration::from_secs(1) {
            return misuse("rotation: refresh >= 1 second");
        }
        if self.period > Duration::from_secs(10 * 366 * 24 * 60 * 60) {
            return misuse("rotation: a key signs for ten years at the most");
        }
        if self.prepublish < self.jwks_max_age.saturating_add(self.refresh).saturating_add(Self::SKEW) {
            return misuse("rotation: prepublish >= jwks_max_age + refresh + 5 minutes");
        }
        if self.period <= self.prepublish {
            return misuse("rotation: period > prepublish");
        }
        Ok(self)
    }

    /// For how long a superseded key may still be signing somewhere.
    pub(super) const fn straggle(&self) -> Duration {
        self.refresh.saturating_add(Self::SKEW)
    }

    /// How long a superseded key verifies when a token is accepted for `accepted_for` after it was signed.
    pub(super) fn retention(&self, accepted_for: Duration) -> Result<Duration, Error> {
        let retention = self.straggle().saturating_add(accepted_for);
        // Every period within the retention is one more key in the published set.
        if retention > self.period.saturating_mul(16) {
            return Err(Error::new(ErrorKind::Misuse, "rotation: tokens live for 16 periods at the most"));
        }
        Ok(retention)
    }
}

impl Default for Rotation {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            algorithm: Algorithm::EdDsa,
            period: 90 * day,
            prepublish: day,
            jwks_max_age: Duration::from_secs(60 * 60),
            refresh: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inequalities_are_enforced_to_the_second() {
        assert!(Rotation::default().checked().is_ok());
        let second = Duration::from_secs(1);
        let tight = Rotation { prepublish: Duration::from_secs(3_600 + 60 + 300), ..Rotation::default() };
        assert!(tight.clone().checked().is_ok());
        let shortest = Rotation { period: tight.prepublish + second, ..tight };
        assert!(shortest.checked().is_ok());
        for bad in [
            Rotation { prepublish: tight.prepublish - second, ..tight },
            Rotation { jwks_max_age: tight.jwks_max_age + second, ..tight },
            Rotation { refresh: tight.refresh + second, ..tight },
            Rotation { refresh: Duration::ZERO, ..tight },
            Rotation { jwks_max_age: Duration::MAX, ..tight },
            Rotation { refresh: Duration::MAX, ..tight },
            Rotation { period: tight.prepublish, ..tight },
            Rotation { period: Duration::MAX, ..tight },
            Rotation { prepublish: Duration::MAX, ..tight },
        ] {
            assert_eq!(bad.clone().checked().unwrap_err().kind(), ErrorKind::Misuse, "{bad:?}");
        }
        assert_eq!(tight.retention(Duration::from_secs(900)).unwrap(), Duration::from_secs(60 + 300 + 900));
        assert_eq!(tight.retention(Duration::MAX).unwrap_err().kind(), ErrorKind::Misuse);
    }
}
