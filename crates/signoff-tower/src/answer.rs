//! What a refused or failed request is told: status and headers, without detail.

use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use signoff::{Denied, Rejection};

/// An answer that says no. The same for all refused tokens, whatever the reason: that is for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// 403: the request may come from another site.
    CrossSite,
    /// 401 `invalid_token`: expired, revoked, malformed, unknown.
    InvalidToken,
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
    pub const fn status(self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::InvalidToken | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::SeveralMethods => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body, JSON.
    pub const fn body(self) -> &'static str {
        match self {
            Self::CrossSite => r#"{"error":"cross_site"}"#,
            Self::InvalidToken => r#"{"error":"invalid_token"}"#,
            Self::SeveralMethods => r#"{"error":"invalid_request"}"#,
            Self::Unauthenticated => r#"{"error":"unauthenticated"}"#,
            Self::Unavailable => r#"{"error":"unavailable"}"#,
        }
    }

    /// The headers, without the content type.
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        harden(&mut headers);
        let challenge = match self {
            Self::InvalidToken => Some("Bearer error=\"invalid_token\""),
            Self::SeveralMethods => Some("Bearer error=\"invalid_request\""),
            Self::Unauthenticated => Some("Bearer"),
            Self::CrossSite => None,
            Self::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                None
            }
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        headers
    }
}

/// What every answer of this library carries.
pub(crate) fn harden(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
