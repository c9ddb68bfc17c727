//! The routes of the suite, on actix-web.

use std::net::SocketAddr;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Server, Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorImATeapot;
use actix_web::http::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, Path, resource};
use actix_web::{Error, HttpRequest, HttpResponse, HttpServer};
use actix_ws::{CloseCode, Message, MessageStream, Session};
use futures_util::stream::{self, StreamExt};
use signoff::web::{Fenced, close_code};
use signoff_actix::{Auth, FromOurPages, GuardLayer, Live, Replied, SignoffLayer, handlers};
use signoff_web_suite::{Adapter, App};

pub(crate) const ADAPTER: Adapter = Adapter(|app| Box::pin(serve(app)));

async fn serve(app: App) -> SocketAddr {
    on_a_thread(move || {
        let server = HttpServer::new(move || site(app.clone())).workers(2).bind(("127.0.0.1", 0)).unwrap();
        (server.addrs()[0], server.run())
    })
    .await
}

/// On a thread with a runtime of actix-web, which ends with the process.
pub(crate) async fn on_a_thread(start: impl FnOnce() -> (SocketAddr, Server) + Send + 'static) -> SocketAddr {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let (address, server) = start();
            send.send(address).unwrap();
            server.await
        })
    });
    receive.await.unwrap()
}

fn site(
    app: App,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let patient = SignoffLayer::new(app.web.clone().fenced(Fenced::ReadThrough));
    let guarded = |name: &str| {
        let guarded = resource(format!("/guarded/{name}")).get(around).post(around);
        guarded.wrap(GuardLayer::new(App::guard(name)))
    };
    let outer = app.clone();
    actix_web::App::new()
        .app_data(Data::new(app.clone()))
        .service(resource("/missing/guard").get(around).wrap(GuardLayer::new(App::guard("site"))))
        .service(resource("/missing/live").get(private))
        .service(
            web::scope("")
                .service(resource("/private").get(private))
                .service(resource("/optional").get(optional))
                .service(resource("/public").get(async || "anybody"))
                .service(resource("/slow-save").post(slow_save))
                .service(resource("/says").get(async |_: Live, app: Data<App>| says(&app).await))
                .service(resource("/says/public").get(async |app: Data<App>| says(&app).await))
                .service(resource("/events").get(events))
                .service(resource("/broken").get(around).wrap(from_fn(broken)))
                .service(resource("/socket").get(socket))
                .service(resource("/socket/optional").get(optional_socket))
                .service(resource("/login/{user}/{carrier}").post(log_in))
                .service(resource("/step-up/{scope}/{carrier}").post(step_up))
                .service(resource("/sessions").get(handlers::sessions).delete(handlers::end_other_sessions))
                .service(resource("/sessions/{id}").delete(handlers::end_session))
                .service(resource("/logout").post(handlers::logout))
                .service(resource("/logout/everywhere").post(handlers::logout_everywhere))
                .service(resource("/refresh").post(handlers::refresh))
                .service(resource("/csrf").get(handlers::csrf))
                .service(resource("/.well-known/jwks.json").get(handlers::jwks))
                .service(resource("/signoff.js").get(handlers::signoff_js))
                .service(guarded("site"))
                .service(guarded("scope"))
                .service(guarded("recent"))
                .service(resource("/patient").get(private).wrap(patient))
                .wrap(SignoffLayer::new(app.web)),
        )
        .wrap_fn(move |request, inner| {
            let cookie = outer.puts_back(request.headers().get(COOKIE).map(HeaderValue::as_bytes));
            let answer = inner.call(request);
            async move {
                let mut answer = answer.await?;
                if let Some(cookie) = cookie {
                    answer.headers_mut().append(SET_COOKIE, HeaderValue::try_from(cookie).unwrap());
                }
                Ok(answer)
            }
        })
}

async fn private(live: Live) -> String {
    live.subject().to_owned()
}

async fn optional(live: Option<Live>) -> String {
    live.map_or_else(|| "nobody".to_owned(), |live| live.subject().to_owned())
}

async fn around() -> &'static str {
    "guarded"
}

async fn slow_save(app: Data<App>, live: Live, auth: Auth) -> String {
    app.slow_save(&auth, &live).await
}

async fn says(app: &App) -> HttpResponse {
    let mut response = HttpResponse::Ok().finish();
    for (name, value) in app.says().await {
        let value = HeaderValue::try_from(value).unwrap();
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    response
}

async fn log_in(app: Data<App>, site: FromOurPages, auth: Auth, path: Path<(String, String)>) -> Replied {
    app.log_in(&auth, &site, &path.0, &path.1).await.into()
}

async fn step_up(app: Data<App>, site: FromOurPages, auth: Auth, path: Path<(String, String)>) -> Replied {
    app.step_up(&auth, &site, &path.0, &path.1).await.into()
}

async fn events(_: Live, auth: Auth) -> HttpResponse {
    let over = stream::once(async move { auth.until_over().await }).filter_map(async |_| None);
    let events = stream::iter([Ok::<_, Error>(Bytes::from_static(b"data: open\n\n"))]).chain(over);
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
}

/// What asks who it is, for a log, say, and fails.
async fn broken(auth: Auth, _: ServiceRequest, _: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let _ = auth.live();
    Err(ErrorImATeapot("broken"))
}

async fn socket(_: Live, auth: Auth, request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    echo(auth, &request, body)
}

async fn optional_socket(
    _: Option<Live>,
    auth: Auth,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    echo(auth, &request, body)
}

fn echo(auth: Auth, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(request, body)?;
    actix_web::rt::spawn(async move {
        let why = tokio::select! {
            why = auth.until_over() => why,
            () = answer(&mut session, &mut messages) => return,
        };
        if session.close(Some(CloseCode::from(close_code(why)).into())).await.is_ok() {
            // Until the other end has answered, or hung up.
            while let Some(Ok(_)) = messages.next().await {}
        }
    });
    Ok(response)
}

/// Until the other end closes.
async fn answer(session: &mut Session, messages: &mut MessageStream) {
    while let Some(Ok(message)) = messages.next().await {
        let sent = match message {
            Message::Text(text) => session.text(text).await,
            Message::Close(_) => return,
            _ => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
