//! One route behind actix-session, to be measured as a whole service.

use std::error::Error;

use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::error::ErrorUnauthorized;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::get;
use actix_web::{App, HttpServer, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Prints the address, and serves on the first core until standard input ends.
pub(crate) async fn serve(store: RedisSessionStore, key: Key) -> Result<(), Box<dyn Error>> {
    let mut core = CpuSet::new();
    core.set(0);
    sched_setaffinity(None, &core)?;
    let token = token(store.clone(), key.clone()).await?;
    let app = move || {
        let token = token.clone();
        App::new()
            .route("/private", get().to(hello))
            .wrap(SessionMiddleware::new(store.clone(), key.clone()))
            .route("/tokens", get().to(move || std::future::ready(token.clone())))
    };
    let server = HttpServer::new(app).workers(1).tcp_nodelay(true).bind(("127.0.0.1", 0))?;
    crate::until_the_end(server.addrs()[0], server.run()).await
}

async fn hello(session: Session) -> Result<String> {
    let user: Option<String> = session.get("user")?;
    user.map(|user| format!("Hello {user}, you have 42 EUR.")).ok_or_else(|| ErrorUnauthorized("nobody"))
}

/// The value of the cookie of a session: only the middleware itself makes one.
async fn token(store: RedisSessionStore, key: Key) -> Result<String, Box<dyn Error>> {
    let log_in = get().to(async |session: Session| session.insert("user", "user-7").map(|()| ""));
    let app = App::new().route("/login", log_in).wrap(SessionMiddleware::new(store, key));
    let answer = call_service(&init_service(app).await, TestRequest::with_uri("/login").to_request()).await;
    let cookie = answer.response().cookies().next().ok_or("a login sets a cookie")?;
    Ok(cookie.value().to_owned())
}
