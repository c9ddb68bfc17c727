//! WebSockets: who gets one, and that it ends with the session.

use signoff::site::Unproven;
use signoff::test_util::Fault;
use signoff::web::Csrf;
use signoff::{Cause, Delivery, Subject};

use crate::events::SOON;
use crate::server::{Adapter, BOTH, Server, bearer, cookie};
use crate::socket::Socket;

async fn open(server: &Server, header: &str) -> Socket {
    let mut socket = Socket::open(server, "/socket", &[header]).await.unwrap();
    socket.assert_echoes("open").await;
    socket
}

pub(crate) async fn a_socket_ends_with_its_session(adapter: Adapter) {
    for delivery in BOTH {
        let server = adapter.start(delivery).await;
        let (one, two, bob) = (server.log_in("alice").await, server.log_in("alice").await, server.log_in("bob").await);
        let mut out = open(&server, &cookie(&one)).await;
        let by_program = open(&server, &bearer(&one)).await;
        let mut ended = open(&server, &cookie(&two)).await;
        let mut stays = open(&server, &cookie(&bob)).await;
        out.assert_echoes("still here").await;
        // Over another connection.
        assert_eq!(server.status("POST", "/logout", &[&cookie(&one)]).await, 200);
        out.assert_is_closed(1008, SOON, "logged out").await;
        by_program.assert_is_closed(1008, SOON, "the same session").await;
        ended.assert_echoes("another session of the same person").await;
        // By somebody who has no request of theirs: an operator, a job.
        let alice = Subject::new("alice").unwrap();
        let left = server.signoff.sessions(&alice, None).await.unwrap();
        let _ = server.signoff.end_session(&alice, &left[0].id, Cause::logout()).await.unwrap().unwrap();
        ended.assert_is_closed(1008, SOON, "ended").await;
        stays.assert_echoes("another person").await;
    }
}

pub(crate) async fn without_a_session_there_is_no_socket(adapter: Adapter) {
    let server = adapter.start(Delivery::Opaque).await;
    let (dead, alive) = (server.log_in("alice").await, server.log_in("alice").await);
    let _ = server.signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
    for (path, headers, expect) in [
        ("/socket", vec![], Err(401)),
        ("/socket", vec![cookie(&dead)], Err(401)),
        ("/socket", vec![bearer(&dead)], Err(401)),
        ("/socket", vec![cookie(&alive), bearer(&alive)], Err(400)),
        ("/socket/optional", vec![], Ok(())),
        // Logged out is not anonymous.
        ("/socket/optional", vec![cookie(&dead)], Err(401)),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        assert_eq!(Socket::open(&server, path, &headers).await.map(drop), expect, "{path} {headers:?}");
    }
    server.switch.fail(0, u64::MAX, Fault::Refuse);
    let opened = Socket::open(&server, "/socket", &[&cookie(&alive)]).await;
    assert_eq!(opened.map(drop), Err(503), "an outage is not a refusal");
}

/// Any page may open a WebSocket to any host and read what comes; the browser sends the cookie along where `SameSite` lets it,
/// which it does for pages of other hosts of the same site.
pub(crate) async fn a_page_of_another_site_gets_no_socket(adapter: Adapter) {
    for csrf in [Csrf::Origin, Csrf::Token] {
        let mut setup = adapter.setup(Delivery::Jwt);
        setup.web = match csrf {
            Csrf::Token => |web| web.csrf(Csrf::Token).trusted_origin("https://app.example"),
            _ => |web| web.trusted_origin("https://app.example"),
        };
        let server = setup.start().await;
        let token = server.log_in("alice").await;
        let (cookie, bearer) = (cookie(&token), bearer(&token));
        let ours = format!("Origin: http://{}", server.address);
        for (fields, expect) in [
            (vec![&*cookie, "Origin: https://evil.example"], Err(403)),
            (vec![&*cookie, "Origin: null"], Err(403)),
            (vec![&*cookie, "Origin: https://evil.example", "Sec-Fetch-Site: same-site"], Err(403)),
            (vec![&*cookie, &*ours, "Sec-Fetch-Site: cross-site"], Err(403)),
            (vec![&*cookie, &*ours], Ok(())),
            (vec![&*cookie, &*ours, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: websocket"], Ok(())),
            (vec![&*cookie, "Origin: https://app.example"], Ok(())),
            // Not a browser, which cannot leave it out.
            (vec![&*cookie], Ok(())),
            (vec![&*bearer, "Origin: https://evil.example"], Ok(())),
        ] {
            for path in ["/socket", "/socket/optional"] {
                assert_eq!(Socket::open(&server, path, &fields).await.map(drop), expect, "{path} {fields:?}");
            }
        }
        let nobody = Socket::open(&server, "/socket/optional", &["Origin: https://evil.example"]).await;
        assert_eq!(nobody.map(drop), Ok(()), "what is for anybody is for anybody");
        assert_eq!(server.status("GET", "/private", &[&cookie, "Origin: https://evil.example"]).await, 200);
    }
    let mut setup = adapter.setup(Delivery::Jwt);
    setup.web = |web| web.unproven(Unproven::Refuse);
    let server = setup.start().await;
    let cookie = cookie(&server.log_in("alice").await);
    assert_eq!(Socket::open(&server, "/socket", &[&cookie]).await.map(drop), Err(403), "it says nothing of its origin");
}
