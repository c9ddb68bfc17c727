//! Signing in, stepping up, and ending the other sessions.

use signoff::Delivery;
use signoff::refresh::Refresh;
use signoff::test_util::Fault;

use crate::server::{Adapter, BOTH, bearer, cookie};
use crate::site::Place;

const OURS: &str = "Sec-Fetch-Site: same-origin";

pub(crate) async fn whoever_logs_in_ends_the_session_that_the_browser_had(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let planted = site.cookie(&site.log_in_by_http("bob").await);
        let answer = site.log_in_by_cookie("alice", &[&planted, OURS]).await;
        let set = answer.all("set-cookie");
        assert_eq!((answer.status, set.len(), answer.all("cache-control")), (200, 1, vec!["no-store".to_owned()]));
        assert!(set[0].ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
        assert_eq!(answer.json()["user"], "alice");
        assert!(answer.json()["expires_in"].as_u64().unwrap() > 0);
        let mine = format!("Cookie: {}", answer.cookie());
        assert!(mine != planted && !answer.body.contains(mine.split_once('=').unwrap().1));
        assert_eq!(site.private(&planted).await.0, 401);
        assert_eq!(site.private(&mine).await, (200, Some("alice".to_owned())));
        for from in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"] {
            let refused = site.log_in_by_cookie("bob", &[&mine, from]).await;
            assert_eq!(refused.status, 403);
            refused.assert_clears_nothing(from);
        }
        assert_eq!(site.private(&mine).await, (200, Some("alice".to_owned())));
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

pub(crate) async fn stepping_up_gives_another_id_and_token(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let token = site.log_in_by_http("alice").await;
        let old = site.cookie(&token);
        let id = async |cookie: &str| {
            let listed = site.send("GET", site.routes.sessions, &[cookie]).await.json();
            assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
            listed["sessions"][0]["id"].as_str().unwrap().to_owned()
        };
        let before = id(&old).await;
        assert_eq!(site.step_up("alice", &[&old, "Sec-Fetch-Site: cross-site"]).await.status, 403);
        let answer = site.step_up("alice", &[&old, OURS]).await;
        assert_eq!((answer.status, answer.all("cache-control")), (200, vec!["no-store".to_owned()]));
        let new = format!("Cookie: {}", answer.cookie());
        assert_ne!(id(&new).await, before);
        for dead in [&old, &bearer(&token)] {
            let refused = site.step_up("alice", &[dead, OURS]).await;
            assert_eq!((refused.status, &*refused.body), (401, r#"{"error":"invalid_token"}"#));
        }
        assert_eq!(site.step_up("alice", &[OURS]).await.status, 401);
    }
}

pub(crate) async fn all_other_sessions_are_ended(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let mut tokens = Vec::new();
        for name in ["alice", "alice", "alice", "bob"] {
            tokens.push(site.cookie(&site.log_in_by_http(name).await));
        }
        let statuses = async || {
            let mut statuses = Vec::new();
            for cookie in &tokens {
                statuses.push(site.private(cookie).await.0);
            }
            statuses
        };
        let path = site.routes.sessions;
        let refused = site.status("DELETE", path, &[&tokens[0], "Sec-Fetch-Site: cross-site"]).await;
        assert_eq!((refused, statuses().await), (403, vec![200; 4]));
        let answer = site.send("DELETE", path, &[&tokens[0], OURS]).await;
        assert_eq!((answer.status, &*answer.body), (200, r#"{"ended":2}"#));
        answer.assert_clears_nothing("this browser stays signed in");
        assert_eq!(statuses().await, [200, 401, 401, 200], "{delivery:?}");
        assert_eq!(site.status("DELETE", path, &[OURS]).await, 401);
    }
}

pub(crate) async fn others_that_may_live_on_are_not_told_as_ended(adapter: Adapter) {
    let server = adapter.start(Delivery::Opaque).await;
    let (mine, other) = (cookie(&server.log_in("alice").await), cookie(&server.log_in("alice").await));
    assert_eq!(server.status("GET", "/private", &[&mine]).await, 200);
    server.switch.fail(0, u64::MAX, Fault::Refuse);
    assert_eq!(server.status("DELETE", "/sessions", &[&mine, OURS]).await, 503);
    server.switch.heal();
    assert_eq!(server.send("DELETE", "/sessions", &[&mine, OURS]).await.body, r#"{"ended":1}"#);
    assert_eq!(server.status("GET", "/private", &[&other]).await, 401);
}
