//! A guard around routes.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpResponse};
use signoff::web::Guard;

use crate::answer::{missing, response};
use crate::request::{Auth, Fields};

/// Puts the demands of a [`Guard`] before routes. [`SignoffLayer`](crate::SignoffLayer) must be around it.
///
/// ```no_run
/// # use std::time::Duration;
/// # use actix_web::{App, web as actix};
/// # use signoff::web::{Guard, Web};
/// # use signoff_actix::{GuardLayer, SignoffLayer};
/// # async fn transfer() -> &'static str { "done" }
/// # fn app(web: Web) {
/// let careful = Guard::new().from_our_pages().scope("transfers").authenticated_within(Duration::from_secs(300));
/// let app = App::new()
///     .service(actix::resource("/transfers").post(transfer).wrap(GuardLayer::new(careful)))
///     .wrap(SignoffLayer::new(web));
/// # let _ = app; }
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer(Guard);

impl GuardLayer {
    /// A layer with these demands.
    pub const fn new(guard: Guard) -> Self {
        Self(guard)
    }
}

impl<S, B> Transform<S, ServiceRequest> for GuardLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Guarded<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Guarded { guard: self.0.clone(), inner }))
    }
}

/// The service that [`GuardLayer`] makes.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(refused) = self.refusal(&request) {
            return Box::pin(ready(Ok(request.into_response(refused).map_into_right_body())));
        }
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map_into_left_body()) })
    }
}

impl<S> Guarded<S> {
    fn refusal(&self, request: &ServiceRequest) -> Option<HttpResponse<BoxBody>> {
        let Some(auth) = Auth::of(request) else { return Some(missing()) };
        self.guard.check(&auth, request.method().as_str(), &Fields::from(request)).err().map(response)
    }
}
