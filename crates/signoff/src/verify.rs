//! Verifying: signature, claims, times, revocation. The synchronous path does no I/O and needs no runtime.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use signoff_revocation::{Scope, Verdict};

use crate::b64::Buffer;
use crate::claims::{Draft, Facts};
use crate::jws::{Compact, PAYLOAD};
use crate::key::{KeySet, VerifyingKey};
use crate::nodes::Basis;
use crate::opaque::{Kind, Opaque};
use crate::store::SessionKey;
use crate::time::Timestamp;
use crate::token::Shape;
use crate::{
    Authentic, Claims, Denied, Error, ErrorKind, Issued, Live, Rejection, Session, Signoff, TokenHash, Unverified,
};

impl Signoff {
    /// Whether a token is good now: authentic, in time, not revoked. Synchronous, without I/O.
    ///
    /// It allocates nothing when the token is accepted and of ordinary size (subject, client and scope of at most 256 bytes
    /// together), but for the first presentation of a token with an asymmetric signature, which is remembered: see
    /// [`Settings::signature_memory`](crate::Settings::signature_memory).
    ///
    /// An opaque token is answered from memory; if it is not there, the answer is [`Rejection::Unloaded`], and
    /// [`Signoff::authenticate`] would load it.
    ///
    /// # Errors
    ///
    /// Why the token was refused. When we cannot tell (no readable clock, no loaded log) the answer is
    /// [`Rejection::Stale`]: refused.
    pub fn verify(&self, token: &str) -> Result<Live, Rejection> {
        self.verify_by(token, Basis::Lease)
    }

    fn verify_by(&self, token: &str, basis: Basis) -> Result<Live, Rejection> {
        let now = self.clock().wall().ok_or(Rejection::Stale)?;
        if Kind::claimed(token).is_some() {
            return self.verify_opaque(token, now, basis);
        }
        let (keys, mut buffer) = (self.keys(), Buffer::new());
        self.enliven(self.recognise_jwt(token, &keys, &mut buffer)?, now, basis)
    }

    /// As [`Signoff::verify`], but loads an opaque token that is not in memory from the store: once, however many ask.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the token is refused.
    /// * [`Denied::Failed`]: the store did not answer; the token may be good.
    pub async fn authenticate(&self, token: &str) -> Result<Live, Denied> {
        self.authenticate_by(token, Basis::Lease).await
    }

    /// As [`Signoff::authenticate`], but a node of a shared store whose lease has run out reads the log for this one question
    /// instead of refusing: for routes on which an answer that takes long is better than none. It needs the store.
    ///
    /// # Errors
    ///
    /// As [`Signoff::authenticate`]; [`Denied::Failed`] too when the log cannot be read.
    pub async fn read_through(&self, token: &str) -> Result<Live, Denied> {
        match self.authenticate(token).await {
            Err(Denied::Rejected(Rejection::Stale)) if !self.may_answer() => {}
            decided => return decided,
        }
        // Begun after the question was asked, and shared with nobody who asked before: what was logged out until then is
        // in it.
        self.catch_up().await?;
        self.authenticate_by(token, Basis::ReadSince).await
    }

    async fn authenticate_by(&self, token: &str, basis: Basis) -> Result<Live, Denied> {
        match self.verify_by(token, basis) {
            Err(Rejection::Unloaded) => {}
            decided => return Ok(decided?),
        }
        let Shape::Opaque(opaque) = Shape::of(token)? else { return Err(Rejection::Malformed.into()) };
        for hash in opaque.hashes(&self.policy().settings.peppers) {
            if let Some(facts) = self.load_cached(&opaque, hash).await? {
                let now = self.clock().wall().ok_or(Rejection::Stale)?;
                if facts.is_expired(now) {
                    return Err(Rejection::Expired.into());
                }
                // A logout may have passed while the session was being loaded: like every hit, it is held against the
                // replica.
                return Ok(self.enliven(Recognised::Before(facts), now, basis)?);
            }
        }
        Err(Rejection::UnknownToken.into())
    }

    pub(crate) async fn recognise_dead_or_alive(&self, token: Unverified<'_>) -> Result<Authentic, Denied> {
        match token.0 {
            Shape::Jwt(compact) => {
                let (keys, mut buffer) = (self.keys(), Buffer::new());
                Ok(Authentic::assertion(self.recognise_jwt(compact.token(), &keys, &mut buffer)?.into_claims()?))
            }
            // What is in memory came from the store, and it is asked anyway when the session is destroyed.
            Shape::Opaque(opaque) => match self.remembered(&opaque) {
                Some(facts) => Ok(Authentic::assertion(Claims::shared(facts))),
                None => self.recognise_by_hash(opaque.hashes(&self.policy().settings.peppers)).await,
            },
            // Of any generation: whoever holds an old one may end what they once had.
            Shape::Refresh(opaque) => {
                for generation in opaque.generations(&self.policy().settings.peppers) {
                    if let Some(session) = self.store().find_by_family(&generation.family()).await? {
                        return Ok(Authentic::assertion(Claims::new(&Draft::of_session(&session)?, None)?));
                    }
                }
                Err(Rejection::UnknownToken.into())
            }
        }
    }

    /// The session that the store has under one of these hashes, dead or alive.
    pub(crate) async fn recognise_by_hash(&self, hashes: impl Iterator<Item = TokenHash>) -> Result<Authentic, Denied> {
        for hash in hashes {
            if let Some(session) = self.store().find_by_token(&hash).await? {
                return Ok(Authentic::assertion(Claims::new(&Draft::of_session(&session)?, None)?));
            }
        }
        Err(Rejection::UnknownToken.into())
    }

    fn recognise_jwt<'a>(
        &self,
        token: &str,
        keys: &'a KeySet,
        buffer: &'a mut Buffer<PAYLOAD>,
    ) -> Result<Recognised<'a>, Rejection> {
        if keys.has_asymmetric()
            && let Some(facts) = self.signatures().find(token, keys)
        {
            return Ok(Recognised::Before(facts));
        }
        let compact = Compact::split(token)?;
        let key = compact.key(keys).inspect_err(|rejection| {
            if *rejection == Rejection::UnknownKey {
                self.keeper().note_unknown();
            }
        })?;
        let draft = Draft::of_jwt(compact.verify(key, buffer)?, self.policy())?;
        if self.signatures().wants(key)
            && let Some(facts) = draft.remember_jwt(key.clone(), token, self.replica())
        {
            self.signatures().remember(token, Arc::clone(&facts));
            return Ok(Recognised::Before(facts));
        }
        Ok(Recognised::Now(draft, key))
    }

    fn verify_opaque(&self, token: &str, now: Timestamp, basis: Basis) -> Result<Live, Rejection> {
        if let Some(opaque) = Opaque::unchecked(token).filter(|opaque| opaque.kind() == Kind::Access)
            && let Some(facts) = self.remembered(&opaque).filter(|facts| !facts.is_expired(now))
        {
            return self.enliven(Recognised::Before(facts), now, basis);
        }
        Opaque::parse(Kind::Access, token)?;
        Err(Rejection::Unloaded)
    }

    /// What an opaque token opens, or opened, if it is in memory.
    fn remembered(&self, opaque: &Opaque<'_>) -> Option<Arc<Facts>> {
        // What is found by its hash was checked before, all but the last digits, and those were kept.
        let (peppers, cache) = (&self.policy().settings.peppers, self.cache());
        let found = cache.get(&opaque.hash(peppers));
        let found = found.or_else(|| opaque.older_hashes(peppers).find_map(|hash| cache.get(&hash)));
        found.filter(|facts| facts.ends_with(opaque.checksum()))
    }

    /// Holds what is authentic against the clock and the replica.
    #[inline]
    fn enliven(&self, recognised: Recognised<'_>, now: Timestamp, basis: Basis) -> Result<Live, Rejection> {
        let fixed = match &recognised {
            Recognised::Before(facts) => &facts.fixed,
            Recognised::Now(draft, _) => &draft.fixed,
        };
        let leeway = self.policy().settings.leeway.get();
        // "On or after" the expiration the token must not be accepted (RFC 7519, section 4.1.4).
        if now >= fixed.expires_at.saturating_add(leeway) {
            return Err(Rejection::Expired);
        }
        if fixed.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
            return Err(Rejection::NotYetValid);
        }
        self.judge(basis, |replica| match &recognised {
            Recognised::Before(facts) => facts.verdict(replica),
            Recognised::Now(draft, key) => {
                let scopes = fixed.scopes(&draft.subject, &draft.client_id, Some(key));
                replica.verdict(&scopes, fixed.position)
            }
        })?;
        Ok(Live::assertion(recognised.into_claims()?))
    }

    /// Holds a session that the store calls live against the clock and the replica.
    pub(crate) fn enliven_session(&self, session: &Session, now: Timestamp) -> Result<Live, Denied> {
        let facts = Draft::of_session(session)?.share(None).ok_or_else(too_long)?;
        Ok(self.enliven(Recognised::Before(facts), now, Basis::Lease)?)
    }

    pub(crate) fn is_session_revoked(&self, claims: &Claims) -> bool {
        let session = [Scope::Session(claims.session_id().as_bytes())];
        matches!(self.replica().verdict(&session, claims.position()), Verdict::Dead(_))
    }

    /// Whether the session itself was cut off, on its own or with all of its subject's, its client's, or everything. Tokens and
    /// keys do not count: the session lives on without them.
    pub(crate) fn is_ended(&self, claims: &Claims) -> bool {
        let [session, subject, client, ..] = claims.facts().scopes();
        matches!(self.replica().verdict(&[session, subject, client], claims.position()), Verdict::Dead(_))
    }

    /// Remembers a session that was just opened, so that its opaque token need not be loaded: whoever asks next, no store is
    /// needed for it.
    pub(crate) fn remember_issued(&self, issued: &Issued) {
        let Ok(Shape::Opaque(opaque)) = Shape::of(issued.token.expose()) else { return };
        let Ok(draft) = Draft::of_session(&issued.session) else { return };
        let Some(facts) = draft.remember_opaque(opaque.checksum(), self.replica()) else { return };
        let Some(hash) = opaque.hashes(&self.policy().settings.peppers).next() else { return };
        self.cache().insert(hash, Arc::clone(&facts));
        // As when it is loaded.
        if facts.verdict(self.replica()) != Verdict::Alive {
            self.cache().remove(&hash);
        }
    }

    /// Loads a live session into the cache; concurrent misses of one token share a query. `None` is not remembered, nor is a
    /// session that ended while it was being loaded.
    async fn load_cached(&self, opaque: &Opaque<'_>, hash: TokenHash) -> Result<Option<Arc<Facts>>, Error> {
        // What is there is past its idle end, or `verify` would have used it: it was touched since, or it is over.
        let now = self.now()?;
        if self.cache().get(&hash).is_some_and(|facts| facts.is_expired(now)) {
            self.cache().remove(&hash);
        }
        let mut joined = pin!(self.cache().get_value_or_guard_async(&hash));
        let mut waited = false;
        let entry = poll_fn(|context| {
            let polled = joined.as_mut().poll(context);
            waited |= polled.is_pending();
            polled
        });
        let guard = match entry.await {
            Ok(facts) => return Ok(Some(facts)),
            Err(guard) => guard,
        };
        // Whoever waited and still has to load saw the first query fail. They ask all at once, not one after the other,
        // so a store that hangs costs each of them no more than its own query.
        let guard = if waited { None } else { Some(guard) };
        let Some(session) = self.store().load_session(SessionKey::Token(&hash), now).await? else { return Ok(None) };
        let facts =
            Draft::of_session(&session)?.remember_opaque(opaque.checksum(), self.replica()).ok_or_else(too_long)?;
        match guard {
            // Fails when somebody was faster, whose entry is as good.
            Some(guard) => drop(guard.insert(Arc::clone(&facts))),
            None => self.cache().insert(hash, Arc::clone(&facts)),
        }
        // The load may have begun before a logout and ended after it. Looked at after it was inserted, so whichever of both
        // came first, what the logout killed does not stay. (If it did, every hit is held against the replica all the same.)
        if facts.verdict(self.replica()) != Verdict::Alive {
            self.cache().remove(&hash);
        }
        Ok(Some(facts))
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Data, "the texts of a session are longer than any that we store")
}

/// What is authentic, before it is known whether it will be kept.
enum Recognised<'a> {
    /// Its signature was verified, or its session loaded, and remembered: lately, or just now.
    Before(Arc<Facts>),
    /// Its signature was verified just now, with this key.
    Now(Draft<'a>, &'a VerifyingKey),
}

impl Recognised<'_> {
    #[inline]
    fn into_claims(self) -> Result<Claims, Rejection> {
        match self {
            Self::Before(facts) => Ok(Claims::shared(facts)),
            Self::Now(draft, key) => Claims::new(&draft, Some(key.clone())),
        }
    }
}
