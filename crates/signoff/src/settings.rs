//! What an application decides once, and the times that follow from it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::Layout;
use crate::elsewhere::Destroyers;
use crate::opaque::Peppers;
use crate::refresh::Refresh;
use crate::store::{Hints, Terms};
use crate::time::Timestamp;
use crate::{ClientId, Error, ErrorKind, Reach};

/// How the access token of a session looks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// A signed JWT (RFC 9068): verified without any lookup, also by other services.
    Jwt,
    /// A random token that means nothing without the store. Says nothing to whoever finds it.
    Opaque,
}

/// How far past its end a token is still accepted, for clocks that disagree: zero to five minutes.
///
/// Verifying and the retention of revocations use the same value, so a revocation cannot be forgotten while a token
/// that it kills is still within its leeway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Leeway(Duration);

impl Leeway {
    /// The most that is allowed: "no more than a few minutes" (RFC 7519, section 4.1.4).
    pub const MAX: Duration = Duration::from_secs(300);

    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] above [`Leeway::MAX`].
    pub fn new(leeway: Duration) -> Result<Self, Error> {
        if leeway > Self::MAX {
            return Err(Error::new(ErrorKind::Misuse, "a leeway is at most five minutes"));
        }
        Ok(Self(leeway))
    }

    /// The leeway as a duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// The settings of a [`Signoff`](crate::Signoff). Checked when it is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Who mints: the claim `iss`, required and compared byte for byte.
    pub issuer: String,
    /// Whom the tokens are for: the claim `aud`, required.
    pub audience: String,
    /// The claim `client_id` of sessions that name none. Defaults to the audience, because an application that serves
    /// its own pages is its own client.
    pub client_id: String,
    /// What access tokens look like. Defaults to [`Delivery::Jwt`], because it needs no lookup at all.
    pub delivery: Delivery,
    /// How long an access token (JWT) is valid; at most as long as `idle`. Defaults to 15 minutes, because a
    /// short-lived token is the second line of defence.
    pub access_lifetime: Duration,
    /// Whether a login gives a refresh token beside the JWT, and how those behave. Defaults to `None`, because a JWT in a
    /// cookie is renewed with itself ([`Signoff::renew`](crate::Signoff::renew)); programs that keep tokens want it. Only
    /// with [`Delivery::Jwt`]: an opaque token lives as long as its session and needs no other.
    pub refresh: Option<Refresh>,
    /// How long a session lives without being used, with opaque tokens. A JWT that is not renewed is over after
    /// `access_lifetime`, which is at most this. Defaults to 30 minutes: OWASP's upper bound for ordinary applications.
    pub idle: Duration,
    /// How long a session lives at the most; nothing extends it. Defaults to 8 hours: a working day.
    pub absolute: Duration,
    /// The longest that a token of a [foreign issuer](crate::foreign) may live, from `iat` to `exp`; one second to 400
    /// days. Longer ones are refused: every wide revocation is kept for as long as this, and one that is forgotten
    /// earlier than the last token that it kills would be none. Defaults to 24 hours, which is what the large providers
    /// stay within.
    pub foreign_lifetime: Duration,
    /// How far past its end a token is accepted. Defaults to zero, because one machine has one clock.
    pub leeway: Leeway,
    /// How many opaque sessions are kept in memory, roughly. Defaults to 100,000, which takes about 50 MB.
    pub session_cache: usize,
    /// How many bytes of memory tokens may take whose signature was verified, so that it need not be verified again: about
    /// 900 for each token of ordinary size. Too few cost time; zero is allowed. HMAC is cheaper than remembering, so
    /// it never is. Tokens of foreign issuers may take as much again. Defaults to 32 MB, some 35,000 tokens.
    pub signature_memory: usize,
    /// Secrets that the hashes of opaque tokens are keyed with, so that a stolen or writable database alone neither
    /// confirms nor plants a token. Defaults to none, because a token has 256 random bits and its plain hash opens
    /// nothing.
    pub peppers: Peppers,
    /// How many bytes of memory live revocations may take: at most 18 for each session that was logged out before its
    /// last token expired, 32 for each person, and 100,000 for the rest. Beyond, **nothing is accepted** and no logout
    /// succeeds until a purge or a larger limit makes room: a revocation is never
    /// dropped for another. Defaults to no limit, because refusing everybody is the worse surprise.
    pub revocation_bytes: usize,
    /// How long a logout, a refresh or a login waits for its commit before it reports [`ErrorKind::Unavailable`]; the commit goes on all the
    /// same, and is given up after twelve times as long. Defaults to 5 seconds, because a person is waiting.
    pub commit_timeout: Duration,
    /// How many logouts, or refreshes, logins or touches, share a transaction at the most. Defaults to 256; 1 gives each its own.
    pub commit_batch: usize,
    /// What destroys sessions that are kept in other stores, by name. Defaults to none, because an application that has
    /// no other sessions should pay nothing for them.
    pub destroyers: Destroyers,
    /// How often what is long over is deleted from the store and from memory ([`Signoff::purge`](crate::Signoff::purge)),
    /// within a quarter more or less; at least a second. `None`: the application calls it. Defaults to 5 minutes, because
    /// little and often disturbs nobody; what is not deleted in that time is deleted at twice the pace from then on.
    pub purge_every: Option<Duration>,
    /// How far a logout reaches before it returns, where several nodes share a store. Defaults to
    /// [`Reach::Everywhere`], because that is what people mean.
    pub reach: Reach,
    /// What wakes the nodes of a shared store instead of the store itself: for databases that cannot (MySQL), fleets on several
    /// kinds of them, or where hints should not cost the database anything. All nodes need the same. Defaults to `None`, the
    /// store's own way.
    pub hints: Option<Arc<dyn Hints>>,
    /// What other nodes call this one in their lists, at most 255 bytes. Defaults to nothing: it is for people to read.
    pub node_name: String,
    /// A file in which live revocations are kept, ten bytes for each, beside the store that stays the truth: with it, a start
    /// reads the log from where the file ends and not from its beginning. Written by [`Signoff::close`](crate::Signoff::close) and every ten
    /// minutes.
    /// A file that is missing, damaged, or not a copy of this very log is not used, and why is in the trace. Nobody but the
    /// service should be able to write in its folder. After a restored backup use
    /// [`Signoff::open_after_restore`](crate::Signoff::open_after_restore), which removes it. Defaults to `None`, because a
    /// library writes no file that nobody asked for, and only with millions of live revocations is a start without it slow.
    pub snapshot: Option<PathBuf>,
}

impl Settings {
    /// Settings for an issuer and an audience, everything else at its default.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let audience = audience.into();
        Self {
            issuer: issuer.into(),
            client_id: audience.clone(),
            audience,
            delivery: Delivery::Jwt,
            access_lifetime: Duration::from_secs(15 * 60),
            refresh: None,
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(8 * 60 * 60),
            foreign_lifetime: Duration::from_secs(24 * 60 * 60),
            leeway: Leeway::default(),
            session_cache: 100_000,
            signature_memory: 32 << 20,
            peppers: Peppers::none(),
            revocation_bytes: usize::MAX,
            commit_timeout: Duration::from_secs(5),
            commit_batch: 256,
            destroyers: Destroyers::new(),
            purge_every: Some(Duration::from_secs(5 * 60)),
            reach: Reach::default(),
            hints: None,
            node_name: String::new(),
            snapshot: None,
        }
    }

    /// Parses the settings into what the library works with.
    pub(crate) fn into_policy(self) -> Result<Policy, Error> {
        let misuse = |what| Err(Error::new(ErrorKind::Misuse, what));
        for text in [&self.issuer, &self.audience] {
            if text.is_empty() || text.len() > 512 || text.chars().any(char::is_control) {
                return misuse("issuer and audience have 1 to 512 bytes without control characters");
            }
        }
        let second = Duration::from_secs(1);
        if self.access_lifetime < second || self.idle < self.access_lifetime || self.absolute < self.idle {
            return misuse("lifetimes: 1 second <= access_lifetime <= idle <= absolute");
        }
        // The lifetime cap of cookies, and a bound for how long a wide revocation must be remembered.
        let longest = Duration::from_secs(400 * 24 * 60 * 60);
        if self.absolute > longest {
            return misuse("a session lives for 400 days at the most");
        }
        if self.foreign_lifetime < second || self.foreign_lifetime > longest {
            return misuse("a foreign token lives for one second to 400 days");
        }
        if self.commit_batch == 0 || self.commit_timeout.is_zero() {
            return misuse("commit_batch and commit_timeout must not be zero");
        }
        if self.node_name.len() > 255 || self.node_name.chars().any(char::is_control) {
            return misuse("node_name has at most 255 bytes without control characters");
        }
        self.destroyers.check_times()?;
        if self.purge_every.is_some_and(|every| every < second) {
            return misuse("purge_every is at least a second");
        }
        if self.refresh.is_some() && self.delivery != Delivery::Jwt {
            return misuse("refresh tokens are for JWTs: an opaque token lives as long as its session");
        }
        let client_id = ClientId::new(&self.client_id)?;
        // What foreign tokens live is bounded by the same constant, so that no revocation is forgotten before them.
        let longest_session = self.absolute.max(self.foreign_lifetime);
        let terms = Terms { longest_session, leeway: self.leeway.get() };
        let layout = Layout::new(&self.issuer, &self.audience);
        Ok(Policy { client_id, terms, layout, settings: self })
    }
}

/// Settings that were checked, with the terms that all openings of the store agreed on.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) settings: Settings,
    pub(crate) client_id: ClientId,
    pub(crate) terms: Terms,
    pub(crate) layout: Layout,
}

/// How far two machines' clocks may differ: revocations are kept this much longer.
pub(crate) const SKEW: Duration = Duration::from_secs(300);

impl Policy {
    /// How long after the end of what it kills a revocation must be kept: the leeway of verifiers, and clock skew.
    pub(crate) fn margin(&self) -> Duration {
        self.terms.leeway + SKEW
    }

    /// Until when a wide revocation at `now` must be kept: the longest that any session lives, and the margin.
    pub(crate) fn retain_wide(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.terms.longest_session).saturating_add(self.margin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_outlive_what_verifiers_accept() {
        let mut settings = Settings::new("iss", "aud");
        settings.leeway = Leeway::new(Leeway::MAX).unwrap();
        let policy = settings.into_policy().unwrap();
        assert!(policy.margin() >= Leeway::MAX + Duration::from_secs(300));
        let now = Timestamp::from_secs(1_000_000).unwrap();
        assert!(policy.retain_wide(now) >= now.saturating_add(policy.settings.absolute + policy.margin()));
        // A foreign token that was accepted now may have been issued a leeway ahead, and ends a leeway after its end.
        let foreign = policy.settings.foreign_lifetime + 2 * policy.terms.leeway;
        assert!(policy.retain_wide(now) >= now.saturating_add(foreign));
    }

    #[test]
    fn bad_settings_are_misuse() {
        let good = || Settings::new("iss", "aud");
        assert!(good().into_policy().is_ok());
        let change: [fn(&mut Settings); 12] = [
            |s| s.issuer.clear(),
            |s| s.audience = "a\n".into(),
            |s| s.client_id.clear(),
            |s| s.access_lifetime = Duration::ZERO,
            |s| s.idle = Duration::from_secs(60),
            |s| s.absolute = Duration::from_secs(60),
            |s| s.absolute = Duration::MAX,
            |s| s.foreign_lifetime = Duration::ZERO,
            |s| s.foreign_lifetime = Duration::from_secs(401 * 86_400),
            |s| s.commit_batch = 0,
            |s| s.purge_every = Some(Duration::from_millis(999)),
            |s| (s.delivery, s.refresh) = (Delivery::Opaque, Some(Refresh::default())),
        ];
        for change in change {
            let mut settings = good();
            change(&mut settings);
            assert_eq!(settings.into_policy().unwrap_err().kind(), ErrorKind::Misuse);
        }
        assert!(Leeway::new(Duration::from_secs(301)).is_err());
        assert!(Refresh::default().grace(Duration::from_secs(301)).is_err());
    }
}
