//! Signing in and stepping up, once the application knows who it is.

use serde_json::json;

use super::{Auth, FromOurPages, Reply, patiently};
use crate::{Actor, Cause, Context, Denied, Issued, Login, Reason, StepUp};

/// How a token gets to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way that a page or a program needs")]
pub enum Carrier {
    /// In the session cookie, and nowhere else: for browsers. A refresh token has no place there and is not handed out.
    Cookie,
    /// In the body, as `access_token`, with the refresh token if there is one (RFC 6749, section 5.1): for programs.
    Body,
}

impl Auth {
    /// Signs somebody in whom the application has recognised: whatever session the browser had, its own or a planted one,
    /// ends first, and the new one has an id that nobody could know (session fixation).
    ///
    /// * 200 and `{"user":"…","expires_in":900}` with the cookie, or the token response of OAuth.
    /// * 503: the store did not confirm. Nobody is signed in by this answer.
    pub async fn log_in(&self, _: &FromOurPages, login: Login, carrier: Carrier) -> Reply {
        let cause = Cause::new(Actor::Subject, Reason::Replaced).from(login.context.clone());
        // More tokens in cookies of the past than can be told apart must not keep anybody from signing in.
        let previous = self.tokens().unwrap_or_else(|_| self.credentials().all());
        let work = async {
            if !previous.is_empty()
                && let Err(Denied::Failed(error)) = self.signoff().log_out(&previous, cause).await
            {
                return Err(error.into());
            }
            Ok(self.signoff().log_in(login).await?)
        };
        let mut reply = self.issue(patiently(work).await, carrier);
        // What they opened is destroyed, or they opened nothing. One that has the name of the session cookie, and is beside it,
        // would keep the person out.
        if reply.status() == 200
            && carrier == Carrier::Cookie
            && !previous.is_empty()
            && self.web().cookies().has_retired()
        {
            for cookie in self.web().cookies().clear_retired() {
                reply = reply.with("set-cookie", cookie);
            }
        }
        reply
    }

    /// Gives the session of the request a new id and new tokens, because the person proved again who they are, or may do
    /// other things now: see [`Signoff::step_up`](crate::Signoff::step_up).
    ///
    /// Answers as [`Auth::log_in`] does, and 401 without a live token.
    pub async fn step_up(&self, _: &FromOurPages, step: StepUp, from: Context, carrier: Carrier) -> Reply {
        let live = match self.require() {
            Ok(live) => live,
            Err(answer) => return answer.into(),
        };
        self.issue(patiently(self.signoff().step_up(live, step, from)).await, carrier)
    }

    fn issue(&self, issued: Result<Issued, Denied>, carrier: Carrier) -> Reply {
        let issued = match issued {
            Ok(issued) => issued,
            Err(denied) => return denied.into(),
        };
        // The answer is looked over before it goes out, and the store may be away by then.
        self.signoff().remember_issued(&issued);
        let expires_in = issued.expires_in.as_secs();
        match carrier {
            Carrier::Cookie => match self.cookie().set(&issued.token) {
                Ok(cookie) => {
                    let body = json!({ "user": issued.session.subject.as_str(), "expires_in": expires_in });
                    Reply::json(200, body.to_string()).with("set-cookie", cookie)
                }
                Err(error) => Denied::Failed(error).into(),
            },
            Carrier::Body => {
                let mut body = json!({
                    "access_token": issued.token.expose(),
                    "token_type": "Bearer",
                    "expires_in": expires_in,
                });
                if let Some(token) = &issued.refresh_token {
                    body["refresh_token"] = token.expose().into();
                }
                Reply::json(200, body.to_string())
            }
        }
    }
}
