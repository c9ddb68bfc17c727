//! A server of the test's own, with a store that fails on demand and a request that can be held up.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use signoff::test_util::{FailingStore, ManualClock, Switch};
use signoff::time::Timestamp;
use signoff::web::Web;
use signoff::{CookieSpec, Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject, Update};
use signoff_tower::{Auth, Live, SignoffLayer, handlers};
use tokio::sync::Notify;

pub(crate) const BOTH: [Delivery; 2] = [Delivery::Jwt, Delivery::Opaque];
pub(crate) const COOKIE: &str = "__Host-sid";

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) signoff: Signoff,
    pub(crate) switch: Switch,
    pub(crate) clock: ManualClock,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    gate: Arc<Gate>,
}

/// Holds a request up between its two halves.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) leave: Notify,
}

impl Server {
    pub(crate) async fn start(delivery: Delivery) -> Self {
        Self::start_with(delivery, |_| {}).await
    }

    pub(crate) async fn start_with(delivery: Delivery, change: impl FnOnce(&mut Settings)) -> Self {
        let store = FailingStore::new(MemoryStore::new());
        let switch = store.switch();
        let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000).unwrap());
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.delivery = delivery;
        settings.commit_timeout = std::time::Duration::from_secs(1);
        change(&mut settings);
        let keys = KeySet::new(SigningKey::generate().unwrap());
        let signoff = Signoff::open_with_clock(store, keys, settings, Arc::new(clock.clone())).await.unwrap();
        let gate = Arc::new(Gate::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(&signoff, &gate).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { signoff, switch, clock, address, client: reqwest::Client::new(), gate }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) async fn log_in(&self, name: &str) -> String {
        let issued = self.signoff.log_in(Login::new(Subject::new(name).unwrap()).device("Test")).await.unwrap();
        issued.token.expose().to_owned()
    }

    /// A request with headers, as `Name: value` lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn status(&self, method: &str, path: &str, headers: &[&str]) -> u16 {
        self.send(method, path, headers).await.status
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Nothing that a browser would take for the end of a session.
    pub(crate) fn assert_clears_nothing(&self, context: &str) {
        assert!(self.all("set-cookie").is_empty(), "{context}: {:?}", self.headers);
        assert!(self.all("clear-site-data").is_empty(), "{context}");
        assert!(!self.body.contains("destroyed"), "{context}: {}", self.body);
    }
}

fn router(signoff: &Signoff, gate: &Arc<Gate>) -> Router {
    Router::new()
        .route("/private", get(async |live: Live| live.subject().to_string()))
        .route(
            "/optional",
            get(async |live: Option<Live>| live.map_or_else(|| "nobody".into(), |l| l.subject().to_string())),
        )
        .route("/public", get(async || "anybody"))
        .route("/slow-save", post(slow_save))
        .route("/sessions", get(handlers::sessions))
        .route("/sessions/{id}", delete(handlers::end_session))
        .route("/logout", post(handlers::logout))
        .route("/logout/everywhere", post(handlers::logout_everywhere))
        .route("/refresh", post(handlers::refresh))
        .route("/.well-known/jwks.json", get(handlers::jwks))
        .route("/signoff.js", get(handlers::signoff_js))
        .layer(SignoffLayer::new(Web::new(signoff.clone(), CookieSpec::host("sid").unwrap())))
        .with_state(Arc::clone(gate))
}

/// Loads the session, waits, and saves it: the request that revives a session in other libraries.
async fn slow_save(State(gate): State<Arc<Gate>>, live: Live, auth: Auth) -> Json<Value> {
    let session = auth.signoff().session(&live).await.unwrap();
    gate.entered.notify_one();
    gate.leave.notified().await;
    let saved = match session {
        Some(session) => auth.signoff().update_session(&live, session.version, b"late").await.unwrap(),
        None => Update::Gone,
    };
    Json(json!({ "saved": matches!(saved, Update::Saved(_)), "gone": saved == Update::Gone }))
}
