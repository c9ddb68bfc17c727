//! A server of the test's own, with a store that fails on demand and a clock that stands still.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use signoff::test_util::{FailingStore, ManualClock, Switch};
use signoff::time::Timestamp;
use signoff::web::Web;
use signoff::{CookieLedger, CookieSpec, Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};

use crate::answer::Answer;
use crate::app::{App, Gate, ROUTES};
use crate::site::Site;

pub(crate) const BOTH: [Delivery; 2] = [Delivery::Jwt, Delivery::Opaque];

/// The name of the session cookie.
pub const COOKIE: &str = "__Host-sid";

pub(crate) const CLEARED: &str =
    "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/// How a server of an adapter is started: it serves [`App`] until the test is over.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is one function")]
pub struct Adapter(pub fn(App) -> Pin<Box<dyn Future<Output = SocketAddr>>>);

impl Adapter {
    pub(crate) async fn start(self, delivery: Delivery) -> Server {
        self.setup(delivery).start().await
    }

    pub(crate) fn setup(self, delivery: Delivery) -> Setup {
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.delivery = delivery;
        settings.commit_timeout = Duration::from_secs(1);
        Setup {
            adapter: self,
            settings,
            store: MemoryStore::new(),
            key: SigningKey::generate().unwrap(),
            cookies: CookieLedger::new(CookieSpec::host("sid").unwrap()),
            web: |web| web,
        }
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adapter").finish_non_exhaustive()
    }
}

/// A server that is not yet started.
pub(crate) struct Setup {
    adapter: Adapter,
    pub(crate) settings: Settings,
    pub(crate) store: MemoryStore,
    pub(crate) key: SigningKey,
    pub(crate) cookies: CookieLedger,
    pub(crate) web: fn(Web) -> Web,
}

impl Setup {
    pub(crate) async fn start(self) -> Server {
        let store = FailingStore::new(self.store);
        let switch = store.switch();
        let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000).unwrap());
        let (keys, time) = (KeySet::new(self.key), Arc::new(clock.clone()));
        let signoff = Signoff::open_with_clock(store, keys, self.settings, time).await.unwrap();
        let web = (self.web)(Web::new(signoff.clone(), self.cookies));
        let gate = Arc::new(Gate::default());
        let address = (self.adapter.0)(App { web, gate: Arc::clone(&gate) }).await;
        let site = Site::new(address.to_string(), &ROUTES, ());
        Server { signoff, switch, clock, site, gate }
    }
}

/// A site of which the tests hold the inside.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) signoff: Signoff,
    pub(crate) switch: Switch,
    pub(crate) clock: ManualClock,
    pub(crate) site: Site,
    pub(crate) gate: Arc<Gate>,
}

impl Deref for Server {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Server {
    pub(crate) async fn log_in(&self, name: &str) -> String {
        let issued = self.signoff.log_in(Login::new(Subject::new(name).unwrap()).device("Test")).await.unwrap();
        issued.token.expose().to_owned()
    }

    /// A request that is held up within its handler.
    pub(crate) async fn begin(&self, method: &'static str, path: &'static str, headers: &[&str]) -> Held {
        let (server, headers) = (self.clone(), headers.iter().map(|header| (*header).to_owned()).collect::<Vec<_>>());
        self.gate.hold();
        let answer = tokio::spawn(async move {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            server.send(method, path, &headers).await
        });
        self.gate.entered().await;
        Held { gate: Arc::clone(&self.gate), answer }
    }
}

/// A request that is held up.
pub(crate) struct Held {
    gate: Arc<Gate>,
    answer: tokio::task::JoinHandle<Answer>,
}

impl Held {
    pub(crate) async fn finish(self) -> Answer {
        self.gate.open();
        self.answer.await.unwrap()
    }
}

pub(crate) fn cookie(token: &str) -> String {
    format!("Cookie: {COOKIE}={token}")
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}
