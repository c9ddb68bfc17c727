//! A plain form, without any script: the recipe of docs/browser.md.

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use signoff::test_util::{FailingStore, Fault};
use signoff::web::Web;
use signoff::{CookieSpec, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_tower::{Auth, Live, SignoffLayer, handlers};

use super::driver::{Browser, Kind};
use super::{in_every_browser, serve};

in_every_browser! {
    a_plain_form_logs_out_and_says_when_it_does_not
}

const FORM: &str = r#"<form method="post" action="/logout"><button>Log out</button></form>"#;

async fn log_in(State(signoff): State<Signoff>, auth: Auth) -> Response {
    let issued = signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    let cookie = auth.cookie().set(&issued.token).unwrap();
    ([(SET_COOKIE, cookie)], Redirect::to("/private")).into_response()
}

async fn a_plain_form_logs_out_and_says_when_it_does_not(kind: Kind) {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let keys = KeySet::new(SigningKey::generate().unwrap());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(store, keys, settings).await.unwrap();
    let web = Web::new(signoff.clone(), CookieSpec::host("sid").unwrap()).after_logout("/goodbye").unwrap();
    let router = Router::new()
        .route("/login", get(log_in))
        .route("/private", get(async |live: Live| Html(format!("<p>{}</p>{FORM}", live.subject()))))
        .route("/goodbye", get(async || Html("<p>Goodbye")))
        .route("/logout", post(handlers::logout))
        .layer(SignoffLayer::new(web))
        .with_state(signoff);
    let url = format!("http://127.0.0.1:{}", serve(router).await);
    let recipe = include_str!("../../../../../docs/browser.md");
    assert!(recipe.contains(FORM), "the recipe is what is tested");

    let browser = Browser::start(kind).await;
    browser.open(&format!("{url}/login")).await;
    browser.until("location.pathname === '/private'").await;
    browser.run("localStorage.setItem('planted', 'mine');").await;
    let cookies = browser.cookies().await;

    switch.fail(0, u64::MAX, Fault::Refuse);
    browser.click("button").await;
    browser.until("document.body.innerText.includes('still signed in')").await;
    assert_eq!(browser.run("return localStorage.length;").await, 1);
    assert_eq!(browser.cookies().await, cookies);

    switch.heal();
    browser.open(&format!("{url}/private")).await;
    browser.click("button").await;
    browser.until("location.pathname === '/goodbye'").await;
    assert_eq!(browser.run("return localStorage.length;").await, json!(0));
    assert_eq!(browser.cookies().await, [] as [Value; 0]);
    browser.open(&format!("{url}/private")).await;
    browser.until("!document.body.innerText.includes('alice')").await;
}
