//! One route behind tower-sessions, to be measured as a whole service.

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::io::AsyncReadExt;
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

/// Prints the address, and serves on the first core until standard input ends.
pub(crate) async fn serve(file: &str, which: &str) -> Result<(), Box<dyn Error>> {
    let mut core = CpuSet::new();
    core.set(0);
    sched_setaffinity(None, &core)?;
    // Each of its connections has a thread, which inherits the core.
    let store = crate::open(file).await?;
    let id = crate::create(&store, 7).await?.to_string();
    let router = match which {
        "sqlite" => private(store),
        "moka" => private(crate::cached(store)),
        other => return Err(format!("no store {other}").into()),
    };
    let router = router.route("/tokens", get(async move || id));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    crate::say(format_args!("{}", listener.local_addr()?))?;
    tokio::select! {
        served = async { axum::serve(WithoutDelay(listener), router).await } => served?,
        _ = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => {}
    }
    Ok(())
}

fn private(store: impl SessionStore + Clone) -> Router {
    Router::new().route("/private", get(hello)).layer(SessionManagerLayer::new(store))
}

async fn hello(session: Session) -> Result<String, StatusCode> {
    let user: Option<String> = session.get("user").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    user.map(|user| format!("Hello {user}, you have 42 EUR.")).ok_or(StatusCode::UNAUTHORIZED)
}

/// Small answers go out at once.
struct WithoutDelay(tokio::net::TcpListener);

impl axum::serve::Listener for WithoutDelay {
    type Io = tokio::net::TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
