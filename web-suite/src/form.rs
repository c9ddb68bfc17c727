//! Logging out by a plain HTML form.

use signoff::Delivery;
use signoff::test_util::Fault;

use crate::server::{Adapter, BOTH, CLEARED, Server, cookie};

const OURS: &str = "Sec-Fetch-Site: same-origin";

async fn start(adapter: Adapter, delivery: Delivery) -> Server {
    let mut setup = adapter.setup(delivery);
    setup.web = |web| web.after_logout("/goodbye").unwrap().after_logout("/goodbye?lang=de").unwrap();
    setup.start().await
}

pub(crate) async fn it_ends_on_a_page_of_the_list(adapter: Adapter) {
    for delivery in BOTH {
        let server = start(adapter, delivery).await;
        for (form, page) in [
            ("", "/goodbye"),
            ("next=/goodbye", "/goodbye"),
            ("next=%2Fgoodbye%3Flang%3Dde", "/goodbye?lang=de"),
            ("next=//evil.example", "/goodbye"),
            ("next=https://evil.example", "/goodbye"),
            ("next=%2F%5Cevil.example", "/goodbye"),
            ("next=/goodbye/../elsewhere", "/goodbye"),
            ("next=/goodbye%0d%0aSet-Cookie:+x%3Dy", "/goodbye"),
            ("next=/private", "/goodbye"),
            ("next=", "/goodbye"),
            ("other=/private", "/goodbye"),
        ] {
            for path in ["/logout", "/logout/everywhere"] {
                let cookie = cookie(&server.log_in("alice").await);
                let answer = server.submit(path, &[&cookie, OURS], form).await;
                assert_eq!((answer.status, answer.all("location")), (303, vec![page.to_owned()]), "{form}");
                assert_eq!(answer.all("set-cookie"), [CLEARED]);
                assert_eq!(answer.all("clear-site-data"), ["\"storage\""]);
                assert_eq!(answer.all("vary"), ["Sec-Fetch-Site, Origin"]);
                assert_eq!(answer.all("cache-control"), ["no-store"]);
                assert!(answer.body.is_empty() && answer.all("content-type").is_empty(), "{:?}", answer.headers);
                assert_eq!(server.status("GET", "/private", &[&cookie]).await, 401);
                let again = server.submit(path, &[&cookie, OURS], form).await;
                assert_eq!((again.status, again.all("location")), (303, vec![page.to_owned()]), "a double click");
            }
        }
        let nobody = server.submit("/logout", &[OURS], "").await;
        assert_eq!((nobody.status, nobody.all("location")), (303, vec!["/goodbye".to_owned()]));
        nobody.assert_clears_nothing("nobody");
    }
}

pub(crate) async fn what_is_not_done_is_not_shown_as_done(adapter: Adapter) {
    for delivery in BOTH {
        let server = start(adapter, delivery).await;
        let cookie = cookie(&server.log_in("alice").await);
        for (from, form, status) in [
            (OURS, "next=/goodbye&next=/goodbye".to_owned(), 400),
            (OURS, format!("padding={}", "x".repeat(5_000)), 400),
            ("Sec-Fetch-Site: cross-site", String::new(), 403),
            ("Sec-Fetch-Site: same-site", String::new(), 403),
            ("Origin: https://evil.example", String::new(), 403),
            ("Accept: text/html", String::new(), 403),
        ] {
            let answer = server.submit("/logout", &[&cookie, from], &form).await;
            assert_eq!((answer.status, answer.all("location").len()), (status, 0), "{from}");
            answer.assert_clears_nothing(from);
        }
        assert_eq!(server.status("GET", "/private", &[&cookie]).await, 200, "the session is untouched");
        server.switch.fail(0, u64::MAX, Fault::Refuse);
        let failed = server.submit("/logout", &[&cookie, OURS], "").await;
        assert_eq!((failed.status, failed.all("retry-after")), (503, vec!["1".to_owned()]));
        assert_eq!(failed.all("content-type"), ["text/html; charset=utf-8"]);
        assert!(failed.body.contains("still signed in") && failed.all("location").is_empty());
        failed.assert_clears_nothing("a store that fails");
        server.switch.heal();
        assert_eq!(server.submit("/logout", &[&cookie, OURS], "").await.status, 303, "a retry completes");
    }
}

pub(crate) async fn without_pages_the_answer_is_json(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let cookie = cookie(&server.log_in("alice").await);
    let answer = server.submit("/logout", &[&cookie, OURS], "next=/goodbye").await;
    assert_eq!((answer.status, answer.all("location").len()), (200, 0));
    assert_eq!(answer.json()["status"], "destroyed");
}
