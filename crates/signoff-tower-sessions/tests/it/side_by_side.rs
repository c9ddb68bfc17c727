//! One application, two stores: what a request does that was under way while its session was logged out.
//!
//! The application is `peers/tower-sessions/src/app.rs`, to the last byte the same in both columns. Somebody logs in and
//! begins to send something; the server has seen who it is and waits for the rest. Meanwhile the person logs out, which is
//! answered with 200. Then the rest arrives.
//!
//! | the late request | on tower-sessions' own SQLx store | on signoff |
//! |---|---|---|
//! | changes the session | 200; **logged in again**; the answer sets the old cookie anew | 500, no cookie, logged out |
//! | changes the session's id | 200; **logged in again** under the new id, and the answer sets it | 500, no cookie, logged out |

use std::net::SocketAddr;

use signoff::{KeySet, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_test_servers::Peer;
use signoff_tower_sessions::TowerSessions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{pair, send, serve};

#[path = "../../../../peers/tower-sessions/src/app.rs"]
mod app;

/// What came of it.
#[derive(PartialEq, Eq, Debug)]
struct Late {
    /// Of the late answer.
    status: u16,
    /// What the late answer does to the browser's cookie.
    cookie: Cookie,
    /// What `/me` says to whoever kept the cookie from before the logout.
    captured: u16,
}

#[derive(PartialEq, Eq, Debug)]
enum Cookie {
    /// It sets another one, for which `/me` says this.
    Another(u16),
    /// It sets the one that the logout had cleared.
    Old,
    Untouched,
}

#[tokio::test]
async fn on_signoff_a_late_request_brings_nothing_back() {
    for path in ["/note", "/renew"] {
        let keys = KeySet::new(SigningKey::generate().unwrap());
        let settings = Settings::new("https://bank.example", "https://bank.example/api");
        let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
        let user = |data: &std::collections::HashMap<String, serde_json::Value>| {
            data.get("user").and_then(|u| u.as_str()).map(Subject::new).transpose()
        };
        let store = TowerSessions::new(signoff.clone(), user);
        let address = serve(app::app(store)).await;

        let late = log_out_meanwhile(address, path).await;
        assert_eq!(late, Late { status: 500, cookie: Cookie::Untouched, captured: 401 }, "{path}");
        assert!(signoff.sessions(&Subject::new("alice").unwrap(), None).await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn on_its_own_store_a_late_request_logs_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_peer, address) = Peer::serve(folder.path()).unwrap();
    let address = address.parse().unwrap();
    let changed = log_out_meanwhile(address, "/note").await;
    assert_eq!(changed, Late { status: 200, cookie: Cookie::Old, captured: 200 });
    let renewed = log_out_meanwhile(address, "/renew").await;
    assert_eq!(renewed, Late { status: 200, cookie: Cookie::Another(200), captured: 401 });
}

/// Logs in, begins a request, logs out, and lets the request end.
async fn log_out_meanwhile(address: SocketAddr, path: &str) -> Late {
    let login = send(address, "POST", "/login", "", "alice").await;
    let cookie = login.cookie.unwrap();
    assert_eq!(me(address, &cookie).await, 200);

    let mut late = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nContent-Length: 4\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n"
    );
    late.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    late.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    let logout = send(address, "POST", "/logout", &cookie, "").await;
    assert_eq!((logout.status, me(address, &cookie).await), (200, 401));

    late.write_all(b"late").await.unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(pair);
    let cookie_after = match set {
        None => Cookie::Untouched,
        Some(set) if set == cookie => Cookie::Old,
        Some(set) => Cookie::Another(me(address, &set).await),
    };
    Late { status, cookie: cookie_after, captured: me(address, &cookie).await }
}

async fn me(address: SocketAddr, cookie: &str) -> u16 {
    send(address, "GET", "/me", cookie, "").await.status
}
