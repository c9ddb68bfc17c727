//! Refreshing: a refresh token is exchanged for a new access token and its own successor.
//!
//! With [`Settings::refresh`](crate::Settings::refresh), a login gives a refresh token beside the JWT. It is good for one
//! exchange, [`Signoff::refresh`], which gives another JWT and another refresh token. So a stolen one is found out: of the
//! thief and the owner, whoever comes second presents a token that was used before, and the session is destroyed.
//!
//! Browsers have several tabs, and answers get lost, so for a short *grace* time the token that was just exchanged gives
//! the same successor again, to however many ask. The successor is kept for that sealed, under a key that follows from
//! the token before, so a stolen database opens nothing.
//!
//! The session decides: its end is the end of all its refresh tokens, and no exchange moves the absolute end.
//!
//! ```
//! use signoff::refresh::Refresh;
//! use signoff::{Cause, Context, KeySet, Login, MemoryStore, Settings, Signoff, SigningKey, Subject};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
//! settings.refresh = Some(Refresh::default());
//! let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
//!
//! let issued = signoff.log_in(Login::new(Subject::new("alice")?)).await?;
//! let first = issued.refresh_token.ok_or("refresh tokens are on")?;
//! let refreshed = signoff.refresh(first.expose(), Context::new()).await?;
//! assert!(signoff.verify(refreshed.token.expose()).is_ok());
//!
//! // Another tab asks with the token that was just exchanged, and gets the same successor.
//! let again = signoff.refresh(first.expose(), Context::new()).await?;
//! assert_eq!(again.refresh_token.expose(), refreshed.refresh_token.expose());
//!
//! // Any of them logs the session out, and none is good for anything afterwards.
//! let _ = signoff.log_out(&[first.expose()], Cause::logout()).await?;
//! assert!(signoff.refresh(again.refresh_token.expose(), Context::new()).await.is_err());
//! # Ok(()) }
//! ```

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use signoff_revocation::LogPage;

use crate::audit::Context;
use crate::commit::Verb;
use crate::elsewhere::{Finisher, Over};
use crate::opaque::{Kind, Opaque};
use crate::store::{Exchange, ExchangeOutcome};
use crate::time::Timestamp;
use crate::{Denied, Error, ErrorKind, LogoutId, Minted, Rejection, Secret, Session, Signoff, Store, steps};

/// How refresh tokens behave.
#[derive(Clone)]
pub struct Refresh {
    grace: Duration,
    on_reuse: Option<Arc<Hook>>,
}

type Hook = dyn Fn(&Reuse) + Send + Sync;

impl Refresh {
    /// The longest grace: whoever steals a token can use it unnoticed for that long after it was exchanged.
    pub const MAX_GRACE: Duration = Duration::from_secs(300);

    /// For how long after an exchange the same token gives the same successor again: zero to five minutes. With zero, a
    /// second tab, or a client that repeats a request whose answer it lost, logs the person out. Defaults to ten seconds,
    /// which is what others have found to be enough for tabs and retries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] above [`Refresh::MAX_GRACE`].
    pub fn grace(self, grace: Duration) -> Result<Self, Error> {
        if grace > Self::MAX_GRACE {
            return Err(Error::new(ErrorKind::Misuse, "the grace of refresh tokens is at most five minutes"));
        }
        Ok(Self { grace, ..self })
    }

    /// Is called when a token was used before, so that the application can tell the person: once, after the session is
    /// destroyed and its tokens are dead, by the task that commits refreshes.
    ///
    /// It must not block, or all refreshes wait: hand the event to a task or a queue. If it panics, nothing else happens.
    /// If the process dies before it is called, it is not; the audit trail has the event in any case.
    #[must_use]
    pub fn on_reuse(self, hook: impl Fn(&Reuse) + Send + Sync + 'static) -> Self {
        Self { on_reuse: Some(Arc::new(hook)), ..self }
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), on_reuse: None }
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grace, on_reuse } = self;
        f.debug_struct("Refresh").field("grace", grace).field("on_reuse", &on_reuse.is_some()).finish()
    }
}

/// A refresh token was presented that had been exchanged before, so somebody has a copy. The session is destroyed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reuse {
    /// The session that was destroyed, without its data and claims: whose it was, on which device, opened from where.
    pub session: Session,
    /// The name of its end, as in the audit trail.
    pub logout_id: LogoutId,
    /// From where the token was presented: by the thief or by the owner, that cannot be known.
    pub context: Context,
    /// When.
    pub at: Timestamp,
}

/// What a refresh token was exchanged for.
#[derive(Debug)]
#[must_use = "the tokens are shown once, here"]
#[non_exhaustive]
pub struct Refreshed {
    /// The access token, a JWT.
    pub token: Secret,
    /// When it ends: the claim `exp`.
    pub expires_at: Timestamp,
    /// How long that is from now, for `expires_in` (RFC 6749, section 5.1).
    pub expires_in: Duration,
    /// The refresh token that is good from now on.
    pub refresh_token: Secret,
    /// The session.
    pub session: Session,
}

impl Signoff {
    /// Exchanges a refresh token for an access token and its own successor, and notes that the session is used.
    ///
    /// The same token again within the [grace](Refresh::grace) gives the same successor, and an access token of its own.
    /// Any older one destroys the session. The exchange goes on when this future is dropped; a retry then gets the
    /// successor that nobody took.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the token is no good; to a client all reasons are one, `invalid_grant` (RFC 6749, section
    ///   5.2). [`Rejection::Reused`]: this call has just destroyed the session. [`Rejection::Revoked`]: the session is
    ///   over. [`Rejection::UnknownToken`]: there never was such a token, or its session was purged.
    /// * [`Denied::Failed`] with [`ErrorKind::Unavailable`]: not known; retry with the same token, within the grace.
    /// * [`Denied::Failed`] with [`ErrorKind::Misuse`]: refresh tokens are off, or the signing key is revoked.
    /// * [`Denied::Failed`] with [`ErrorKind::Data`]: the store holds a successor that nobody sealed.
    pub async fn refresh(&self, token: &str, context: Context) -> Result<Refreshed, Denied> {
        let opaque = Opaque::parse(Kind::Refresh, token)?;
        let settings = &self.policy().settings;
        let off = || Error::new(ErrorKind::Misuse, "refresh tokens are off: see Settings::refresh");
        let grace = settings.refresh.as_ref().ok_or_else(off)?.grace;
        // First, so that no token is used up for an access token that cannot be minted.
        self.mend_signing_key().await?;
        for generation in opaque.generations(&settings.peppers) {
            let successor = generation.succeed()?;
            let request = Exchange {
                id: LogoutId::generate()?,
                family: generation.family(),
                presented: generation.hash(),
                successor: successor.hash,
                sealed: successor.sealed,
                grace,
                idle_expires_at: self.now()?.saturating_add(settings.idle),
                margin: self.policy().margin(),
                context: context.clone(),
            };
            let exchanged = self.exchanger().commit(request, settings.commit_timeout).await?;
            steps::reached("refresh: decided");
            let (session, refresh_token) = match exchanged.outcome {
                ExchangeOutcome::Unknown => continue,
                ExchangeOutcome::Gone => return Err(Rejection::Revoked.into()),
                ExchangeOutcome::Reused(_) => {
                    // Whoever stole the token must not find a node that takes those of the session still.
                    self.reach_all(exchanged.position).await?;
                    return Err(Rejection::Reused.into());
                }
                ExchangeOutcome::Rotated(session) => (session, successor.token),
                ExchangeOutcome::Same { session, successor, sealed } => {
                    (session, generation.open(&sealed, &successor)?)
                }
            };
            let Minted { token, expires_at, expires_in } = self.mint_at(&session, self.now()?)?;
            // A logout may have passed since the exchange. Its tokens are dead then, so nobody is given them.
            self.check_living(&session)?;
            return Ok(Refreshed { token, expires_at, expires_in, refresh_token, session });
        }
        Err(Rejection::UnknownToken.into())
    }
}

/// Exchanges that share a transaction. What a theft ends elsewhere is finished as soon as it is in force.
pub(crate) struct Exchanges(pub(crate) Option<Refresh>, pub(crate) Option<Arc<Finisher>>);

impl Verb for Exchanges {
    type Request = Exchange;
    type Outcome = ExchangeOutcome;

    const LATE: &'static str = "the store did not confirm the refresh in time";
    const STEPS: [&'static str; 4] =
        ["refresh: queued", "refresh: before the transaction", "refresh: after the transaction", "refresh: in force"];
    const REPEATABLE: bool = true;

    async fn run(
        store: &dyn Store,
        requests: &[Exchange],
        now: Timestamp,
    ) -> Result<(Vec<ExchangeOutcome>, Option<LogPage>), Error> {
        let exchanged = store.exchange(requests, now).await?;
        Ok((exchanged.outcomes, Some(exchanged.page)))
    }

    fn decided(&self, requests: &[Exchange], outcomes: &mut [ExchangeOutcome], now: Timestamp) {
        for (request, outcome) in requests.iter().zip(outcomes) {
            let ExchangeOutcome::Reused(session) = outcome else { continue };
            if let Some(finisher) = &self.1 {
                // Nobody waits for it: whoever presented the token is told that it is no good in any case.
                let _ = finisher.start(Over::Sessions(vec![session.id]));
            }
            tracing::warn!(target: "signoff", session = session.id.fingerprint(), "refresh token used before");
            let Some(hook) = self.0.as_ref().and_then(|refresh| refresh.on_reuse.as_ref()) else { continue };
            let context = request.context.clone();
            let reuse = Reuse { session: session.clone(), logout_id: request.id, context, at: now };
            // What it leaves broken is the application's own.
            if catch_unwind(AssertUnwindSafe(|| hook(&reuse))).is_err() {
                tracing::error!(target: "signoff", "the hook for refresh tokens that were used before panicked");
            }
        }
    }
}
