//! actix-session with its Redis store, as a process: `serve REDIS_URL` or `measure REDIS_URL`.
//!
//! It ends with its standard input, so it never outlives whoever started it.

mod app;
mod measure;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use actix_session::storage::RedisSessionStore;
use actix_web::cookie::Key;
use actix_web::dev::Server;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::io::AsyncReadExt;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (order, url) = match args.as_slice() {
        [order, url] => (order.as_str(), url),
        _ => return Err("serve REDIS_URL, or measure REDIS_URL".into()),
    };
    let (store, key) = (RedisSessionStore::new(url).await?, Key::generate());
    match order {
        "serve" => serve(store, key).await,
        "measure" => measure::serve(store, key).await,
        other => Err(format!("no order {other}").into()),
    }
}

async fn serve(store: RedisSessionStore, key: Key) -> Result<(), Box<dyn Error>> {
    let begun = Data::new(AtomicUsize::new(0));
    let app = move || {
        let sessions = app::sessions(store.clone(), key.clone());
        App::new().wrap(sessions).configure(app::routes(begun.clone()))
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0))?;
    until_the_end(server.addrs()[0], server.run()).await
}

/// Prints the address, and serves until standard input ends.
async fn until_the_end(address: SocketAddr, server: Server) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()?;
    tokio::select! {
        served = server => served?,
        _ = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => {}
    }
    Ok(())
}
