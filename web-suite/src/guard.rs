//! Guards: what routes demand beyond a good token, and what those are told who lack it.

use std::time::Duration;

use signoff::{Cause, Delivery, Login, Subject};

use crate::answer::Answer;
use crate::server::{Adapter, BOTH, Server, bearer, cookie};

async fn log_in(server: &Server, scope: &str) -> String {
    let login = Login::new(Subject::new("alice").unwrap()).scope(scope);
    server.signoff.log_in(login).await.unwrap().token.expose().to_owned()
}

fn told(answer: &Answer) -> (u16, Vec<String>, &str) {
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    (answer.status, answer.all("www-authenticate"), &answer.body)
}

pub(crate) async fn scopes_are_demanded_together(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let path = "/guarded/scope";
        for (scope, status) in [
            ("accounts transfers", 200),
            ("transfers x accounts", 200),
            ("accounts", 403),
            ("accounts transfersx", 403),
            ("Accounts Transfers", 403),
        ] {
            let answer = server.send("GET", path, &[&bearer(&log_in(&server, scope).await)]).await;
            assert_eq!(answer.status, status, "{scope}");
            if status == 403 {
                let challenge = "Bearer error=\"insufficient_scope\", scope=\"accounts transfers\"".to_owned();
                assert_eq!(told(&answer), (403, vec![challenge], r#"{"error":"insufficient_scope"}"#));
            }
        }
        let nobody = server.send("GET", path, &[]).await;
        assert_eq!(told(&nobody), (401, vec!["Bearer".to_owned()], r#"{"error":"unauthenticated"}"#));
        let token = log_in(&server, "accounts transfers").await;
        let _ = server.signoff.log_out(&[&token], Cause::logout()).await.unwrap();
        let dead = server.send("GET", path, &[&bearer(&token)]).await;
        let challenge = "Bearer error=\"invalid_token\"".to_owned();
        assert_eq!(told(&dead), (401, vec![challenge], r#"{"error":"invalid_token"}"#));
    }
}

pub(crate) async fn a_fresh_authentication_is_demanded_and_a_step_up_is_one(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let old = cookie(&server.log_in("alice").await);
        assert_eq!(server.status("GET", "/guarded/recent", &[&old]).await, 200);
        server.clock.advance(Duration::from_secs(301));
        let answer = server.send("GET", "/guarded/recent", &[&old]).await;
        let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"300\"".to_owned();
        assert_eq!(told(&answer), (401, vec![challenge], r#"{"error":"insufficient_user_authentication"}"#));
        answer.assert_clears_nothing("the session lives");
        assert_eq!(server.status("GET", "/private", &[&old]).await, 200);

        let stepped = server.send("POST", "/step-up/accounts/cookie", &[&old]).await;
        let new = format!("Cookie: {}", stepped.cookie());
        assert_eq!(server.status("GET", "/guarded/recent", &[&new]).await, 200);
        assert_eq!(server.status("GET", "/guarded/recent", &[&old]).await, 401);
    }
}

pub(crate) async fn only_what_changes_state_must_come_from_our_pages(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let cookie = cookie(&token);
    for (method, from, status) in [
        ("GET", "Sec-Fetch-Site: cross-site", 200),
        ("POST", "Sec-Fetch-Site: cross-site", 403),
        ("POST", "Origin: https://evil.example", 403),
        ("POST", "Sec-Fetch-Site: same-origin", 200),
    ] {
        let answer = server.send(method, "/guarded/site", &[&cookie, from]).await;
        assert_eq!(answer.status, status, "{method} {from}");
        if status == 403 {
            let vary = ["Sec-Fetch-Site, Origin".to_owned()];
            assert_eq!((answer.all("vary").as_slice(), &*answer.body), (&vary[..], r#"{"error":"cross_site"}"#));
        }
    }
    let stated = [&*bearer(&token), "Sec-Fetch-Site: cross-site"];
    assert_eq!(server.status("POST", "/guarded/site", &stated).await, 200, "no browser sends a bearer token by itself");
}

pub(crate) async fn without_the_layer_nobody_gets_in(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let cookie = cookie(&server.log_in("alice").await);
    for path in ["/missing/guard", "/missing/live"] {
        for headers in [vec![], vec![&*cookie]] {
            let answer = server.send("GET", path, &headers).await;
            assert_eq!((answer.status, &*answer.body), (500, "Is SignoffLayer enabled?"), "{path}");
        }
    }
}
