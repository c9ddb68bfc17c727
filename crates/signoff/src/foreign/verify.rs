//! Verifying foreign tokens: key, signature, kind, times, revocation. The synchronous path does no I/O.
//!
//! The position of a foreign token is not in the log: it is `iat`, minus the leeway that clocks may differ by, minus a
//! microsecond. A token is refused while its `iat` lies further ahead than the leeway, so the position of every token
//! that is accepted lies before the moment of its acceptance. Hence the invariant: **whatever a node accepted before a
//! revocation of its person, client or issuer is dead after it**, also when both fall into one second. The price is a
//! nuisance: what the issuer mints within that second, or within the leeway after it, is dead too.

use std::sync::Arc;
use std::time::Duration;

use signoff_revocation::Scope as LogScope;

use super::Issuer;
use super::claims::{Authentic, Live};
use super::facts::Facts;
use super::header::{Header, MAX_HEADER};
use super::jwks::Keys;
use super::rules;
use super::verifiers::{Checked, Verifier, Wanted};
use crate::b64::Buffer;
use crate::jws::Compact;
use crate::nodes::Basis;
use crate::signatures::Holds;
use crate::{Denied, Error, Position, Rejection, Signoff};

/// No more scopes than these: a token, its session, its subject, its issuer, its key, and what it calls its clients, of
/// which there are four names and the audience of an ID token.
const MAX_SCOPES: usize = 10;

impl Signoff {
    /// Whether a foreign token is good now: authentic, of the right kind, in time, not revoked here. Synchronous, without
    /// I/O: a key that we do not know is [`Rejection::UnknownKey`], and keys too old to count are [`Rejection::Stale`];
    /// [`Signoff::authenticate_foreign`] would fetch them.
    ///
    /// # Errors
    ///
    /// Why the token was refused.
    ///
    /// ```
    /// # use signoff::{foreign::{AccessTokens, Issuer}, KeySet, MemoryStore, Rejection, Settings, Signoff, SigningKey};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = Settings::new("https://bank.example", "https://bank.example/api");
    /// # let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
    /// # let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let issuer = Issuer::with_jwks("https://idp.example", jwks).build()?;
    /// let tokens = AccessTokens::untyped(&issuer, "https://bank.example/api");
    /// match signoff.verify_foreign(&tokens, "e30.e30.AAAA") {
    ///     Ok(live) => println!("{} of {} may {:?}", live.subject(), live.issuer(), live.scope()),
    ///     Err(rejection) => assert_eq!(rejection, Rejection::Malformed),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn verify_foreign<V: Verifier>(&self, verifier: &V, token: &str) -> Result<Live<V::Claims>, Rejection> {
        let facts = self.enliven_foreign(&verifier.wanted(), token)?;
        Ok(Live::assertion(V::claims(Checked::assertion(facts))))
    }

    /// As [`Signoff::verify_foreign`], but fetches the issuer's keys when they are older than their `max_age`, or do not
    /// have the key that the token names: once, however many ask, and no more than once in a cooldown.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the token is refused.
    /// * [`Denied::Failed`]: its key is not known, or too old to count, and the issuer's keys could not be fetched; the
    ///   token may be good.
    pub async fn authenticate_foreign<V: Verifier>(
        &self,
        verifier: &V,
        token: &str,
    ) -> Result<Live<V::Claims>, Denied> {
        let wanted = verifier.wanted();
        let facts = self.fetching(&wanted, || self.enliven_foreign(&wanted, token)).await?;
        Ok(Live::assertion(V::claims(Checked::assertion(facts))))
    }

    /// Finds out whether a foreign token is authentic and of this kind. It may be expired or revoked. Keys count however
    /// old they are: an issuer that is away must not keep people from logging out.
    ///
    /// # Errors
    ///
    /// As [`Signoff::authenticate_foreign`].
    pub async fn recognise_foreign<V: Verifier>(
        &self,
        verifier: &V,
        token: &str,
    ) -> Result<Authentic<V::Claims>, Denied> {
        let facts = self.recognise_foreign_fetching(&verifier.wanted(), token).await?;
        Ok(Authentic::assertion(V::claims(Checked::assertion(facts))))
    }

    /// Fetches the keys of an issuer now, whatever the cooldown says; if a fetch is under way, waits for that. To be
    /// called at the start, and now and then by who uses nothing but [`Signoff::verify_foreign`].
    ///
    /// Does nothing for an issuer whose keys are data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when they cannot be fetched. The old ones stay.
    pub async fn refresh_issuer(&self, issuer: &Issuer) -> Result<(), Error> {
        issuer.fetch_now(issuer.landed(), self.clock().elapsed()).await
    }

    /// Authentic and of the kind, dead or alive.
    pub(super) async fn recognise_foreign_fetching(
        &self,
        wanted: &Wanted<'_>,
        token: &str,
    ) -> Result<Arc<Facts>, Denied> {
        self.fetching_unknown(wanted, || self.recognise_foreign_by(&wanted.issuer.keys(), wanted, token)).await
    }

    /// A logout token that is authentic and in time. Of its scopes only the key is held against the replica: that its
    /// session is revoked already is no reason to refuse it.
    pub(super) async fn foreign_logout_token(&self, wanted: &Wanted<'_>, token: &str) -> Result<Arc<Facts>, Denied> {
        let decide = || {
            let facts = self.recognise_in_time(wanted, token)?;
            let key = [facts.scopes.key.as_scope()];
            self.judge(Basis::Lease, |replica| replica.verdict(&key, Position::MAX))?;
            Ok(facts)
        };
        self.fetching(wanted, decide).await
    }

    /// Decides by keys that are young enough, fetching them where that is needed and allowed.
    async fn fetching(
        &self,
        wanted: &Wanted<'_>,
        decide: impl Fn() -> Result<Arc<Facts>, Rejection> + Send,
    ) -> Result<Arc<Facts>, Denied> {
        wanted.issuer.freshen(self.clock().elapsed()).await?;
        self.fetching_unknown(wanted, decide).await
    }

    /// Decides, and if the key is unknown once more with fetched keys.
    async fn fetching_unknown(
        &self,
        wanted: &Wanted<'_>,
        decide: impl Fn() -> Result<Arc<Facts>, Rejection> + Send,
    ) -> Result<Arc<Facts>, Denied> {
        let landed = wanted.issuer.landed();
        match decide() {
            Err(Rejection::UnknownKey) => {}
            decided => return Ok(decided?),
        }
        wanted.issuer.fetch_for_token(landed, self.clock().elapsed()).await?;
        Ok(decide()?)
    }

    /// Signature and kind, by these keys.
    fn recognise_foreign_by(&self, keys: &Keys, wanted: &Wanted<'_>, token: &str) -> Result<Arc<Facts>, Rejection> {
        // Our own tokens have a verifier of their own; as somebody else's they would be a second kind of one token.
        if wanted.issuer.name() == self.policy().settings.issuer {
            return Err(Rejection::WrongIssuer);
        }
        let compact = Compact::split_within(token, MAX_HEADER)?;
        let facts = match self.foreign_signatures().find(token, keys) {
            Some(facts) => facts,
            None => self.verify_foreign_signature(&compact, keys, wanted.issuer)?,
        };
        rules::check(&facts, wanted.kind, wanted.audience)?;
        Ok(facts)
    }

    fn verify_foreign_signature(
        &self,
        compact: &Compact<'_>,
        keys: &Keys,
        issuer: &Issuer,
    ) -> Result<Arc<Facts>, Rejection> {
        let header = Header::read(compact)?;
        let key = keys.find(&header.kid).ok_or(Rejection::UnknownKey)?;
        // The key decides the algorithm, not the token (RFC 8725, section 3.1).
        if key.algorithm() != header.algorithm {
            return Err(Rejection::WrongAlgorithm);
        }
        let mut buffer = Buffer::new();
        let payload = compact.verify(key, &mut buffer)?;
        let facts = Arc::new(Facts::read(compact.token(), payload, header.typ, issuer, key.clone())?);
        self.foreign_signatures().remember(compact.token(), Arc::clone(&facts));
        Ok(facts)
    }

    /// Holds what is authentic against the age of the keys and the clock.
    fn recognise_in_time(&self, wanted: &Wanted<'_>, token: &str) -> Result<Arc<Facts>, Rejection> {
        let now = self.clock().wall().ok_or(Rejection::Stale)?;
        let keys = wanted.issuer.keys_in_time(self.clock().elapsed())?;
        let facts = self.recognise_foreign_by(&keys, wanted, token)?;
        let settings = &self.policy().settings;
        if facts.expires_at.since(facts.issued_at) > settings.foreign_lifetime {
            return Err(Rejection::LivesTooLong);
        }
        let leeway = settings.leeway.get();
        // "On or after" the expiration the token must not be accepted (RFC 7519, section 4.1.4).
        if now >= facts.expires_at.saturating_add(leeway) {
            return Err(Rejection::Expired);
        }
        let ahead = now.saturating_add(leeway);
        if facts.issued_at > ahead || facts.not_before.is_some_and(|not_before| not_before > ahead) {
            return Err(Rejection::NotYetValid);
        }
        Ok(facts)
    }

    /// Holds what is authentic and in time against the replica.
    fn enliven_foreign(&self, wanted: &Wanted<'_>, token: &str) -> Result<Arc<Facts>, Rejection> {
        let facts = self.recognise_in_time(wanted, token)?;
        // The largest leeway that any opening of the store had: an earlier one may have accepted it further ahead.
        let position = facts.position(self.policy().terms.leeway);
        self.accepted().raise(position);
        let (scopes, count) = facts.scopes(wanted);
        self.judge(Basis::Lease, |replica| replica.verdict(scopes.get(..count).unwrap_or(&scopes), position))?;
        // Looked at again: a fetch may have dropped the key meanwhile, and whoever waited for it counts on that.
        if wanted.issuer.keys().holds(&facts.key) { Ok(facts) } else { Err(Rejection::UnknownKey) }
    }
}

impl Facts {
    /// Where in the log it counts as born. See the top of this file.
    fn position(&self, leeway: Duration) -> Position {
        let born = self.issued_at.saturating_sub(leeway).saturating_sub(Duration::from_micros(1));
        Position::new(born.as_micros().unsigned_abs()).unwrap_or(Position::ZERO)
    }

    /// Every scope that it belongs to, and how many there are.
    fn scopes<'a>(&'a self, wanted: &Wanted<'a>) -> ([LogScope<'a>; MAX_SCOPES], usize) {
        let scopes = &self.scopes;
        let some = [Some(&scopes.token), scopes.session.as_ref(), scopes.subject.as_ref(), Some(&scopes.key)];
        let more = [Some(self.issuer.everything()), wanted.client];
        let all = some.into_iter().chain(more).flatten().chain(&scopes.clients);
        let mut array = [scopes.token.as_scope(); MAX_SCOPES];
        let mut count = 0;
        for (place, derived) in array.iter_mut().zip(all) {
            *place = derived.as_scope();
            count += 1;
        }
        (array, count)
    }
}
