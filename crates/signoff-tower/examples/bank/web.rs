//! The bank's endpoints. Everything about sessions is signoff's; what is here is what an application adds.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use signoff::web::{Carrier, Web};
use signoff::{CookieSpec, Login};
use signoff_tower::{Auth, Fields, FromOurPages, Live, Replied, SignoffLayer, handlers};

use crate::demo;
use crate::nodes::Here;
use crate::pages;
use crate::security;

/// The site, as one node serves it.
pub(crate) fn router(here: Here) -> Router {
    let cookie = CookieSpec::host("signoff").expect("a good cookie name");
    // `Clear-Site-Data` stays on: it works without a script, and reaches what none can. It would take a theme in
    // `localStorage` along, whatever signoff.js keeps; so the theme, which is no secret, is in a cookie of its own.
    let web = Web::new(here.node().signoff.clone(), cookie).after_logout("/goodbye").expect("a path of this site");
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/login", post(log_in))
        .route("/api/accounts", get(accounts))
        .route("/api/transfers", post(transfer))
        .route("/api/sessions", get(handlers::sessions).delete(handlers::end_other_sessions))
        .route("/api/sessions/{id}", delete(handlers::end_session))
        .route("/logout", post(handlers::logout))
        .route("/logout/everywhere", post(handlers::logout_everywhere))
        .route("/.well-known/jwks.json", get(handlers::jwks))
        .route("/signoff.js", get(handlers::signoff_js))
        .merge(pages::router())
        .merge(security::router())
        .merge(demo::router())
        .layer(SignoffLayer::new(web))
        .layer(middleware::from_fn(harden))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(here)
}

/// The headers of every answer of the bank.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(crate) fn no(status: StatusCode, word: &str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": word }))).into_response()
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
    /// `"bearer"` asks for the token in the answer instead of in a cookie: for programs, not for pages.
    delivery: Option<String>,
}

async fn log_in(
    State(here): State<Here>,
    site: FromOurPages,
    auth: Auth,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    parts: Parts,
    Json(credentials): Json<Credentials>,
) -> Response {
    let Some(subject) = here.bank.people.authenticate(&credentials.user, &credentials.password).await else {
        return no(StatusCode::UNAUTHORIZED, "invalid_credentials");
    };
    let context = auth.context(&Fields::from(&parts)).with_address(address.ip());
    let device = device(context.user_agent().unwrap_or_default());
    let carrier = match credentials.delivery.as_deref() {
        Some("bearer") => Carrier::Body,
        _ => Carrier::Cookie,
    };
    Replied::from(auth.log_in(&site, Login::new(subject).device(&device).context(context), carrier).await)
        .into_response()
}

/// "Firefox on Linux", roughly.
pub(crate) fn device(agent: &str) -> String {
    let find = |words: &[(&str, &'static str)], default: &'static str| {
        words.iter().find(|(word, _)| agent.contains(word)).map_or(default, |(_, name)| *name)
    };
    let browser = find(
        &[("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chromium"), ("Safari/", "Safari"), ("curl/", "curl")],
        "A program",
    );
    let system = find(
        &[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ],
        "",
    );
    if system.is_empty() { browser.to_owned() } else { format!("{browser} on {system}") }
}

async fn accounts(State(here): State<Here>, live: Live) -> Response {
    Json(here.bank.accounts.view(live.subject())).into_response()
}

#[derive(Deserialize)]
struct Transfer {
    to: String,
    amount_cents: i64,
}

async fn transfer(State(here): State<Here>, _: FromOurPages, live: Live, Json(order): Json<Transfer>) -> Response {
    if let Err(answer) = security::check_fresh(&here, &live, order.amount_cents) {
        return Replied::from(answer).into_response();
    }
    match here.bank.accounts.transfer(live.subject(), &order.to, order.amount_cents) {
        Ok(done) => Json(done).into_response(),
        Err(refusal) => no(StatusCode::UNPROCESSABLE_ENTITY, refusal.word()),
    }
}
