//! One application, and two stores under it: tower-sessions' own, and signoff.
//!
//! The application is `peers/tower-sessions/src/app.rs`, to the last byte the same in both columns. Somebody logs in and
//! begins to send something; the server has seen who it is and waits for the rest. Meanwhile the person logs out, which is
//! answered with 200. Then the rest arrives.
//!
//! | the late request | on tower-sessions' own SQLx store | on signoff |
//! |---|---|---|
//! | changes the session | 200; **logged in again**; the answer sets the old cookie anew | 500, no cookie, logged out |
//! | changes the session's id | 200; **logged in again** under the new id, and the answer sets it | 500, no cookie, logged out |
//!
//! A logout on one of two nodes that share a database, and the cookie of somebody whom both have seen:
//!
//! | | on tower-sessions' own SQLx store | the same behind its cache | on signoff |
//! |---|---|---|---|
//! | on the other node | logged out | **logged in** | logged out |
//!
//! What a logout leaves in a browser that keeps to RFC 6265bis, of a cookie named `__Host-`:
//!
//! | by tower-sessions' layer | by the receipt of signoff |
//! |---|---|
//! | **the cookie** | nothing |

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::AppendHeaders;
use axum::routing::post;
use signoff::{
    Algorithm, Cause, CookieLedger, CookieSpec, KeySet, MemoryStore, Settings, SigningKey, Signoff, Store, Subject,
};
use signoff_sqlx::{PostgresStore, ServerOptions};
use signoff_test_servers::{Peer, Postgres, Sessions};
use signoff_tower_sessions::TowerSessions;
use signoff_web_suite::side_by_side::{Cookie, Late, Left, log_in, log_in_and_out, log_out, log_out_meanwhile, me};
use tower_sessions::{Session, SessionManagerLayer};

use crate::http::serve;

#[path = "../../../../peers/tower-sessions/src/app.rs"]
mod app;

async fn on_signoff(store: impl Store) -> TowerSessions {
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(store, keys, settings).await.unwrap();
    TowerSessions::new(signoff, |data| data.get("user").and_then(|user| user.as_str()).map(Subject::new).transpose())
}

/// The peer in a process.
fn on_its_own(sessions: Sessions<'_>) -> (Peer, SocketAddr) {
    let (peer, address) = Peer::serve(sessions).unwrap();
    (peer, address.parse().unwrap())
}

#[tokio::test]
async fn on_signoff_a_late_request_brings_nothing_back() {
    for path in ["/note", "/renew"] {
        let store = on_signoff(MemoryStore::new()).await;
        let late = log_out_meanwhile(serve(app::app(store.clone())).await, path).await;
        assert_eq!(late, Late { status: 500, cookie: Cookie::Untouched, captured: 401 }, "{path}");
        let alice = Subject::new("alice").unwrap();
        assert!(store.signoff().sessions(&alice, None).await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn on_its_own_store_a_late_request_logs_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_peer, address) = on_its_own(Sessions::TowerSqlite(folder.path()));
    let changed = log_out_meanwhile(address, "/note").await;
    assert_eq!(changed, Late { status: 200, cookie: Cookie::Old, captured: 200 });
    let renewed = log_out_meanwhile(address, "/renew").await;
    assert_eq!(renewed, Late { status: 200, cookie: Cookie::Another(200), captured: 401 });
}

/// What the other of two nodes says to somebody whom both have seen, after the logout on one.
async fn on_the_other_node([one, other]: [SocketAddr; 2]) -> u16 {
    let cookie = log_in(one).await;
    assert_eq!(me(other, &cookie).await, 200);
    assert_eq!((log_out(one, &cookie).await, me(one, &cookie).await), (200, 401));
    me(other, &cookie).await
}

#[tokio::test]
async fn on_signoff_a_logout_holds_on_the_other_node() {
    let database = Postgres::shared().unwrap().database().unwrap();
    let options = ServerOptions::new().shared(Duration::from_secs(30));
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let store = PostgresStore::open_with(&database, &options).await.unwrap();
        nodes.push(serve(app::app(on_signoff(store).await)).await);
    }
    assert_eq!(on_the_other_node([nodes[0], nodes[1]]).await, 401);
}

#[tokio::test]
async fn behind_its_cache_the_other_node_does_not_hear_of_a_logout() {
    let folder = tempfile::tempdir().unwrap();
    for (sessions, other) in [(Sessions::TowerSqlite(folder.path()), 401), (Sessions::TowerCached(folder.path()), 200)]
    {
        let nodes = [on_its_own(sessions), on_its_own(sessions)];
        let addresses = nodes.each_ref().map(|(_, address)| *address);
        assert_eq!(on_the_other_node(addresses).await, other, "{sessions:?}");
    }
}

/// The logout that `docs/tower-sessions.md` shows.
async fn log_out_by_receipt(
    State((store, ledger)): State<(TowerSessions, CookieLedger)>,
    session: Session,
) -> Result<AppendHeaders<Vec<(&'static str, String)>>, StatusCode> {
    let id = session.id().ok_or(StatusCode::UNAUTHORIZED)?;
    let receipt = store.log_out(id, Cause::logout()).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    session.flush().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(AppendHeaders(receipt.headers(&ledger, None)))
}

#[tokio::test]
async fn by_the_receipt_a_browser_forgets_a_host_cookie() {
    let store = on_signoff(MemoryStore::new()).await;
    let ledger = CookieLedger::new(CookieSpec::host("id").unwrap());
    let app = Router::new()
        .route("/logout", post(log_out_by_receipt))
        .with_state((store.clone(), ledger))
        .layer(SessionManagerLayer::new(store.clone()).with_name(app::COOKIE))
        .fallback_service(app::app(store));
    let left = log_in_and_out(serve(app).await, || ()).await;
    assert_eq!(left, Left { status: 200, cookie: false, captured: 401 });
}

/// tower-sessions 0.14.0 in the peer and 0.15.0 here: their layer clears without `Secure`.
#[tokio::test]
async fn by_its_layer_alone_a_browser_keeps_a_host_cookie() {
    let folder = tempfile::tempdir().unwrap();
    let (_peer, v0_14) = on_its_own(Sessions::TowerSqlite(folder.path()));
    let v0_15 = serve(app::app(tower_sessions::MemoryStore::default())).await;
    for address in [v0_14, v0_15] {
        let left = log_in_and_out(address, || ()).await;
        assert_eq!(left, Left { status: 200, cookie: true, captured: 401 });
    }
}
