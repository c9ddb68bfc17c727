//! Sessions that another layer's credential opens, with the same guarantees as ours have. Their data changes and they end by
//! the verbs that all sessions have; it mints nothing.

use crate::audit::AuditKind;
use crate::opaque::External;
use crate::store::{CreateOutcome, NewSession, SessionKey, SessionTarget, Target};
use crate::{
    Actor, Authentic, Cause, Denied, Error, ErrorKind, Live, Login, Position, Reason, Receipt, Rejection, Session,
    Signoff,
};

impl Signoff {
    /// Opens a session that this credential opens from now on. It has an id of its own; only a hash of the credential is
    /// kept, and no token is minted.
    ///
    /// A layer that gives a session a new credential by ending the old one and opening another says with `continues`
    /// where the old one was [born](Session::born): if all sessions of its subject, client, or everything were ended
    /// since, so is the new one, which would not have been there without the old one.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`] ([`Rejection::Revoked`]): what it continues, or [replaces](Login::replacing), was ended in the
    ///   meantime.
    /// * [`Denied::Failed`]: the store did not answer, and there may be a session that nobody knows; or there is one under
    ///   this credential, dead or alive ([`ErrorKind::Conflict`](crate::ErrorKind::Conflict)).
    pub async fn open_external(
        &self,
        credential: External<'_>,
        login: Login,
        continues: Option<Position>,
    ) -> Result<Session, Denied> {
        let now = self.now()?;
        let cause = Cause::new(Actor::Subject, Reason::Replaced);
        let replaces = login.replaces.map(|id| self.replace(id, None, cause)).transpose()?;
        let mut session = self.session_of(login, now)?;
        let token = Some(credential.hash(&self.policy().settings.peppers));
        let audit = self.audit_of(AuditKind::LoggedIn, &session, session.context.clone(), now);
        let request = NewSession { session: session.clone(), token, refresh: None, audit, replaces };
        match self.create(request).await? {
            CreateOutcome::Created(born) => session.born = born,
            CreateOutcome::Gone | CreateOutcome::Changed => return Err(Rejection::Revoked.into()),
            CreateOutcome::Conflict => {
                return Err(Error::new(ErrorKind::Conflict, "a session with this credential exists").into());
            }
        }
        let Some(born) = continues else { return Ok(session) };
        // Looked at when the session is there: what is revoked later has a position after its birth, and finds it.
        if self.applied() < session.born {
            self.catch_up().await?;
        }
        match self.enliven_session(&Session { born, ..session.clone() }, now) {
            Ok(_) => Ok(session),
            Err(denied) => {
                let target = SessionTarget { id: session.id, revoke_unknown_until: None };
                let cause = Cause::new(Actor::System, Reason::Policy);
                let destroyed = self.commit(Target::Sessions(vec![target]), cause).await?;
                let _ = self.revoke_destroyed(destroyed).await?;
                Err(denied)
            }
        }
    }

    /// The session that this credential opens, fresh from the store and held against clock and replica, and the proof that
    /// it is live, with which it is [changed](Signoff::update_session) and [used](Signoff::touch).
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: unknown, expired, destroyed or cut off; [`Rejection::Stale`] when we cannot tell.
    /// * [`Denied::Failed`]: the store did not answer; the credential may be good.
    pub async fn authenticate_external(&self, credential: External<'_>) -> Result<(Live, Session), Denied> {
        let now = self.now()?;
        for hash in credential.hashes(&self.policy().settings.peppers) {
            if let Some(session) = self.store().load_session(SessionKey::Token(&hash), now).await? {
                return Ok((self.enliven_session(&session, now)?, session));
            }
        }
        Err(Rejection::UnknownToken.into())
    }

    /// Finds out whether there is, or was, a session that this credential opens: for [logging out](Signoff::destroy).
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: there is none.
    /// * [`Denied::Failed`]: the store did not answer.
    pub async fn recognise_external(&self, credential: External<'_>) -> Result<Authentic, Denied> {
        self.recognise_by_hash(credential.hashes(&self.policy().settings.peppers)).await
    }

    /// Logs out the session of this credential, as [`Signoff::log_out`] does by a token.
    ///
    /// # Errors
    ///
    /// As [`Signoff::log_out`].
    pub async fn log_out_external(&self, credential: External<'_>, cause: Cause) -> Result<Receipt, Denied> {
        let credentials = vec![self.recognise_external(credential).await?];
        let destroyed = self.destroy(credentials, cause).await?;
        Ok(self.revoke_destroyed(destroyed).await?.into_receipt())
    }
}
