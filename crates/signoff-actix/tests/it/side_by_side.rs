//! Two applications that do the same: on actix-session 0.11.0 with its Redis store (`peers/actix-session/src/app.rs`), and on
//! signoff.
//!
//! Somebody logs in and begins to send something; the server has seen who it is and waits for the rest. Meanwhile the person
//! logs out, which is answered with 200. Then the rest arrives.
//!
//! | the late request | on actix-session | on signoff |
//! |---|---|---|
//! | changes the session | 200; **logged in again** under a new key, and the answer sets it | 401, no cookie, logged out |
//! | changes the session's key | the same | the same |
//!
//! Both clear the cookie with the attributes that it was set with. While the store refuses to write, both say so and leave the
//! cookie, and a retry completes the logout.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::Server;
use actix_web::error::{ErrorServiceUnavailable, ErrorUnauthorized};
use actix_web::web::{Data, Payload, ServiceConfig, get, post};
use actix_web::{App, HttpServer, Result};
use signoff::test_util::{FailingStore, Fault, Switch};
use signoff::web::{Answer, Carrier, Web};
use signoff::{
    Context, CookieSpec, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, StepUp, Subject, Update,
};
use signoff_actix::{Auth, FromOurPages, Live, Replied, SignoffLayer, handlers};
use signoff_test_servers::{Peer, Redis, Sessions};
use signoff_web_suite::side_by_side::{Cookie, Late, Left, log_in, log_in_and_out, log_out, log_out_meanwhile, me};

use crate::app::on_a_thread;

type Begun = Data<AtomicUsize>;

/// With what makes its store fail.
async fn on_signoff() -> (Switch, SocketAddr) {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(store, KeySet::new(SigningKey::generate().unwrap()), settings).await.unwrap();
    let web = Web::new(signoff, CookieSpec::host("id").unwrap());
    (switch, on_a_thread(move || server(&web)).await)
}

fn server(web: &Web) -> (SocketAddr, Server) {
    let (begun, layer) = (Data::new(AtomicUsize::new(0)), SignoffLayer::new(web.clone()));
    let app = move || App::new().wrap(layer.clone()).app_data(begun.clone()).configure(routes);
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).unwrap();
    (server.addrs()[0], server.run())
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/login", post().to(welcome))
        .route("/me", get().to(async |live: Live| live.subject().to_owned()))
        .route("/note", post().to(note))
        .route("/renew", post().to(renew))
        .route("/begun", get().to(async |begun: Begun| begun.load(Ordering::SeqCst).to_string()))
        .route("/logout", post().to(handlers::logout));
}

/// The name is the password.
async fn welcome(site: FromOurPages, auth: Auth, name: String) -> Replied {
    match Subject::new(&name) {
        Ok(subject) => auth.log_in(&site, Login::new(subject), Carrier::Cookie).await.into(),
        Err(_) => Answer::Unauthenticated.into(),
    }
}

/// Sees who it is, receives what was written, and keeps it in the session.
async fn note(begun: Begun, live: Live, auth: Auth, body: Payload) -> Result<String> {
    let session = auth.signoff().session(&live).await.map_err(ErrorServiceUnavailable)?;
    let session = session.ok_or_else(|| ErrorUnauthorized("nobody"))?;
    let note = received(&begun, body).await?;
    match auth.signoff().update_session(&live, session.version, &note).await.map_err(ErrorServiceUnavailable)? {
        Update::Saved(_) => Ok(format!("kept for {}", live.subject())),
        _ => Err(ErrorUnauthorized("nobody")),
    }
}

/// Sees who it is, receives something, and changes the session's key, as after a change of rights.
async fn renew(begun: Begun, _: Live, site: FromOurPages, auth: Auth, body: Payload) -> Result<Replied> {
    received(&begun, body).await?;
    Ok(auth.step_up(&site, StepUp::authenticated_again(), Context::new(), Carrier::Cookie).await.into())
}

async fn received(begun: &AtomicUsize, body: Payload) -> Result<Vec<u8>> {
    begun.fetch_add(1, Ordering::SeqCst);
    Ok(body.to_bytes().await?.into())
}

/// The peer in a process.
fn on_actix_session(redis: &Redis) -> (Peer, SocketAddr) {
    let (peer, address) = Peer::serve(Sessions::Actix(&redis.url())).unwrap();
    (peer, address.parse().unwrap())
}

#[tokio::test]
async fn on_signoff_a_late_request_brings_nothing_back() {
    for path in ["/note", "/renew"] {
        let (_switch, address) = on_signoff().await;
        let late = log_out_meanwhile(address, path).await;
        assert_eq!(late, Late { status: 401, cookie: Cookie::Untouched, captured: 401 }, "{path}");
    }
}

#[tokio::test]
async fn on_actix_session_a_late_request_logs_in_again_under_a_new_key() {
    let redis = Redis::start().unwrap();
    let (_peer, address) = on_actix_session(&redis);
    for path in ["/note", "/renew"] {
        let late = log_out_meanwhile(address, path).await;
        assert_eq!(late, Late { status: 200, cookie: Cookie::Another(200), captured: 401 }, "{path}");
    }
}

#[tokio::test]
async fn both_take_the_cookie_out_of_the_browser() {
    let redis = Redis::start().unwrap();
    let (_peer, theirs) = on_actix_session(&redis);
    let (_switch, ours) = on_signoff().await;
    for address in [theirs, ours] {
        let left = log_in_and_out(address, || ()).await;
        assert_eq!(left, Left { status: 200, cookie: false, captured: 401 });
    }
}

/// What a logout answers while the store refuses to write, what a retry does afterwards, and what `/me` then says.
async fn refused_and_retried(address: SocketAddr, refuse: impl Fn(bool)) -> [u16; 3] {
    refuse(false);
    let cookie = log_in(address).await;
    refuse(true);
    let refused = log_out(address, &cookie).await;
    refuse(false);
    [refused, log_out(address, &cookie).await, me(address, &cookie).await]
}

#[tokio::test]
async fn both_tell_of_a_store_that_refuses_leave_the_cookie_and_complete_a_retry() {
    let redis = Redis::start().unwrap();
    let (_peer, theirs) = on_actix_session(&redis);
    // As a primary does that has lost its replicas.
    let refuse = |does| tell(&redis, if does { "min-replicas-to-write 1" } else { "min-replicas-to-write 0" });
    let left = log_in_and_out(theirs, || refuse(true)).await;
    assert_eq!(left, Left { status: 500, cookie: true, captured: 200 });
    assert_eq!(refused_and_retried(theirs, refuse).await, [500, 200, 401]);

    let (switch, ours) = on_signoff().await;
    let refuse = |does| if does { switch.fail(0, u64::MAX, Fault::Refuse) } else { switch.heal() };
    let left = log_in_and_out(ours, || refuse(true)).await;
    assert_eq!(left, Left { status: 503, cookie: true, captured: 200 });
    assert_eq!(refused_and_retried(ours, refuse).await, [503, 200, 401]);
}

fn tell(redis: &Redis, setting: &str) {
    let mut line = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    write!(line, "CONFIG SET {setting}\r\n").unwrap();
    let mut answer = [0; 5];
    line.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}
