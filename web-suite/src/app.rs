//! What an adapter serves: the routes, and what their handlers do.
//!
//! | route | what it is |
//! |---|---|
//! | `GET /private`, `GET /optional`, `GET /public` | `Live`, `Option<Live>`, neither: the person, `nobody`, `anybody` |
//! | `GET /patient` | as `/private`, in a layer of its own with `Fenced::ReadThrough` |
//! | `GET /broken` | inside the layer something looks at the verdict and fails, with 418 |
//! | `GET /socket`, `GET /socket/optional` | `Live`, `Option<Live>`; a WebSocket that echoes, to the end of `Auth::until_over` |
//! | `POST /slow-save`, `GET /says` | [`App::slow_save`], [`App::says`], both for `Live` |
//! | `GET /says/public` | [`App::says`], without a look at who asks |
//! | `GET /events` | `Live`; the event `open`, and the end with `Auth::until_over` |
//! | `POST /login/{user}/{carrier}`, `POST /step-up/{scope}/{carrier}` | `FromOurPages`; [`App::log_in`], [`App::step_up`] |
//! | `GET`, `POST` `/guarded/site`, `/guarded/scope`, `/guarded/recent` | [`App::guard`] of that name; `guarded` |
//! | `GET /missing/guard`, `/missing/live` | a guard, and `Live`, without the layer around them |
//! | `POST /logout`, `POST /logout/everywhere`, `POST /refresh`, `GET /csrf` | the handlers of these names |
//! | `GET` and `DELETE` `/sessions`, `DELETE /sessions/{id}` | `sessions`, `end_other_sessions`, `end_session` |
//! | `GET /.well-known/jwks.json`, `GET /signoff.js` | `jwks`, `signoff_js` |
//!
//! Around everything, the layer too, is what [`App::puts_back`] says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use signoff::web::{Auth, Carrier, FromOurPages, Guard, Reply, Web};
use signoff::{Context, Live, Login, StepUp, Subject, Update};
use tokio::sync::Notify;

use crate::server::COOKIE;
use crate::site::{Carried, Post, Routes};

pub(crate) const ROUTES: Routes = Routes {
    cookie: COOKIE,
    private: "/private",
    optional: Some("/optional"),
    public: "/public",
    sessions: "/sessions",
    who: str::to_owned,
    log_in: |user, carried| {
        let carrier = if carried == Carried::Cookie { "cookie" } else { "body" };
        Post { path: format!("/login/{user}/{carrier}"), json: String::new() }
    },
    step_up: |_| Post { path: "/step-up/accounts/cookie".to_owned(), json: String::new() },
};

/// What an adapter serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct App {
    pub web: Web,
    pub gate: Arc<Gate>,
}

/// Holds requests up between their two halves, and knows what the application says.
#[derive(Debug, Default)]
pub struct Gate {
    holds: AtomicBool,
    entered: Notify,
    leave: Notify,
    says: Mutex<Vec<(&'static str, String)>>,
    puts_back: AtomicBool,
}

impl App {
    /// Loads the session, waits, and saves it: the request that revives a session in other libraries. The body, JSON.
    pub async fn slow_save(&self, auth: &Auth, live: &Live) -> String {
        let session = auth.signoff().session(live).await.unwrap();
        self.gate.pass().await;
        let saved = match session {
            Some(session) => auth.signoff().update_session(live, session.version, b"late").await.unwrap(),
            None => Update::Gone,
        };
        format!(r#"{{"gone":{},"saved":{}}}"#, saved == Update::Gone, matches!(saved, Update::Saved(_)))
    }

    /// Waits, and answers with these fields.
    pub async fn says(&self) -> Vec<(&'static str, String)> {
        self.gate.pass().await;
        self.gate.said().clone()
    }

    pub async fn log_in(&self, auth: &Auth, site: &FromOurPages, user: &str, carrier: &str) -> Reply {
        auth.log_in(site, Login::new(Subject::new(user).unwrap()).scope("accounts"), by(carrier)).await
    }

    pub async fn step_up(&self, auth: &Auth, site: &FromOurPages, scope: &str, carrier: &str) -> Reply {
        auth.step_up(site, StepUp::authenticated_again().scope(scope), Context::new(), by(carrier)).await
    }

    pub fn guard(name: &str) -> Guard {
        match name {
            "site" => Guard::new().from_our_pages(),
            "scope" => Guard::new().scope("accounts").scope("transfers"),
            _ => Guard::new().authenticated_within(Duration::from_secs(300)),
        }
    }

    /// The `Set-Cookie` that something around the layer adds to the answer to a request with this `Cookie` field: the cookie
    /// that came with it, as stores of other libraries do to keep it alive.
    pub fn puts_back(&self, cookie: Option<&[u8]>) -> Option<String> {
        let cookie = std::str::from_utf8(cookie?).ok()?;
        let ours = cookie.split("; ").find(|pair| pair.starts_with(COOKIE))?;
        self.gate.puts_back.load(Ordering::SeqCst).then(|| format!("{ours}; Path=/; Secure; HttpOnly; SameSite=Strict"))
    }
}

fn by(carrier: &str) -> Carrier {
    if carrier == "cookie" { Carrier::Cookie } else { Carrier::Body }
}

impl Gate {
    async fn pass(&self) {
        if self.holds.load(Ordering::SeqCst) {
            self.entered.notify_one();
            self.leave.notified().await;
        }
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, String)>> {
        self.says.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds requests up from now on.
    pub(crate) fn hold(&self) {
        self.holds.store(true, Ordering::SeqCst);
    }

    /// Returns when a request is held up.
    pub(crate) async fn entered(&self) {
        self.entered.notified().await;
    }

    /// Lets the one that is held up go on, and all others pass.
    pub(crate) fn open(&self) {
        self.holds.store(false, Ordering::SeqCst);
        self.leave.notify_one();
    }

    /// What the application says from now on.
    pub(crate) fn say(&self, fields: &[(&'static str, &str)]) {
        *self.said() = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    }

    /// From now on the cookie of a request is put back, around the layer; or no more.
    pub(crate) fn put_back(&self, does: bool) {
        self.puts_back.store(does, Ordering::SeqCst);
    }
}
