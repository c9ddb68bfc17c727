//! A browser and the jar side by side: both get the same answers of a server that says what it is told to, and must agree
//! on what is kept and what is sent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use signoff::time::{Clock as _, SystemClock};
use signoff::{Cause, CookieLedger, KeySet, Login, MemoryStore, Receipt, Settings, SigningKey, Signoff, Subject};

use super::super::driver::{Browser, Kind};
use super::super::serve;
use super::jar::{By, Jar, Visit};

/// Browsers take every name below `localhost` for this machine, and for a site of its own.
pub(super) const HOST: &str = "app.bank.localhost";
pub(super) const DOMAIN: &str = "bank.localhost";
pub(super) const SITE: &str = "http://bank.localhost";

/// At the path of no cookie, and neither is its default path.
const PAGE: &str = "/app/deep/page";

pub(super) struct Trial {
    kind: Kind,
    browser: Browser,
    jar: Jar,
    server: Arc<Server>,
    port: u16,
    /// The site in the address bar. Another than ours embeds ours.
    top: &'static str,
    receipt: Receipt,
}

#[derive(Default)]
struct Server {
    answer: Mutex<Vec<String>>,
    /// The `Cookie` fields of the last request.
    heard: Mutex<Vec<String>>,
}

/// A cookie in a browser, or in the jar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) value: String,
    /// With a dot in front if subdomains have it too.
    pub(super) domain: String,
    pub(super) path: String,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: String,
    /// How long it will be kept.
    pub(super) days: Option<i64>,
    pub(super) partition: Option<String>,
}

impl Trial {
    pub(super) async fn start(kind: Kind) -> Self {
        let server = Arc::new(Server::default());
        let port = serve(Router::new().fallback(answer).with_state(Arc::clone(&server))).await;
        let browser = Browser::start(kind).await;
        Self { kind, browser, jar: Jar::default(), server, port, top: SITE, receipt: receipt().await }
    }

    /// Shows a page of ours, or a page of another site that embeds ours.
    pub(super) async fn open(&mut self, top: &'static str) {
        self.top = top;
        let url = if top == SITE { self.url() } else { format!("{top}:{}/", self.port) };
        self.browser.open(&url).await;
    }

    /// What a logout answers with.
    pub(super) fn cleared(&self, ledger: &CookieLedger) -> Vec<String> {
        self.receipt.headers(ledger, None).into_iter().map(|(_, value)| value).collect()
    }

    /// What is kept after these `Set-Cookie` fields.
    pub(super) async fn answer(&mut self, fields: &[String]) -> Vec<Kept> {
        self.answer_with("nothing", fields).await
    }

    /// The same of fields with this mistake.
    pub(super) async fn answer_with(&mut self, mistake: &str, fields: &[String]) -> Vec<Kept> {
        fields.clone_into(&mut self.server.answer.lock().unwrap());
        self.request().await;
        let (jar, visit) = (&mut self.jar, visit(self.top));
        // Firefox gives a partition to everything that another site embeds, whether it asks for one or not (State
        // Partitioning): there, `Partitioned` does not make another cookie of it.
        let implied = if self.kind == Kind::Firefox && self.top != SITE { "; Partitioned" } else { "" };
        let set = |field| Some((field, jar.set(&format!("{field}{implied}"), &visit).err()?));
        let ignored: Vec<_> = fields.iter().filter_map(set).collect();
        let mut kept: Vec<_> = self.browser.all_cookies().await.iter().map(in_browser).collect();
        kept.sort();
        let mut wanted: Vec<_> = self.jar.cookies().iter().map(in_jar).collect();
        wanted.sort();
        assert_eq!(kept, wanted, "{mistake} is wrong; the jar ignored {ignored:#?}");
        kept
    }

    /// The cookies that our page is asked with.
    pub(super) async fn ask(&mut self) -> Vec<String> {
        let pairs = |field: &str| {
            let mut pairs: Vec<_> = field.split("; ").filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
            pairs.sort();
            pairs
        };
        self.request().await;
        let heard = pairs(&self.server.heard.lock().unwrap().join("; "));
        assert_eq!(heard, pairs(&self.jar.send(&visit(self.top))));
        if self.top == SITE {
            let script = Visit { by: By::Script, ..visit(SITE) };
            let read = self.browser.run("return document.cookie;").await;
            assert_eq!(pairs(read.as_str().unwrap()), pairs(&self.jar.send(&script)), "what scripts read");
        }
        heard
    }

    async fn request(&self) {
        let url = self.url();
        let script = if self.top == SITE {
            format!("await (await fetch('{url}', {{ cache: 'no-store' }})).text();")
        } else {
            format!(
                "await new Promise((resolve) => {{
                    const frame = document.createElement('iframe');
                    frame.onload = resolve;
                    frame.src = '{url}';
                    document.body.append(frame);
                }});"
            )
        };
        self.server.heard.lock().unwrap().clear();
        self.browser.run(&script).await;
        assert!(self.server.answer.lock().unwrap().is_empty(), "no request came");
    }

    fn url(&self) -> String {
        format!("http://{HOST}:{}{PAGE}", self.port)
    }
}

fn visit(top: &str) -> Visit<'_> {
    let by = if top == SITE { By::SameSite } else { By::CrossSiteSubresource };
    // This machine counts as safe (W3C, Secure Contexts, section 3.1).
    Visit { host: HOST, path: PAGE, tls: true, by, top, now: now() }
}

fn now() -> i64 {
    SystemClock::new().wall().unwrap().as_secs()
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let mut response = Html("<!doctype html><title>ready</title><body>").into_response();
    // Not the icons that browsers ask for by themselves.
    if request.uri().path() == PAGE {
        let heard = request.headers().get_all(COOKIE).iter().map(|field| field.to_str().unwrap().to_owned());
        *server.heard.lock().unwrap() = heard.collect();
        for field in std::mem::take(&mut *server.answer.lock().unwrap()) {
            response.headers_mut().append(SET_COOKIE, field.parse().unwrap());
        }
    }
    response
}

/// One is enough: what is cleared is up to the ledger alone.
async fn receipt() -> Receipt {
    let keys = KeySet::new(SigningKey::generate().unwrap());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
    let issued = signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap()
}

fn days(expires: f64) -> i64 {
    ((expires - now() as f64) / 86_400.0).round() as i64
}

fn in_browser(cookie: &Value) -> Kept {
    let text = |name: &str| cookie[name].as_str().map(str::to_owned);
    Kept {
        name: text("name").unwrap(),
        value: text("value").unwrap(),
        domain: text("domain").unwrap(),
        path: text("path").unwrap(),
        secure: cookie["secure"].as_bool().unwrap(),
        http_only: cookie["httpOnly"].as_bool().unwrap(),
        same_site: text("sameSite").unwrap_or_else(|| "Default".to_owned()),
        days: cookie["expiry"].as_f64().map(days),
        partition: text("partition"),
    }
}

fn in_jar(cookie: &super::jar::Cookie) -> Kept {
    Kept {
        name: cookie.name.clone(),
        value: cookie.value.clone(),
        domain: format!("{}{}", if cookie.host_only { "" } else { "." }, cookie.domain),
        path: cookie.path.clone(),
        secure: cookie.secure,
        http_only: cookie.http_only,
        same_site: format!("{:?}", cookie.same_site),
        days: cookie.expires.map(|at| days(at as f64)),
        partition: cookie.partition.clone(),
    }
}
