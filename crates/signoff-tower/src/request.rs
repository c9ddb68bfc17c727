//! What the layer knows of a request, and hands to extractors and handlers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use http::{HeaderMap, header};
use signoff::cookie::{self, Presented};
use signoff::site::{self, Credentials, CrossSite, Fetch, SameOrigin, Unproven};
use signoff::{Context, CookieSpec, Denied, Live, Rejection, Signoff};

/// What an application decided about its web side.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    pub(crate) signoff: Signoff,
    pub(crate) cookie: CookieSpec,
    pub(crate) origins: Vec<String>,
    pub(crate) unproven: Unproven,
    pub(crate) storage: Storage,
    pub(crate) fenced: Fenced,
}

/// What is done with a request when the store is shared by nodes and this node's lease has run out, so that it cannot know who
/// was logged out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Fenced {
    /// It is denied ([`Rejection::Stale`], answered with 503), at once. A load balancer sends it to another node.
    #[default]
    Reject,
    /// The log is read for this one request ([`Signoff::read_through`]), which takes as long as the store takes, and is
    /// denied only if it cannot be read.
    ReadThrough,
}

/// What a logout does to the storage of the browser, beyond the cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Storage {
    Clear,
    Keep,
}

/// The credentials of a request and what became of them; in the request's extensions. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    web: Arc<Web>,
    credentials: Credentials,
    /// `None` when there was no credential.
    verdict: Option<Result<Arc<Live>, Denied>>,
    used: AtomicBool,
}

impl Auth {
    /// Reads and verifies what a request presents.
    ///
    /// # Errors
    ///
    /// [`Rejection::Ambiguous`]: both methods at once, or several bearer tokens. Answer 400.
    pub(crate) async fn read(web: &Arc<Web>, headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut bearers: Vec<Presented> = Vec::new();
        let mut unreadable = None;
        let fields = headers.get_all(header::AUTHORIZATION);
        for field in fields {
            match cookie::bearer(field.as_bytes()) {
                Ok(found) => bearers.extend(found),
                Err(rejection) => unreadable = Some(rejection),
            }
        }
        let fields = headers.get_all(header::COOKIE).into_iter().map(header::HeaderValue::as_bytes);
        let cookies = web.cookie.find(fields).unwrap_or_else(|rejection| {
            unreadable = Some(rejection);
            Vec::new()
        });
        // A bearer token that cannot be read is still a second method beside a cookie.
        if unreadable == Some(Rejection::Malformed) && !cookies.is_empty() {
            return Err(Rejection::Ambiguous);
        }
        let credentials = Credentials::of(cookies, bearers)?;
        let verdict = match (unreadable, credentials.one()) {
            (Some(rejection), _) | (None, Err(rejection)) => Some(Err(rejection.into())),
            (None, Ok(None)) => None,
            (None, Ok(Some(token))) => {
                let live = match web.fenced {
                    Fenced::Reject => web.signoff.authenticate(token).await,
                    Fenced::ReadThrough => web.signoff.read_through(token).await,
                };
                Some(live.map(Arc::new))
            }
        };
        Ok(Self(Arc::new(Inner { web: Arc::clone(web), credentials, verdict, used: AtomicBool::new(false) })))
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

    /// Every credential that was presented, dead or alive, for logging out.
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// The service that verifies.
    pub fn signoff(&self) -> &Signoff {
        &self.0.web.signoff
    }

    /// The description of the session cookie.
    pub fn cookie(&self) -> &CookieSpec {
        &self.0.web.cookie
    }

    /// Whether another site may have caused this request: for everything that changes state. A bearer token is proof
    /// enough, because no browser sends it along by itself.
    ///
    /// # Errors
    ///
    /// [`CrossSite`]: answer 403 and do nothing.
    pub fn check_site(&self, request: &Parts) -> Result<Option<SameOrigin>, CrossSite> {
        if matches!(self.0.credentials, Credentials::Bearer(_)) {
            return Ok(None);
        }
        let field = |name: &str| request.headers.get(name).map(header::HeaderValue::as_bytes);
        // HTTP/2 names the host in the target of the request.
        let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
        let fetch = Fetch {
            site: field("sec-fetch-site"),
            origin: field("origin"),
            referer: field("referer"),
            host: field("host").or(authority),
            content_type: field("content-type"),
            purpose: field("sec-purpose"),
        };
        site::judge(&fetch, &self.0.web.origins, self.0.web.unproven)
    }

    /// Whether the answer to a logout empties the storage of the browser.
    #[cfg(feature = "axum")]
    pub(crate) fn clears_storage(&self) -> bool {
        self.0.web.storage == Storage::Clear
    }

    /// Whether a handler looked at the verdict.
    pub(crate) fn was_used(&self) -> bool {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The live token, without counting as a look by the application.
    pub(crate) fn peek(&self) -> Option<&Arc<Live>> {
        self.0.verdict.as_ref().and_then(|verdict| verdict.as_ref().ok())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("credentials", &self.0.credentials).finish_non_exhaustive()
    }
}

/// Where a request comes from, as far as its headers tell; the address is the connection's, see the handlers.
pub(crate) fn context(headers: &HeaderMap) -> Context {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    agent.map_or(Context::new(), |agent| Context::new().with_user_agent(agent))
}
