//! The tower layer: verifies before the application runs, and keeps the session's cookie fresh after it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Request, Response};
use signoff::site::{Credentials, Unproven};
use signoff::{CookieSpec, Signoff};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::Answer;
use crate::request::{Auth, Fenced, Storage, Web, context};

/// Reads the session cookie or the bearer token of every request and verifies it; both at once are answered with 400.
///
/// The verdict goes into the request's extensions as [`Auth`]. Requests without a credential, or with a bad one, are
/// passed on: whether that matters is up to the route, that is, to its extractors.
#[derive(Clone, Debug)]
pub struct SignoffLayer {
    web: Arc<Web>,
}

impl SignoffLayer {
    /// A layer for this service, with the description of its session cookie.
    pub fn new(signoff: Signoff, cookie: CookieSpec) -> Self {
        let (origins, unproven, storage, fenced) = (Vec::new(), Unproven::Allow, Storage::Clear, Fenced::Reject);
        Self { web: Arc::new(Web { signoff, cookie, origins, unproven, storage, fenced }) }
    }

    /// Also lets pages of this origin, `scheme://host[:port]`, send state-changing requests. The origin that `Host` names
    /// may anyway.
    #[must_use]
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.web).origins.push(origin.into());
        self
    }

    /// Leaves `Clear-Site-Data` out of the answer to a logout, for applications that keep something in the browser (a
    /// theme, say) and clear the rest with `signoff.js`. It is sent by default, because it needs no script to work.
    #[must_use]
    pub fn keep_storage(mut self) -> Self {
        Arc::make_mut(&mut self.web).storage = Storage::Keep;
        self
    }

    /// What is done with state-changing requests by cookie that say nothing of their origin. Defaults to
    /// [`Unproven::Allow`], because every current browser says it, and scripts do not.
    #[must_use]
    pub fn unproven(mut self, unproven: Unproven) -> Self {
        Arc::make_mut(&mut self.web).unproven = unproven;
        self
    }
}

/// What differs between routes.
impl SignoffLayer {
    /// What is done while this node cannot know who was logged out. Defaults to [`Fenced::Reject`], because other nodes can.
    ///
    /// A second layer around some routes decides for those:
    ///
    /// ```no_run
    /// # use axum::{Router, routing::get};
    /// # use signoff::{CookieSpec, Signoff};
    /// # use signoff_tower::{Fenced, Live, SignoffLayer};
    /// # async fn page(_: Live) {}
    /// # async fn statement(_: Live) {}
    /// # fn app(signoff: Signoff) -> Result<Router, signoff::Error> {
    /// let layer = SignoffLayer::new(signoff, CookieSpec::host("signoff")?);
    /// let patient = Router::new().route("/statement", get(statement)).layer(layer.clone().fenced(Fenced::ReadThrough));
    /// let app = Router::new().route("/", get(page)).merge(patient).layer(layer);
    /// # Ok(app) }
    /// ```
    #[must_use]
    pub fn fenced(mut self, fenced: Fenced) -> Self {
        Arc::make_mut(&mut self.web).fenced = fenced;
        self
    }
}

impl<S> Layer<S> for SignoffLayer {
    type Service = SignoffService<S>;

    fn layer(&self, inner: S) -> SignoffService<S> {
        SignoffService { web: Arc::clone(&self.web), inner }
    }
}

/// The service that [`SignoffLayer`] makes.
#[derive(Clone, Debug)]
pub struct SignoffService<S> {
    web: Arc<Web>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for SignoffService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The instance that was polled ready must be the one that is called (tower's contract for Clone).
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let web = Arc::clone(&self.web);
        Box::pin(async move {
            let Ok(auth) = Auth::read(&web, request.headers()).await else {
                let mut response = Response::new(R::default());
                *response.status_mut() = Answer::SeveralMethods.status();
                *response.headers_mut() = Answer::SeveralMethods.headers();
                return Ok(response);
            };
            let asked_from = context(request.headers());
            note_use(&auth);
            request.extensions_mut().insert(auth.clone());
            let mut response = inner.call(request).await?;
            if auth.was_used() && !response.headers().contains_key(header::CACHE_CONTROL) {
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            if let Some(cookie) = renewed_cookie(&auth, response.headers(), asked_from).await {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        })
    }
}

/// Moves the idle end of an opaque session, beside the request: nobody waits for that write, and `touch` makes at most
/// one of many.
fn note_use(auth: &Auth) {
    let Some(live) = auth.peek().filter(|live| live.token_id().is_none()) else { return };
    let (signoff, live) = (auth.signoff().clone(), Arc::clone(live));
    tokio::spawn(async move {
        if let Err(error) = signoff.touch(&live).await {
            tracing::warn!(target: "signoff", error = %error, "the use of a session was not noted");
        }
    });
}

/// A fresh JWT for a cookie that is past half of its life.
///
/// Only after the store confirmed that the session lives, never beside a cookie that the application sets or clears
/// itself, and not if the session died meanwhile: a response that was under way during a logout must not undo it.
async fn renewed_cookie(auth: &Auth, response: &HeaderMap, from: signoff::Context) -> Option<HeaderValue> {
    let live = auth.peek().filter(|live| live.token_id().is_some())?;
    if !matches!(auth.credentials(), Credentials::Cookie(_)) {
        return None;
    }
    let half = live.expires_at().since(live.issued_at()) / 2;
    let name = auth.cookie().name().as_bytes();
    let mentions = |value: &HeaderValue| value.as_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="));
    if auth.signoff().since(live.issued_at())? < half || response.get_all(header::SET_COOKIE).iter().any(mentions) {
        return None;
    }
    // The response is ready: it waits a moment for this, not for a store in trouble.
    let renewal = tokio::time::timeout(Duration::from_secs(1), auth.signoff().renew(live, from)).await;
    let issued = renewal.ok()?.ok()?;
    auth.signoff().verify(issued.token.expose()).ok()?;
    let mut cookie = HeaderValue::try_from(auth.cookie().set(&issued.token).ok()?).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}
