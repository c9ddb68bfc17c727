//! The CSRF token of a session, for applications that demand one.

use std::time::Duration;

use signoff::Delivery;
use signoff::web::Csrf;

use crate::server::{Adapter, BOTH, Server, bearer, cookie};

const OURS: &str = "Sec-Fetch-Site: same-origin";

async fn start(adapter: Adapter, delivery: Delivery) -> Server {
    let mut setup = adapter.setup(delivery);
    setup.web = |web| web.csrf(Csrf::Token);
    setup.start().await
}

async fn token(server: &Server, cookie: &str) -> String {
    let answer = server.send("GET", "/csrf", &[cookie]).await;
    assert_eq!((answer.status, answer.all("cache-control")), (200, vec!["no-store".to_owned()]));
    let token = answer.json()["csrf_token"].as_str().unwrap().to_owned();
    assert!(token.len() == 64 && token.bytes().all(|digit| digit.is_ascii_hexdigit()), "{token}");
    token
}

fn field(token: &str) -> String {
    format!("X-CSRF-Token: {token}")
}

pub(crate) async fn without_the_token_of_the_session_nothing_happens(adapter: Adapter) {
    for delivery in BOTH {
        let server = start(adapter, delivery).await;
        let (mine, theirs) = (cookie(&server.log_in("alice").await), cookie(&server.log_in("mallory").await));
        let (good, other) = (token(&server, &mine).await, token(&server, &theirs).await);
        assert_ne!(good, other);
        for bad in ["", "x", &other, &good[..63], &good[..62], &format!("{good}00"), &"0".repeat(64), &"é".repeat(32)]
        {
            for (method, path) in [("POST", "/logout"), ("POST", "/logout/everywhere"), ("DELETE", "/sessions")] {
                let answer = server.send(method, path, &[&mine, OURS, &field(bad)]).await;
                assert_eq!((answer.status, &*answer.body), (403, r#"{"error":"csrf"}"#), "{path} {bad}");
                answer.assert_clears_nothing(path);
            }
            let form = server.submit("/logout", &[&mine, OURS], &format!("csrf_token={bad}")).await;
            assert_eq!((form.status, &*form.body), (403, r#"{"error":"csrf"}"#), "{bad}");
        }
        let missing = server.send("POST", "/logout", &[&mine, OURS]).await;
        assert_eq!((missing.status, &*missing.body), (403, r#"{"error":"csrf"}"#));
        let twice = server.submit("/logout", &[&mine, OURS], &format!("csrf_token={good}&csrf_token={good}")).await;
        assert_eq!(twice.status, 400);
        let elsewhere = server.send("POST", "/logout", &[&mine, "Sec-Fetch-Site: cross-site", &field(&good)]).await;
        assert_eq!((elsewhere.status, &*elsewhere.body), (403, r#"{"error":"cross_site"}"#));
        assert_eq!(server.status("GET", "/private", &[&mine]).await, 200, "the session is untouched");
        assert_eq!(server.status("DELETE", "/sessions", &[&mine, OURS, &field(&good)]).await, 200);
        assert_eq!(server.status("POST", "/logout", &[&mine, OURS, &field(&good)]).await, 200);
        let form = server.submit("/logout", &[&theirs, OURS], &format!("a=b&csrf_token={other}")).await;
        assert_eq!((form.status, form.json()["status"].as_str()), (200, Some("destroyed")));
    }
}

pub(crate) async fn a_bearer_token_needs_none(adapter: Adapter) {
    let server = start(adapter, Delivery::Jwt).await;
    let bearer = bearer(&server.log_in("alice").await);
    let answer = server.send("GET", "/csrf", &[&bearer]).await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"csrf_token":null}"#));
    assert_eq!(server.status("GET", "/csrf", &[]).await, 401);
    assert_eq!(server.status("POST", "/logout", &[&bearer]).await, 200);
    assert_eq!(server.status("GET", "/csrf", &[&bearer]).await, 401);
}

pub(crate) async fn a_renewed_cookie_has_a_token_of_its_own(adapter: Adapter) {
    let server = start(adapter, Delivery::Jwt).await;
    let old = cookie(&server.log_in("alice").await);
    let before = token(&server, &old).await;
    server.clock.advance(Duration::from_secs(500));
    // What hands out a token does not replace the cookie in the same breath: it would be no good on arrival.
    let asked = server.send("GET", "/csrf", &[&old]).await;
    assert_eq!((asked.json()["csrf_token"].as_str(), asked.all("set-cookie").len()), (Some(&*before), 0));

    let new = format!("Cookie: {}", server.send("GET", "/private", &[&old]).await.cookie());
    let refused = server.send("POST", "/logout", &[&new, OURS, &field(&before)]).await;
    assert_eq!((refused.status, &*refused.body), (403, r#"{"error":"csrf"}"#));
    let after = token(&server, &new).await;
    assert_ne!(after, before);
    assert_eq!(server.status("POST", "/logout", &[&new, OURS, &field(&after)]).await, 200);
}
