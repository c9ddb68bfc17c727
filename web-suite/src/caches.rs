//! What caches may do with an answer.

use std::time::Duration;

use signoff::{Cause, Delivery};

use crate::server::{Adapter, BOTH, COOKIE, cookie};

pub(crate) async fn what_depends_on_who_asks_is_not_given_to_others(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let cookie = cookie(&server.log_in("alice").await);
        for headers in [vec![], vec![&*cookie]] {
            server.gate.say(&[]);
            let optional = server.send("GET", "/optional", &headers).await;
            assert_eq!((optional.all("cache-control"), optional.all("vary").len()), (vec!["no-store".to_owned()], 0));
            let public = server.send("GET", "/says/public", &headers).await;
            assert!(public.all("cache-control").is_empty() && public.all("vary").is_empty(), "nobody looked");
            server.gate.say(&[("cache-control", "public, max-age=60")]);
            let public = server.send("GET", "/says/public", &headers).await;
            assert_eq!(public.all("cache-control"), ["public, max-age=60"]);
            assert!(public.all("vary").is_empty());
        }
        server.gate.say(&[("cache-control", "private, max-age=60"), ("vary", "Accept-Language")]);
        let stored = server.send("GET", "/says", &[&cookie]).await;
        assert_eq!(stored.all("cache-control"), ["private, max-age=60"], "the application has the last word");
        assert_eq!(stored.all("vary"), ["Accept-Language", "Cookie, Authorization"]);
    }
}

/// Whoever stored such an answer would hand one person's session to others, or take theirs.
pub(crate) async fn an_answer_that_sets_the_session_cookie_is_not_stored(adapter: Adapter) {
    let server = adapter.start(Delivery::Jwt).await;
    let (token, dead) = (server.log_in("alice").await, server.log_in("alice").await);
    let _ = server.signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
    let cookies = [cookie(&token), cookie(&dead)];
    server.clock.advance(Duration::from_secs(500));
    for says in [&[][..], &[("cache-control", "public, max-age=60"), ("cache-control", "immutable")]] {
        server.gate.say(says);
        for cookie in &cookies {
            let answer = server.send("GET", "/says/public", &[cookie]).await;
            assert_eq!(answer.all("set-cookie").len(), 1, "renewed, or cleared");
            assert_eq!(answer.all("cache-control"), ["no-store"]);
        }
    }
    let fresh = server.log_in("alice").await;
    server.gate.say(&[("set-cookie", &format!("{COOKIE}={fresh}; Path=/")), ("cache-control", "max-age=60")]);
    let answer = server.send("GET", "/says/public", &[]).await;
    assert_eq!((answer.all("set-cookie").len(), answer.all("cache-control")), (1, vec!["no-store".to_owned()]));
}
