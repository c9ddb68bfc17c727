//! The grant `refresh_token` of OAuth 2.0 (RFC 6749, section 6), without client authentication.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use signoff::{Denied, Rejection};

use crate::answer::{Answer, harden};
use crate::extract::JSON;
use crate::handlers::{ok, origin, patiently};
use crate::request::Auth;

/// More than any form with one token.
const MAX_FORM: usize = 4096;

/// `POST /refresh`: exchanges a refresh token for an access token and its own successor. The body is a form,
/// `grant_type=refresh_token&refresh_token=sor_…`; the token is read from there and from nowhere else, so it is in no URL
/// and in no log of one.
///
/// * 200 and `{"access_token":"…","token_type":"Bearer","expires_in":900,"refresh_token":"sor_…"}`. Keep the new
///   refresh token; repeated within [the grace](signoff::refresh::Refresh::grace), the request gives the same one.
/// * 400 and `{"error":"invalid_grant"}`: the token is no good. Unknown, used before, expired and logged out look the
///   same; the reason is in the log.
/// * 400 and `invalid_request` or `unsupported_grant_type`: no such form.
/// * 503 with `Retry-After`: not known. Repeat it with the same token, soon.
///
/// It asks nobody for a client's secret: it is for the application's own programs. Another site cannot use it, because it
/// knows no token and no browser sends one along.
pub async fn refresh(auth: Auth, request: Request) -> Response {
    let context = origin(&request);
    let token = match form(request).await {
        Ok(token) => token,
        Err(error) => return refuse(error),
    };
    match patiently(auth.signoff().refresh(&token, context)).await {
        Ok(refreshed) => {
            let body = json!({
                "access_token": refreshed.token.expose(),
                "token_type": "Bearer",
                "expires_in": refreshed.expires_in.as_secs(),
                "refresh_token": refreshed.refresh_token.expose(),
            });
            ok(body.to_string())
        }
        Err(Denied::Rejected(rejection)) if rejection != Rejection::Stale => {
            tracing::info!(target: "signoff", reason = rejection.reason(), "refresh refused");
            refuse(Refusal::InvalidGrant)
        }
        Err(denied) => Answer::to_denial(&denied).into_response(),
    }
}

/// The errors of RFC 6749, section 5.2, that can come up here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    InvalidGrant,
    InvalidRequest,
    UnsupportedGrantType,
}

fn refuse(refusal: Refusal) -> Response {
    let body = match refusal {
        Refusal::InvalidGrant => r#"{"error":"invalid_grant"}"#,
        Refusal::InvalidRequest => r#"{"error":"invalid_request"}"#,
        Refusal::UnsupportedGrantType => r#"{"error":"unsupported_grant_type"}"#,
    };
    let mut headers = HeaderMap::new();
    harden(&mut headers);
    headers.insert(header::CONTENT_TYPE, JSON);
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}

/// The refresh token in a form. Neither it nor the type of the grant has characters that a form would escape.
async fn form(request: Request) -> Result<String, Refusal> {
    let bad = Refusal::InvalidRequest;
    let is_form = |value: &HeaderValue| {
        let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    };
    if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_form) {
        return Err(bad);
    }
    let body = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| bad)?;
    let body = std::str::from_utf8(&body).map_err(|_| bad)?;
    let (mut grant, mut token) = (None, None);
    for (name, value) in body.split('&').filter_map(|pair| pair.split_once('=')) {
        let place = match name {
            "grant_type" => &mut grant,
            "refresh_token" => &mut token,
            // What is not known is ignored (section 3.2).
            _ => continue,
        };
        // No parameter stands there twice (section 3.2).
        if place.replace(value).is_some() {
            return Err(bad);
        }
    }
    match (grant, token) {
        (Some("refresh_token"), Some(token)) => Ok(token.to_owned()),
        (Some(grant), _) if grant != "refresh_token" => Err(Refusal::UnsupportedGrantType),
        _ => Err(bad),
    }
}
