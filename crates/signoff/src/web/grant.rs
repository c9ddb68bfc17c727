//! The grant `refresh_token` of OAuth 2.0 (RFC 6749, section 6), without client authentication.

use serde_json::json;

use super::{Answer, Auth, Form, Reply, patiently};
use crate::{Context, Denied, Rejection};

/// The errors of RFC 6749, section 5.2, that can come up here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    InvalidGrant,
    InvalidRequest,
    UnsupportedGrantType,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::json(
            400,
            match refusal {
                Refusal::InvalidGrant => r#"{"error":"invalid_grant"}"#,
                Refusal::InvalidRequest => r#"{"error":"invalid_request"}"#,
                Refusal::UnsupportedGrantType => r#"{"error":"unsupported_grant_type"}"#,
            },
        )
    }
}

impl Auth {
    /// `POST /refresh`: exchanges a refresh token for an access token and its own successor. The body is a form,
    /// `grant_type=refresh_token&refresh_token=sor_…`; the token is read from there and from nowhere else, so it is in no URL
    /// and in no log of one. `None` is a body that is no form.
    ///
    /// * 200 and `{"access_token":"…","token_type":"Bearer","expires_in":900,"refresh_token":"sor_…"}`. Keep the new
    ///   refresh token; repeated within [the grace](crate::refresh::Refresh::grace), the request gives the same one.
    /// * 400 and `{"error":"invalid_grant"}`: the token is no good. Unknown, used before, expired and logged out look the
    ///   same; the reason is in the log.
    /// * 400 and `invalid_request` or `unsupported_grant_type`: no such form.
    /// * 503 with `Retry-After`: not known. Repeat it with the same token, soon.
    ///
    /// It asks nobody for a client's secret: it is for the application's own programs. Another site cannot use it, because it
    /// knows no token and no browser sends one along.
    pub async fn refresh(&self, form: Option<&Form>, from: Context) -> Reply {
        let token = match refresh_token(form) {
            Ok(token) => token,
            Err(refusal) => return refusal.into(),
        };
        match patiently(self.signoff().refresh(token, from)).await {
            Ok(refreshed) => {
                let body = json!({
                    "access_token": refreshed.token.expose(),
                    "token_type": "Bearer",
                    "expires_in": refreshed.expires_in.as_secs(),
                    "refresh_token": refreshed.refresh_token.expose(),
                });
                Reply::json(200, body.to_string())
            }
            Err(Denied::Rejected(rejection)) if rejection != Rejection::Stale => {
                tracing::info!(target: "signoff", reason = rejection.reason(), "refresh refused");
                Refusal::InvalidGrant.into()
            }
            Err(denied) => denied.into(),
        }
    }
}

fn refresh_token(form: Option<&Form>) -> Result<&str, Refusal> {
    let bad = |_: Answer| Refusal::InvalidRequest;
    let form = form.ok_or(Refusal::InvalidRequest)?;
    match (form.field("grant_type").map_err(bad)?, form.field("refresh_token").map_err(bad)?) {
        (Some("refresh_token"), Some(token)) => Ok(token),
        (Some(grant), _) if grant != "refresh_token" => Err(Refusal::UnsupportedGrantType),
        _ => Err(Refusal::InvalidRequest),
    }
}
