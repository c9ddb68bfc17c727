//! Ready handlers. Mount each where it fits; all need [`SignoffLayer`](crate::SignoffLayer) around them. What each answers
//! stands with the method of [`web::Auth`] that does the work; call that to do something of your own before or after.

use actix_web::http::header;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use signoff::Context;
use signoff::web::{self, Answer, Form, MAX_FORM};

use crate::answer::response;
use crate::extract::FromOurPages;
use crate::request::{Auth, Fields};

/// `POST /logout`: ends the session and clears the browser, see [`web::Auth::log_out`].
///
/// Mount it as `resource("/logout").post(handlers::logout)`: another method is then answered with 405 and `Allow: POST`. With
/// `App::route` it would be 404.
pub async fn logout(auth: Auth, request: HttpRequest, body: Payload) -> HttpResponse {
    match state_change(&auth, &request, body).await {
        Ok((site, form)) => response(auth.log_out(&site, context(&auth, &request), form.as_ref()).await),
        Err(answer) => response(answer),
    }
}

/// `POST /logout/everywhere`: as [`logout`], for all sessions of the person, see [`web::Auth::log_out_everywhere`].
pub async fn logout_everywhere(auth: Auth, request: HttpRequest, body: Payload) -> HttpResponse {
    match state_change(&auth, &request, body).await {
        Ok((site, form)) => response(auth.log_out_everywhere(&site, context(&auth, &request), form.as_ref()).await),
        Err(answer) => response(answer),
    }
}

/// `GET /sessions`: the devices on which the person is signed in, see [`web::Auth::sessions`].
pub async fn sessions(auth: Auth) -> HttpResponse {
    response(auth.sessions().await)
}

/// `DELETE /sessions/{id}`: ends one of the person's own sessions, see [`web::Auth::end_session`].
pub async fn end_session(site: FromOurPages, auth: Auth, id: Path<String>, request: HttpRequest) -> HttpResponse {
    response(auth.end_session(&site, &id, context(&auth, &request)).await)
}

/// `DELETE /sessions`: ends all of the person's sessions but this one, see [`web::Auth::end_other_sessions`].
pub async fn end_other_sessions(site: FromOurPages, auth: Auth, request: HttpRequest) -> HttpResponse {
    response(auth.end_other_sessions(&site, context(&auth, &request)).await)
}

/// `POST /refresh`: exchanges a refresh token, see [`web::Auth::refresh`].
pub async fn refresh(auth: Auth, request: HttpRequest, body: Payload) -> HttpResponse {
    match form(&request, body).await {
        Ok(form) => response(auth.refresh(form.as_ref(), context(&auth, &request)).await),
        Err(answer) => response(answer),
    }
}

/// `GET /csrf`: the CSRF token of the session, see [`web::Auth::csrf`].
pub async fn csrf(auth: Auth) -> HttpResponse {
    response(auth.csrf())
}

/// `GET /.well-known/jwks.json`: the public keys, see [`web::Auth::jwks`].
pub async fn jwks(auth: Auth) -> HttpResponse {
    response(auth.jwks())
}

/// `GET /signoff.js`: the browser module, never from a cache, so that a fix reaches everybody at once.
pub async fn signoff_js() -> HttpResponse {
    response(web::signoff_js())
}

/// For the audit trail: the address of the connection, and the agent.
pub fn context(auth: &Auth, request: &HttpRequest) -> Context {
    let from = auth.context(&Fields::from(request));
    match request.peer_addr() {
        Some(address) => from.with_address(address.ip()),
        None => from,
    }
}

/// What a request that changes state proves, and its body, if it is a plain HTML form.
async fn state_change(
    auth: &Auth,
    request: &HttpRequest,
    body: Payload,
) -> Result<(web::FromOurPages, Option<Form>), Answer> {
    let form = form(request, body).await?;
    Ok((auth.check_site(&Fields::from(request), form.as_ref())?, form))
}

/// The body, if it is a form.
async fn form(request: &HttpRequest, body: Payload) -> Result<Option<Form>, Answer> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    if !Form::is_announced_by(kind) {
        return Ok(None);
    }
    let read = body.to_bytes_limited(MAX_FORM).await.map_err(|_| Answer::InvalidRequest)?;
    Form::parse(&read.map_err(|_| Answer::InvalidRequest)?).map(Some)
}
