//! A site of the test's own in front of the bank: its pages use `signoff.js` as an application does, and the way to the
//! bank fails on demand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::driver::Browser;
use super::{http, serve};
use crate::bank::Bank;

/// Strict, and with trusted types, which refuse what writes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; \
                      require-trusted-types-for 'script'";

const PAGE: &str = "<!doctype html><title>Alice</title><body><p id=secret>42 EUR of Alice</p>\
                    <script type=module src=/page.js></script>";

/// What the pages do: their address says how they take a pending logout.
const SCRIPT: &str = r#"
    import * as signoff from "/signoff.js";
    const note = (text) => void fetch("/note", { method: "POST", body: text, keepalive: true });
    signoff.onLogout((event) => note(`logout ${JSON.stringify(event)}`));
    signoff.onPending((pending) => {
        note(`pending ${location.pathname}`);
        if (location.pathname === "/front") return true;
        if (location.pathname === "/own") return document.createElement("footer");
    });
    window.signoff = signoff;
    window.logIn = async (password = "correct horse") => {
        const body = JSON.stringify({ user: "alice", password });
        return (await fetch("/login", { method: "POST", headers: { "Content-Type": "application/json" }, body })).ok;
    };
"#;

/// How the site answers a logout.
#[derive(Clone, Copy)]
pub(super) enum Answers {
    /// As the bank does.
    Well,
    /// With a status of its own, and an empty JSON object.
    With(u16),
    /// 503, and that there is no point in trying again within the hour.
    Unavailable,
    /// 200, as a portal in a hotel does.
    Portal,
    /// With a redirect to the front page.
    Elsewhere,
    /// Never.
    Never,
    /// With the head of a good answer, and half of its body.
    Half,
    /// Never, although the bank has ended the session.
    Lost,
}

pub(super) struct Site {
    pub(super) bank: Bank,
    pub(super) url: String,
    /// Where the pages are served, behind the line that can be cut.
    behind: u16,
    line: Mutex<JoinHandle<()>>,
    gate: Arc<Gate>,
}

struct Gate {
    bank: String,
    client: reqwest::Client,
    answers: Mutex<Answers>,
    notes: Mutex<Vec<String>>,
    logouts: Mutex<usize>,
    helps: AtomicBool,
}

impl Site {
    pub(super) async fn start() -> Self {
        let bank = Bank::start("jwt").await;
        let gate = Arc::new(Gate {
            bank: bank.address().to_owned(),
            client: http(),
            answers: Mutex::new(Answers::Well),
            notes: Mutex::default(),
            logouts: Mutex::default(),
            helps: AtomicBool::new(true),
        });
        let page = async || headers("text/html", PAGE);
        let router = Router::new()
            .route("/page", get(page))
            .route("/next", get(page))
            .route("/front", get(page))
            .route("/own", get(page))
            // A page of this origin that knows nothing of the module.
            .route("/plain", get(async || headers("text/html", "<!doctype html><p>Plain")))
            .route("/page.js", get(async || headers("text/javascript", SCRIPT)))
            .route("/worker.js", get(async || headers("text/javascript", include_str!("worker.js"))))
            .route("/note", post(note))
            .fallback(forward)
            .with_state(Arc::clone(&gate));
        let behind = serve(router).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let line = Mutex::new(tokio::spawn(carry(listener, behind)));
        Self { bank, url, behind, line, gate }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(super) fn answers(&self, how: Answers) {
        *self.gate.answers.lock().unwrap() = how;
    }

    /// The header would clear everything, whatever the module was told to keep.
    pub(super) fn without_clear_site_data(&self) {
        self.gate.helps.store(false, Ordering::Relaxed);
    }

    /// Nobody listens any more, and what was connected is cut off.
    pub(super) async fn cut(&self) {
        let line = {
            let mut line = self.line.lock().unwrap();
            line.abort();
            std::mem::replace(&mut *line, tokio::spawn(async {}))
        };
        let _ = line.await;
    }

    pub(super) async fn mend(&self) {
        let listener = TcpListener::bind(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        *self.line.lock().unwrap() = tokio::spawn(carry(listener, self.behind));
    }

    /// What the pages have noted, oldest first.
    pub(super) fn notes(&self) -> Vec<String> {
        self.gate.notes.lock().unwrap().clone()
    }

    /// How many logouts were posted.
    pub(super) fn logouts(&self) -> usize {
        *self.gate.logouts.lock().unwrap()
    }

    /// Signs Alice in, shows her page, and returns her token, as a thief would have it.
    pub(super) async fn log_in(&self, browser: &Browser) -> String {
        self.show(browser, "/front").await;
        assert_eq!(browser.run("return await window.logIn();").await, true);
        self.show(browser, "/page").await;
        super::session_cookie(browser).await
    }

    /// Opens a page and waits for its script.
    pub(super) async fn show(&self, browser: &Browser, path: &str) {
        browser.open(&self.url(path)).await;
        browser.until("window.signoff").await;
    }

    /// Ends a session without this browser.
    pub(super) async fn end(&self, token: &str) {
        let request = self.gate.client.post(self.bank.url("/logout"));
        let answer = request.header("Cookie", format!("{}={token}", super::COOKIE)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// How the bank answers whoever has this token.
    pub(super) async fn replay(&self, token: &str) -> u16 {
        let request = self.gate.client.get(self.bank.url("/api/accounts"));
        let request = request.header("Cookie", format!("{}={token}", super::COOKIE));
        request.send().await.unwrap().status().as_u16()
    }
}

async fn note(State(gate): State<Arc<Gate>>, text: String) {
    gate.notes.lock().unwrap().push(text);
}

async fn forward(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let answers = *gate.answers.lock().unwrap();
    if !request.uri().path().starts_with("/logout") {
        return gate.ask_bank(request).await;
    }
    *gate.logouts.lock().unwrap() += 1;
    let json = [(CONTENT_TYPE, "application/json")];
    match answers {
        Answers::Well => gate.ask_bank(request).await,
        Answers::With(status) => (StatusCode::from_u16(status).unwrap(), json, "{}").into_response(),
        Answers::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "3600")], "{}").into_response(),
        Answers::Portal => headers("text/html", "Welcome to the hotel"),
        Answers::Elsewhere => (StatusCode::SEE_OTHER, [(LOCATION, "/front")]).into_response(),
        Answers::Never => std::future::pending().await,
        Answers::Half => {
            let half = Bytes::from_static(br#"{"status":"destroyed","session":true,"#);
            let first = futures_util::stream::iter([Ok::<_, std::io::Error>(half)]);
            let never = futures_util::stream::pending();
            (json, Body::from_stream(futures_util::StreamExt::chain(first, never))).into_response()
        }
        Answers::Lost => {
            let answer = gate.ask_bank(request).await;
            assert_eq!(answer.status(), 200);
            std::future::pending().await
        }
    }
}

impl Gate {
    async fn ask_bank(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let request = self.client.request(head.method, format!("http://{}{}", self.bank, head.uri));
        let mut answer = request.headers(head.headers).body(body).send().await.unwrap();
        let mut headers = std::mem::take(answer.headers_mut());
        headers.remove("transfer-encoding");
        if !self.helps.load(Ordering::Relaxed) {
            headers.remove("clear-site-data");
        }
        (answer.status(), headers, answer.bytes().await.unwrap()).into_response()
    }
}

/// Without `no-store`, which many forget: the pages go into the back/forward cache.
fn headers(kind: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)], body).into_response()
}

/// Carries bytes; aborted, it drops the listener and everything that was connected.
async fn carry(listener: TcpListener, behind: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut here, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut there = TcpStream::connect(("127.0.0.1", behind)).await?;
            tokio::io::copy_bidirectional(&mut here, &mut there).await
        });
    }
}

/// The body of a script that logs out, and returns what became of it.
pub(super) fn logout(options: &Value) -> String {
    format!(
        "try {{ return await window.signoff.logout({options}); }} \
         catch (error) {{ return {{ reason: error.reason, status: error.status, message: error.message }}; }}"
    )
}

/// Options for an unconfirmed logout that goes to `/next`.
pub(super) fn unconfirmed() -> Value {
    json!({ "unconfirmed": true, "next": "/next", "timeout": 1_000, "keep": ["theme"] })
}
