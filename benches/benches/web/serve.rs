//! The servers, each a process: one `GET /private` with the same answer, behind nothing, behind signoff, and behind what people
//! write by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use redis::aio::ConnectionManager;
use serde::{Deserialize, Serialize};
use signoff::web::Web;
use signoff::{CookieSpec, Delivery, Denied, KeySet, Login, Settings, SigningKey, Signoff, Subject};
use signoff_sqlx::SqliteStore;
use signoff_tower::{Live, SignoffLayer, handlers};
use tokio::net::TcpListener;

use crate::Failure;

const ISSUER: &str = "https://bank.example";
const AUDIENCE: &str = "https://bank.example/api";

/// Serves until the process ends, which its parent sees to.
pub(crate) async fn run(name: &str, place: &str) -> Result<(), Failure> {
    let router = match name {
        "nothing" => Router::new().route("/private", get(async || hello("alice"))),
        "jwt" => ours(Delivery::Jwt, place).await?,
        "opaque" => ours(Delivery::Opaque, place).await?,
        "redis" => by_hand(place).await?,
        other => return Err(format!("no server {other}").into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tell(listener.local_addr()?);
    axum::serve(ListenerWithoutDelay(listener), router).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn tell(address: SocketAddr) {
    println!("{address}");
}

pub(crate) fn hello(name: &str) -> String {
    format!("Hello {name}, you have 42 EUR.")
}

/// As the README shows it, on a SQLite file.
pub(crate) async fn open(delivery: Delivery, file: &str) -> Result<Signoff, Failure> {
    let store = SqliteStore::open(file).await?;
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    settings.delivery = delivery;
    Ok(Signoff::open(store, KeySet::new(SigningKey::generate()?), settings).await?)
}

async fn ours(delivery: Delivery, place: &str) -> Result<Router, Failure> {
    let signoff = open(delivery, &format!("{place}/{delivery:?}.sqlite3")).await?;
    Ok(Router::new()
        .route("/private", get(async |live: Live| hello(live.subject())))
        .route("/logout", post(handlers::logout))
        .layer(SignoffLayer::new(Web::new(signoff.clone(), CookieSpec::host("signoff")?)))
        .route("/tokens", get(tokens).layer(Extension(signoff))))
}

async fn tokens(Extension(signoff): Extension<Signoff>) -> Result<String, StatusCode> {
    log_in_a_thousand(&signoff).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// The tokens, a line for each, shown once: whoever logs out has been there.
pub(crate) async fn log_in_a_thousand(signoff: &Signoff) -> Result<String, Denied> {
    let mut tokens = String::new();
    for _ in 0..1_000 {
        let issued = signoff.log_in(Login::new(Subject::new("alice")?)).await?;
        signoff.authenticate(issued.token.expose()).await?;
        tokens += issued.token.expose();
        tokens.push('\n');
    }
    Ok(tokens)
}

#[derive(Clone)]
struct ByHand {
    key: Arc<DecodingKey>,
    validation: Arc<Validation>,
    redis: ConnectionManager,
}

/// What our tokens say as well, and RFC 9068 demands.
#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    exp: u64,
    iat: u64,
    auth_time: u64,
    jti: String,
    sid: String,
}

/// What people write: signature, issuer, audience and expiry by jsonwebtoken, and the list of revoked tokens in Redis.
async fn by_hand(redis: &str) -> Result<Router, Failure> {
    let secret = [7; 32];
    // The quicker of its two.
    jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default().map_err(|_| "installed twice")?;
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    let state = ByHand {
        key: Arc::new(DecodingKey::from_secret(&secret)),
        validation: Arc::new(validation),
        // As redis-rs recommends it: the plain connection stays broken once Redis was restarted.
        redis: redis::Client::open(redis)?.get_connection_manager().await?,
    };
    let claims = Claims {
        iss: ISSUER.into(),
        sub: "alice".into(),
        aud: AUDIENCE.into(),
        client_id: "app".into(),
        exp: 4_000_000_000,
        iat: 1_700_000_000,
        auth_time: 1_700_000_000,
        jti: "AZq3mWb6d0Gx5n0u3oQ2Yw".into(),
        sid: "AZq3mWb6cjS9d1m0c7V4rA".into(),
    };
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&secret))?;
    Ok(Router::new()
        .route("/private", get(async |Extension(claims): Extension<Claims>| hello(&claims.sub)))
        .route_layer(middleware::from_fn_with_state(state, check))
        .route("/tokens", get(async move || token)))
}

async fn check(State(by_hand): State<ByHand>, mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let field = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = field.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let data = jsonwebtoken::decode::<Claims>(token, &by_hand.key, &by_hand.validation);
    let claims = data.map_err(|_| StatusCode::UNAUTHORIZED)?.claims;
    let mut redis = by_hand.redis.clone();
    let revoked: bool = redis::cmd("EXISTS")
        .arg(format!("revoked:{}", claims.jti))
        .query_async(&mut redis)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    if revoked {
        return Err(StatusCode::UNAUTHORIZED);
    }
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}

/// Small answers go out at once.
struct ListenerWithoutDelay(TcpListener);

impl axum::serve::Listener for ListenerWithoutDelay {
    type Io = tokio::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
