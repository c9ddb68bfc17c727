//! Signing in, stepping up, and ending the other sessions.

use signoff::Delivery;
use signoff::refresh::Refresh;
use signoff::test_util::Fault;

use crate::server::{Adapter, BOTH, bearer, cookie};

const OURS: &str = "Sec-Fetch-Site: same-origin";

pub(crate) async fn whoever_logs_in_ends_the_session_that_the_browser_had(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let planted = cookie(&server.log_in("mallory").await);
        let answer = server.send("POST", "/login/alice/cookie", &[&planted, OURS]).await;
        let set = answer.all("set-cookie");
        assert_eq!((answer.status, set.len(), answer.all("cache-control")), (200, 1, vec!["no-store".to_owned()]));
        assert!(set[0].ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
        assert_eq!(answer.json()["user"], "alice");
        assert!(answer.json()["expires_in"].as_u64().unwrap() > 0);
        let mine = format!("Cookie: {}", answer.cookie());
        assert!(mine != planted && !answer.body.contains(mine.split_once('=').unwrap().1));
        assert_eq!(server.status("GET", "/private", &[&planted]).await, 401);
        assert_eq!(server.send("GET", "/private", &[&mine]).await.body, "alice");
        for from in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"] {
            let refused = server.send("POST", "/login/mallory/cookie", &[&mine, from]).await;
            assert_eq!(refused.status, 403);
            refused.assert_clears_nothing(from);
        }
        assert_eq!(server.send("GET", "/private", &[&mine]).await.body, "alice");
    }
}

pub(crate) async fn programs_get_their_tokens_in_the_body(adapter: Adapter) {
    let mut setup = adapter.setup(Delivery::Jwt);
    setup.settings.refresh = Some(Refresh::default());
    let server = setup.start().await;
    let answer = server.send("POST", "/login/alice/body", &[]).await;
    assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0));
    let json = answer.json();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &900.into()));
    assert!(json["refresh_token"].as_str().unwrap().starts_with("sor_") && json.as_object().unwrap().len() == 4);
    let bearer = bearer(json["access_token"].as_str().unwrap());
    assert_eq!(server.send("GET", "/private", &[&bearer]).await.body, "alice");
    let browser = server.send("POST", "/login/alice/cookie", &[OURS]).await;
    assert!(browser.json().get("refresh_token").is_none(), "it has no place in a browser");
}

pub(crate) async fn wherever_the_store_fails_nobody_is_told_a_lie(adapter: Adapter) {
    for delivery in BOTH {
        for (path, fault) in [
            ("/login/alice/cookie", Fault::Refuse),
            ("/login/alice/cookie", Fault::AnswerLost),
            ("/step-up/accounts/cookie", Fault::Refuse),
            ("/step-up/accounts/cookie", Fault::AnswerLost),
        ] {
            let mut refused = 0;
            for call in 0..6 {
                let server = adapter.start(delivery).await;
                let planted = cookie(&server.log_in("alice").await);
                assert_eq!(server.status("GET", "/private", &[&planted]).await, 200);
                server.switch.fail(call, u64::MAX, fault);
                let answer = server.send("POST", path, &[&planted, OURS]).await;
                server.switch.heal();
                let context = format!("{path} {delivery:?} {fault:?} {call}: {answer:?}");
                if answer.status == 200 {
                    let mine = format!("Cookie: {}", answer.cookie());
                    assert_eq!(server.status("GET", "/private", &[&mine]).await, 200, "{context}");
                    assert_eq!(server.status("GET", "/private", &[&planted]).await, 401, "{context}");
                } else {
                    assert_eq!((answer.status, answer.all("retry-after").len()), (503, 1), "{context}");
                    assert!(answer.all("set-cookie").is_empty(), "{context}");
                    refused += 1;
                }
            }
            assert!(refused > 0, "{path} {delivery:?} {fault:?}");
        }
    }
}

pub(crate) async fn stepping_up_gives_another_id_and_token(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let (token, path) = (server.log_in("alice").await, "/step-up/accounts/cookie");
        let old = cookie(&token);
        let id = async |cookie: &str| {
            let listed = server.send("GET", "/sessions", &[cookie]).await.json();
            assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
            listed["sessions"][0]["id"].as_str().unwrap().to_owned()
        };
        let before = id(&old).await;
        assert_eq!(server.status("POST", path, &[&old, "Sec-Fetch-Site: cross-site"]).await, 403);
        let answer = server.send("POST", path, &[&old, OURS]).await;
        assert_eq!((answer.status, answer.all("cache-control")), (200, vec!["no-store".to_owned()]));
        let new = format!("Cookie: {}", answer.cookie());
        assert_ne!(id(&new).await, before);
        for dead in [&old, &bearer(&token)] {
            let refused = server.send("POST", path, &[dead, OURS]).await;
            assert_eq!((refused.status, &*refused.body), (401, r#"{"error":"invalid_token"}"#));
        }
        assert_eq!(server.status("POST", path, &[OURS]).await, 401);
    }
}

pub(crate) async fn all_other_sessions_are_ended(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let mut tokens = Vec::new();
        for name in ["alice", "alice", "alice", "bob"] {
            tokens.push(cookie(&server.log_in(name).await));
        }
        let statuses = async || {
            let mut statuses = Vec::new();
            for cookie in &tokens {
                statuses.push(server.status("GET", "/private", &[cookie]).await);
            }
            statuses
        };
        let refused = server.status("DELETE", "/sessions", &[&tokens[0], "Sec-Fetch-Site: cross-site"]).await;
        assert_eq!((refused, statuses().await), (403, vec![200; 4]));
        server.switch.fail(0, u64::MAX, Fault::Refuse);
        assert_eq!(server.status("DELETE", "/sessions", &[&tokens[0], OURS]).await, 503);
        server.switch.heal();
        let answer = server.send("DELETE", "/sessions", &[&tokens[0], OURS]).await;
        assert_eq!((answer.status, &*answer.body), (200, r#"{"ended":2}"#));
        answer.assert_clears_nothing("this browser stays signed in");
        assert_eq!(statuses().await, [200, 401, 401, 200], "{delivery:?}");
        assert_eq!(server.status("DELETE", "/sessions", &[OURS]).await, 401);
    }
}
