//! What is known of a request, and handed to extractors and handlers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Answer, Fenced, Reply, Web, origin};
use crate::cookie::{self, Presented};
use crate::site::Credentials;
use crate::{Context, CookieSpec, Denied, Live, Rejection, Signoff};

/// A request as an adapter shows it.
pub trait Head {
    /// The values of all fields of this name, which is in lower case, in their order.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;

    /// The authority of the target of the request, which names the host in HTTP/2 and later.
    fn authority(&self) -> Option<&[u8]>;

    /// The first field of this name.
    fn one<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

/// The credentials of a request and what became of them. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    web: Web,
    credentials: Credentials,
    /// The session cookies and what cookies of the past carry, for logging out; `None` if there are none of the past.
    all: Option<Result<Vec<Presented>, Rejection>>,
    /// `None` when there was no credential.
    verdict: Option<Result<Arc<Live>, Denied>>,
    is_hijack: bool,
    used: AtomicBool,
    gave_csrf_token: AtomicBool,
}

impl Auth {
    /// Reads and verifies what a request presents.
    ///
    /// # Errors
    ///
    /// The answer to a request that presents credentials in both ways at once, or several bearer tokens: 400.
    pub async fn read(web: &Web, head: &impl Head) -> Result<Self, Reply> {
        match Self::read_now(web, head)? {
            Ready::Now(auth) => Ok(auth),
            Ready::Later(unread) => Ok(unread.read().await),
        }
    }

    /// As [`Auth::read`], without waiting: for adapters that treat the common case apart, in which the store is not asked.
    ///
    /// # Errors
    ///
    /// As [`Auth::read`].
    pub fn read_now(web: &Web, head: &impl Head) -> Result<Ready, Reply> {
        let (read, unreadable) = read(web, head).map_err(|_| Answer::SeveralMethods)?;
        let verdict = match (unreadable, read.credentials.one()) {
            (Some(rejection), _) | (None, Err(rejection)) => Some(Err(rejection.into())),
            (None, Ok(None)) => None,
            (None, Ok(Some(token))) => match (web.signoff().verify(token), web.0.fenced) {
                (Err(Rejection::Unloaded), _) | (Err(Rejection::Stale), Fenced::ReadThrough) => {
                    return Ok(Ready::Later(Unread { web: web.clone(), read }));
                }
                (decided, _) => Some(decided.map(Arc::new).map_err(Denied::from)),
            },
        };
        Ok(Ready::Now(Self::new(web.clone(), read, verdict)))
    }

    fn new(web: Web, read: Read, verdict: Option<Result<Arc<Live>, Denied>>) -> Self {
        let Read { credentials, all, is_hijack } = read;
        let (used, gave_csrf_token) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { web, credentials, all, verdict, is_hijack, used, gave_csrf_token }))
    }

    /// The verified token; `None` when none was presented.
    ///
    /// # Errors
    ///
    /// Why the presented one was denied.
    pub fn live(&self) -> Option<Result<&Arc<Live>, &Denied>> {
        // An answer that depends on who asks must not be stored by caches.
        self.0.used.store(true, Ordering::Relaxed);
        self.0.verdict.as_ref().map(Result::as_ref)
    }

    /// The verified token, for routes that demand one.
    ///
    /// # Errors
    ///
    /// The answer to a request without a good one: 401, or 503 when we cannot tell. To one by which another site may open a
    /// WebSocket with the cookie of the person: 403.
    pub fn require(&self) -> Result<&Arc<Live>, Answer> {
        match self.live() {
            None => Err(Answer::Unauthenticated),
            Some(_) if self.0.is_hijack => Err(Answer::CrossSite),
            Some(Ok(live)) => Ok(live),
            Some(Err(denied)) => Err(Answer::to_denial(denied)),
        }
    }

    /// Every credential that was presented, dead or alive. To log out, take [`Auth::tokens`].
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// Every token that was presented, dead or alive, in cookies of the past too: for [`Signoff::log_out`].
    ///
    /// # Errors
    ///
    /// [`Rejection::Ambiguous`] when there are more than anybody has who is not being played a trick on:
    /// [`CookieLedger::find_all`](crate::CookieLedger::find_all).
    pub fn tokens(&self) -> Result<Vec<&str>, Rejection> {
        let mut tokens = self.0.credentials.all();
        if let Some(all) = &self.0.all {
            let all = all.as_ref().map_err(|rejection| *rejection)?;
            tokens.extend(all.iter().map(Presented::as_str));
            // Those of the session cookie are in both.
            let mut seen = Vec::with_capacity(tokens.len());
            tokens.retain(|token| {
                !seen.contains(token) && {
                    seen.push(*token);
                    true
                }
            });
        }
        Ok(tokens)
    }

    /// The service that verifies.
    pub fn signoff(&self) -> &Signoff {
        self.0.web.signoff()
    }

    /// What the application decided.
    pub fn web(&self) -> &Web {
        &self.0.web
    }

    /// The description of the session cookie.
    pub fn cookie(&self) -> &CookieSpec {
        self.0.web.cookies().session()
    }

    /// Where a request comes from, for the audit trail, as far as its fields tell. The address is the connection's: adapters
    /// add it.
    pub fn context(&self, head: &impl Head) -> Context {
        let agent = head.one("user-agent").and_then(|agent| std::str::from_utf8(agent).ok());
        agent.map_or(Context::new(), |agent| Context::new().with_user_agent(agent))
    }

    /// Whether a handler looked at the verdict.
    pub(super) fn was_used(&self) -> bool {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Notes that the application got the CSRF token that belongs to the cookie of this request.
    pub(super) fn note_csrf_token(&self) {
        self.0.gave_csrf_token.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub(super) fn gave_csrf_token(&self) -> bool {
        self.0.gave_csrf_token.load(Ordering::Relaxed)
    }

    /// The verdict, without counting as a look by the application.
    pub(super) fn peek(&self) -> Option<&Result<Arc<Live>, Denied>> {
        self.0.verdict.as_ref()
    }
}

/// What became of reading a request.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "done or not")]
pub enum Ready {
    /// It is read.
    Now(Auth),
    /// The store has to be asked.
    Later(Unread),
}

/// A request whose token is not in memory.
#[must_use = "read it"]
pub struct Unread {
    web: Web,
    read: Read,
}

impl Unread {
    /// Asks the store.
    pub async fn read(self) -> Auth {
        let Self { web, read } = self;
        let verdict = match read.credentials.one() {
            Err(rejection) => Some(Err(rejection.into())),
            Ok(None) => None,
            Ok(Some(token)) => Some(match web.0.fenced {
                Fenced::Reject => web.signoff().authenticate(token).await,
                Fenced::ReadThrough => web.signoff().read_through(token).await,
            }),
        };
        let verdict = verdict.map(|live| live.map(Arc::new));
        Auth::new(web, read, verdict)
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("credentials", &self.read.credentials).finish_non_exhaustive()
    }
}

struct Read {
    credentials: Credentials,
    all: Option<Result<Vec<Presented>, Rejection>>,
    is_hijack: bool,
}

/// What is presented, and why it cannot be read if it cannot.
fn read(web: &Web, head: &impl Head) -> Result<(Read, Option<Rejection>), Rejection> {
    let mut bearers: Vec<Presented> = Vec::new();
    let mut unreadable = None;
    for field in head.all("authorization") {
        match cookie::bearer(field) {
            Ok(found) => bearers.extend(found),
            Err(rejection) => unreadable = Some(rejection),
        }
    }
    let cookies = web.cookies().find(head.all("cookie")).unwrap_or_else(|rejection| {
        unreadable = Some(rejection);
        Vec::new()
    });
    // They let nobody in, and keep nobody out.
    let all = web.cookies().has_retired().then(|| web.cookies().find_all(head.all("cookie")));
    // A bearer token that cannot be read is still a second method beside a cookie.
    if unreadable == Some(Rejection::Malformed) && !cookies.is_empty() {
        return Err(Rejection::Ambiguous);
    }
    let is_hijack = !cookies.is_empty() && origin::is_hijack(web, head);
    Ok((Read { credentials: Credentials::of(cookies, bearers)?, all, is_hijack }, unreadable))
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("credentials", &self.0.credentials).finish_non_exhaustive()
    }
}
