//! The tower layer: verifies before the application runs, and looks over the answer after it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use signoff::web::{self, Late, Ready, Web};
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
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SignoffFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let fields = Fields::from(&request);
        let unread = match web::Auth::read_now(&self.web, &fields) {
            Ok(Ready::Now(auth)) => {
                let late = begin(auth, &mut request);
                let answer = self.inner.call(request);
                return State::Application { answer, late: Some(late) }.into();
            }
            Ok(Ready::Later(unread)) => unread,
            Err(reply) => return State::Refused { response: Some(refuse(reply)) }.into(),
        };
        // The instance that was polled ready must be the one that is called (tower's contract for Clone).
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        State::Waiting {
            waiting: Box::pin(async move {
                let late = begin(unread.read().await, &mut request);
                let mut response = inner.call(request).await?;
                let finish = late.finish(written(response.headers())).await;
                apply(finish, response.headers_mut());
                Ok(response)
            }),
        }
        .into()
    }
}

fn begin<B>(auth: web::Auth, request: &mut Request<B>) -> Late {
    let late = auth.begin(&Fields::from(&*request));
    request.extensions_mut().insert(Auth(auth));
    late
}

type Waiting<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

pin_project! {
    /// The future of [`SignoffService`]. Mostly nothing is waited for but the application, and then nothing is allocated.
    pub struct SignoffFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, R, E> {
        Application { #[pin] answer: F, late: Option<Late> },
        Refused { response: Option<Response<R>> },
        // The store is asked, before the application or after it.
        Waiting { waiting: Waiting<R, E> },
    }
}

impl<F, R, E> From<State<F, R, E>> for SignoffFuture<F, R, E> {
    fn from(state: State<F, R, E>) -> Self {
        Self { state }
    }
}

impl<F, R, E> fmt::Debug for SignoffFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignoffFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for SignoffFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Send + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let (late, mut response) = match state.as_mut().project() {
            Projected::Application { answer, late } => match ready!(answer.poll(task)) {
                Ok(response) => (late.take().expect("polled after it was ready"), response),
                Err(error) => return Poll::Ready(Err(error)),
            },
            Projected::Refused { response } => {
                return Poll::Ready(Ok(response.take().expect("polled after it was ready")));
            }
            Projected::Waiting { waiting } => return waiting.as_mut().poll(task),
        };
        let late = match late.finish_now(&written(response.headers())) {
            Ok(finish) => {
                apply(finish, response.headers_mut());
                return Poll::Ready(Ok(response));
            }
            Err(late) => late,
        };
        let mut waiting: Waiting<R, E> = Box::pin(async move {
            let finish = late.finish(written(response.headers())).await;
            apply(finish, response.headers_mut());
            Ok(response)
        });
        let polled = waiting.as_mut().poll(task);
        if polled.is_pending() {
            state.set(State::Waiting { waiting });
        }
        polled
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
