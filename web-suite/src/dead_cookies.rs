//! Cookies of the dead that a browser presents: which are taken from it, and which it keeps.

use std::time::Duration;

use signoff::{Cause, Delivery, Scope};

use crate::server::{Adapter, BOTH, CLEARED, COOKIE, bearer, cookie};
use crate::site::Place;

pub(crate) async fn what_is_put_back_around_the_layer_is_gone_with_the_next_request(adapter: Adapter) {
    for delivery in BOTH {
        for next in ["/private", "/optional", "/public"] {
            let server = adapter.start(delivery).await;
            let cookie = cookie(&server.log_in("alice").await);
            server.gate.put_back(true);
            let logout = server.send("POST", "/logout", &[&cookie]).await;
            let set = logout.all("set-cookie");
            assert_eq!((set.len(), &*set[0]), (2, CLEARED));
            assert!(set[1].starts_with(cookie.strip_prefix("Cookie: ").unwrap()), "the browser has it again");
            server.gate.put_back(false);
            let answer = server.send("GET", next, &[&cookie]).await;
            assert_eq!(answer.all("set-cookie"), [CLEARED], "{next} {delivery:?}");
            assert_eq!(answer.status, if next == "/public" { 200 } else { 401 });
        }
    }
}

pub(crate) async fn a_cookie_of_an_ended_session_is_taken_from_the_browser(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let token = site.log_in_by_http("alice").await;
        let cookie = site.cookie(&token);
        assert!(site.send("GET", site.routes.private, &[&cookie]).await.all("set-cookie").is_empty());
        // By a program that has the same token, so that the browser does not hear of it.
        assert_eq!(site.status("POST", "/logout", &[&bearer(&token)]).await, 200);
        for (path, status) in [(site.routes.private, 401), (site.routes.public, 200)] {
            let answer = site.send("GET", path, &[&cookie]).await;
            assert_eq!(
                (answer.status, answer.all("set-cookie")),
                (status, vec![site.cleared()]),
                "{path} {delivery:?}"
            );
            assert_eq!(answer.all("cache-control"), ["no-store"]);
        }
    }
}

pub(crate) async fn a_cookie_whose_session_may_live_is_kept(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let (token, by_key) = (server.log_in("alice").await, server.log_in("alice").await);
    let kept = async |cookie: &str, why: &str| {
        for path in ["/private", "/public"] {
            let answer = server.send("GET", path, &[cookie]).await;
            assert_eq!(answer.status, if path == "/public" { 200 } else { 401 }, "{why}");
            answer.assert_clears_nothing(why);
        }
    };
    let live = server.signoff.verify(&token).unwrap();
    let scope = Scope::Token(live.token_id().unwrap().as_bytes());
    let _ = server.signoff.revoke(scope, Cause::logout()).await.unwrap();
    kept(&cookie(&token), "the token alone was revoked").await;

    let (dead, alive) = (server.log_in("alice").await, server.log_in("alice").await);
    let _ = server.signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
    kept(&format!("Cookie: {COOKIE}={dead}; {COOKIE}={alive}"), "one of two lives").await;
    kept(&cookie("garbage"), "it is none of ours").await;
    let answer = server.send("GET", "/private", &[&bearer(&dead)]).await;
    answer.assert_clears_nothing("a program has no cookies");

    let key = server.signoff.verify(&by_key).unwrap().kid().unwrap().to_owned();
    let _ = server.signoff.revoke(Scope::Key(&key), Cause::logout()).await.unwrap();
    kept(&cookie(&by_key), "its key was revoked").await;

    let server = adapter.start(Delivery::Jwt).await;
    let old = cookie(&server.log_in("alice").await);
    server.clock.advance(Duration::from_secs(901));
    let answer = server.send("GET", "/private", &[&old]).await;
    assert_eq!(answer.status, 401);
    answer.assert_clears_nothing("it is over, and what the session can be logged out with");
    assert_eq!(server.status("POST", "/logout", &[&old]).await, 200);
}
