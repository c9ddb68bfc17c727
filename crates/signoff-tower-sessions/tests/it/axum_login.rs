//! An application on axum-login, with its sessions in a `Signoff`: nothing else about it is special.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, login_required};
use signoff::{Cause, KeySet, MemoryStore, Scope, Settings, SigningKey, Signoff, Subject};
use signoff_tower_sessions::{TowerSessions, axum_login};

use crate::http::{send, serve};

#[derive(Clone, Debug)]
struct User(i64);

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.0
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"of the password"
    }
}

/// Knows everybody by number.
#[derive(Clone)]
struct Users;

impl AuthnBackend for Users {
    type User = User;
    type Credentials = i64;
    type Error = Infallible;

    async fn authenticate(&self, number: i64) -> Result<Option<User>, Infallible> {
        Ok(Some(User(number)))
    }

    async fn get_user(&self, number: &i64) -> Result<Option<User>, Infallible> {
        Ok(Some(User(*number)))
    }
}

async fn start() -> (Signoff, SocketAddr) {
    let keys = KeySet::new(SigningKey::generate().unwrap());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
    let sessions = SessionManagerLayer::new(TowerSessions::new(signoff.clone(), axum_login));
    let app = Router::new()
        .route("/private", get(async |auth: AuthSession<Users>| auth.user.unwrap().0.to_string()))
        .route_layer(login_required!(Users))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build());
    (signoff, serve(app).await)
}

async fn log_in(mut auth: AuthSession<Users>, number: String) -> StatusCode {
    let user = auth.authenticate(number.parse().unwrap()).await.unwrap().unwrap();
    auth.login(&user).await.map_or(StatusCode::INTERNAL_SERVER_ERROR, |()| StatusCode::OK)
}

async fn log_out(mut auth: AuthSession<Users>) -> StatusCode {
    auth.logout().await.map_or(StatusCode::INTERNAL_SERVER_ERROR, |_| StatusCode::OK)
}

async fn cookie_of(address: SocketAddr, number: &str) -> String {
    let login = send(address, "POST", "/login", "", number).await;
    assert_eq!(login.status, 200);
    login.cookie.unwrap()
}

#[tokio::test]
async fn logging_out_of_axum_login_is_a_logout() {
    let (signoff, address) = start().await;
    let (phone, laptop) = (cookie_of(address, "7").await, cookie_of(address, "7").await);
    let bob = cookie_of(address, "8").await;
    let seven = Subject::new("7").unwrap();
    assert_eq!(signoff.sessions(&seven, None).await.unwrap().len(), 2);
    assert_eq!(send(address, "GET", "/private", &phone, "").await.body, "7");

    assert_eq!(send(address, "POST", "/logout", &phone, "").await.status, 200);
    assert_eq!(send(address, "GET", "/private", &phone, "").await.status, 401);
    assert_eq!(send(address, "GET", "/private", &laptop, "").await.status, 200);

    assert_eq!(signoff.revoke(Scope::Subject("7"), Cause::logout()).await.unwrap().destroyed, 1);
    assert_eq!(send(address, "GET", "/private", &laptop, "").await.status, 401);
    assert_eq!(send(address, "GET", "/private", &bob, "").await.body, "8");
    let trail = signoff.audit_trail(&seven).await.unwrap();
    assert!(trail.iter().any(|event| event.kind.as_str() == "session_logout"));
}
