//! What a refused or failed request is told: without detail.

use std::time::Duration;

use super::Reply;
use crate::{Denied, Rejection};

/// An answer that says no. The same for all refused tokens, whatever the reason: that is for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// 403: the request may come from another site.
    CrossSite,
    /// 403: the CSRF token is missing, or not this session's.
    Csrf,
    /// 403 `insufficient_scope`: the token is good, and not for this; with the words that are needed (RFC 6750, section 3.1).
    InsufficientScope(String),
    /// 401 `insufficient_user_authentication`: the person must prove again who they are, within this time (RFC 9470, section 3).
    InsufficientAuthentication(Duration),
    /// 401 `invalid_token`: expired, revoked, malformed, unknown.
    InvalidToken,
    /// 400 `invalid_request`: a form that is none, or has a field twice.
    InvalidRequest,
    /// 404: no such session of this person.
    NotFound,
    /// 400 `invalid_request`: a cookie and a bearer token at once (RFC 6750, section 2).
    SeveralMethods,
    /// 401: no credential was presented; the challenge names no error then (RFC 6750, section 3.1).
    Unauthenticated,
    /// 503: we cannot tell. The credential may be good, the logout may not have happened; nothing was cleared.
    Unavailable,
}

impl Answer {
    /// The answer for a denial; the reason goes to the log.
    pub fn to_denial(denied: &Denied) -> Self {
        match denied {
            Denied::Failed(error) => {
                tracing::warn!(target: "signoff", kind = ?error.kind(), error = %error, "cannot tell");
                Self::Unavailable
            }
            Denied::Rejected(Rejection::Stale) => {
                tracing::warn!(target: "signoff", reason = Rejection::Stale.reason(), "cannot tell");
                Self::Unavailable
            }
            Denied::Rejected(rejection) => {
                tracing::info!(target: "signoff", reason = rejection.reason(), "token refused");
                Self::InvalidToken
            }
        }
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest | Self::SeveralMethods => 400,
            Self::InsufficientAuthentication(_) | Self::InvalidToken | Self::Unauthenticated => 401,
            Self::CrossSite | Self::Csrf | Self::InsufficientScope(_) => 403,
            Self::NotFound => 404,
            Self::Unavailable => 503,
        }
    }

    /// The word for the body, `{"error":"…"}`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::Csrf => "csrf",
            Self::InsufficientAuthentication(_) => "insufficient_user_authentication",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::InvalidRequest | Self::SeveralMethods => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::NotFound => "not_found",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
        }
    }

    /// The status of a gRPC call that is refused so: `UNAUTHENTICATED` is 16.
    pub const fn grpc_status(&self) -> u8 {
        match self {
            Self::InvalidRequest | Self::SeveralMethods => 3,
            Self::NotFound => 5,
            Self::CrossSite | Self::Csrf | Self::InsufficientScope(_) => 7,
            Self::Unavailable => 14,
            Self::InsufficientAuthentication(_) | Self::InvalidToken | Self::Unauthenticated => 16,
        }
    }

    /// The answer to a gRPC call: the status in the head, and no body. (Clients make something of an HTTP status only while no body
    /// follows that they take for messages.)
    pub fn to_grpc(&self) -> Reply {
        let reply = Reply::new(200, "application/grpc", "");
        reply.with("grpc-status", self.grpc_status().to_string()).with("grpc-message", self.word())
    }

    /// The challenge of RFC 6750, section 3, where there is one.
    fn challenge(&self) -> Option<String> {
        match self {
            Self::CrossSite | Self::Csrf | Self::InvalidRequest | Self::NotFound | Self::Unavailable => None,
            Self::InsufficientAuthentication(age) => {
                let max_age = age.as_secs();
                Some(format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{max_age}\""))
            }
            Self::InsufficientScope(words) => Some(format!("Bearer error=\"insufficient_scope\", scope=\"{words}\"")),
            Self::InvalidToken | Self::SeveralMethods => Some(format!("Bearer error=\"{}\"", self.word())),
            Self::Unauthenticated => Some("Bearer".to_owned()),
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let mut reply = Self::json(answer.status(), format!(r#"{{"error":"{}"}}"#, answer.word()));
        if let Some(challenge) = answer.challenge() {
            reply = reply.with("www-authenticate", challenge);
        }
        match answer {
            Answer::CrossSite => reply.with("vary", "Sec-Fetch-Site, Origin"),
            Answer::Unavailable => reply.with("retry-after", "1"),
            _ => reply,
        }
    }
}

impl From<Denied> for Reply {
    fn from(denied: Denied) -> Self {
        Answer::to_denial(&denied).into()
    }
}
