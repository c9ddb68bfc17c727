//! An application on tower-sessions whose logout holds: `cargo run --example tower_sessions`.
//!
//! Only `main` knows signoff. Try it with `curl -c jar -b jar`: `-d alice` to `/login`, then `/`, `-X POST` to `/logout`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use signoff::{Algorithm, KeySet, Settings, SigningKey, Signoff, Subject};
use signoff_sqlx::SqliteStore;
use signoff_tower_sessions::TowerSessions;
use tower_sessions::session::Error;
use tower_sessions::{Session, SessionManagerLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = KeySet::new(SigningKey::load_or_create("sessions.key", Algorithm::EdDsa)?);
    let settings = Settings::new("http://localhost:3000", "http://localhost:3000");
    let signoff = Signoff::open(SqliteStore::open("sessions.sqlite3").await?, keys, settings).await?;
    // Whose session is it? So that all of a person's sessions can be listed and ended.
    let store = TowerSessions::new(signoff, |data| {
        data.get("user").and_then(|user| user.as_str()).map(Subject::new).transpose()
    });

    let app = Router::new()
        .route("/", get(hello))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        // curl keeps no `Secure` cookie of a plain address.
        .layer(SessionManagerLayer::new(store).with_secure(false));
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

async fn hello(session: Session) -> Result<String, StatusCode> {
    let user: Option<String> = session.get("user").await.map_err(failed)?;
    user.map(|user| format!("hello {user}\n")).ok_or(StatusCode::UNAUTHORIZED)
}

/// The name is the password here.
async fn log_in(session: Session, user: String) -> Result<(), StatusCode> {
    session.cycle_id().await.map_err(failed)?;
    session.insert("user", user).await.map_err(failed)
}

/// Whoever hears `Ok` is logged out.
async fn log_out(session: Session) -> Result<(), StatusCode> {
    session.flush().await.map_err(failed)
}

fn failed(_: Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
