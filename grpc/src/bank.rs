//! The service: who asks is known from the layer around it.

use std::sync::Arc;

use axum::extract;
use axum::response::Response as HttpResponse;
use axum::routing::post;
use futures_util::stream::{self, Stream, StreamExt};
use signoff::web::{Answer, Guard};
use signoff::{Cause, Live};
use signoff_tower::{Auth, GuardLayer};
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tower::service_fn;

use crate::text::Text;

/// The methods. A generated service becomes such routes by `Routes::new(BankServer::new(…))`, and is guarded as a whole by
/// `Routes::from(routes.into_axum_router().layer(GuardLayer::new(…)))`.
pub(crate) fn routes() -> Routes {
    let guard = GuardLayer::new(Guard::new().scope("transfers"));
    let router = axum::Router::new()
        .route("/bank.Bank/Balance", post(async |call| unary(call, service_fn(balance)).await))
        .route("/bank.Bank/Transfer", post(async |call| unary(call, service_fn(transfer)).await).layer(guard))
        .route("/bank.Bank/Logout", post(async |call| unary(call, service_fn(log_out)).await))
        .route("/bank.Bank/Rates", post(rates_route));
    Routes::from(router)
}

async fn unary<S>(call: extract::Request, method: S) -> HttpResponse<Body>
where
    S: tonic::server::UnaryService<String, Response = String>,
{
    Grpc::new(Text).unary(method, call).await
}

async fn rates_route(call: extract::Request) -> HttpResponse<Body> {
    Grpc::new(Text).server_streaming(service_fn(rates), call).await
}

async fn balance(call: Request<String>) -> Result<Response<String>, Status> {
    let live = live(auth(&call)?)?;
    Ok(Response::new(format!("{} has 42 EUR", live.subject())))
}

async fn transfer(call: Request<String>) -> Result<Response<String>, Status> {
    let live = live(auth(&call)?)?;
    Ok(Response::new(format!("{} has paid", live.subject())))
}

/// One rate, and after it nothing until the token is over.
async fn rates(call: Request<String>) -> Result<Response<impl Stream<Item = Result<String, Status>>>, Status> {
    let auth = auth(&call)?.clone();
    live(&auth)?;
    let over = async move { Err(refusal(&Answer::to_denial(&auth.until_over().await.into()))) };
    Ok(Response::new(stream::iter([Ok("1 EUR is 1.08 USD".to_owned())]).chain(stream::once(over))))
}

async fn log_out(call: Request<String>) -> Result<Response<String>, Status> {
    let auth = auth(&call)?;
    let tokens = auth.tokens().map_err(|rejection| refusal(&Answer::to_denial(&rejection.into())))?;
    // On a token that is dead already too: the session must die even when the access token did first.
    let receipt = auth.signoff().log_out(&tokens, Cause::logout()).await;
    receipt.map(|_| Response::new("logged out".to_owned())).map_err(|denied| refusal(&Answer::to_denial(&denied)))
}

/// What the layer left for this call.
fn auth<T>(call: &Request<T>) -> Result<&Auth, Status> {
    call.extensions().get::<Auth>().ok_or_else(|| Status::internal("Is SignoffLayer enabled?"))
}

fn live(auth: &Auth) -> Result<&Arc<Live>, Status> {
    auth.require().map_err(|answer| refusal(&answer))
}

fn refusal(answer: &Answer) -> Status {
    Status::new(Code::from_i32(answer.grpc_status().into()), answer.word())
}
