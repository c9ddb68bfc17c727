//! An application as anybody writes it on tower-sessions: a login, two changes that take their time, a logout.
//!
//! It does not know which store it is on: the peer runs it on SQLx, and signoff-tower's tests run the same file on signoff.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_sessions::session::Error;
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

type Answer = Result<String, StatusCode>;

/// The application on this store.
pub(crate) fn app(store: impl SessionStore + Clone) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/note", post(note))
        .route("/renew", post(renew))
        .route("/logout", post(log_out))
        .layer(SessionManagerLayer::new(store))
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
async fn note(session: Session, request: Request) -> Answer {
    let user = user(&session).await?;
    session.insert("note", received(request).await?).await.map_err(failed)?;
    Ok(format!("kept for {user}"))
}

/// Sees who it is, receives something, and changes the session's id, as after a change of rights.
async fn renew(session: Session, request: Request) -> Answer {
    let user = user(&session).await?;
    received(request).await?;
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

/// A client that expects `100 Continue` gets it here, so it knows that the session has been looked at.
async fn received(request: Request) -> Answer {
    let bytes = to_bytes(request.into_body(), 1024).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    String::from_utf8(bytes.into()).map_err(|_| StatusCode::BAD_REQUEST)
}

fn failed(_: Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
