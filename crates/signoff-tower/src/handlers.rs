//! Ready handlers. Mount each where it fits; all need [`SignoffLayer`](crate::SignoffLayer) around them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, Request};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use signoff::site::{Credentials, SameOrigin};
use signoff::{Cause, Context, Denied, Receipt, SessionId};

use crate::answer::{Answer, harden};
use crate::extract::{FromOurPages, JSON, Live};
use crate::request::{Auth, context};

pub use crate::grant::refresh;

/// `POST /logout`: ends the sessions of all credentials presented, then clears the browser.
///
/// * 200 and `{"status":"destroyed","session":true,"tokens":true,"logout_id":"…"}`: done, on every node. Expired and
///   already revoked tokens get there too.
/// * 401: no credential of ours was presented. 403: the request may come from another site. Nothing happened.
/// * 503 with `Retry-After`: the store did not confirm. Nothing was cleared; a retry completes the logout.
///
/// Mount it with `post`: another method is then answered with 405 and `Allow: POST`.
pub async fn logout(site: FromOurPages, auth: Auth, request: Request) -> Response {
    let cause = Cause::logout().from(origin(&request));
    let tokens = auth.credentials().all();
    finish(auth.signoff().log_out(&tokens, cause), &auth, site.proof.as_ref()).await
}

/// `POST /logout/everywhere`: as [`logout`], for all sessions of the person.
pub async fn logout_everywhere(site: FromOurPages, auth: Auth, request: Request) -> Response {
    let cause = Cause::logout().from(origin(&request));
    let tokens = auth.credentials().all();
    finish(auth.signoff().log_out_everywhere(&tokens, cause), &auth, site.proof.as_ref()).await
}

/// `GET /sessions`: the devices on which the person is signed in, up to 100. Ids are handles, not credentials.
pub async fn sessions(live: Live, auth: Auth) -> Response {
    let sessions = match auth.signoff().sessions(&live.to_subject(), None).await {
        Ok(sessions) => sessions,
        Err(error) => return Answer::to_denial(&error.into()).into_response(),
    };
    let millis = |time: signoff::time::Timestamp| time.as_micros() / 1_000;
    let listed: Vec<_> = sessions
        .iter()
        .map(|session| {
            json!({
                "id": session.id.to_string(),
                "current": session.id == *live.session_id(),
                "device": session.device,
                "address": session.context.address().map(|address| address.to_string()),
                "created_at_ms": millis(session.created_at),
                "last_seen_at_ms": millis(session.last_seen_at),
                "expires_at_ms": millis(session.expires_at),
            })
        })
        .collect();
    ok(json!({ "sessions": listed }).to_string())
}

/// `DELETE /sessions/{id}`: ends one of the person's own sessions; 404 when they have no such session. Ending the
/// session of the request itself clears the browser, as [`logout`] does.
pub async fn end_session(
    site: FromOurPages,
    live: Live,
    auth: Auth,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let not_found =
        || (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, JSON)], r#"{"error":"not_found"}"#).into_response();
    let Ok(id) = id.parse::<SessionId>() else { return not_found() };
    let cause = Cause::logout().from(origin(&request));
    match patiently(async { Ok(auth.signoff().end_session(&live.to_subject(), &id, cause).await?) }).await {
        Ok(None) => not_found(),
        Ok(Some(receipt)) if id == *live.session_id() => destroyed(&receipt, &auth, site.proof.as_ref()),
        Ok(Some(receipt)) => ok(receipt.body()),
        Err(denied) => Answer::to_denial(&denied).into_response(),
    }
}

/// `GET /.well-known/jwks.json`: the public keys (RFC 7517).
pub async fn jwks(auth: Auth) -> Response {
    let signoff = auth.signoff();
    // A new key is published for longer than this before it signs, so no copy that lacks it is still used then.
    let cache = format!("public, max-age={}", signoff.jwks_max_age().as_secs());
    let (Ok(keys), Ok(cache)) = (serde_json::to_string(&signoff.jwks()), HeaderValue::try_from(cache)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kind = HeaderValue::from_static("application/jwk-set+json");
    ([(header::CACHE_CONTROL, cache), (header::CONTENT_TYPE, kind)], keys).into_response()
}

/// `GET /signoff.js`: the browser module, never from a cache, so that a fix reaches everybody at once.
pub async fn signoff_js() -> Response {
    let mut headers = HeaderMap::new();
    harden(&mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    (headers, crate::SIGNOFF_JS).into_response()
}

async fn finish(
    work: impl Future<Output = Result<Receipt, Denied>>,
    auth: &Auth,
    proof: Option<&SameOrigin>,
) -> Response {
    if matches!(auth.credentials(), Credentials::None) {
        return Answer::Unauthenticated.into_response();
    }
    match patiently(work).await {
        Ok(receipt) => destroyed(&receipt, auth, proof),
        Err(denied) => Answer::to_denial(&denied).into_response(),
    }
}

/// A person is waiting. The work goes on when this gives up; the answer is then that nothing is known.
pub(crate) async fn patiently<T>(work: impl Future<Output = Result<T, Denied>>) -> Result<T, Denied> {
    let late = |_| Denied::Failed(signoff::Error::new(signoff::ErrorKind::Unavailable, "the store takes too long"));
    tokio::time::timeout(Duration::from_secs(8), work).await.map_err(late)?
}

/// The answer to a finished logout, with everything that clears the browser. Without a cookie in the request there is no
/// browser of ours to clear.
fn destroyed(receipt: &Receipt, auth: &Auth, proof: Option<&SameOrigin>) -> Response {
    let mut response = ok(receipt.body());
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Sec-Fetch-Site, Origin"));
    if matches!(auth.credentials(), Credentials::Cookie(_)) {
        let proof = proof.filter(|_| auth.clears_storage());
        for (name, value) in receipt.headers(&signoff::CookieLedger::from(auth.cookie().clone()), proof) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
    response
}

pub(crate) fn ok(body: String) -> Response {
    let mut headers = HeaderMap::new();
    harden(&mut headers);
    headers.insert(header::CONTENT_TYPE, JSON);
    (headers, body).into_response()
}

/// For the audit trail: the address of the connection, if the server was started with connect info, and the agent.
pub(crate) fn origin(request: &Request) -> Context {
    let from = context(request.headers());
    match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(address)) => from.with_address(address.ip()),
        None => from,
    }
}
