//! Session cookies that an application sets itself, or that move on with the session, in answers that come late.

use std::time::Duration;

use signoff::test_util::Fault;
use signoff::{Cause, CookieLedger, CookieSpec, Delivery};

use crate::server::{Adapter, BOTH, CLEARED, COOKIE, Server, bearer, cookie};

const THEME: &str = "theme=dark; Path=/";

fn set(token: &str) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

pub(crate) async fn a_cookie_whose_session_ended_meanwhile_is_cleared_instead(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let (mine, new) = (server.log_in("alice").await, server.log_in("alice").await);
        server.gate.say(&[("set-cookie", &set(&new)), ("set-cookie", THEME)]);
        for (path, headers) in [
            ("/says", vec![cookie(&mine)]),
            ("/says", vec![bearer(&mine)]),
            ("/says/public", vec![cookie(&mine)]),
            ("/says/public", vec![]),
        ] {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let answer = server.send("GET", path, &headers).await;
            assert_eq!(answer.all("set-cookie"), [&*set(&new), THEME], "a living one is the application's affair");
        }
        let held = server.begin("GET", "/says", &[&cookie(&mine)]).await;
        let _ = server.signoff.log_out(&[&new], Cause::logout()).await.unwrap();
        assert_eq!(held.finish().await.all("set-cookie"), [CLEARED, THEME], "{delivery:?}");
        let answer = server.send("GET", "/says/public", &[]).await;
        assert_eq!(answer.all("set-cookie"), [CLEARED, THEME], "whoever asks");
        server.gate.say(&[("set-cookie", CLEARED), ("set-cookie", THEME)]);
        assert_eq!(server.send("GET", "/says", &[&cookie(&mine)]).await.all("set-cookie"), [CLEARED, THEME]);
    }
}

pub(crate) async fn a_cookie_of_which_nothing_is_known_is_left_out(adapter: Adapter) {
    let server = adapter.start(Delivery::Opaque).await;
    let theirs = adapter.start(Delivery::Opaque).await.log_in("alice").await;
    server.gate.say(&[("set-cookie", THEME), ("set-cookie", &set(&theirs))]);
    server.switch.fail(0, u64::MAX, Fault::Refuse);
    assert_eq!(server.send("GET", "/says/public", &[]).await.all("set-cookie"), [THEME]);
    server.switch.heal();
    assert_eq!(server.send("GET", "/says/public", &[]).await.all("set-cookie"), [THEME, CLEARED]);
}

async fn rolling(adapter: Adapter) -> Server {
    let mut setup = adapter.setup(Delivery::Opaque);
    setup.cookies = CookieLedger::new(CookieSpec::host("sid").unwrap().max_age(Duration::from_secs(86_400)));
    setup.start().await
}

pub(crate) async fn a_cookie_that_the_browser_keeps_moves_on_with_the_session(adapter: Adapter) {
    let server = rolling(adapter).await;
    let token = server.log_in("alice").await;
    let rolled = format!("{}; Max-Age=86400", set(&token));
    let sets = async |header: &str| server.send("GET", "/private", &[header]).await.all("set-cookie");
    assert_eq!(sets(&cookie(&token)).await, [&*rolled]);
    assert!(sets(&cookie(&token)).await.is_empty(), "once for each time that the use is noted");
    server.clock.advance(Duration::from_secs(61));
    let before = server.switch.calls();
    assert!(sets(&bearer(&token)).await.is_empty(), "a program has no cookies");
    // Its use is noted beside the request, at the time that the clock shows then.
    while server.switch.calls() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.clock.advance(Duration::from_secs(61));
    assert_eq!(sets(&cookie(&token)).await, [&*rolled]);
    server.clock.advance(Duration::from_secs(61));
    server.switch.fail(0, u64::MAX, Fault::Refuse);
    let answer = server.send("GET", "/private", &[&cookie(&token)]).await;
    assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0), "not without the store's word");
    server.switch.heal();
    assert_eq!(sets(&cookie(&token)).await, [&*rolled]);
}

pub(crate) async fn a_cookie_does_not_move_on_when_its_session_ended_meanwhile(adapter: Adapter) {
    let server = rolling(adapter).await;
    for path in ["/logout", "/logout/everywhere"] {
        let token = server.log_in("alice").await;
        let held = server.begin("GET", "/says", &[&cookie(&token)]).await;
        assert_eq!(server.status("POST", path, &[&cookie(&token)]).await, 200);
        assert_eq!(held.finish().await.all("set-cookie"), [CLEARED], "{path}");
    }
}

pub(crate) async fn a_store_that_hangs_holds_no_answer_up_for_long(adapter: Adapter) {
    let server = adapter.start(Delivery::Opaque).await;
    let theirs = adapter.start(Delivery::Opaque).await.log_in("alice").await;
    server.gate.say(&[("set-cookie", &set(&theirs)), ("set-cookie", THEME)]);
    server.switch.fail(0, u64::MAX, Fault::Hang);
    let answer = tokio::time::timeout(Duration::from_secs(5), server.send("GET", "/says/public", &[])).await;
    assert_eq!(answer.unwrap().all("set-cookie"), [THEME]);
}
