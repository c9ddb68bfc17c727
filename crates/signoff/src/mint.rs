//! Minting: a login makes a session and its access token; a renewal makes another token for a living session.

use std::time::Duration;

use serde::Serialize;

use crate::audit::{AuditEvent, AuditKind, Cause, Context, Reason};
use crate::claims::{Draft, is_own};
use crate::elsewhere::Elsewhere;
use crate::opaque::Kind;
use crate::store::{CreateOutcome, NewSession, Replace, SessionTarget, Target};
use crate::time::Timestamp;
use crate::touch::Haste;
use crate::{
    Actor, ClientId, Delivery, Denied, Error, ErrorKind, Live, LogoutId, Position, Rejection, Scope, Secret, Session,
    SessionId, Signoff, Subject, TokenId, b64, jws, opaque,
};

/// Somebody has proven who they are: what their session shall be like.
#[derive(Clone, Debug)]
#[must_use = "pass it to Signoff::log_in"]
pub struct Login {
    subject: Subject,
    client_id: Option<ClientId>,
    scope: Option<String>,
    claims: Option<String>,
    data: Vec<u8>,
    device: Option<String>,
    pub(crate) context: Context,
    pub(crate) replaces: Option<SessionId>,
    elsewhere: Vec<Elsewhere>,
}

impl Login {
    /// A login of this subject.
    pub const fn new(subject: Subject) -> Self {
        Self {
            replaces: None,
            subject,
            client_id: None,
            scope: None,
            claims: None,
            data: Vec::new(),
            device: None,
            context: Context::new(),
            elsewhere: Vec::new(),
        }
    }

    /// The program that the tokens are for. Defaults to [`Settings::client_id`](crate::Settings::client_id).
    pub fn client(mut self, client_id: ClientId) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// What the tokens may be used for: words separated by single spaces (RFC 6749, section 3.3).
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// The application's own claims, a type that serialises to a JSON object of at most 2 KiB. Every token of the
    /// session carries them, so no secrets and no personal data here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is something else, is larger, or uses the name of a registered claim.
    pub fn claims(mut self, claims: &impl Serialize) -> Result<Self, Error> {
        self.claims = Some(own_claims(claims)?);
        Ok(self)
    }

    /// The first data of the session, at most 64 KiB.
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// A name for the device, for the list that people see; what is longer than 128 characters is cut.
    pub fn device(mut self, device: &str) -> Self {
        self.device = Some(device.chars().filter(|c| !c.is_control()).take(128).collect());
        self
    }

    /// Where the login came from.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The session that the browser had before, whosever it was: it ends in the transaction that begins the new one, and
    /// its tokens are dead when the login returns. So nobody who planted or knew the old one has a part in the new one
    /// (session fixation, CWE-384).
    pub fn replacing(mut self, live: &Live) -> Self {
        self.replaces = Some(*live.session_id());
        self
    }

    /// A session of another store that ends with this one: the name of its [destroyer](crate::elsewhere), and the key
    /// that the other store has it under. Up to 16 of them.
    pub fn elsewhere(mut self, destroyer: &str, key: &str) -> Self {
        self.elsewhere.push(Elsewhere::new(destroyer, key));
        self
    }
}

/// What became of a session that was to be opened.
pub(crate) enum Opened {
    Issued(Issued),
    /// The session comes back, and the reason, which is not that it was created.
    Refused(Session, CreateOutcome),
}

/// Words separated by single spaces (RFC 6749, section 3.3).
pub(crate) fn check_scope(scope: &str) -> Result<(), Error> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if scope.len() > 1024 || !scope.split(' ').all(word) {
        let what = "a scope is words of printable ASCII, separated by single spaces, at most 1 KiB";
        return Err(Error::new(ErrorKind::Misuse, what));
    }
    Ok(())
}

/// The application's own claims as the JSON object that sessions keep.
pub(crate) fn own_claims(claims: &impl Serialize) -> Result<String, Error> {
    let misuse = |what| Error::new(ErrorKind::Misuse, what);
    let value = serde_json::to_value(claims)
        .map_err(|error| misuse("the application's claims are no JSON").with_source(error))?;
    let text = value.to_string();
    let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    if !members.is_some_and(is_own) {
        let what = "the application's claims are a JSON object, at most eight levels deep, and use no registered name";
        return Err(misuse(what));
    }
    if text.len() > 2048 {
        return Err(misuse("the application's claims have at most 2 KiB"));
    }
    Ok(text)
}

/// A session, and the tokens that open it.
#[derive(Debug)]
#[must_use = "the token is shown once, here"]
#[non_exhaustive]
pub struct Issued {
    /// The access token.
    pub token: Secret,
    /// When the token ends: for a JWT its `exp`, for an opaque token the session's absolute end.
    pub expires_at: Timestamp,
    /// How long that is from now, for `expires_in` (RFC 6749, section 5.1).
    pub expires_in: Duration,
    /// What the next access token is got with, by [`Signoff::refresh`]; after a login, and if
    /// [`Settings::refresh`](crate::Settings::refresh) is on.
    pub refresh_token: Option<Secret>,
    /// The session.
    pub session: Session,
}

/// An access token.
#[derive(Debug)]
#[must_use = "the token is shown once, here"]
#[non_exhaustive]
pub struct Minted {
    /// The token.
    pub token: Secret,
    /// When it ends: the claim `exp`.
    pub expires_at: Timestamp,
    /// How long that is from now, for `expires_in` (RFC 6749, section 5.1).
    pub expires_in: Duration,
}

impl Minted {
    fn with_session(self, session: Session, refresh_token: Option<Secret>) -> Issued {
        let Self { token, expires_at, expires_in } = self;
        Issued { token, expires_at, expires_in, refresh_token, session }
    }
}

impl Signoff {
    /// Opens a session for somebody whose identity the application has verified, and mints its access token.
    ///
    /// A session that the browser had before is not touched, unless the login [replaces](Login::replacing) it. Say so, or log
    /// it out first, so that nobody can plant one.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: data or scope out of bounds, the signing key is revoked, or a session elsewhere has a
    ///   destroyer that is not configured.
    /// * [`ErrorKind::Unavailable`]: the store did not answer. The session may exist, but nobody holds its token; the one
    ///   that it replaces may have ended.
    pub async fn log_in(&self, login: Login) -> Result<Issued, Error> {
        let now = self.now()?;
        let (replaced, from) = (login.replaces, login.context.clone());
        let mut session = self.session_of(login, now)?;
        let audit = |session: &Session| self.audit_of(AuditKind::LoggedIn, session, session.context.clone(), now);
        let cause = Cause::new(Actor::Subject, Reason::Replaced).from(from);
        let mut replaces = replaced.map(|id| self.replace(id, None, cause.clone())).transpose()?;
        loop {
            let event = audit(&session);
            match self.open_session(session, event, replaces.take(), now).await? {
                Opened::Issued(issued) => return Ok(issued),
                // It ended in the meantime: that is what was wanted. By its time, perhaps, so its tokens must be revoked
                // still; and then it needs no replacing.
                Opened::Refused(refused, CreateOutcome::Gone) => {
                    let targets = replaced.iter().map(|id| SessionTarget { id: *id, revoke_unknown_until: None });
                    let destroyed = self.commit(Target::Sessions(targets.collect()), cause.clone()).await?;
                    let _ = self.revoke_destroyed(destroyed).await?;
                    session = refused;
                }
                Opened::Refused(..) => {
                    return Err(Error::new(ErrorKind::Conflict, "a session with this id or token exists"));
                }
            }
        }
    }

    /// What a login asks for as a session, which no store has yet.
    pub(crate) fn session_of(&self, login: Login, now: Timestamp) -> Result<Session, Error> {
        if login.data.len() > 64 * 1024 {
            return Err(Error::new(ErrorKind::Misuse, "session data has at most 64 KiB"));
        }
        login.scope.as_deref().map_or(Ok(()), check_scope)?;
        let settings = &self.policy().settings;
        settings.destroyers.check(&login.elsewhere)?;
        let expires_at = now.saturating_add(settings.absolute);
        Ok(Session {
            id: SessionId::generate(now)?,
            subject: login.subject,
            client_id: login.client_id.unwrap_or_else(|| self.policy().client_id.clone()),
            born: Position::ZERO,
            created_at: now,
            authenticated_at: now,
            last_seen_at: now,
            idle_expires_at: now.saturating_add(settings.idle).min(expires_at),
            expires_at,
            scope: login.scope,
            claims: login.claims,
            data: login.data,
            version: 1,
            device: login.device,
            context: login.context,
            elsewhere: login.elsewhere,
        })
    }

    /// The end of a session where another begins.
    pub(crate) fn replace(&self, id: SessionId, version: Option<u64>, cause: Cause) -> Result<Replace, Error> {
        Ok(Replace { id, version, logout: LogoutId::generate()?, cause, margin: self.policy().margin() })
    }

    /// Adds a session to the store, with tokens of its own.
    pub(crate) async fn open_session(
        &self,
        mut session: Session,
        audit: AuditEvent,
        replaces: Option<Replace>,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        let settings = &self.policy().settings;
        let opaque = match settings.delivery {
            Delivery::Jwt => {
                // First, so that no session ends for one whose token cannot be minted.
                self.mend_signing_key().await?;
                None
            }
            Delivery::Opaque => Some(opaque::generate(Kind::Access, &settings.peppers)?),
        };
        let (opaque, token) = opaque.unzip();
        let refresh = settings.refresh.as_ref().map(|_| opaque::first(&settings.peppers)).transpose()?;
        let (refresh_token, refresh) = refresh.unzip();
        match self.create(NewSession { session: session.clone(), token, refresh, audit, replaces }).await? {
            CreateOutcome::Created(born) => session.born = born,
            refused => return Ok(Opened::Refused(session, refused)),
        }
        let minted = match opaque {
            Some(token) => Minted { token, expires_at: session.expires_at, expires_in: session.expires_at.since(now) },
            None => self.mint_at(&session, now)?,
        };
        Ok(Opened::Issued(minted.with_session(session, refresh_token)))
    }

    /// Adds a session to the store.
    pub(crate) async fn create(&self, request: NewSession) -> Result<CreateOutcome, Error> {
        let session = request.session.id;
        let replaces = request.replaces.is_some();
        let committed = self.creator().commit(request, self.policy().settings.commit_timeout).await?;
        if replaces {
            // Whoever knew the old session's tokens must not find a node that takes them still.
            self.reach_all(committed.position).await?;
        }
        let outcome = committed.outcome;
        if let CreateOutcome::Created(_) = outcome {
            tracing::info!(target: "signoff", session = session.fingerprint(), "session created");
        }
        Ok(outcome)
    }

    /// Mints another JWT for the session of a live one, and notes that the session is used.
    ///
    /// The absolute end of the session stays; its idle end moves. An opaque token needs no renewal: see
    /// [`Signoff::touch`].
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the session is over; the refusal is recorded.
    /// * [`Denied::Failed`]: the store did not answer.
    pub async fn renew(&self, live: &Live, context: Context) -> Result<Issued, Denied> {
        if live.token_id().is_none() {
            return Err(Error::new(ErrorKind::Misuse, "an opaque token is not renewed; touch its session").into());
        }
        self.mend_signing_key().await?;
        let now = self.now()?;
        let Some(session) = self.note_use(live, Haste::Urgent, Timestamp::MAX, now).await? else {
            return Err(self.refuse_gone(live, context, now).await);
        };
        Ok(self.mint_at(&session, now)?.with_session(session, None))
    }

    /// Mints a JWT for a session that is in hand, as [`Signoff::session`] returns it, without asking the store and
    /// without noting that the session is used. If the session was revoked meanwhile, the token is dead at birth.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: the session is past its end, the signing key is revoked, or the claims make a token of
    ///   more than 8 KiB.
    /// * [`ErrorKind::Unavailable`]: no clock, or no random numbers.
    pub fn mint(&self, session: &Session) -> Result<Minted, Error> {
        let now = self.now()?;
        if session.is_expired(now) {
            return Err(Error::new(ErrorKind::Misuse, "the session is past its end"));
        }
        self.check_signing_key()?;
        self.mint_at(session, now)
    }

    /// Has the ring replace a signing key that was revoked, if there is a ring.
    pub(crate) async fn mend_signing_key(&self) -> Result<(), Error> {
        if self.keeper().is_ring() && self.keeper().is_revoked(self.keys().signing().kid()) {
            self.tend_keys().await?;
        }
        self.check_signing_key()
    }

    /// A key that was revoked must not sign: its tokens would be dead at birth.
    fn check_signing_key(&self) -> Result<(), Error> {
        let keys = self.keys();
        let key = [Scope::Key(keys.signing().kid())];
        match Rejection::from_verdict(self.replica().verdict(&key, Position::MAX)) {
            Ok(()) => Ok(()),
            Err(Rejection::Revoked) => {
                Err(Error::new(ErrorKind::Misuse, "the signing key is revoked: open with another"))
            }
            Err(_) => Err(Error::new(ErrorKind::Data, "the revocation log is not to be trusted")),
        }
    }

    pub(crate) fn mint_at(&self, session: &Session, now: Timestamp) -> Result<Minted, Error> {
        let settings = &self.policy().settings;
        let mut draft = Draft::of_session(session)?;
        // A token never outlives its session, so a revocation of the session covers all of them. It ends on a whole
        // second, rounded down.
        let expires_at = now.saturating_add(settings.access_lifetime).min(session.expires_at);
        let expires_at = Timestamp::from_secs(expires_at.as_secs()).unwrap_or(expires_at);
        draft.fixed.expires_at = expires_at;
        draft.fixed.issued_at = now;
        let payload = self.policy().layout.write(&draft, &TokenId::generate()?);
        let keys = self.keys();
        let key = keys.signing();
        let header = key.verifying_key().header();
        let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 128);
        token.push_str(header);
        token.push('.');
        b64::encode(payload.as_bytes(), &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        b64::encode(signature.as_ref(), &mut token);
        if token.len() > jws::MAX_TOKEN {
            return Err(Error::new(ErrorKind::Misuse, "the claims make a token of more than 8 KiB"));
        }
        Ok(Minted { token: Secret::new(token), expires_at, expires_in: expires_at.since(now) })
    }

    /// Records that the session of a live token is gone, and says so.
    pub(crate) async fn refuse_gone(&self, live: &Live, context: Context, now: Timestamp) -> Denied {
        let event = AuditEvent {
            session: Some(live.session_id().fingerprint()),
            ..self.audit_event(AuditKind::RefreshRefused, live.to_subject(), context, now)
        };
        match self.store().record(&event).await {
            Ok(()) => Rejection::Revoked.into(),
            Err(error) => error.into(),
        }
    }

    pub(crate) fn audit_of(&self, kind: AuditKind, session: &Session, context: Context, now: Timestamp) -> AuditEvent {
        AuditEvent {
            session: Some(session.id.fingerprint()),
            ..self.audit_event(kind, session.subject.clone(), context, now)
        }
    }

    fn audit_event(&self, kind: AuditKind, subject: Subject, context: Context, at: Timestamp) -> AuditEvent {
        AuditEvent {
            at,
            kind,
            subject: Some(subject),
            actor: Actor::Subject,
            reason: None,
            session: None,
            logout: None,
            detail: None,
            context,
        }
    }
}
