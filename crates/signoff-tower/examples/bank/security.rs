//! What a person can look at and do about their own session: how old its token is, who did what, and proving once more who
//! they are.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use signoff::audit::{AuditEvent, AuditKind};
use signoff::time::Timestamp;
use signoff::web::{Answer, Carrier};
use signoff::{Actor, Reason, StepUp};
use signoff_tower::{Auth, Fields, FromOurPages, Live, Replied};

use crate::nodes::Here;
use crate::web::{device, no};

/// A transfer of more than this wants a password that was typed a moment ago.
const LARGE_CENTS: i64 = 100_000;

pub(crate) fn router() -> Router<Here> {
    Router::new().route("/api/me", get(me)).route("/api/audit", get(audit)).route("/step-up", post(step_up))
}

/// Refuses a large transfer by somebody who proved too long ago who they are.
pub(crate) fn check_fresh(here: &Here, live: &Live, amount_cents: i64) -> Result<(), Answer> {
    let age = here.bank.password_age;
    if amount_cents > LARGE_CENTS && !here.node().signoff.is_authenticated_within(live, age) {
        return Err(Answer::InsufficientAuthentication(age));
    }
    Ok(())
}

const fn millis(time: Timestamp) -> i64 {
    time.as_micros() / 1_000
}

/// Whose session it is, and the times of its token. Past half of its life the layer puts a new one into this very answer.
async fn me(live: Live) -> Response {
    let body = json!({
        "user": live.subject(), "issued_at_ms": millis(live.issued_at()), "expires_at_ms": millis(live.expires_at()),
    });
    Json(body).into_response()
}

#[derive(Deserialize)]
struct Proof {
    password: String,
}

/// The same person, the same session, a new id and new tokens: copies of the old ones die here.
async fn step_up(
    State(here): State<Here>,
    site: FromOurPages,
    live: Live,
    auth: Auth,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    parts: Parts,
    Json(proof): Json<Proof>,
) -> Response {
    if here.bank.people.authenticate(live.subject(), &proof.password).await.is_none() {
        // Not 401: the session is as good as before, and the page must not take this for its end.
        return no(StatusCode::UNPROCESSABLE_ENTITY, "invalid_credentials");
    }
    let context = auth.context(&Fields::from(&parts)).with_address(address.ip());
    Replied::from(auth.step_up(&site, StepUp::authenticated_again(), context, Carrier::Cookie).await).into_response()
}

/// What happened in the person's own account, the newest first.
async fn audit(live: Live, auth: Auth) -> Response {
    let Ok(events) = auth.signoff().audit_trail(&live.to_subject()).await else {
        return Replied::from(Answer::Unavailable).into_response();
    };
    let told = events.iter().take(30).map(|event| {
        json!({
            "at_ms": millis(event.at), "text": in_words(event), "session": event.session,
            "address": event.context.address().map(|address| address.to_string()),
        })
    });
    let body = Json(json!({ "events": told.collect::<Vec<_>>() }));
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// One record as a sentence for the person whom it is about.
fn in_words(event: &AuditEvent) -> String {
    let by = match (&event.actor, event.reason) {
        (Actor::Subject, Some(Reason::Logout)) => "by you",
        (_, Some(Reason::RefreshReused | Reason::Compromised)) => "by the bank, because somebody may have a copy",
        (Actor::Operator(_), _) => "by our staff",
        _ => "by the bank",
    };
    match (event.kind, event.reason) {
        (AuditKind::LoggedIn, _) => format!("Signed in on {}", device(event.context.user_agent().unwrap_or_default())),
        (AuditKind::LoggedOut, Some(Reason::Replaced)) => "Session replaced by a new one".to_owned(),
        (AuditKind::LoggedOut, _) => format!("Session ended {by}"),
        (AuditKind::RefreshReused, _) => "Session ended: an old token was used again".to_owned(),
        (AuditKind::RefreshRefused, _) => "An attempt to go on with an ended session was refused".to_owned(),
        (AuditKind::Revoked, _) => format!("All sessions ended {by}, everywhere"),
        (AuditKind::SteppedUp, _) => "Password confirmed; the session got a new id".to_owned(),
        (kind, _) => kind.as_str().replace('_', " "),
    }
}
