//! Stepping up: the same session under a new id, because the person proved again who they are, or may do other things now.
//!
//! ```
//! use signoff::{Context, KeySet, Login, MemoryStore, Settings, Signoff, SigningKey, StepUp, Subject};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let settings = Settings::new("https://bank.example", "https://bank.example/api");
//! # let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
//! let before = signoff.log_in(Login::new(Subject::new("alice")?).scope("accounts")).await?;
//! let live = signoff.verify(before.token.expose())?;
//! if !signoff.is_authenticated_within(&live, Duration::from_secs(0)) {
//!     // The application asks for the second factor, and then:
//!     let step = StepUp::authenticated_again().scope("accounts transfers");
//!     let after = signoff.step_up(&live, step, Context::new()).await?;
//!     assert!(signoff.verify(after.token.expose())?.has_scope("transfers"));
//!     assert!(signoff.verify(before.token.expose()).is_err());
//! }
//! # Ok(()) }
//! ```

use std::time::Duration;

use serde::Serialize;

use crate::audit::{AuditEvent, AuditKind, Cause, Context, Reason};
use crate::mint::{Opened, check_scope, own_claims};
use crate::nodes::Basis;
use crate::store::{CreateOutcome, SessionKey};
use crate::time::Timestamp;
use crate::{Actor, Denied, Error, ErrorKind, Issued, Live, Position, Rejection, Session, SessionId, Signoff};

/// What changes about a session that steps up.
#[derive(Clone, Debug)]
#[must_use = "pass it to Signoff::step_up"]
pub struct StepUp {
    why: Why,
    scope: Option<String>,
    claims: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    Authenticated,
    Privileges,
}

impl StepUp {
    /// The person has just proved again who they are: [`Session::authenticated_at`] becomes now.
    pub const fn authenticated_again() -> Self {
        Self { why: Why::Authenticated, scope: None, claims: None }
    }

    /// The person may do other things from now on: more, or less. [`Session::authenticated_at`] stays.
    pub const fn privileges_changed() -> Self {
        Self { why: Why::Privileges, scope: None, claims: None }
    }

    /// What the new tokens may be used for: words separated by single spaces (RFC 6749, section 3.3). Without it the scope
    /// stays.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// The application's own claims, instead of those that the session had. Without it they stay.
    ///
    /// # Errors
    ///
    /// As [`Login::claims`](crate::Login::claims).
    pub fn claims(mut self, claims: &impl Serialize) -> Result<Self, Error> {
        self.claims = Some(own_claims(claims)?);
        Ok(self)
    }

    const fn detail(&self) -> &'static str {
        match self.why {
            Why::Authenticated => "authenticated again",
            Why::Privileges => "privileges changed",
        }
    }

    /// The session that takes the place of this one.
    fn apply(&self, old: Session, idle_expires_at: Timestamp, now: Timestamp) -> Result<Session, Error> {
        let authenticated_at = match self.why {
            Why::Authenticated => now,
            Why::Privileges => old.authenticated_at,
        };
        Ok(Session {
            id: SessionId::generate(now)?,
            born: Position::ZERO,
            authenticated_at,
            last_seen_at: now,
            idle_expires_at: idle_expires_at.min(old.expires_at),
            scope: self.scope.clone().or(old.scope),
            claims: self.claims.clone().or(old.claims),
            version: 1,
            ..old
        })
    }
}

/// Somebody who changes the session's data more often than this while it steps up is not waited for.
const ATTEMPTS: u32 = 16;

impl Signoff {
    /// Gives a session a new id and new tokens, at the moment that it becomes worth more: after a second factor, before a
    /// payment, with other privileges. The old id and all its tokens, refresh tokens too, die in the same transaction, so
    /// whoever knew them has no part in it (OWASP Session Management, "Renew the Session ID After Any Privilege Level
    /// Change").
    ///
    /// Data, device, the creation and the absolute end stay; nothing extends a session's life. A change of the data that
    /// is saved at the same time is in the new session, or answers [`Update::Gone`](crate::Update::Gone). A logout with an
    /// old token finds that session gone and leaves the new one alone; one of the person everywhere ends it.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the session is over; the refusal is recorded.
    /// * [`Denied::Failed`] with [`ErrorKind::Conflict`]: the data changes all the time. Nothing happened.
    /// * [`Denied::Failed`] with [`ErrorKind::Misuse`]: the scope is none, or the signing key is revoked.
    /// * [`Denied::Failed`] with [`ErrorKind::Unavailable`]: the store did not answer. The old session may have ended; then
    ///   the person logs in again.
    pub async fn step_up(&self, live: &Live, step: StepUp, context: Context) -> Result<Issued, Denied> {
        step.scope.as_deref().map_or(Ok(()), check_scope)?;
        for _ in 0..ATTEMPTS {
            let now = self.now()?;
            let Some(old) = self.store().load_session(SessionKey::Id(live.session_id()), now).await? else {
                return Err(self.refuse_gone(live, context, now).await);
            };
            let cause = Cause::new(Actor::Subject, Reason::Replaced).from(context.clone());
            let replace = self.replace(old.id, Some(old.version), cause)?;
            let session = step.apply(old, now.saturating_add(self.policy().settings.idle), now)?;
            let audit = AuditEvent {
                detail: Some(step.detail().to_owned()),
                ..self.audit_of(AuditKind::SteppedUp, &session, context.clone(), now)
            };
            match self.open_session(session, audit, Some(replace), now).await? {
                Opened::Issued(issued) => {
                    // A logout may have passed since. Its tokens are dead then, so nobody is given them.
                    self.check_living(&issued.session)?;
                    return Ok(issued);
                }
                Opened::Refused(_, CreateOutcome::Gone) => return Err(self.refuse_gone(live, context, now).await),
                // Its data was saved in the meantime, or the random id was taken.
                Opened::Refused(..) => {}
            }
        }
        Err(Error::new(ErrorKind::Conflict, "the session's data changes all the time").into())
    }

    /// Whether the person proved who they are within the last `age`: for a guard before what is worth a second look. In a
    /// JWT that time is in whole seconds, so an answer may be a second early, never late.
    ///
    /// `false` also when that is not known: the token does not say, its time lies ahead, or the clock is unreadable.
    pub fn is_authenticated_within(&self, live: &Live, age: Duration) -> bool {
        let (Some(at), Some(now)) = (live.authenticated_at(), self.clock().wall()) else { return false };
        at <= now.saturating_add(self.policy().settings.leeway.get()) && now <= at.saturating_add(age)
    }

    /// Whether the replica knows of no revocation of a session.
    pub(crate) fn check_living(&self, session: &Session) -> Result<(), Rejection> {
        self.judge(Basis::Lease, |replica| replica.verdict(&session.scopes(), session.born))
    }
}
