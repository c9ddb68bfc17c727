//! The routes of the suite, on axum.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{delete, get, post};
use futures_util::stream::{self, StreamExt};
use signoff::web::{Fenced, close_code};
use signoff_tower::{Auth, FromOurPages, GuardLayer, Live, Replied, SignoffLayer, handlers};
use signoff_web_suite::{Adapter, App};

pub(crate) const ADAPTER: Adapter = Adapter(|app| Box::pin(serve(app)));

async fn serve(app: App) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn router(app: App) -> Router {
    let patient = SignoffLayer::new(app.web.clone().fenced(Fenced::ReadThrough));
    let patient = Router::new().route("/patient", get(private)).layer(patient);
    let missing = Router::new()
        .route("/missing/guard", get(guarded).route_layer(GuardLayer::new(App::guard("site"))))
        .route("/missing/live", get(private));
    let guarded = ["site", "scope", "recent"].into_iter().fold(Router::new(), |router, name| {
        let route = get(guarded).post(guarded).route_layer(GuardLayer::new(App::guard(name)));
        router.route(&format!("/guarded/{name}"), route)
    });
    Router::new()
        .route("/private", get(private))
        .route("/optional", get(optional))
        .route("/public", get(async || "anybody"))
        .route("/slow-save", post(slow_save))
        .route("/says", get(async |_: Live, State(app): State<App>| AppendHeaders(named(app.says().await))))
        .route("/says/public", get(async |State(app): State<App>| AppendHeaders(named(app.says().await))))
        .route("/events", get(events))
        .route("/broken", get(async || "never").layer(middleware::from_fn(broken)))
        .route("/socket", get(async |_: Live, auth: Auth, upgrade: WebSocketUpgrade| echo(auth, upgrade)))
        .route(
            "/socket/optional",
            get(async |_: Option<Live>, auth: Auth, upgrade: WebSocketUpgrade| echo(auth, upgrade)),
        )
        .route("/login/{user}/{carrier}", post(log_in))
        .route("/step-up/{scope}/{carrier}", post(step_up))
        .route("/sessions", get(handlers::sessions).delete(handlers::end_other_sessions))
        .route("/sessions/{id}", delete(handlers::end_session))
        .route("/logout", post(handlers::logout))
        .route("/logout/everywhere", post(handlers::logout_everywhere))
        .route("/refresh", post(handlers::refresh))
        .route("/csrf", get(handlers::csrf))
        .route("/.well-known/jwks.json", get(handlers::jwks))
        .route("/signoff.js", get(handlers::signoff_js))
        .merge(guarded)
        .merge(patient)
        .layer(SignoffLayer::new(app.web.clone()))
        .merge(missing)
        .layer(middleware::from_fn_with_state(app.clone(), put_back))
        .with_state(app)
}

async fn private(live: Live) -> String {
    live.subject().to_owned()
}

async fn optional(live: Option<Live>) -> String {
    live.map_or_else(|| "nobody".to_owned(), |live| live.subject().to_owned())
}

async fn guarded() -> &'static str {
    "guarded"
}

async fn slow_save(State(app): State<App>, live: Live, auth: Auth) -> String {
    app.slow_save(&auth, &live).await
}

async fn log_in(
    State(app): State<App>,
    site: FromOurPages,
    auth: Auth,
    Path((user, carrier)): Path<(String, String)>,
) -> Replied {
    app.log_in(&auth, &site, &user, &carrier).await.into()
}

async fn step_up(
    State(app): State<App>,
    site: FromOurPages,
    auth: Auth,
    Path((scope, carrier)): Path<(String, String)>,
) -> Replied {
    app.step_up(&auth, &site, &scope, &carrier).await.into()
}

async fn events(_: Live, auth: Auth) -> Response {
    let over = stream::once(async move { auth.until_over().await }).filter_map(async |_| None);
    let events = stream::iter([Ok::<_, std::io::Error>("data: open\n\n")]).chain(over);
    ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn broken(auth: Auth, _: Request, _: Next) -> Response {
    let _ = auth.live();
    (StatusCode::IM_A_TEAPOT, "broken").into_response()
}

fn echo(auth: Auth, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let why = tokio::select! {
            why = auth.until_over() => why,
            () = answer(&mut socket) => return,
        };
        let frame = CloseFrame { code: close_code(why), reason: "".into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // Until the other end has answered, or hung up.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
}

/// Until the other end closes.
async fn answer(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) = message
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

async fn put_back(State(app): State<App>, request: Request, next: Next) -> Response {
    let cookie = app.puts_back(request.headers().get(COOKIE).map(HeaderValue::as_bytes));
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, HeaderValue::try_from(cookie).unwrap());
    }
    response
}

fn named(fields: Vec<(&'static str, String)>) -> Vec<(HeaderName, String)> {
    fields.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)).collect()
}
