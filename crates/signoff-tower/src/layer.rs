//! The tower layer: verifies before the application runs, and looks over the answer after it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use signoff::web::{self, Web};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::{apply, parts, written};
use crate::request::{Auth, Fields};

/// Reads the session cookie or the bearer token of every request and verifies it; both at once are answered with 400.
///
/// The verdict goes into the request's extensions as [`Auth`]. Requests without a credential, or with a bad one, are
/// passed on: whether that matters is up to the route, that is, to its extractors and guards.
///
/// Put it around everything that sets cookies: an answer that comes too late is seen by what is outside only as it is then.
/// A second one around some routes decides for those:
///
/// ```no_run
/// # use axum::{Router, routing::get};
/// # use signoff::web::{Fenced, Web};
/// # use signoff::{CookieSpec, Signoff};
/// # use signoff_tower::{Live, SignoffLayer};
/// # async fn page(_: Live) {}
/// # async fn statement(_: Live) {}
/// # fn app(signoff: Signoff) -> Result<Router, signoff::Error> {
/// let web = Web::new(signoff, CookieSpec::host("signoff")?);
/// let patient = SignoffLayer::new(web.clone().fenced(Fenced::ReadThrough));
/// let patient = Router::new().route("/statement", get(statement)).layer(patient);
/// let app = Router::new().route("/", get(page)).merge(patient).layer(SignoffLayer::new(web));
/// # Ok(app) }
/// ```
#[derive(Clone, Debug)]
pub struct SignoffLayer {
    web: Web,
}

impl SignoffLayer {
    /// A layer for this web side.
    pub const fn new(web: Web) -> Self {
        Self { web }
    }
}

impl<S> Layer<S> for SignoffLayer {
    type Service = SignoffService<S>;

    fn layer(&self, inner: S) -> SignoffService<S> {
        SignoffService { web: self.web.clone(), inner }
    }
}

/// The service that [`SignoffLayer`] makes.
#[derive(Clone, Debug)]
pub struct SignoffService<S> {
    web: Web,
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
        let web = self.web.clone();
        Box::pin(async move {
            let fields = Fields::from(&request);
            let auth = match web::Auth::read(&web, &fields).await {
                Ok(auth) => auth,
                Err(reply) => return Ok(refuse(reply)),
            };
            let late = auth.begin(&fields);
            request.extensions_mut().insert(Auth(auth));
            let mut response = inner.call(request).await?;
            let finish = late.finish(written(response.headers())).await;
            apply(finish, response.headers_mut());
            Ok(response)
        })
    }
}

/// The body is left out, because there may be no way to make one of these.
fn refuse<R: Default>(reply: web::Reply) -> Response<R> {
    let (status, headers, _) = parts(reply);
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
