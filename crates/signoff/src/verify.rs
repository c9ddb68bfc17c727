//! Verifying: signature, claims, times, revocation. The synchronous path does no I/O and needs no runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use signoff_revocation::{Scope, Verdict};

use crate::jws::Compact;
use crate::store::SessionKey;
use crate::time::Timestamp;
use crate::token::Shape;
use crate::{Authentic, Claims, Denied, Error, Live, Rejection, Session, Signoff, TokenHash, Unverified};

impl Signoff {
    /// Whether a token is good now: authentic, in time, not revoked. Synchronous, without I/O.
    ///
    /// An opaque token is answered from memory; if it is not there, the answer is [`Rejection::Unloaded`], and
    /// [`Signoff::authenticate`] would load it.
    ///
    /// # Errors
    ///
    /// Why the token was refused. When we cannot tell (no readable clock, no loaded log) the answer is
    /// [`Rejection::Stale`]: refused.
    pub fn verify(&self, token: &str) -> Result<Live, Rejection> {
        let now = self.clock().wall().ok_or(Rejection::Stale)?;
        match Unverified::parse(token)?.0 {
            Shape::Jwt(compact) => self.enliven(self.recognise_jwt(&compact)?, now),
            Shape::Opaque(hash) => {
                let cached = self.cached(&hash).filter(|session| !session.is_expired(now));
                let session = cached.ok_or(Rejection::Unloaded)?;
                let claims = Claims::from_session(&session).map_err(|_| Rejection::Stale)?;
                self.enliven(Authentic::assertion(claims), now)
            }
        }
    }

    /// As [`Signoff::verify`], but loads an opaque token that is not in memory from the store: once, however many ask.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the token is refused.
    /// * [`Denied::Failed`]: the store did not answer; the token may be good.
    pub async fn authenticate(&self, token: &str) -> Result<Live, Denied> {
        match self.verify(token) {
            Err(Rejection::Unloaded) => {}
            decided => return Ok(decided?),
        }
        let Shape::Opaque(hash) = Unverified::parse(token)?.0 else { return Err(Rejection::Malformed.into()) };
        let session = self.load_cached(hash).await?.ok_or(Rejection::UnknownToken)?;
        let now = self.clock().wall().ok_or(Rejection::Stale)?;
        if session.is_expired(now) {
            return Err(Rejection::Expired.into());
        }
        // A logout may have passed while the session was being loaded: like every hit, it is held against the replica.
        Ok(self.enliven(Authentic::assertion(Claims::from_session(&session)?), now)?)
    }

    pub(crate) async fn recognise_dead_or_alive(&self, token: Unverified<'_>) -> Result<Authentic, Denied> {
        match token.0 {
            Shape::Jwt(compact) => Ok(self.recognise_jwt(&compact)?),
            Shape::Opaque(hash) => {
                let session = self.store().find_by_token(&hash).await?.ok_or(Rejection::UnknownToken)?;
                Ok(Authentic::assertion(Claims::from_session(&session)?))
            }
        }
    }

    fn recognise_jwt(&self, compact: &Compact<'_>) -> Result<Authentic, Rejection> {
        let key = self.keys().find(&compact.kid).ok_or(Rejection::UnknownKey)?;
        // The key decides the algorithm, not the token (RFC 8725, section 3.1).
        if key.algorithm() != compact.algorithm {
            return Err(Rejection::WrongAlgorithm);
        }
        if !key.verifies(compact.signed.as_bytes(), &compact.signature()?) {
            return Err(Rejection::BadSignature);
        }
        let claims = Claims::from_jwt(&compact.payload()?, key.kid(), self.policy())?;
        Ok(Authentic::assertion(claims))
    }

    /// Holds an authentic token against the clock and the replica.
    fn enliven(&self, authentic: Authentic, now: Timestamp) -> Result<Live, Rejection> {
        let claims = authentic.into_claims();
        let leeway = self.policy().settings.leeway.get();
        // "On or after" the expiration the token must not be accepted (RFC 7519, section 4.1.4).
        if now >= claims.expires_at.saturating_add(leeway) {
            return Err(Rejection::Expired);
        }
        if claims.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(Rejection::NotYetValid);
        }
        Rejection::from_verdict(self.replica().verdict(&claims.scopes(), claims.position))?;
        Ok(Live::assertion(claims))
    }

    pub(crate) fn is_session_revoked(&self, claims: &Claims) -> bool {
        let session = [Scope::Session(claims.session_id().as_bytes())];
        matches!(self.replica().verdict(&session, claims.position), Verdict::Dead(_))
    }

    /// What the session cache has, now. The future of its lookup is ready at once, but for the moments when the cache
    /// tidies up; then this is a miss, which costs a query and nothing else.
    fn cached(&self, hash: &TokenHash) -> Option<Arc<Session>> {
        let lookup = pin!(self.cache().get(hash));
        match lookup.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => found,
            Poll::Pending => None,
        }
    }

    /// Loads a live session into the cache; concurrent misses of one token share a query. `None` is not remembered.
    async fn load_cached(&self, hash: TokenHash) -> Result<Option<Arc<Session>>, Error> {
        // What is there is past its idle end, or `verify` would have used it: it was touched since, or it is over.
        let now = self.now()?;
        if self.cached(&hash).is_some_and(|session| session.is_expired(now)) {
            self.cache().invalidate(&hash).await;
        }
        let load = async {
            match self.store().load_session(SessionKey::Token(&hash), now).await {
                Ok(Some(session)) => Ok(Arc::new(Session { data: Vec::new(), ..session })),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            }
        };
        match self.cache().try_get_with(hash, load).await {
            Ok(session) => Ok(Some(session)),
            Err(reason) => match &*reason {
                None => Ok(None),
                Some(error) => Err(error.clone()),
            },
        }
    }
}
