//! Logging out: destroy, revoke, and only then the receipt that clears cookies.

use crate::commit::Committed;
use crate::cookie::CookieLedger;
use crate::elsewhere::Finishing;
use crate::site::SameOrigin;
use crate::store::{Outcome, SessionTarget, SignOff, Target};
use crate::{Authentic, Cause, Denied, Error, ErrorKind, LogoutId, Rejection, Signoff, Unverified, steps};

/// Proof that the sessions are destroyed, their revocations logged and the audit record written, in one transaction
/// that is durable.
#[derive(Debug)]
#[must_use = "the tokens may still be accepted: revoke it"]
pub struct Destroyed {
    id: LogoutId,
    committed: Committed<Outcome>,
    /// What is being finished in other stores.
    finishing: Vec<Finishing>,
}

impl Destroyed {
    /// Checked by the caller: the store has confirmed the commit.
    const fn assertion(id: LogoutId, committed: Committed<Outcome>, finishing: Vec<Finishing>) -> Self {
        Self { id, committed, finishing }
    }
}

/// Proof that no node accepts the tokens any more, and that what belonged to the sessions in other stores is destroyed.
#[derive(Debug)]
#[must_use = "the browser still holds the cookies: turn it into a receipt"]
pub struct Revoked {
    id: LogoutId,
    destroyed: u64,
}

impl Revoked {
    /// Checked by the caller: every replica that may answer has applied the position of the commit, and nothing is
    /// unfinished elsewhere.
    const fn assertion(id: LogoutId, destroyed: u64) -> Self {
        Self { id, destroyed }
    }

    /// The last step: what the client may now be told.
    pub fn into_receipt(self) -> Receipt {
        Receipt { id: self.id, destroyed: self.destroyed }
    }
}

/// A finished logout. The only source of clearing headers.
#[derive(Debug)]
#[must_use = "send its headers and its body to the client, or the browser keeps its cookies"]
pub struct Receipt {
    id: LogoutId,
    destroyed: u64,
}

impl Receipt {
    /// The name of this logout, as in the audit trail.
    pub const fn logout_id(&self) -> &LogoutId {
        &self.id
    }

    /// How many sessions this logout destroyed; zero when all were gone already.
    pub const fn destroyed(&self) -> u64 {
        self.destroyed
    }

    /// The headers that clear the client: one `Set-Cookie` for each cookie, in use or retired, to be *appended*, and
    /// `Clear-Site-Data` if the request is proven to come from our own pages.
    ///
    /// `Clear-Site-Data: "storage"` empties the whole origin: localStorage, sessionStorage, IndexedDB, caches, service
    /// workers. `"cookies"` would log the person out of every sibling application of the registrable domain, so it is
    /// not sent; nor is `"cache"`, which holds browsers up for seconds.
    pub fn headers(&self, cookies: &CookieLedger, proof: Option<&SameOrigin>) -> Vec<(&'static str, String)> {
        let cleared = cookies.clear().map(|cookie| ("set-cookie", cookie));
        let storage = proof.map(|_| ("clear-site-data", "\"storage\"".to_owned()));
        cleared.chain(storage).collect()
    }

    /// The JSON that proves the logout to the page.
    pub fn body(&self) -> String {
        format!(r#"{{"status":"destroyed","session":true,"tokens":true,"logout_id":"{}"}}"#, self.id)
    }
}

impl Signoff {
    /// Logs out the sessions of all these credentials: every token of theirs is dead when this returns `Ok`.
    ///
    /// Expired and already revoked tokens count, as long as their signature (or stored hash) is good: the session must
    /// die even when its token did first. Logging out twice succeeds. Credentials that are not ours are passed over.
    ///
    /// The work goes on when this future is dropped.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: none of the credentials is ours. Nothing happened.
    /// * [`Denied::Failed`]: the store did not confirm, or a session [elsewhere](crate::elsewhere) is not destroyed yet.
    ///   Tell the person that they are still signed in; a retry completes the logout.
    pub async fn log_out(&self, tokens: &[&str], cause: Cause) -> Result<Receipt, Denied> {
        let credentials = self.recognise_all(tokens).await?;
        let destroyed = self.destroy(credentials, cause).await?;
        let revoked = self.revoke_destroyed(destroyed).await?;
        steps::reached("logout: before the answer");
        Ok(revoked.into_receipt())
    }

    /// Logs out all sessions of whoever these credentials belong to.
    ///
    /// # Errors
    ///
    /// As [`Signoff::log_out`]. Credentials of several people are [`Rejection::Ambiguous`].
    pub async fn log_out_everywhere(&self, tokens: &[&str], cause: Cause) -> Result<Receipt, Denied> {
        let credentials = self.recognise_all(tokens).await?;
        let destroyed = self.destroy_everywhere(credentials, cause).await?;
        let revoked = self.revoke_destroyed(destroyed).await?;
        steps::reached("logout: before the answer");
        Ok(revoked.into_receipt())
    }

    /// Finds out whether a credential is ours: its signature, or the hash that the store keeps, is good. It may be
    /// expired or revoked.
    ///
    /// # Errors
    ///
    /// As [`Signoff::log_out`].
    pub async fn recognise(&self, token: Unverified<'_>) -> Result<Authentic, Denied> {
        self.recognise_dead_or_alive(token).await
    }

    /// The first step: destroys the sessions of these credentials, revokes and records, in one transaction.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: no credentials.
    /// * [`ErrorKind::Unavailable`]: the store did not confirm; it may have happened. Retry.
    pub async fn destroy(&self, credentials: Vec<Authentic>, cause: Cause) -> Result<Destroyed, Error> {
        if credentials.is_empty() {
            return Err(Error::new(ErrorKind::Misuse, "nothing to log out"));
        }
        let now = self.now()?;
        let mut targets: Vec<SessionTarget> = Vec::with_capacity(credentials.len());
        for credential in &credentials {
            let claims = credential.claims();
            if targets.iter().all(|target| target.id != *claims.session_id()) {
                // A session that the store lost still has tokens that verify. They die by the log, once.
                let known = self.is_session_revoked(claims);
                let revoke_unknown_until = (!known).then(|| self.retain_wide(now.max(claims.expires_at())));
                targets.push(SessionTarget { id: *claims.session_id(), revoke_unknown_until });
            }
        }
        self.commit(Target::Sessions(targets), cause).await
    }

    /// As [`Signoff::destroy`], for all sessions of the subject.
    ///
    /// # Errors
    ///
    /// As [`Signoff::destroy`]; [`Rejection::Ambiguous`] when the credentials belong to several people.
    pub async fn destroy_everywhere(&self, credentials: Vec<Authentic>, cause: Cause) -> Result<Destroyed, Denied> {
        let mut subjects = credentials.iter().map(|credential| credential.claims().to_subject());
        let Some(subject) = subjects.next() else {
            return Err(Error::new(ErrorKind::Misuse, "nothing to log out").into());
        };
        if subjects.any(|other| other != subject) {
            return Err(Rejection::Ambiguous.into());
        }
        let revoke_until = self.retain_wide(self.now()?);
        let destroyed = self.commit(Target::Subject { subject, except: None, revoke_until }, cause).await?;
        Ok(destroyed)
    }

    /// The second step: makes sure that no node accepts the tokens any more, and waits until the sessions
    /// [elsewhere](crate::elsewhere) are destroyed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: not known yet, or another store did not do its part; its error is the source then. A
    /// retry of the logout finds the sessions gone and completes.
    pub async fn revoke_destroyed(&self, destroyed: Destroyed) -> Result<Revoked, Error> {
        // The committing task puts a commit into force before it answers, so on this node it mostly is.
        if self.applied() < destroyed.committed.position {
            self.catch_up().await?;
        }
        if self.applied() < destroyed.committed.position {
            return Err(Error::new(ErrorKind::Data, "the log ends before a commit that it confirmed"));
        }
        // Also for a session that was gone already: whoever destroyed it may be waiting still.
        self.reach_all(destroyed.committed.position).await?;
        for finishing in destroyed.finishing {
            finishing.wait().await?;
        }
        Ok(Revoked::assertion(destroyed.id, destroyed.committed.outcome.destroyed))
    }

    pub(crate) async fn commit(&self, target: Target, cause: Cause) -> Result<Destroyed, Error> {
        let id = LogoutId::generate()?;
        let request = SignOff { id, target, cause, margin: self.policy().margin() };
        let committed = self.committer().commit(request, self.policy().settings.commit_timeout).await;
        let Committed { outcome: ending, position } = committed.inspect_err(|_| self.look_elsewhere())?;
        let committed = Committed { outcome: ending.outcome, position };
        Ok(Destroyed::assertion(id, committed, ending.finishing.into_iter().collect()))
    }

    /// Commits all of these under one name, or none if there are none: then what was asked for is in force already. The
    /// log holds them in this order; they may take several transactions, so a failure can leave the first ones in force,
    /// and a retry completes them.
    pub(crate) async fn commit_all(&self, targets: Vec<Target>, cause: Cause) -> Result<Destroyed, Error> {
        let id = LogoutId::generate()?;
        let margin = self.policy().margin();
        let requests = targets.into_iter().map(|target| SignOff { id, target, cause: cause.clone(), margin });
        let committed = self.committer().commit_all(requests.collect(), self.policy().settings.commit_timeout).await;
        let committed = committed.inspect_err(|_| self.look_elsewhere())?;
        let position = committed.iter().map(|one| one.position).max().unwrap_or_else(|| self.applied());
        let destroyed = committed.iter().map(|one| one.outcome.outcome.destroyed).sum();
        let finishing = committed.into_iter().filter_map(|one| one.outcome.finishing).collect();
        let outcome = Outcome { destroyed, ..Outcome::default() };
        Ok(Destroyed::assertion(id, Committed { outcome, position }, finishing))
    }

    async fn recognise_all(&self, tokens: &[&str]) -> Result<Vec<Authentic>, Denied> {
        let mut credentials = Vec::new();
        let mut refused = Rejection::Malformed;
        for token in tokens {
            match async { self.recognise(Unverified::parse(token)?).await }.await {
                Ok(authentic) => credentials.push(authentic),
                Err(Denied::Rejected(rejection)) => refused = rejection,
                // One credential that cannot be looked up may be a live one: no receipt without it.
                Err(failed) => return Err(failed),
            }
        }
        if credentials.is_empty() { Err(refused.into()) } else { Ok(credentials) }
    }
}

impl Destroyed {
    pub(crate) fn destroyed(&self) -> u64 {
        self.committed.outcome.destroyed
    }
}
