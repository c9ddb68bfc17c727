//! Cookies of one name beside each other, as after a change of path or domain: nobody is let in by them, and one logout
//! ends the sessions of all and clears all.

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::routing::{get, post};
use serde_json::Value;
use signoff::web::Web;
use signoff::{CookieLedger, CookieSpec, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_tower::{Live, SignoffLayer, handlers};

use super::super::driver::{Browser, Kind};
use super::super::{in_every_browser, serve};
use super::trial::{DOMAIN, HOST};

in_every_browser! {
    cookies_of_one_name_let_nobody_in_and_are_all_cleared
}

async fn cookies_of_one_name_let_nobody_in_and_are_all_cleared(kind: Kind) {
    let keys = KeySet::new(SigningKey::generate().unwrap());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
    let layers = [("/", None), ("/", Some(DOMAIN)), ("/app", None), ("/app", Some(DOMAIN))];
    let specs = layers.map(|(path, domain)| CookieSpec::unprefixed("sid", path, domain).unwrap());
    let [current, old @ ..] = specs.clone();
    let retire = |ledger: CookieLedger, spec| ledger.retired(spec).unwrap();
    let ledger = old.into_iter().fold(CookieLedger::new(current), retire);
    let (mut tokens, mut fields) = (Vec::new(), Vec::new());
    // Of the first and the third once more, for afterwards.
    for spec in specs.iter().chain([&specs[0], &specs[2]]) {
        let issued = signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
        fields.push(spec.set(&issued.token).unwrap());
        tokens.push(issued.token);
    }
    let plant = async move |Path(n): Path<usize>| HeaderMap::from_iter([(SET_COOKIE, fields[n].parse().unwrap())]);
    let router = Router::new()
        .route("/app/private", get(async |live: Live| live.subject().to_string()))
        .route("/app/logout", post(handlers::logout))
        .route("/logout", post(handlers::logout))
        .layer(SignoffLayer::new(Web::new(signoff.clone(), ledger)))
        .route("/app/plant/{n}", get(plant));
    let port = serve(router).await;

    let browser = Browser::start(kind).await;
    let private = "return (await fetch('/app/private')).status;";
    for (n, status) in [200, 401, 401, 401].into_iter().enumerate() {
        browser.open(&format!("http://{HOST}:{port}/app/plant/{n}")).await;
        assert_eq!(browser.all_cookies().await.len(), n + 1);
        assert_eq!(browser.run(private).await, status, "with {} cookies", n + 1);
    }
    let live = || tokens.iter().map(|token| signoff.verify(token.expose()).is_ok()).collect::<Vec<_>>();
    assert_eq!(live(), [true; 6]);
    assert_eq!(browser.run("return (await fetch('/app/logout', { method: 'POST' })).status;").await, 200);
    assert_eq!(browser.all_cookies().await, [] as [Value; 0]);
    assert_eq!(live(), [false, false, false, false, true, true]);
    assert_eq!(browser.run(private).await, 401);

    // A logout at another path clears all the same, and is not told of the session that it does not get.
    for n in [4, 5] {
        browser.open(&format!("http://{HOST}:{port}/app/plant/{n}")).await;
    }
    assert_eq!(browser.all_cookies().await.len(), 2);
    assert_eq!(browser.run("return (await fetch('/logout', { method: 'POST' })).status;").await, 200);
    assert_eq!(browser.all_cookies().await, [] as [Value; 0]);
    assert_eq!(live(), [false, false, false, false, false, true]);
}
