//! Which destroyers there are, and how patient one is with them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Elsewhere, SessionDestroyer};
use crate::{Error, ErrorKind, secret};

/// Destroyers of sessions in other stores, by name. All nodes should have the same ones.
#[derive(Clone)]
pub struct Destroyers {
    by_name: BTreeMap<String, Arc<dyn SessionDestroyer>>,
    pub(crate) patience: Duration,
    pub(crate) sweep_every: Duration,
    first_retry: Duration,
    last_retry: Duration,
}

/// How many sessions of other stores may belong to one of ours.
const MOST: usize = 16;

impl Destroyers {
    /// None.
    pub const fn new() -> Self {
        Self {
            by_name: BTreeMap::new(),
            patience: Duration::from_secs(5),
            sweep_every: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_secs(300),
        }
    }

    /// Adds one under a name, which logins and the store use. A name must not change its meaning as long as sessions
    /// that name it live.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the name is taken, or has not 1 to 64 bytes without control characters.
    pub fn with(mut self, name: &str, destroyer: impl SessionDestroyer) -> Result<Self, Error> {
        if !is_text(name, 64) {
            return Err(Error::new(
                ErrorKind::Misuse,
                "the name of a destroyer has 1 to 64 bytes, no control characters",
            ));
        }
        if self.by_name.insert(name.to_owned(), Arc::new(destroyer)).is_some() {
            return Err(Error::new(ErrorKind::Misuse, "there is a destroyer of this name already"));
        }
        Ok(self)
    }

    /// How long a destroyer may take for one session, before a logout reports
    /// [`Unavailable`](ErrorKind::Unavailable) and it is tried again later. Defaults to 5 seconds, because a person is
    /// waiting.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How often to look for logouts that another node, or this one before it died, left unfinished; with a jitter of a
    /// quarter. Defaults to 10 seconds: it is one indexed question to the store.
    #[must_use]
    pub fn sweep_every(self, sweep_every: Duration) -> Self {
        Self { sweep_every, ..self }
    }

    /// How long to wait after the first failure, and at the most; the time doubles in between, with a jitter of a half.
    /// Defaults to one second and five minutes.
    #[must_use]
    pub fn retry(self, first: Duration, last: Duration) -> Self {
        Self { first_retry: first, last_retry: last, ..self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<dyn SessionDestroyer>> {
        self.by_name.get(name).map(Arc::clone)
    }

    /// Whether sessions may be created that these belong to.
    pub(crate) fn check(&self, elsewhere: &[Elsewhere]) -> Result<(), Error> {
        let misuse = |what| Err(Error::new(ErrorKind::Misuse, what));
        if elsewhere.len() > MOST {
            return misuse("a session has at most 16 sessions elsewhere");
        }
        if elsewhere.iter().any(|one| !self.by_name.contains_key(one.destroyer())) {
            return misuse("a session elsewhere names a destroyer that is not configured: see Settings::destroyers");
        }
        if elsewhere.iter().any(|one| !is_text(one.key(), 512)) {
            return misuse("the key of a session elsewhere has 1 to 512 bytes, no control characters");
        }
        Ok(())
    }

    pub(crate) fn check_times(&self) -> Result<(), Error> {
        let times = [self.patience, self.sweep_every, self.first_retry, self.last_retry];
        if times.iter().any(Duration::is_zero) || self.last_retry < self.first_retry {
            return Err(Error::new(ErrorKind::Misuse, "destroyers: no time is zero, and first retry <= last retry"));
        }
        Ok(())
    }

    /// How long to wait after so many attempts, so that many that failed together do not come back together.
    pub(crate) fn pause_after(&self, attempts: u32) -> Duration {
        let doubled = self.first_retry.saturating_mul(1 << attempts.saturating_sub(1).min(30));
        let whole = doubled.min(self.last_retry);
        whole / 2 + part_of(whole / 2)
    }

    /// How long to sleep between two sweeps, after so many that failed in a row.
    pub(crate) fn pause_between(&self, failed: u32) -> Duration {
        let whole = self.sweep_every.saturating_mul(1 << failed.min(5)).min(self.last_retry.max(self.sweep_every));
        whole - part_of(whole / 4)
    }
}

impl Default for Destroyers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Destroyers {
    // Names only: what destroys may hold passwords of the other store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
}

/// Between nothing and all of it. Without random numbers, all: the time is later, never earlier.
fn part_of(whole: Duration) -> Duration {
    let random = secret::random().map_or(u8::MAX, |[random]: [u8; 1]| random);
    whole.saturating_mul(u32::from(random)) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing(_: String) -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn pauses_double_up_to_the_last() {
        let destroyers = Destroyers::new().retry(Duration::from_secs(1), Duration::from_secs(60));
        for (attempts, most) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            for _ in 0..50 {
                let pause = destroyers.pause_after(attempts);
                assert!(pause * 2 >= Duration::from_secs(most) && pause <= Duration::from_secs(most), "{pause:?}");
            }
        }
        assert!(destroyers.pause_between(0) <= Duration::from_secs(10));
        assert!(destroyers.pause_between(u32::MAX) <= Duration::from_secs(60));
    }

    #[test]
    fn names_and_keys_are_bounded() {
        let long = "x".repeat(513);
        for name in ["", "a\n", &long[..65]] {
            assert_eq!(Destroyers::new().with(name, nothing).unwrap_err().kind(), ErrorKind::Misuse);
        }
        let destroyers = Destroyers::new().with("redis", nothing).unwrap();
        assert_eq!(format!("{destroyers:?}"), r#"{"redis"}"#);
        assert!(destroyers.clone().with("redis", nothing).is_err());
        let link = |destroyer: &str, key: &str| Elsewhere::new(destroyer, key);
        assert!(destroyers.check(&vec![link("redis", &long[..512]); 16]).is_ok());
        for bad in
            [vec![link("redis", "x"); 17], vec![link("Redis", "x")], vec![link("redis", "")], vec![link("redis", "\0")]]
        {
            assert_eq!(destroyers.check(&bad).unwrap_err().kind(), ErrorKind::Misuse);
        }
        assert!(!format!("{:?}", link("redis", "s3cret")).contains("s3cret"));
        assert!(destroyers.patience(Duration::ZERO).check_times().is_err());
    }
}
