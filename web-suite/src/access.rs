//! Who gets in, and what the others are told.

use signoff::test_util::Fault;
use signoff::{Cause, Delivery};

use crate::server::{Adapter, BOTH, COOKIE, bearer, cookie};

pub(crate) async fn who_gets_in(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let token = server.log_in("alice").await;
        for header in [cookie(&token), bearer(&token)] {
            let answer = server.send("GET", "/private", &[&header]).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "alice"));
            assert_eq!(answer.all("cache-control"), ["no-store"], "what depends on who asks is not stored");
            assert_eq!(server.send("GET", "/optional", &[&header]).await.body, "alice");
            assert!(server.send("GET", "/public", &[&header]).await.all("cache-control").is_empty());
        }
        let nobody = server.send("GET", "/private", &[]).await;
        assert_eq!((nobody.status, nobody.all("www-authenticate")), (401, vec!["Bearer".to_owned()]));
        assert_eq!(server.send("GET", "/optional", &[]).await.body, "nobody");
        assert_eq!(server.status("GET", &format!("/private?access_token={token}"), &[]).await, 401);
        assert_eq!(server.status("GET", "/private", &["Authorization: Basic YTpi"]).await, 401);
        assert_eq!(server.status("GET", "/private", &[&format!("Cookie: sid={token}")]).await, 401);
    }
}

pub(crate) async fn all_bad_credentials_get_the_same_answer(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let (revoked, other) = (server.log_in("alice").await, server.log_in("bob").await);
        let _ = server.signoff.log_out(&[&revoked], Cause::logout()).await.unwrap();
        let theirs = adapter.start(delivery).await.log_in("alice").await;
        let two = format!("Cookie: {COOKIE}={other}; {COOKIE}={theirs}");
        let mut bodies = Vec::new();
        for header in [cookie(&revoked), cookie(&theirs), cookie("x"), cookie(""), bearer("x"), bearer("a b"), two] {
            for path in ["/private", "/optional"] {
                let answer = server.send("GET", path, &[&header]).await;
                assert_eq!(answer.status, 401, "{path} {header}");
                assert_eq!(answer.all("www-authenticate"), ["Bearer error=\"invalid_token\""]);
                bodies.push(answer.body);
            }
        }
        bodies.dedup();
        assert_eq!(bodies, [r#"{"error":"invalid_token"}"#]);
        assert_eq!(server.status("GET", "/public", &[&cookie("x")]).await, 200, "a public page stays public");
    }
}

pub(crate) async fn two_methods_at_once_are_a_bad_request(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    for headers in [
        vec![cookie(&token), bearer(&token)],
        vec![cookie(&token), bearer("garbage")],
        vec![cookie(&token), bearer("not a token")],
        vec![bearer(&token), bearer(&token)],
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        for (method, path) in [("GET", "/private"), ("GET", "/optional"), ("GET", "/public"), ("POST", "/logout")] {
            let answer = server.send(method, path, &headers).await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(answer.all("www-authenticate"), ["Bearer error=\"invalid_request\""]);
            answer.assert_clears_nothing(path);
        }
    }
    assert_eq!(server.status("GET", "/private", &[&cookie(&token)]).await, 200, "the session is untouched");
}

pub(crate) async fn hostile_headers_are_refused(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    for size in [1_000, 9_000, 17_000, 64 * 1024] {
        let status = server.status("GET", "/private", &[&cookie(&"x".repeat(size))]).await;
        // The HTTP server itself may refuse very large headers, with 431.
        assert!(status == 401 || status == 431, "{size}: {status}");
        let status = server.status("GET", "/private", &[&bearer(&"x".repeat(size))]).await;
        assert!(status == 401 || status == 431, "{size}: {status}");
    }
    let many: Vec<_> = (0..50).map(|n| format!("Cookie: {COOKIE}={n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(server.status("GET", "/private", &many).await, 401);
    let value = reqwest::header::HeaderValue::from_bytes(b"__Host-sid=\xff\xfe").unwrap();
    let raw = server.client.get(server.url("/private")).header("cookie", value).send().await.unwrap();
    assert_eq!(raw.status(), 401);
}

pub(crate) async fn an_outage_is_not_a_refusal(adapter: Adapter) {
    let server = adapter.start(Delivery::Opaque).await;
    let token = server.log_in("alice").await;
    server.switch.fail(0, u64::MAX, Fault::Refuse);
    for path in ["/private", "/optional"] {
        let answer = server.send("GET", path, &[&cookie(&token)]).await;
        assert_eq!((answer.status, answer.all("retry-after").len()), (503, 1));
        assert!(answer.all("www-authenticate").is_empty());
    }
    server.clock.step(None);
    assert_eq!(server.status("GET", "/private", &[&cookie(&token)]).await, 503, "no clock");
}

pub(crate) async fn keys_and_module_are_served(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let keys = server.send("GET", "/.well-known/jwks.json", &[]).await;
    assert_eq!(keys.json()["keys"][0]["kty"], "OKP");
    assert!(keys.json()["keys"][0].get("d").is_none());
    let module = server.send("GET", "/signoff.js", &[]).await;
    assert_eq!(module.all("content-type"), ["text/javascript; charset=utf-8"]);
    assert_eq!(module.all("cache-control"), ["no-store"]);
    assert!(module.body.contains("export"));
}
