//! Logging foreign tokens out, by the same log, committer and receipt as our own.
//!
//! What dies is what was accepted *here*. The issuer does not hear of it: its session lives on, and from it a person or
//! a thief may get new tokens. A new token of a revoked session (`sid`) is refused for as long as the revocation is
//! kept, which is at least [`Settings::foreign_lifetime`](crate::Settings::foreign_lifetime); one without `sid` is good.
//! So send the person to the issuer's end-session endpoint as well.

use std::sync::Arc;

use signoff_revocation::Verdict;

use super::Issuer;
use super::claims::{Claims, LogoutClaims};
use super::facts::Facts;
use super::scope::{Derived, Scope};
use super::verifiers::{LogoutTokens, Verifier};
use crate::store::{ScopeBuf, Target};
use crate::time::Timestamp;
use crate::{Cause, Denied, Ended, Error, ErrorKind, Position, Receipt, Signoff, steps};

impl Signoff {
    /// Logs out a foreign token: its session, if it says which (`sid`), and the token itself, are dead when this returns
    /// `Ok`.
    ///
    /// Expired and already revoked tokens count, as long as their signature is good. Logging out twice succeeds. The
    /// work goes on when this future is dropped.
    ///
    /// A token without `sid`, as those of Auth0, stands for itself alone: its siblings live until they expire, unless
    /// [`Signoff::log_out_foreign_everywhere`] ends them.
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: the token is not one of these. Nothing happened.
    /// * [`Denied::Failed`]: the store did not confirm, or the key of the token could not be fetched. Tell the person
    ///   that they are still signed in; a retry completes the logout.
    pub async fn log_out_foreign<V: Verifier>(
        &self,
        verifier: &V,
        token: &str,
        cause: Cause,
    ) -> Result<Receipt, Denied> {
        let wanted = verifier.wanted();
        let facts = self.recognise_foreign_fetching(&wanted, token).await?;
        let targets = self.targets(&facts)?;
        self.end_foreign(targets, cause).await
    }

    /// As [`Signoff::log_out_foreign`], and everything that the token's subject holds of this issuer.
    ///
    /// What the issuer mints afterwards is good again, from the second after this one, and the leeway, on.
    ///
    /// # Errors
    ///
    /// As [`Signoff::log_out_foreign`].
    pub async fn log_out_foreign_everywhere<V: Verifier>(
        &self,
        verifier: &V,
        token: &str,
        cause: Cause,
    ) -> Result<Receipt, Denied> {
        let wanted = verifier.wanted();
        let facts = self.recognise_foreign_fetching(&wanted, token).await?;
        let mut targets = self.targets(&facts)?;
        if let Some(subject) = &facts.scopes.subject {
            let until = self.retain_wide(self.now()?.max(facts.expires_at));
            targets.push(target(&facts.issuer, subject, "subject", until));
        }
        self.end_foreign(targets, cause).await
    }

    /// Ends what the provider asks for by a logout token (OpenID Connect Back-Channel Logout): the session that it names
    /// (`sid`), or else everything of the subject. Returns whom it was about: an application that opened sessions of its
    /// own for them must end those as well, **before** it answers the provider.
    ///
    /// A logout token that comes again ends nothing again, and after its `exp` it is refused, so nobody can throw people
    /// out with an old one. Until then the answer is the same, so an application that crashed in between gets to finish.
    /// A logout may arrive before the login that it ends: tokens of the session are refused from then on.
    ///
    /// The endpoint is the application's: `POST`, the form field `logout_token`, answered with 200, or 400 for
    /// [`Denied::Rejected`], and `Cache-Control: no-store` (sections 2.5 to 2.8).
    ///
    /// # Errors
    ///
    /// * [`Denied::Rejected`]: it is no logout token, is not in time, or comes from somebody else. Nothing happened.
    /// * [`Denied::Failed`]: the store did not confirm, or the key could not be fetched. The provider may try again.
    pub async fn log_out_by_provider(
        &self,
        tokens: &LogoutTokens,
        token: &str,
        cause: Cause,
    ) -> Result<(Receipt, LogoutClaims), Denied> {
        let facts = self.foreign_logout_token(&tokens.wanted(), token).await?;
        let mut targets = Vec::new();
        // A logout token that came before is revoked by its `jti`, which is written after what it ends.
        if !self.is_revoked(&facts.scopes.token) {
            let until = self.retain_wide(self.now()?.max(facts.expires_at));
            let ended = facts.scopes.session.as_ref().map(|session| (session, "session"));
            let ended = ended.or_else(|| facts.scopes.subject.as_ref().map(|subject| (subject, "subject")));
            targets.extend(ended.map(|(scope, word)| target(&facts.issuer, scope, word, until)));
            targets.push(target(&facts.issuer, &facts.scopes.token, "logout token", until));
        }
        let receipt = self.end_foreign(targets, cause).await?;
        Ok((receipt, LogoutClaims(Claims(facts))))
    }

    /// Revokes everything of a foreign scope that exists now. One log entry, whatever the number of tokens.
    ///
    /// What the issuer mints afterwards is good again, except for tokens, sessions and keys: those stay dead, sessions
    /// for as long as the revocation is kept.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: an empty name.
    /// * [`ErrorKind::Unavailable`]: the store did not confirm. Retry.
    pub async fn revoke_foreign(&self, issuer: &Issuer, scope: Scope<'_>, cause: Cause) -> Result<Ended, Error> {
        if scope.id().is_empty() && scope != Scope::Everything {
            return Err(Error::new(ErrorKind::Misuse, "what is revoked has a name"));
        }
        // A key may have signed tokens of any age, and may come back by mistake: it is never forgotten.
        let until = match scope {
            Scope::Key(_) => Timestamp::MAX,
            _ => self.retain_wide(self.now()?),
        };
        let target = target(issuer, &scope.derive(issuer.name()), scope.word(), until);
        let destroyed = self.commit_all(vec![target], cause).await?;
        let ended = Ended { destroyed: destroyed.destroyed() };
        let _ = self.revoke_destroyed(destroyed).await?;
        Ok(ended)
    }

    /// What a logout of this token revokes: nothing that is revoked already for as long as the token could live.
    fn targets(&self, facts: &Arc<Facts>) -> Result<Vec<Target>, Error> {
        let until = self.retain_wide(self.now()?.max(facts.expires_at));
        let (session, token) = (facts.scopes.session.as_ref(), &facts.scopes.token);
        let token_is_dead = self.is_revoked(token);
        // An older revocation of the session may be forgotten before this token ends, so it is written again, together
        // with the token's own; the token's own is as old as the token at the most, and lasts.
        let session = session.filter(|session| !token_is_dead || !self.is_revoked(session));
        let mut targets: Vec<_> =
            session.map(|session| target(&facts.issuer, session, "session", until)).into_iter().collect();
        if !token_is_dead {
            targets.push(target(&facts.issuer, token, "token", until));
        }
        Ok(targets)
    }

    async fn end_foreign(&self, targets: Vec<Target>, cause: Cause) -> Result<Receipt, Denied> {
        let destroyed = self.commit_all(targets, cause).await?;
        let revoked = self.revoke_destroyed(destroyed).await?;
        steps::reached("logout: before the answer");
        Ok(revoked.into_receipt())
    }

    /// Whether this very token or session is revoked. The replica holds what the log holds, so that is durable.
    fn is_revoked(&self, scope: &Derived) -> bool {
        // The last position: a revocation of everything does not count here.
        matches!(self.replica().verdict(&[scope.as_scope()], Position::MAX), Verdict::Dead(_))
    }
}

fn target(issuer: &Issuer, scope: &Derived, word: &str, revoke_until: Timestamp) -> Target {
    let label = format!("{word} of {}", issuer.name());
    Target::Scope { revocation: ScopeBuf::labelled(scope.as_scope(), label), revoke_until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogoutId;
    use crate::store::SignOff;

    #[test]
    fn the_trail_says_what_of_whom() {
        let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let issuer = Issuer::with_jwks("https://idp.example", jwks).build().unwrap();
        let scope = Scope::Session("secret name").derive(issuer.name());
        let target = target(&issuer, &scope, "session", Timestamp::MAX);
        let id = LogoutId::generate().unwrap();
        let request = SignOff { id, target, cause: Cause::logout(), margin: std::time::Duration::ZERO };
        let event = request.audit(None, None, 0, Timestamp::MIN);
        assert_eq!(event.detail.as_deref(), Some("session of https://idp.example"));
        assert!(!format!("{event:?}{request:?}").contains("secret name"));
    }
}
