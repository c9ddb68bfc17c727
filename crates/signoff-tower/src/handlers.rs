//! Ready handlers. Mount each where it fits; all need [`SignoffLayer`](crate::SignoffLayer) around them. What each answers
//! stands with the method of [`web::Auth`] that does the work; call that to do something of your own before or after.

use std::net::SocketAddr;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Path, Request};
use axum::response::Response;
use http::header;
use signoff::Context;
use signoff::web::{self, Answer, Form, MAX_FORM};

use crate::answer::response;
use crate::extract::FromOurPages;
use crate::request::{Auth, Fields};

/// `POST /logout`: ends the session and clears the browser, see [`web::Auth::log_out`].
///
/// Mount it with `post`: another method is then answered with 405 and `Allow: POST`.
pub async fn logout(auth: Auth, request: Request) -> Response {
    match state_change(&auth, request).await {
        Ok(Change { site, from, form }) => response(auth.log_out(&site, from, form.as_ref()).await),
        Err(answer) => response(answer),
    }
}

/// `POST /logout/everywhere`: as [`logout`], for all sessions of the person, see [`web::Auth::log_out_everywhere`].
pub async fn logout_everywhere(auth: Auth, request: Request) -> Response {
    match state_change(&auth, request).await {
        Ok(Change { site, from, form }) => response(auth.log_out_everywhere(&site, from, form.as_ref()).await),
        Err(answer) => response(answer),
    }
}

/// `GET /sessions`: the devices on which the person is signed in, see [`web::Auth::sessions`].
pub async fn sessions(auth: Auth) -> Response {
    response(auth.sessions().await)
}

/// `DELETE /sessions/{id}`: ends one of the person's own sessions, see [`web::Auth::end_session`].
pub async fn end_session(site: FromOurPages, auth: Auth, Path(id): Path<String>, request: Request) -> Response {
    response(auth.end_session(&site, &id, context(&auth, &request)).await)
}

/// `DELETE /sessions`: ends all of the person's sessions but this one, see [`web::Auth::end_other_sessions`].
pub async fn end_other_sessions(site: FromOurPages, auth: Auth, request: Request) -> Response {
    response(auth.end_other_sessions(&site, context(&auth, &request)).await)
}

/// `POST /refresh`: exchanges a refresh token, see [`web::Auth::refresh`].
pub async fn refresh(auth: Auth, request: Request) -> Response {
    let from = context(&auth, &request);
    match form(request).await {
        Ok(form) => response(auth.refresh(form.as_ref(), from).await),
        Err(answer) => response(answer),
    }
}

/// `GET /csrf`: the CSRF token of the session, see [`web::Auth::csrf`].
pub async fn csrf(auth: Auth) -> Response {
    response(auth.csrf())
}

/// `GET /.well-known/jwks.json`: the public keys, see [`web::Auth::jwks`].
pub async fn jwks(auth: Auth) -> Response {
    response(auth.jwks())
}

/// `GET /signoff.js`: the browser module, never from a cache, so that a fix reaches everybody at once.
pub async fn signoff_js() -> Response {
    response(web::signoff_js())
}

/// For the audit trail: the address of the connection, if the server was started with connect info, and the agent.
pub fn context<B>(auth: &Auth, request: &http::Request<B>) -> Context {
    let from = auth.context(&Fields::from(request));
    match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(address)) => from.with_address(address.ip()),
        None => from,
    }
}

struct Change {
    site: web::FromOurPages,
    from: Context,
    form: Option<Form>,
}

/// A request that changes state and may be a plain HTML form.
async fn state_change(auth: &Auth, request: Request) -> Result<Change, Answer> {
    let from = context(auth, &request);
    let (parts, body) = request.into_parts();
    let form = form(Request::from_parts(parts.clone(), body)).await?;
    let site = auth.check_site(&Fields::from(&parts), form.as_ref())?;
    Ok(Change { site, from, form })
}

/// The body, if it is a form.
async fn form(request: Request) -> Result<Option<Form>, Answer> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if !Form::is_announced_by(kind) {
        return Ok(None);
    }
    let body = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| Answer::InvalidRequest)?;
    Form::parse(&body).map(Some)
}
