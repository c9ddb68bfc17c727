//! The pages and what belongs to them, all in the binary; and the theme, which is known before the first pixel.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use signoff_tower::Auth;

use crate::nodes::Here;

pub(crate) fn router() -> Router<Here> {
    Router::new()
        .route("/", get(front))
        .route("/bank", get(inside))
        .route("/goodbye", get(goodbye))
        .route("/assets/{file}", get(asset))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
}

fn text(kind: &'static str, text: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// A page in the theme of its reader. The theme is one of ours or none: the cookie is anybody's to write.
fn page(headers: &HeaderMap, html: &'static str) -> Response {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let themes = cookies.flat_map(|field| field.split("; ")).filter_map(|pair| pair.strip_prefix("theme="));
    let theme = themes.filter_map(|theme| ["contrast", "dark", "light"].into_iter().find(|ours| *ours == theme)).next();
    let html = match theme {
        Some(theme) => html.replacen("<html ", &format!("<html data-theme=\"{theme}\" "), 1),
        None => html.to_owned(),
    };
    text("text/html; charset=utf-8", html)
}

/// The sign-in page, for whoever is not signed in.
async fn front(auth: Auth, headers: HeaderMap) -> Response {
    match auth.live() {
        Some(Ok(_)) => Redirect::to("/bank").into_response(),
        _ => page(&headers, include_str!("page/login.html")),
    }
}

/// The account page, for whoever is.
async fn inside(auth: Auth, headers: HeaderMap) -> Response {
    match auth.live() {
        Some(Ok(_)) => page(&headers, include_str!("page/bank.html")),
        _ => Redirect::to("/").into_response(),
    }
}

/// What a logout did, for whoever has just done it. Who is signed in has not, and is not told so.
async fn goodbye(auth: Auth, headers: HeaderMap) -> Response {
    match auth.live() {
        Some(Ok(_)) => Redirect::to("/bank").into_response(),
        _ => page(&headers, include_str!("page/goodbye.html")),
    }
}

async fn asset(Path(file): Path<String>) -> Response {
    let script = |source: &'static str| text("text/javascript; charset=utf-8", source);
    let style = |source: &'static str| text("text/css; charset=utf-8", source);
    match file.as_str() {
        "attacker.js" => script(include_str!("page/attacker.js")),
        "bank.css" => style(include_str!("page/bank.css")),
        "bank.js" => script(include_str!("page/bank.js")),
        "common.js" => script(include_str!("page/common.js")),
        "goodbye.js" => script(include_str!("page/goodbye.js")),
        "login.js" => script(include_str!("page/login.js")),
        "nodes.js" => script(include_str!("page/nodes.js")),
        "renew.js" => script(include_str!("page/renew.js")),
        "security.js" => script(include_str!("page/security.js")),
        "session.js" => script(include_str!("page/session.js")),
        "stepup.js" => script(include_str!("page/stepup.js")),
        "theme.css" => style(include_str!("page/theme.css")),
        "theme.js" => script(include_str!("page/theme.js")),
        "thief.css" => style(include_str!("page/thief.css")),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
