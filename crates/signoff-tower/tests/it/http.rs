//! The layer, the extractors and the handlers: statuses, headers and bodies, byte for byte where it matters.

use signoff::test_util::Fault;
use signoff::web::Web;
use signoff::{Cause, Delivery, Subject};

use crate::server::{BOTH, COOKIE, Server};

const CLEARED: &str =
    "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

fn cookie(token: &str) -> String {
    format!("Cookie: {COOKIE}={token}")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[tokio::test]
async fn who_gets_in() {
    for delivery in BOTH {
        let server = Server::start(delivery).await;
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

#[tokio::test]
async fn all_bad_credentials_get_the_same_answer() {
    for delivery in BOTH {
        let server = Server::start(delivery).await;
        let (revoked, other) = (server.log_in("alice").await, server.log_in("bob").await);
        let _ = server.signoff.log_out(&[&revoked], Cause::logout()).await.unwrap();
        let theirs = Server::start(delivery).await.log_in("alice").await;
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

#[tokio::test]
async fn two_methods_at_once_are_a_bad_request() {
    let server = Server::start(Delivery::Jwt).await;
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

#[tokio::test]
async fn hostile_headers_are_refused() {
    let server = Server::start(Delivery::Jwt).await;
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

#[tokio::test]
async fn a_logout_answers_with_everything_that_clears_the_browser() {
    for delivery in BOTH {
        for (path, proof) in [
            ("/logout", "Sec-Fetch-Site: same-origin".to_owned()),
            ("/logout/everywhere", "Sec-Fetch-Site: same-origin".to_owned()),
            ("/logout", "Origin: http://HOST".to_owned()),
        ] {
            let server = Server::start(delivery).await;
            let (token, sibling) = (server.log_in("alice").await, server.log_in("alice").await);
            let proof = proof.replace("HOST", &server.address.to_string());
            let answer = server.send("POST", path, &[&cookie(&token), &proof]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.all("set-cookie"), [CLEARED]);
            assert_eq!(answer.all("clear-site-data"), ["\"storage\""]);
            assert_eq!(answer.all("cache-control"), ["no-store"]);
            assert_eq!(answer.all("content-type"), ["application/json; charset=utf-8"]);
            assert_eq!(answer.all("vary"), ["Sec-Fetch-Site, Origin"]);
            assert_eq!(answer.all("x-content-type-options"), ["nosniff"]);
            assert_eq!(answer.all("referrer-policy"), ["no-referrer"]);
            assert!(answer.all("access-control-allow-origin").is_empty());
            let json = answer.json();
            assert_eq!(json["status"], "destroyed");
            assert_eq!((&json["session"], &json["tokens"]), (&true.into(), &true.into()));
            assert_eq!(json["logout_id"].as_str().unwrap().len(), 22);
            assert_eq!(json.as_object().unwrap().len(), 4);

            assert_eq!(server.status("GET", "/private", &[&cookie(&token)]).await, 401);
            let sibling = server.status("GET", "/private", &[&cookie(&sibling)]).await;
            assert_eq!(sibling, if path == "/logout" { 200 } else { 401 });
            let again = server.send("POST", path, &[&cookie(&token), &proof]).await;
            assert_eq!(
                (again.status, again.all("set-cookie")),
                (200, vec![CLEARED.to_owned()]),
                "a lost answer is repeated"
            );
        }
    }
}

#[tokio::test]
async fn an_application_may_keep_its_storage() {
    let server = Server::start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let spec = signoff::CookieSpec::host("sid").unwrap();
    let layer = signoff_tower::SignoffLayer::new(Web::new(server.signoff.clone(), spec).keep_storage());
    let logout = axum::routing::post(signoff_tower::handlers::logout);
    let app = axum::Router::new().route("/logout", logout).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/logout", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let request = server.client.post(url).header("cookie", format!("{COOKIE}={token}"));
    let answer = request.header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(answer.headers()["set-cookie"], CLEARED);
    assert!(!answer.headers().contains_key("clear-site-data"));
}

#[tokio::test]
async fn a_bearer_token_logs_out_without_touching_cookies() {
    let server = Server::start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let answer = server.send("POST", "/logout", &[&bearer(&token)]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.all("set-cookie").is_empty() && answer.all("clear-site-data").is_empty());
    assert_eq!(server.status("GET", "/private", &[&bearer(&token)]).await, 401);
}

#[tokio::test]
async fn every_cookie_presented_is_logged_out() {
    let server = Server::start(Delivery::Opaque).await;
    let (one, two) = (server.log_in("alice").await, server.log_in("alice").await);
    let planted = [format!("Cookie: {COOKIE}={one}"), format!("Cookie: {COOKIE}={two}; {COOKIE}=garbage")];
    let answer = server.send("POST", "/logout", &[&planted[0], &planted[1]]).await;
    assert_eq!(answer.status, 200);
    for token in [one, two] {
        assert_eq!(server.status("GET", "/private", &[&cookie(&token)]).await, 401);
    }
}

#[tokio::test]
async fn logout_is_for_post_from_our_own_pages() {
    let server = Server::start(Delivery::Jwt).await;
    let token = server.log_in("alice").await;
    let cookie = cookie(&token);
    for path in ["/logout", "/logout/everywhere"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let answer = server.send(method, path, &[&cookie]).await;
            assert_eq!((answer.status, answer.all("allow")), (405, vec!["POST".to_owned()]), "{method}");
        }
        for from in [
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Origin: https://evil.example",
            "Origin: null",
            "Referer: https://evil.example/",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: text/plain",
            "Sec-Purpose: prefetch",
        ] {
            let answer = server.send("POST", path, &[&cookie, from]).await;
            assert_eq!(answer.status, 403, "{from}");
            assert_eq!(answer.all("vary"), ["Sec-Fetch-Site, Origin"]);
            answer.assert_clears_nothing(from);
        }
    }
    assert_eq!(server.status("GET", "/private", &[&cookie]).await, 200, "the session is untouched");
    // A script that says nothing of its origin: logged out, but no page is cleared.
    let answer = server.send("POST", "/logout", &[&cookie]).await;
    assert_eq!((answer.status, answer.all("clear-site-data").len()), (200, 0));
}

#[tokio::test]
async fn without_a_credential_of_ours_nothing_is_cleared() {
    let server = Server::start(Delivery::Jwt).await;
    let theirs = Server::start(Delivery::Jwt).await.log_in("alice").await;
    for header in ["X-None: x".to_owned(), cookie("garbage"), cookie(&theirs), bearer(&theirs)] {
        for path in ["/logout", "/logout/everywhere"] {
            let answer = server.send("POST", path, &[&header, "Sec-Fetch-Site: same-origin"]).await;
            assert_eq!(answer.status, 401);
            answer.assert_clears_nothing(path);
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_confirm_is_a_503_that_clears_nothing() {
    for delivery in BOTH {
        for fault in [Fault::AnswerLost, Fault::Hang, Fault::Refuse] {
            if (delivery, fault) == (Delivery::Opaque, Fault::Hang) {
                // The look-up of the token hangs before the commit; that takes the handler's own eight seconds.
                continue;
            }
            for path in ["/logout", "/logout/everywhere"] {
                let server = Server::start(delivery).await;
                let token = server.log_in("alice").await;
                let headers = [&*cookie(&token), "Sec-Fetch-Site: same-origin"];
                server.switch.fail(0, u64::MAX, fault);
                let answer = server.send("POST", path, &headers).await;
                assert_eq!((answer.status, answer.all("retry-after")), (503, vec!["1".to_owned()]), "{fault:?}");
                assert_eq!(answer.all("cache-control"), ["no-store"]);
                answer.assert_clears_nothing(path);
                if fault != Fault::Hang {
                    server.switch.heal();
                    assert_eq!(server.status("POST", path, &headers).await, 200, "a retry completes");
                    assert_eq!(server.status("GET", "/private", &[headers[0]]).await, 401);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_outage_is_not_a_refusal() {
    let server = Server::start(Delivery::Opaque).await;
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

#[tokio::test]
async fn devices_are_listed_and_ended() {
    for delivery in BOTH {
        let server = Server::start(delivery).await;
        let (mine, other, bob) =
            (server.log_in("alice").await, server.log_in("alice").await, server.log_in("bob").await);
        let cookie = cookie(&mine);
        let list = async || server.send("GET", "/sessions", &[&cookie]).await;
        let answer = list().await;
        assert!(!answer.body.contains(&mine) && !answer.body.contains(&other));
        let listed = answer.json()["sessions"].as_array().unwrap().clone();
        assert_eq!(listed.len(), 2);
        let id =
            |current: bool| listed.iter().find(|s| s["current"] == current).unwrap()["id"].as_str().unwrap().to_owned();
        let theirs = server.signoff.sessions(&Subject::new("bob").unwrap(), None).await.unwrap()[0].id;

        for missing in ["x", &"A".repeat(22), &theirs.to_string()] {
            assert_eq!(server.status("DELETE", &format!("/sessions/{missing}"), &[&cookie]).await, 404);
        }
        let path = format!("/sessions/{}", id(false));
        assert_eq!(server.status("DELETE", &path, &[&cookie, "Sec-Fetch-Site: cross-site"]).await, 403);
        let ended = server.send("DELETE", &path, &[&cookie, "Sec-Fetch-Site: same-origin"]).await;
        assert_eq!((ended.status, ended.json()["status"].as_str()), (200, Some("destroyed")));
        assert!(ended.all("set-cookie").is_empty(), "this browser stays signed in");
        assert_eq!(server.status("GET", "/private", &[&crate::http::cookie(&other)]).await, 401);
        assert_eq!(server.status("GET", "/private", &[&crate::http::cookie(&bob)]).await, 200);
        assert_eq!(list().await.json()["sessions"].as_array().unwrap().len(), 1);

        let path = format!("/sessions/{}", id(true));
        let ended = server.send("DELETE", &path, &[&cookie, "Sec-Fetch-Site: same-origin"]).await;
        assert_eq!((ended.status, ended.all("set-cookie")), (200, vec![CLEARED.to_owned()]));
        assert_eq!(list().await.status, 401);
    }
}

#[tokio::test]
async fn keys_and_module_are_served() {
    let server = Server::start(Delivery::Jwt).await;
    let keys = server.send("GET", "/.well-known/jwks.json", &[]).await;
    assert_eq!(keys.json()["keys"][0]["kty"], "OKP");
    assert!(keys.json()["keys"][0].get("d").is_none());
    let module = server.send("GET", "/signoff.js", &[]).await;
    assert_eq!(module.all("content-type"), ["text/javascript; charset=utf-8"]);
    assert_eq!(module.all("cache-control"), ["no-store"]);
    assert!(module.body.contains("export"));
}
