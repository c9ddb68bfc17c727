//! A guard around routes of axum, and of tonic, which has axum's.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::header::CONTENT_TYPE;
use signoff::web::Guard;
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::response;
use crate::request::{Auth, Fields};

/// Puts the demands of a [`Guard`] before routes. [`SignoffLayer`](crate::SignoffLayer) must be around it. A gRPC call is refused with
/// a gRPC status.
///
/// ```no_run
/// # use std::time::Duration;
/// # use axum::{Router, routing::post};
/// # use signoff::web::{Guard, Web};
/// # use signoff_tower::{GuardLayer, SignoffLayer};
/// # async fn transfer() {}
/// # fn app(web: Web) -> Router {
/// let careful = Guard::new().from_our_pages().scope("transfers").authenticated_within(Duration::from_secs(300));
/// Router::new()
///     .route("/transfers", post(transfer))
///     .route_layer(GuardLayer::new(careful))
///     .layer(SignoffLayer::new(web))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer(Guard);

impl GuardLayer {
    /// A layer with these demands.
    pub const fn new(guard: Guard) -> Self {
        Self(guard)
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.0.clone(), inner }
    }
}

/// The service that [`GuardLayer`] makes.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(auth) = request.extensions().get::<Auth>() else {
            let missing = (http::StatusCode::INTERNAL_SERVER_ERROR, "Is SignoffLayer enabled?");
            let response = axum::response::IntoResponse::into_response(missing);
            return Box::pin(std::future::ready(Ok(response)));
        };
        match self.guard.check(auth, request.method().as_str(), &Fields::from(&request)) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(answer) if is_grpc(&request) => Box::pin(std::future::ready(Ok(response(answer.to_grpc())))),
            Err(answer) => Box::pin(std::future::ready(Ok(response(answer)))),
        }
    }
}

/// `application/grpc`, and with what encodes the messages, `application/grpc+proto`. Not `application/grpc-web`.
fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    kind.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}
