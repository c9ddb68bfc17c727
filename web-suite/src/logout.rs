//! The handlers that log out: statuses, headers and bodies, byte for byte where it matters.

use signoff::test_util::Fault;
use signoff::web::Web;
use signoff::{CookieLedger, CookieSpec, Delivery};

use crate::server::{Adapter, BOTH, CLEARED, bearer, cookie};
use crate::site::Place;

pub(crate) async fn a_logout_answers_with_everything_that_clears_the_browser(place: impl Place) {
    for delivery in BOTH {
        for (path, proof) in [
            ("/logout", "Sec-Fetch-Site: same-origin".to_owned()),
            ("/logout/everywhere", "Sec-Fetch-Site: same-origin".to_owned()),
            ("/logout", "Origin: http://HOST".to_owned()),
        ] {
            let site = place.open(delivery).await;
            let (token, sibling) = (site.log_in_by_http("alice").await, site.log_in_by_http("alice").await);
            let proof = proof.replace("HOST", &site.address);
            let answer = site.send("POST", path, &[&site.cookie(&token), &proof]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.all("set-cookie"), [site.cleared()]);
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

            assert_eq!(site.private(&site.cookie(&token)).await.0, 401);
            let sibling = site.private(&site.cookie(&sibling)).await.0;
            assert_eq!(sibling, if path == "/logout" { 200 } else { 401 });
            let again = site.send("POST", path, &[&site.cookie(&token), &proof]).await;
            assert_eq!(
                (again.status, again.all("set-cookie")),
                (200, vec![site.cleared()]),
                "a lost answer is repeated"
            );
        }
    }
}

pub(crate) async fn an_application_may_keep_its_storage(adapter: Adapter) {
    let mut setup = adapter.setup(Delivery::Jwt);
    setup.web = Web::keep_storage;
    let server = setup.start().await;
    let cookie = cookie(&server.log_in("alice").await);
    let answer = server.send("POST", "/logout", &[&cookie, "Sec-Fetch-Site: same-origin"]).await;
    assert_eq!(answer.all("set-cookie"), [CLEARED]);
    assert!(answer.all("clear-site-data").is_empty());
}

pub(crate) async fn a_bearer_token_logs_out_without_touching_cookies(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    let token = site.log_in_by_http("alice").await;
    let answer = site.send("POST", "/logout", &[&bearer(&token)]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.all("set-cookie").is_empty() && answer.all("clear-site-data").is_empty());
    assert_eq!(site.private(&bearer(&token)).await.0, 401);
}

pub(crate) async fn every_cookie_presented_is_logged_out(place: impl Place) {
    let site = place.open(Delivery::Opaque).await;
    let (one, two) = (site.log_in_by_http("alice").await, site.log_in_by_http("alice").await);
    let name = site.routes.cookie;
    let planted = [site.cookie(&one), format!("Cookie: {name}={two}; {name}=garbage")];
    let answer = site.send("POST", "/logout", &[&planted[0], &planted[1]]).await;
    assert_eq!(answer.status, 200);
    for token in [one, two] {
        assert_eq!(site.private(&site.cookie(&token)).await.0, 401);
    }
}

pub(crate) async fn cookies_of_the_past_are_logged_out_and_cleared(adapter: Adapter) {
    for delivery in BOTH {
        for path in ["/logout", "/logout/everywhere"] {
            let mut setup = adapter.setup(delivery);
            let past = CookieSpec::unprefixed("sid", "/app", None).unwrap();
            setup.cookies = CookieLedger::new(CookieSpec::host("sid").unwrap()).retired(past).unwrap();
            let server = setup.start().await;
            let (mine, past) = (server.log_in("alice").await, server.log_in("alice").await);
            assert_eq!(server.status("GET", "/private", &[&format!("Cookie: sid={past}")]).await, 401);
            let both = format!("{}; sid={past}", cookie(&mine));
            assert_eq!(server.send("GET", "/private", &[&both]).await.body, "alice");
            let answer = server.send("POST", path, &[&both, "Sec-Fetch-Site: same-origin"]).await;
            let cleared = CLEARED.replace("__Host-sid=; Path=/;", "sid=; Path=/app;");
            assert_eq!((answer.status, answer.all("set-cookie")), (200, vec![CLEARED.to_owned(), cleared]));
            for token in [&mine, &past] {
                assert_eq!(server.status("GET", "/private", &[&bearer(token)]).await, 401, "{path} {delivery:?}");
            }
        }
    }
}

pub(crate) async fn logout_is_for_post_from_our_own_pages(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    let token = site.log_in_by_http("alice").await;
    let cookie = site.cookie(&token);
    for path in ["/logout", "/logout/everywhere"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let answer = site.send(method, path, &[&cookie]).await;
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
            let answer = site.send("POST", path, &[&cookie, from]).await;
            assert_eq!(answer.status, 403, "{from}");
            assert_eq!(answer.all("vary"), ["Sec-Fetch-Site, Origin"]);
            answer.assert_clears_nothing(from);
        }
    }
    assert_eq!(site.private(&cookie).await.0, 200, "the session is untouched");
    // A script that says nothing of its origin: logged out, but no page is cleared.
    let answer = site.send("POST", "/logout", &[&cookie]).await;
    assert_eq!((answer.status, answer.all("clear-site-data").len()), (200, 0));
}

pub(crate) async fn without_a_credential_of_ours_nothing_is_cleared(place: impl Place) {
    let site = place.open(Delivery::Jwt).await;
    let theirs = place.open(Delivery::Jwt).await.log_in_by_http("alice").await;
    for header in ["X-None: x".to_owned(), site.cookie("garbage"), site.cookie(&theirs), bearer(&theirs)] {
        for path in ["/logout", "/logout/everywhere"] {
            let answer = site.send("POST", path, &[&header, "Sec-Fetch-Site: same-origin"]).await;
            assert_eq!(answer.status, 401);
            answer.assert_clears_nothing(path);
        }
    }
}

pub(crate) async fn a_store_that_does_not_confirm_is_a_503_that_clears_nothing(adapter: Adapter) {
    for delivery in BOTH {
        for fault in [Fault::AnswerLost, Fault::Hang, Fault::Refuse] {
            if (delivery, fault) == (Delivery::Opaque, Fault::Hang) {
                // The look-up of the token hangs before the commit; that takes the handler's own eight seconds.
                continue;
            }
            for path in ["/logout", "/logout/everywhere"] {
                let server = adapter.start(delivery).await;
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

pub(crate) async fn devices_are_listed_and_ended(place: impl Place) {
    for delivery in BOTH {
        let site = place.open(delivery).await;
        let (mine, other, bob) =
            (site.log_in_by_http("alice").await, site.log_in_by_http("alice").await, site.log_in_by_http("bob").await);
        let (cookie, path) = (site.cookie(&mine), site.routes.sessions);
        let list = async || site.send("GET", path, &[&cookie]).await;
        let answer = list().await;
        assert!(!answer.body.contains(&mine) && !answer.body.contains(&other));
        let listed = answer.json()["sessions"].as_array().unwrap().clone();
        assert_eq!(listed.len(), 2);
        let id =
            |current: bool| listed.iter().find(|s| s["current"] == current).unwrap()["id"].as_str().unwrap().to_owned();
        let theirs = site.send("GET", path, &[&bearer(&bob)]).await.json();
        let theirs = theirs["sessions"][0]["id"].as_str().unwrap();

        for missing in ["x", &"A".repeat(22), theirs] {
            assert_eq!(site.status("DELETE", &format!("{path}/{missing}"), &[&cookie]).await, 404);
        }
        let device = format!("{path}/{}", id(false));
        assert_eq!(site.status("DELETE", &device, &[&cookie, "Sec-Fetch-Site: cross-site"]).await, 403);
        let ended = site.send("DELETE", &device, &[&cookie, "Sec-Fetch-Site: same-origin"]).await;
        assert_eq!((ended.status, ended.json()["status"].as_str()), (200, Some("destroyed")));
        assert!(ended.all("set-cookie").is_empty(), "this browser stays signed in");
        assert_eq!(site.private(&site.cookie(&other)).await.0, 401);
        assert_eq!(site.private(&site.cookie(&bob)).await.0, 200);
        assert_eq!(list().await.json()["sessions"].as_array().unwrap().len(), 1);

        let device = format!("{path}/{}", id(true));
        let ended = site.send("DELETE", &device, &[&cookie, "Sec-Fetch-Site: same-origin"]).await;
        assert_eq!((ended.status, ended.all("set-cookie")), (200, vec![site.cleared()]));
        assert_eq!(list().await.status, 401);
    }
}
