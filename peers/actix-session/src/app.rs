//! An application as anybody writes it on actix-session: a login, two changes that take their time, a logout.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::error::{ErrorInternalServerError, ErrorUnauthorized};
use actix_web::web::{Data, Payload, ServiceConfig, get, post};
use actix_web::{Error, Result};

/// With the prefix that makes browsers see to the attributes (RFC 6265bis, section 4.1.3).
const COOKIE: &str = "__Host-id";

/// How many requests have looked at their session, and then waited for what they are to keep in it.
type Begun = Data<AtomicUsize>;

/// As its documentation shows it, but for the cookie's name.
pub(crate) fn sessions(store: RedisSessionStore, key: Key) -> SessionMiddleware<RedisSessionStore> {
    SessionMiddleware::builder(store, key).cookie_name(COOKIE.to_owned()).build()
}

/// The routes, on all workers with the same count.
pub(crate) fn routes(begun: Begun) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(begun)
            .route("/login", post().to(log_in))
            .route("/me", get().to(me))
            .route("/note", post().to(note))
            .route("/renew", post().to(renew))
            .route("/begun", get().to(async |begun: Begun| begun.load(Ordering::SeqCst).to_string()))
            .route("/logout", post().to(log_out));
    }
}

/// The name is the password.
async fn log_in(session: Session, name: String) -> Result<String> {
    session.renew();
    session.insert("user", &name)?;
    Ok(format!("hello {name}"))
}

async fn me(session: Session) -> Result<String> {
    user(&session)
}

/// Sees who it is, receives what was written, and keeps it in the session.
async fn note(begun: Begun, session: Session, body: Payload) -> Result<String> {
    let user = user(&session)?;
    session.insert("note", received(&begun, body).await?)?;
    Ok(format!("kept for {user}"))
}

/// Sees who it is, receives something, and changes the session's key, as after a change of rights.
async fn renew(begun: Begun, session: Session, body: Payload) -> Result<String> {
    let user = user(&session)?;
    received(&begun, body).await?;
    session.renew();
    Ok(format!("renewed for {user}"))
}

async fn log_out(session: Session) -> &'static str {
    session.purge();
    "goodbye"
}

fn user(session: &Session) -> Result<String> {
    session.get("user")?.ok_or_else(|| ErrorUnauthorized("nobody"))
}

async fn received(begun: &AtomicUsize, body: Payload) -> Result<String, Error> {
    begun.fetch_add(1, Ordering::SeqCst);
    String::from_utf8(body.to_bytes().await?.into()).map_err(ErrorInternalServerError)
}
