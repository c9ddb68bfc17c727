//! Who gets in, and what the others are told.

use signoff::Delivery;
use signoff::test_util::Fault;

use crate::server::{Adapter, BOTH, bearer, cookie};
use crate::site::Place;

pub(crate) async fn who_gets_in(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let private = site.routes.private;
        let token = site.log_in_by_http("alice").await;
        for header in [site.cookie(&token), bearer(&token)] {
            let answer = site.send("GET", private, &[&header]).await;
            assert_eq!((answer.status, (site.routes.who)(&answer.body)), (200, "alice".to_owned()));
            assert_eq!(answer.all("cache-control"), ["no-store"], "what depends on who asks is not stored");
            assert!(site.send("GET", site.routes.public, &[&header]).await.all("cache-control").is_empty());
            if let Some(path) = site.routes.optional {
                assert_eq!(site.send("GET", path, &[&header]).await.body, "alice");
            }
        }
        let nobody = site.send("GET", private, &[]).await;
        assert_eq!((nobody.status, nobody.all("www-authenticate")), (401, vec!["Bearer".to_owned()]));
        if let Some(path) = site.routes.optional {
            assert_eq!(site.send("GET", path, &[]).await.body, "nobody");
        }
        assert_eq!(site.status("GET", &format!("{private}?access_token={token}"), &[]).await, 401);
        assert_eq!(site.private("Authorization: Basic YTpi").await.0, 401);
        let unprefixed = site.routes.cookie.trim_start_matches("__Host-");
        assert_eq!(site.private(&format!("Cookie: {unprefixed}={token}")).await.0, 401);
    }
}

pub(crate) async fn all_bad_credentials_get_the_same_answer(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let (revoked, other) = (site.log_in_by_http("alice").await, site.log_in_by_http("bob").await);
        assert_eq!(site.status("POST", "/logout", &[&bearer(&revoked)]).await, 200);
        let theirs = place.open(delivery).await.log_in_by_http("alice").await;
        let name = site.routes.cookie;
        let two = format!("Cookie: {name}={other}; {name}={theirs}");
        let cookie = |token| site.cookie(token);
        let mut bodies = Vec::new();
        for header in [cookie(&revoked), cookie(&theirs), cookie("x"), cookie(""), bearer("x"), bearer("a b"), two] {
            for path in [site.routes.private].into_iter().chain(site.routes.optional) {
                let answer = site.send("GET", path, &[&header]).await;
                assert_eq!(answer.status, 401, "{path} {header}");
                assert_eq!(answer.all("www-authenticate"), ["Bearer error=\"invalid_token\""]);
                assert_eq!(answer.all("cache-control"), ["no-store"]);
                bodies.push(answer.body);
            }
        }
        bodies.dedup();
        assert_eq!(bodies, [r#"{"error":"invalid_token"}"#]);
        assert_eq!(site.status("GET", site.routes.public, &[&cookie("x")]).await, 200, "a public page stays public");
    }
}

pub(crate) async fn two_methods_at_once_are_a_bad_request(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    let token = site.log_in_by_http("alice").await;
    let cookie = site.cookie(&token);
    let (private, public) = (site.routes.private, site.routes.public);
    for headers in [
        vec![cookie.clone(), bearer(&token)],
        vec![cookie.clone(), bearer("garbage")],
        vec![cookie.clone(), bearer("not a token")],
        vec![bearer(&token), bearer(&token)],
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let pages = [private, public].into_iter().chain(site.routes.optional).map(|path| ("GET", path));
        for (method, path) in pages.chain([("POST", "/logout")]) {
            let answer = site.send(method, path, &headers).await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(answer.all("www-authenticate"), ["Bearer error=\"invalid_request\""]);
            answer.assert_clears_nothing(path);
        }
    }
    assert_eq!(site.private(&cookie).await.0, 200, "the session is untouched");
}

pub(crate) async fn hostile_headers_are_refused(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    for size in [1_000, 9_000, 17_000, 64 * 1024] {
        for header in [site.cookie(&"x".repeat(size)), bearer(&"x".repeat(size))] {
            let status = site.private(&header).await.0;
            // The HTTP server itself may refuse very large headers, with 431.
            assert!(status == 401 || status == 431, "{size}: {status}");
        }
    }
    let private = site.routes.private;
    let many: Vec<_> = (0..50).map(|n| site.cookie(&n.to_string())).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(site.status("GET", private, &many).await, 401);
    let value = [site.routes.cookie.as_bytes(), b"=\xff\xfe"].concat();
    let value = reqwest::header::HeaderValue::from_bytes(&value).unwrap();
    let raw = site.client.get(site.url(private)).header("cookie", value).send().await.unwrap();
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

pub(crate) async fn keys_and_module_are_served(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    let keys = site.send("GET", "/.well-known/jwks.json", &[]).await;
    assert_eq!(keys.json()["keys"][0]["kty"], "OKP");
    assert!(keys.json()["keys"][0].get("d").is_none());
    let module = site.send("GET", "/signoff.js", &[]).await;
    assert_eq!(module.all("content-type"), ["text/javascript; charset=utf-8"]);
    assert_eq!(module.all("cache-control"), ["no-store"]);
    assert!(module.body.contains("export"));
}
