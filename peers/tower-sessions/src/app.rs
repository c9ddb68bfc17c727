//! An application as anybody writes it on tower-sessions: a login, two changes that take their time, a logout.
//!
//! It does not know which store it is on: the peer runs it on SQLx, and signoff's tests run the same file on signoff.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_sessions::session::Error;
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

type Answer = Result<String, StatusCode>;

/// How many requests have looked at their session, and then waited for what they are to keep in it.
type Begun = State<Arc<AtomicUsize>>;

/// With the prefix that makes browsers see to the attributes (RFC 6265bis, section 4.1.3).
pub(crate) const COOKIE: &str = "__Host-id";

/// The application on this store.
pub(crate) fn app(store: impl SessionStore + Clone) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/note", post(note))
        .route("/renew", post(renew))
        .route("/begun", get(async |State(begun): Begun| begun.load(Ordering::SeqCst).to_string()))
        .route("/logout", post(log_out))
        .layer(SessionManagerLayer::new(store).with_name(COOKIE))
        .with_state(Arc::default())
}

/// The name is the password.
async fn log_in(session: Session, name: String) -> Answer {
    session.cycle_id().await.map_err(failed)?;
    session.insert("user", &name).await.map_err(failed)?;
    Ok(format!("hello {name}"))
}

async fn me(session: Session) -> Answer {
    user(&session).await
}

/// Sees who it is, receives what was written, and keeps it in the session.
async fn note(begun: Begun, session: Session, request: Request) -> Answer {
    let user = user(&session).await?;
    session.insert("note", received(&begun, request).await?).await.map_err(failed)?;
    Ok(format!("kept for {user}"))
}

/// Sees who it is, receives something, and changes the session's id, as after a change of rights.
async fn renew(begun: Begun, session: Session, request: Request) -> Answer {
    let user = user(&session).await?;
    received(&begun, request).await?;
    session.cycle_id().await.map_err(failed)?;
    Ok(format!("renewed for {user}"))
}

async fn log_out(session: Session) -> Answer {
    session.flush().await.map_err(failed)?;
    Ok("goodbye".into())
}

async fn user(session: &Session) -> Answer {
    session.get("user").await.map_err(failed)?.ok_or(StatusCode::UNAUTHORIZED)
}

async fn received(begun: &AtomicUsize, request: Request) -> Answer {
    begun.fetch_add(1, Ordering::SeqCst);
    let bytes = to_bytes(request.into_body(), 1024).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    String::from_utf8(bytes.into()).map_err(|_| StatusCode::BAD_REQUEST)
}

fn failed(_: Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
