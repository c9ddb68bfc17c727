//! Requests that are under way while their session is logged out, and the cookie that is renewed on the way.

use signoff::Delivery;

use crate::server::{Adapter, BOTH, bearer, cookie};

pub(crate) async fn a_request_in_flight_cannot_bring_its_session_back(adapter: Adapter) {
    for delivery in BOTH {
        for path in ["/logout", "/logout/everywhere"] {
            let server = adapter.start(delivery).await;
            let token = server.log_in("alice").await;
            let cookie = cookie(&token);
            // It is let in and loads the session; then the person logs out.
            let late = server.begin("POST", "/slow-save", &[&cookie]).await;
            assert_eq!(server.status("POST", path, &[&cookie]).await, 200);
            let late = late.finish().await;
            assert_eq!(late.body, r#"{"gone":true,"saved":false}"#);
            late.assert_clears_nothing("a late answer sets no cookie either");
            assert_eq!(server.status("GET", "/private", &[&cookie]).await, 401);
            let alice = signoff::Subject::new("alice").unwrap();
            assert!(server.signoff.sessions(&alice, None).await.unwrap().is_empty());
        }
    }
}

pub(crate) async fn a_cookie_is_renewed_after_half_its_life_and_only_while_the_session_lives(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let cookie = cookie(&token);
    assert!(server.send("GET", "/private", &[&cookie]).await.all("set-cookie").is_empty());
    server.clock.advance(std::time::Duration::from_secs(500));
    let bearer = bearer(&token);
    assert!(
        server.send("GET", "/private", &[&bearer]).await.all("set-cookie").is_empty(),
        "bearer tokens are left alone"
    );
    let renewed = server.send("GET", "/private", &[&cookie]).await.all("set-cookie");
    assert_eq!(renewed.len(), 1);
    let fresh = renewed[0].split(';').next().unwrap();
    assert!(renewed[0].ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
    server.clock.advance(std::time::Duration::from_secs(500));
    assert_eq!(server.status("GET", "/private", &[&cookie]).await, 401, "the old one is over");
    assert_eq!(server.status("GET", "/private", &[&format!("Cookie: {fresh}")]).await, 200);
}

pub(crate) async fn a_late_answer_does_not_renew_the_cookie_of_a_dead_session(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let cookie = cookie(&token);
    server.clock.advance(std::time::Duration::from_secs(500));
    let late = server.begin("POST", "/slow-save", &[&cookie]).await;
    let logout = server.send("POST", "/logout", &[&cookie]).await;
    assert_eq!(logout.all("set-cookie").len(), 1, "cleared, and not set again in the same answer");
    // The answer that came last sets nothing: it takes out of the browser what the one before may have left there.
    assert_eq!(late.finish().await.all("set-cookie"), logout.all("set-cookie"));
}

pub(crate) async fn a_store_in_trouble_costs_the_renewal_and_not_the_answer(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let cookie = cookie(&token);
    server.clock.advance(std::time::Duration::from_secs(500));
    server.switch.fail(0, u64::MAX, signoff::test_util::Fault::Refuse);
    let answer = server.send("GET", "/private", &[&cookie]).await;
    assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0));
}
