//! The answers to logouts, and to whoever looks at the list of sessions.

use serde_json::json;

use super::{Answer, Auth, Form, FromOurPages, Reply, Storage, patiently};
use crate::site::Credentials;
use crate::{Cause, Context, Denied, Receipt, SessionId};

impl Auth {
    /// `POST /logout`: ends the sessions of all credentials presented, then clears the browser.
    ///
    /// * 200 and `{"status":"destroyed","session":true,"tokens":true,"logout_id":"…"}`: done, on every node. Expired and
    ///   already revoked tokens get there too.
    /// * 303, to an HTML form, if there is a [page](super::Web::after_logout) to go to: the same.
    /// * 401: no credential of ours was presented. 403: the request may come from another site. Nothing happened.
    /// * 503 with `Retry-After`: the store did not confirm. Nothing was cleared; a retry completes the logout.
    ///
    /// `form` is the body, if it is one.
    pub async fn log_out(&self, site: &FromOurPages, from: Context, form: Option<&Form>) -> Reply {
        let work = async { self.signoff().log_out(&self.tokens()?, Cause::logout().from(from)).await };
        self.end(site, form, work).await
    }

    /// `POST /logout/everywhere`: as [`Auth::log_out`], for all sessions of the person.
    pub async fn log_out_everywhere(&self, site: &FromOurPages, from: Context, form: Option<&Form>) -> Reply {
        let work = async { self.signoff().log_out_everywhere(&self.tokens()?, Cause::logout().from(from)).await };
        self.end(site, form, work).await
    }

    /// `GET /sessions`: the devices on which the person is signed in, up to 100. Ids are handles, not credentials.
    pub async fn sessions(&self) -> Reply {
        let live = match self.require() {
            Ok(live) => live,
            Err(answer) => return answer.into(),
        };
        let work = async { Ok(self.signoff().sessions(&live.to_subject(), None).await?) };
        let sessions = match patiently(work).await {
            Ok(sessions) => sessions,
            Err(denied) => return denied.into(),
        };
        let millis = |time: crate::time::Timestamp| time.as_micros() / 1_000;
        let listed = sessions.iter().map(|session| {
            json!({
                "id": session.id.to_string(),
                "current": session.id == *live.session_id(),
                "device": session.device,
                "address": session.context.address().map(|address| address.to_string()),
                "created_at_ms": millis(session.created_at),
                "last_seen_at_ms": millis(session.last_seen_at),
                "expires_at_ms": millis(session.expires_at),
            })
        });
        Reply::json(200, json!({ "sessions": listed.collect::<Vec<_>>() }).to_string())
    }

    /// `DELETE /sessions/{id}`: ends one of the person's own sessions; 404 when they have no such session. Ending the
    /// session of the request itself clears the browser, as [`Auth::log_out`] does.
    pub async fn end_session(&self, site: &FromOurPages, id: &str, from: Context) -> Reply {
        let live = match self.require() {
            Ok(live) => live,
            Err(answer) => return answer.into(),
        };
        let Ok(id) = id.parse::<SessionId>() else { return Answer::NotFound.into() };
        let (subject, cause) = (live.to_subject(), Cause::logout().from(from));
        match patiently(async { Ok(self.signoff().end_session(&subject, &id, cause).await?) }).await {
            Ok(None) => Answer::NotFound.into(),
            Ok(Some(receipt)) if id == *live.session_id() => {
                self.clear(Reply::json(200, receipt.body()), &receipt, site)
            }
            Ok(Some(receipt)) => Reply::json(200, receipt.body()),
            Err(denied) => denied.into(),
        }
    }

    /// `DELETE /sessions`: ends all of the person's sessions but that of the request; `{"ended":2}`.
    pub async fn end_other_sessions(&self, _: &FromOurPages, from: Context) -> Reply {
        let live = match self.require() {
            Ok(live) => live,
            Err(answer) => return answer.into(),
        };
        let cause = Cause::logout().from(from);
        match patiently(async { Ok(self.signoff().log_out_others(live, cause).await?) }).await {
            Ok(ended) => Reply::json(200, json!({ "ended": ended.destroyed }).to_string()),
            Err(denied) => denied.into(),
        }
    }

    /// `GET /.well-known/jwks.json`: the public keys (RFC 7517).
    pub fn jwks(&self) -> Reply {
        let signoff = self.signoff();
        let Ok(keys) = serde_json::to_string(&signoff.jwks()) else { return Answer::Unavailable.into() };
        // A new key is published for longer than this before it signs, so no copy that lacks it is still used then.
        let cache = format!("public, max-age={}", signoff.jwks_max_age().as_secs());
        Reply::new(200, "application/jwk-set+json", keys).cached(cache)
    }

    async fn end(
        &self,
        site: &FromOurPages,
        form: Option<&Form>,
        work: impl Future<Output = Result<Receipt, Denied>>,
    ) -> Reply {
        let page = match self.page_after(form) {
            Ok(page) => page,
            Err(answer) => return answer.into(),
        };
        let ended = if self.tokens().is_ok_and(|tokens| tokens.is_empty()) {
            Err(Answer::Unauthenticated)
        } else {
            patiently(work).await.map_err(|denied| Answer::to_denial(&denied))
        };
        match (ended, page) {
            (Ok(receipt), None) => self.clear(Reply::json(200, receipt.body()), &receipt, site),
            (Ok(receipt), Some(page)) => self.clear(Reply::see_other(page), &receipt, site),
            // There was nothing to end, or nothing is left of it.
            (Err(Answer::Unauthenticated | Answer::InvalidToken), Some(page)) => Reply::see_other(page),
            (Err(answer @ Answer::Unavailable), Some(_)) => {
                Reply::new(answer.status(), "text/html; charset=utf-8", STILL_SIGNED_IN).with("retry-after", "1")
            }
            (Err(answer), _) => answer.into(),
        }
    }

    /// Where the browser goes after the logout, if it is a plain form that it sent.
    fn page_after(&self, form: Option<&Form>) -> Result<Option<&str>, Answer> {
        let (Some(form), [first, ..]) = (form, self.web().0.afterwards.as_slice()) else { return Ok(None) };
        let wish = form.field("next")?;
        let granted = wish.and_then(|wish| self.web().0.afterwards.iter().find(|page| *page == wish));
        Ok(Some(granted.unwrap_or(first)))
    }

    /// Adds everything that clears the browser. Without a cookie in the request there is no browser of ours to clear.
    fn clear(&self, reply: Reply, receipt: &Receipt, site: &FromOurPages) -> Reply {
        let mut reply = reply.with("vary", "Sec-Fetch-Site, Origin");
        if !matches!(self.credentials(), Credentials::Bearer(_)) {
            let proof = site.proof().filter(|_| self.web().0.storage == Storage::Clear);
            for (name, value) in receipt.headers(self.web().cookies(), proof) {
                reply = reply.with(name, value);
            }
        }
        reply
    }
}

/// For people without our script.
const STILL_SIGNED_IN: &str = "<!doctype html><html lang=\"en\"><title>Still signed in</title>\
     <h1>You are still signed in</h1><p>The logout could not be confirmed just now. Nothing was cleared. \
     Go back and try again in a moment.";
