//! Requests a second of whole services: signoff's layer beside no authentication at all, and beside what else people put there.
//!
//! Each server is a process with a runtime of one thread, bound to one core; the client is bound to the other. All answer the
//! same words to `GET /private`.

mod actix;
mod load;
mod serve;
mod server;

use std::error::Error;
use std::time::Duration;

use signoff_benches::{Contestant, Length, Unit, claim, file_system, interleave, interleave_all, remark};
use signoff_test_servers::{Peer, Redis, Sessions};

use load::{Line, Request, most, p99};
use server::{Server, bind_to};

type Failure = Box<dyn Error + Send + Sync>;

/// The cores of a server and of the client.
const SERVER: [usize; 1] = [0];
const CLIENT: [usize; 1] = [1];

/// At once.
const CONNECTIONS: usize = 32;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("--serve") {
        let (Some(name), Some(place)) = (args.next(), args.next()) else { return Err("--serve NAME PLACE".into()) };
        bind_to(&SERVER);
        return match name.as_str() {
            "actix" => actix_web::rt::System::new().block_on(actix::run(&place)),
            name => runtime()?.block_on(serve::run(name, &place)),
        };
    }
    let length = Length::from_args();
    // A server has its core for itself: what it asks shares the client's.
    bind_to(&CLIENT);
    let redis = Redis::start().map_err(|error| error.to_string())?;
    // Peers are built first where that is still to be done, on both.
    bind_to(&[SERVER, CLIENT].concat());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let place = folder.path().to_str().ok_or("the folder has a name in UTF-8")?;
    let nothing = Server::start("nothing", place)?;
    let (jwt, opaque) = (Server::start("jwt", place)?, Server::start("opaque", place)?);
    let actix = Server::start("actix", place)?;
    let by_hand = Server::start("redis", &redis.url())?;
    let peers = [
        Server::peer(Sessions::TowerSqlite(folder.path()))?,
        Server::peer(Sessions::TowerCached(folder.path()))?,
        Server::peer(Sessions::Actix(&redis.url()))?,
    ];
    // These cannot bind themselves.
    bind_to(&SERVER);
    let fastify = Server::from(Peer::fastify()?);
    let express = Server::from(Peer::express(&redis.url())?);
    let flask = Server::from(Peer::flask(&redis.url(), Duration::from_secs(900))?);
    bind_to(&CLIENT);
    let runtime = runtime()?;
    let bearer = |token: &str| Request::new("GET", "/private", &[("authorization", &format!("Bearer {token}"))]);
    let cookie = |name: &str, token: &str| Request::new("GET", "/private", &[("cookie", &format!("{name}={token}"))]);
    let first = |server: &Server| runtime.block_on(tokens(server.address())).map(|tokens| tokens[0].clone());

    remark(format_args!("sessions on {}; {CONNECTIONS} connections", file_system(folder.path())));
    // Short, so that all of them meet the same moods of the machine.
    let slice = Duration::from_millis(250);
    let round = |server: &Server, request: Request| {
        let (address, runtime) = (server.address().to_owned(), &runtime);
        move || runtime.block_on(most(&address, &request, CONNECTIONS, slice)).expect("the server answers")
    };
    let token = first(&jwt)?;
    let contestants = vec![
        Contestant::new("no authentication", round(&nothing, Request::new("GET", "/private", &[]))),
        Contestant::new("signoff, EdDSA JWT seen before", round(&jwt, bearer(&token))),
        Contestant::new(
            "signoff, opaque token in a cookie",
            round(&opaque, cookie("__Host-signoff", &first(&opaque)?)),
        ),
        Contestant::new("jsonwebtoken HS256 and Redis EXISTS by hand", round(&by_hand, bearer(&first(&by_hand)?))),
        Contestant::new("tower-sessions 0.14 on its SQLite store", round(&peers[0], cookie("id", &first(&peers[0])?))),
        Contestant::new("the same behind its moka store", round(&peers[1], cookie("id", &first(&peers[1])?))),
        Contestant::new(
            "signoff on actix-web, the same cookie",
            round(&actix, cookie("__Host-signoff", &first(&actix)?)),
        ),
        Contestant::new("actix-session 0.11 on its Redis store", round(&peers[2], cookie("id", &first(&peers[2])?))),
        Contestant::new("Fastify 5.12, fast-jwt 6.3, EdDSA seen before", round(&fastify, bearer(&first(&fastify)?))),
        Contestant::new(
            "Express 5.3, jsonwebtoken 9.0 HS256, Redis EXISTS",
            round(&express, bearer(&first(&express)?)),
        ),
        Contestant::new("Flask 3.1, Flask-JWT-Extended 4.7 HS256, Redis GET", round(&flask, bearer(&first(&flask)?))),
        // What a layer that costs nothing would do.
        Contestant::new("no authentication, the JWT in the request", round(&nothing, bearer(&token))),
    ];
    let all = interleave_all("GET /private, whole services", Unit::PerSecond, length.pick(45, 5), contestants);
    let [base, by_jwt, by_cookie, by_hand, sqlite, moka, on_actix, actix_session, .., floor] = all.as_slice() else {
        return Err("too few series".into());
    };
    claim("web-jwt", by_jwt, base);
    claim("web-opaque", by_cookie, base);
    claim("web-redis", by_jwt, by_hand);
    remark(format_args!("  a layer that costs nothing would have {:.3}", floor.over(by_hand)));
    claim("web-tower-sqlite", by_cookie, sqlite);
    claim("web-tower-moka", by_cookie, moka);
    claim("web-actix-redis", on_actix, actix_session);
    slowest(&runtime, length, &opaque, &nothing, by_cookie.median())
}

/// What logouts, which go to the disk, do to those who are only let in.
fn slowest(
    runtime: &tokio::runtime::Runtime,
    length: Length,
    ours: &Server,
    base: &Server,
    maximum: f64,
) -> Result<(), Failure> {
    let slice = Duration::from_millis(500);
    let rate = maximum / 2.0;
    let token = runtime.block_on(tokens(ours.address()))?[0].clone();
    let cookie = |token: &str| format!("__Host-signoff={token}");
    let request = Request::new("GET", "/private", &[("cookie", &cookie(&token))]);
    let logouts = (rate * slice.as_secs_f64() / 100.0) as usize;
    let [mixed, plain] = interleave(
        &format!("p99 at {rate:.0} requests/s, half of what signoff bears; ours with one logout in a hundred"),
        Unit::Nanoseconds,
        length.pick(41, 9),
        [
            Contestant::new("signoff, opaque token in a cookie", || {
                let rare = runtime.block_on(async {
                    let mut rare = Vec::new();
                    while rare.len() < logouts {
                        let more = tokens(ours.address()).await.expect("the server answers");
                        rare.extend(more.iter().map(|token| {
                            let fields = [("cookie", cookie(token)), ("sec-fetch-site", "same-origin".to_owned())];
                            Request::new(
                                "POST",
                                "/logout",
                                &fields.each_ref().map(|(name, value)| (*name, value.as_str())),
                            )
                        }));
                    }
                    rare.truncate(logouts);
                    rare
                });
                let p99 = p99(ours.address(), &request, rare, (rate, CONNECTIONS, slice));
                runtime.block_on(p99).expect("the server answers")
            }),
            Contestant::new("no authentication", || {
                let request = Request::new("GET", "/private", &[]);
                let p99 = p99(base.address(), &request, Vec::new(), (rate, CONNECTIONS, slice));
                runtime.block_on(p99).expect("the server answers")
            }),
        ],
    );
    claim("web-p99", &mixed, &plain);
    Ok(())
}

async fn tokens(address: &str) -> Result<Vec<String>, Failure> {
    let (status, body) = Line::open(address).await?.read(&Request::new("GET", "/tokens", &[])).await?;
    if status != 200 {
        return Err(format!("no tokens: {status}").into());
    }
    Ok(body.lines().map(str::to_owned).collect())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
