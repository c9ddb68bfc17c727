//! The endpoints of the thief's panel. No application has these: they steal tokens and break the store on request.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use signoff::Delivery;
use signoff::test_util::Fault;
use signoff_tower::{Auth, FromOurPages, Live};

use crate::nodes::Here;
use crate::people::person;
use crate::web::no;

pub(crate) fn router() -> Router<Here> {
    Router::new()
        .route("/demo/capture", post(capture))
        .route("/demo/replay", post(replay))
        .route("/demo/state", get(state))
        .route("/demo/store", post(pull_plug))
}

/// Somebody got hold of the token of this very request: from a log file, an extension, a script.
async fn capture(State(here): State<Here>, _: FromOurPages, live: Live, auth: Auth) -> Response {
    let Some(owner) = person(live.subject()) else { return no(StatusCode::NOT_FOUND, "unknown") };
    let token = auth.credentials().all().join("");
    let preview: String = token.chars().take(12).collect();
    match here.bank.notebook.capture(&token) {
        Some(name) => Json(json!({
            "capture": name, "delivery": delivery(&here), "owner": owner.name,
            "preview": format!("{preview}… ({} characters)", token.len()),
        }))
        .into_response(),
        None => no(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    }
}

#[derive(Deserialize)]
struct Replay {
    capture: String,
}

async fn replay(State(here): State<Here>, Json(order): Json<Replay>) -> Response {
    match here.replay(&order.capture).await {
        Some(answers) => ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "answers": answers }))).into_response(),
        None => no(StatusCode::NOT_FOUND, "unknown_capture"),
    }
}

fn delivery(here: &Here) -> &'static str {
    if here.node().signoff.settings().delivery == Delivery::Opaque { "opaque" } else { "jwt" }
}

async fn state(State(here): State<Here>) -> Response {
    let failing = here.node().plug.is_failing();
    let state = json!({ "delivery": delivery(&here), "store_failing": failing, "nodes": here.list().await });
    ([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response()
}

#[derive(Deserialize)]
struct Plug {
    failing: bool,
    /// The address of a node; this one if nobody says.
    node: Option<String>,
}

/// Cuts a node off from its store, or connects it again.
async fn pull_plug(State(here): State<Here>, _: FromOurPages, Json(order): Json<Plug>) -> Response {
    let address = order.node.unwrap_or_else(|| here.node().address.to_string());
    let Some(node) = here.bank.nodes.iter().find(|node| node.address.to_string() == address) else {
        return no(StatusCode::NOT_FOUND, "unknown_node");
    };
    if order.failing {
        node.plug.fail(0, u64::MAX, Fault::Refuse);
    } else {
        node.plug.heal();
    }
    state(State(here)).await
}
