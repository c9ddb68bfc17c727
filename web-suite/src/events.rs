//! Answers that stay open, and end with the token that opened them.

use std::time::Duration;

use signoff::{Cause, Scope};

use crate::server::{Adapter, BOTH, Server, cookie};

/// How long an answer may stay open after its token is over.
pub(crate) const SOON: Duration = Duration::from_secs(1);

pub(crate) async fn open(server: &Server, token: &str) -> reqwest::Response {
    let header = cookie(token);
    let request = server.client.get(server.url("/events")).header("cookie", header.strip_prefix("Cookie: ").unwrap());
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data: open\n\n");
    response
}

async fn is_open(response: &mut reqwest::Response) -> bool {
    tokio::time::timeout(Duration::from_millis(300), response.chunk()).await.is_err()
}

pub(crate) async fn assert_ends(mut response: reqwest::Response, why: &str) {
    let end = tokio::time::timeout(SOON, response.chunk()).await;
    assert!(end.unwrap_or_else(|_| panic!("still open: {why}")).unwrap().is_none(), "{why}");
}

pub(crate) async fn an_event_stream_ends_with_its_session(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let (one, two, three) =
            (server.log_in("alice").await, server.log_in("alice").await, server.log_in("alice").await);
        let bob = server.log_in("bob").await;
        let mut streams = Vec::new();
        for token in [&one, &one, &two, &three, &bob] {
            streams.push(open(&server, token).await);
        }
        assert!(is_open(&mut streams[0]).await);
        assert_eq!(server.status("POST", "/logout", &[&cookie(&one)]).await, 200);
        for stream in streams.drain(..2) {
            assert_ends(stream, "logged out").await;
        }
        assert!(is_open(&mut streams[0]).await, "another session of the same person");
        assert_eq!(server.status("POST", "/logout/everywhere", &[&cookie(&two)]).await, 200);
        for stream in streams.drain(..2) {
            assert_ends(stream, "logged out everywhere").await;
        }
        assert!(is_open(&mut streams[0]).await, "another person");
        let _ = server.signoff.revoke(Scope::Everything, Cause::logout()).await.unwrap();
        assert_ends(streams.remove(0), "everything was revoked").await;
    }
}

pub(crate) async fn an_event_stream_ends_with_the_time_of_its_token(adapter: Adapter) {
    let server = adapter.start(signoff::Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    server.clock.advance(Duration::from_millis(899_500));
    let mut stream = open(&server, &token).await;
    assert!(is_open(&mut stream).await);
    server.clock.advance(Duration::from_millis(500));
    assert_ends(stream, "expired").await;
}
