//! The middleware: verifies before the application runs, and looks over the answer after it.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage};
use signoff::web::{self, Web};

use crate::answer::{apply, response, written};
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
/// # use actix_web::{App, web as actix};
/// # use signoff::web::{Fenced, Web};
/// # use signoff::{CookieSpec, Signoff};
/// # use signoff_actix::{Live, SignoffLayer};
/// # async fn page(_: Live) -> &'static str { "" }
/// # async fn statement(_: Live) -> &'static str { "" }
/// # fn app(signoff: Signoff) -> Result<(), signoff::Error> {
/// let web = Web::new(signoff, CookieSpec::host("signoff")?);
/// let patient = SignoffLayer::new(web.clone().fenced(Fenced::ReadThrough));
/// let app = App::new()
///     .route("/", actix::get().to(page))
///     .service(actix::resource("/statement").get(statement).wrap(patient))
///     .wrap(SignoffLayer::new(web));
/// # let _ = app; Ok(()) }
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

impl<S, B> Transform<S, ServiceRequest> for SignoffLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = SignoffService<S>;
    type InitError = ();
    type Future = Ready<Result<SignoffService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SignoffService { web: self.web.clone(), inner: Rc::new(inner) }))
    }
}

/// The service that [`SignoffLayer`] makes.
#[derive(Clone, Debug)]
pub struct SignoffService<S> {
    web: Web,
    inner: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for SignoffService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (web, inner) = (self.web.clone(), Rc::clone(&self.inner));
        Box::pin(async move {
            let fields = Fields::from(&request);
            let auth = match web::Auth::read(&web, &fields).await {
                Ok(auth) => auth,
                Err(reply) => return Ok(request.into_response(response(reply)).map_into_right_body()),
            };
            let late = auth.begin(&fields);
            let auth = Auth::new(auth);
            request.extensions_mut().insert(auth.clone());
            // No clone of the request may be kept meanwhile: actix-web wants the only one when it finds the route.
            let mut answer = match inner.call(request).await {
                Ok(answer) => not_for_nobody(&auth, answer),
                // What a middleware says by an error is an answer too, made further out. It is made here.
                Err(error) => {
                    let mut response = error.error_response();
                    let finish = late.finish(written(response.headers())).await;
                    apply(finish, response.headers_mut());
                    return Err(InternalError::from_response(error, response).into());
                }
            };
            let finish = late.finish(written(answer.headers())).await;
            apply(finish, answer.headers_mut());
            Ok(answer)
        })
    }
}

/// The answer, unless it is a success, or a WebSocket, for somebody who was refused: then `Option` made nobody of them.
fn not_for_nobody<B>(auth: &Auth, answer: ServiceResponse<B>) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let lets_in = answer.status().is_success() || answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    match auth.refusal() {
        Some(refusal) if lets_in => answer.into_response(response(refusal)).map_into_right_body(),
        _ => answer.map_into_left_body(),
    }
}
