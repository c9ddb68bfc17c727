//! The bank in a real Chromium and a real Firefox: what a logout leaves in a browser, and what it leaves when it fails.

mod axe;
mod clearing;
mod cookies;
mod driver;
mod form;
mod product;
mod reading;
mod site;
mod unconfirmed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use serde_json::{Value, json};
use signoff_test_servers::Postgres;

use crate::bank::Bank;
use driver::{Browser, Kind};

/// Runs each of these in every browser.
macro_rules! in_every_browser {
    ($($test:ident)*) => {$(
        mod $test {
            #[tokio::test]
            async fn chromium() {
                super::$test(super::Kind::Chromium).await;
            }

            #[tokio::test]
            async fn firefox() {
                super::$test(super::Kind::Firefox).await;
            }
        }
    )*};
}
use in_every_browser;

in_every_browser! {
    logout_clears_the_browser
    logout_clears_the_browser_of_an_opaque_token
    logout_clears_a_browser_that_ignores_clear_site_data
    a_failing_store_clears_nothing_and_the_page_says_so
    another_site_cannot_log_anybody_out
    logout_everywhere_reaches_the_other_browser
}

const COOKIE: &str = "__Host-signoff";

/// Data of an application, beside what the bank's page keeps by itself.
const PLANT: &str = r#"
    localStorage.setItem("planted", "mine");
    sessionStorage.setItem("planted", "mine");
    await new Promise((resolve, reject) => {
        const request = indexedDB.open("planted", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("things").put("mine", "thing");
        request.onsuccess = () => { request.result.close(); resolve(); };
        request.onerror = () => reject(request.error);
    });
    await (await caches.open("planted")).put("/planted", new Response("mine"));
    // Any script will do as a service worker, and the bank has one to offer.
    await navigator.serviceWorker.register("/signoff.js", { type: "module" });
    await navigator.serviceWorker.ready;
"#;

/// A connection that is open, and stays so, keeps a database from being deleted.
const HOLD_DATABASE: &str = r#"
    window.held = await new Promise((resolve, reject) => {
        const request = indexedDB.open("planted", 1);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
"#;

/// Writes down what a page shows when the back button brings it back alive.
const WATCH_RETURN: &str = r#"
    addEventListener("pageshow", (event) => {
        const visible = document.querySelector('#account-list > li').checkVisibility();
        if (event.persisted) sessionStorage.setItem("returned", visible ? "with accounts" : "hidden");
    });
"#;

/// Everything that a script finds in the browser.
const LOOK: &str = r#"
    return {
        cookies: document.cookie,
        local: Object.keys(localStorage).sort(),
        session: Object.keys(sessionStorage).sort(),
        databases: (await indexedDB.databases()).map((database) => database.name).sort(),
        caches: (await caches.keys()).sort(),
        workers: (await navigator.serviceWorker.getRegistrations()).length,
    };
"#;

const ACCOUNTS_SHOWN: &str = "location.pathname === '/bank' && document.body.dataset.ready === 'true' && \
     document.querySelectorAll('#account-list > li').length === 2";
const ACCOUNTS_VISIBLE: &str = "document.querySelector('#account-list > li')?.checkVisibility()";
const SIGN_IN_SHOWN: &str = "location.pathname === '/' && document.body.dataset.ready === 'true' && \
     document.querySelector('#login-form').checkVisibility() && !document.querySelector('#account-list')";
const SIGNED_OUT: &str = "location.hash.startsWith('#signed-out') && document.body.dataset.ready === 'true' && \
     document.querySelector('#signed-out-banner').checkVisibility() && !document.querySelector('#account-list')";

fn full() -> Value {
    json!({
        // The session cookie is HttpOnly: no script finds it.
        "cookies": "",
        "local": ["bank:last-view", "planted"],
        "session": ["bank:draft", "planted"],
        "databases": ["bank", "planted"],
        "caches": ["bank-cache", "planted"],
        "workers": 1,
    })
}

fn empty() -> Value {
    json!({ "cookies": "", "local": [], "session": [], "databases": [], "caches": [], "workers": 0 })
}

async fn log_in(browser: &Browser, site: &str) {
    browser.open(&format!("{site}/")).await;
    browser.until(SIGN_IN_SHOWN).await;
    browser.fill("#user", "alice").await;
    browser.fill("#password", "correct horse").await;
    browser.click("#login-submit").await;
    browser.until(ACCOUNTS_SHOWN).await;
}

/// The value of the session cookie, which must be the only cookie.
async fn session_cookie(browser: &Browser) -> String {
    let cookies = browser.cookies().await;
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let cookie = &cookies[0];
    assert_eq!((&cookie["name"], &cookie["httpOnly"]), (&json!(COOKIE), &json!(true)));
    cookie["value"].as_str().unwrap().to_owned()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Serves on a free port of the loopback interface, for as long as the test runs.
async fn serve(router: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// The bank without its `Clear-Site-Data`, which some browsers do not know, and without its `Cache-Control`, which some
/// applications forget: a browser then keeps their pages alive for the back button. Returns the address, and how often
/// the bank has said `Clear-Site-Data`.
async fn without_help(bank: &Bank) -> (String, Arc<AtomicUsize>) {
    let cleared = Arc::new(AtomicUsize::new(0));
    let (bank, count, client) = (bank.address().to_owned(), Arc::clone(&cleared), http());
    let forward = async move |request: Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let request = client.request(head.method, format!("http://{bank}{}", head.uri));
        let mut answer = request.headers(head.headers).body(body).send().await.unwrap();
        let mut headers = std::mem::take(answer.headers_mut());
        count.fetch_add(usize::from(headers.remove("clear-site-data").is_some()), Ordering::Relaxed);
        headers.remove("cache-control");
        headers.remove("transfer-encoding");
        (answer.status(), headers, answer.bytes().await.unwrap()).into_response()
    };
    let port = serve(Router::new().fallback(forward)).await;
    (format!("http://127.0.0.1:{port}"), cleared)
}

async fn logout_clears_the_browser(kind: Kind) {
    let bank = Bank::start("jwt").await;
    clears_the_browser(kind, &bank.url(""), true).await;
}

async fn logout_clears_the_browser_of_an_opaque_token(kind: Kind) {
    let bank = Bank::start("opaque").await;
    clears_the_browser(kind, &bank.url(""), true).await;
}

/// Without the headers that help, there is only what signoff.js does.
async fn logout_clears_a_browser_that_ignores_clear_site_data(kind: Kind) {
    let bank = Bank::start("jwt").await;
    let (site, cleared) = without_help(&bank).await;
    clears_the_browser(kind, &site, false).await;
    assert_eq!(cleared.load(Ordering::Relaxed), 1, "the bank sends Clear-Site-Data with the logout, and only then");
}

async fn clears_the_browser(kind: Kind, site: &str, headers_help: bool) {
    let browser = Browser::start(kind).await;
    let first = browser.tab().await;
    log_in(&browser, site).await;
    let account_page = format!("{site}/bank");
    // Once more, so that the back button has an account page to go back to.
    browser.open(&format!("{account_page}?again")).await;
    browser.until(ACCOUNTS_SHOWN).await;
    browser.run(PLANT).await;

    // Another tab shows accounts as well; a third one did, and has moved on.
    let second = browser.new_tab().await;
    browser.open(&account_page).await;
    browser.until(ACCOUNTS_SHOWN).await;
    browser.run(PLANT).await;
    browser.run(HOLD_DATABASE).await;
    assert_eq!(browser.run(LOOK).await, full());
    let third = browser.new_tab().await;
    browser.open(&account_page).await;
    browser.until(ACCOUNTS_SHOWN).await;
    browser.open(&format!("{site}/healthz")).await;

    browser.show(&first).await;
    assert_eq!(browser.run(LOOK).await, full());
    assert!(!session_cookie(&browser).await.is_empty());
    browser.click("#capture").await;
    browser.until("!document.querySelector('#replay').disabled").await;
    browser.click("#replay").await;
    browser.until("document.querySelector('#replay-log > li[data-status=\"200\"][data-when=before]')").await;

    browser.click("#logout").await;
    browser.until(SIGNED_OUT).await;
    browser.until_found(LOOK, &empty()).await;
    assert_eq!(browser.cookies().await, [] as [Value; 0]);
    // The page counts for itself, when it is loaded, and tells the person.
    let told = "[...document.querySelectorAll('#leftovers dd')].map((count) => count.textContent).join()";
    if browser.run(&format!("return {told};")).await != "0,0,0,0" {
        browser.run("location.reload();").await;
    }
    browser.until(&format!("{told} === '0,0,0,0'")).await;

    // Whoever has a copy of the token has nothing.
    browser.click("#replay").await;
    browser.until("document.querySelector('#replay-log > li[data-when=after]')").await;
    let got = "return document.querySelector('#replay-log > li[data-when=after]').dataset.status;";
    assert_eq!(browser.run(got).await, "401");
    browser.until("document.querySelector('#revoked-proof > .good').textContent.includes('401')").await;

    browser.show(&second).await;
    browser.until(SIGNED_OUT).await;
    browser.until_found(LOOK, &empty()).await;
    assert_eq!(browser.cookies().await, [] as [Value; 0]);

    // The back button: in the tab that asked, and in the one that had moved on before.
    for tab in [&first, &third] {
        browser.show(tab).await;
        browser.back().await;
        browser.until_without(ACCOUNTS_VISIBLE, SIGN_IN_SHOWN).await;
        // No script of ours ran in the third tab: what it had in sessionStorage is within the reach of a header alone.
        if headers_help {
            browser.until_found(LOOK, &empty()).await;
        }
    }
}

async fn a_failing_store_clears_nothing_and_the_page_says_so(kind: Kind) {
    let bank = Bank::start("jwt").await;
    let browser = Browser::start(kind).await;
    let first = browser.tab().await;
    log_in(&browser, &bank.url("")).await;
    browser.run(PLANT).await;
    let second = browser.new_tab().await;
    browser.open(&bank.url("/bank")).await;
    browser.until(ACCOUNTS_SHOWN).await;
    browser.run(PLANT).await;
    browser.show(&first).await;
    let cookie = session_cookie(&browser).await;

    browser.click("#plug").await;
    browser.until("!document.querySelector('#plug').disabled").await;
    let failing = "return (await (await fetch('/demo/state')).json()).store_failing;";
    assert_eq!(browser.run(failing).await, true);
    browser.click("#logout").await;
    browser.until("document.querySelector('#logout-error').checkVisibility()").await;
    let said = browser.run("return document.querySelector('#logout-error').innerText;").await;
    let said = said.as_str().unwrap();
    assert!(said.contains("you are still signed in") && said.contains("Nothing was cleared"), "{said}");
    for tab in [&first, &second] {
        browser.show(tab).await;
        assert_eq!(browser.run("return location.pathname;").await, "/bank");
        assert_eq!(browser.run(LOOK).await, full());
        assert_eq!(session_cookie(&browser).await, cookie);
    }

    browser.show(&first).await;
    browser.click("#plug").await;
    browser.until("!document.querySelector('#plug').disabled").await;
    assert_eq!(browser.run(failing).await, false);
    browser.click("#logout-retry").await;
    for tab in [&first, &second] {
        browser.show(tab).await;
        browser.until(SIGNED_OUT).await;
        browser.until_found(LOOK, &empty()).await;
        assert_eq!(browser.cookies().await, [] as [Value; 0]);
    }
}

async fn another_site_cannot_log_anybody_out(kind: Kind) {
    let bank = Bank::start("jwt").await;
    let form = |path: &str| {
        format!(
            "<!doctype html><form method=post action='{}'><input name=a value=b></form>\
             <script>document.forms[0].submit()</script>",
            bank.url(path)
        )
    };
    let requests = format!(
        "<!doctype html><script>
            const post = {{ method: 'POST', mode: 'no-cors', credentials: 'include', body: 'a=b' }};
            Promise.allSettled([
                fetch('{0}', post),
                fetch('{0}/everywhere', post),
                fetch('{0}', {{ mode: 'no-cors', credentials: 'include' }}),
                fetch('{0}', {{ ...post, mode: 'cors', headers: {{ 'X-Signoff': '1' }} }}),
                new Promise((resolve) => Object.assign(new Image(), {{ src: '{0}', onerror: resolve }})),
            ]).then((all) => document.title = all.map((one) => one.status).join(' '));
        </script>",
        bank.url("/logout")
    );
    let navigation = format!("<!doctype html><script>location.href = '{}';</script>", bank.url("/logout"));
    let (here, everywhere) = (form("/logout"), form("/logout/everywhere"));
    let router = Router::new()
        .route("/here", get(async || Html(here)))
        .route("/everywhere", get(async || Html(everywhere)))
        .route("/requests", get(async || Html(requests)))
        .route("/navigation", get(async || Html(navigation)));
    let port = serve(router).await;

    let browser = Browser::start(kind).await;
    log_in(&browser, &bank.url("")).await;
    browser.run(PLANT).await;
    let cookie = session_cookie(&browser).await;
    // Another site; then another origin of the same site, to which `SameSite` does not apply: the cookie comes along.
    for other in ["localhost", "evil.localhost", "127.0.0.1"] {
        browser.open(&format!("http://{other}:{port}/requests")).await;
        browser.until("document.title").await;
        // All were sent, except for the one that the browser must ask the bank about first.
        assert_eq!(browser.run("return document.title;").await, "fulfilled fulfilled fulfilled rejected fulfilled");
        for path in ["/here", "/everywhere"] {
            // Firefox does not wait for a page that goes away by itself.
            let _ = browser.try_to_open(&format!("http://{other}:{port}{path}")).await;
            browser.until("location.pathname.startsWith('/logout') && document.readyState === 'complete'").await;
            let status = "return performance.getEntriesByType('navigation')[0].responseStatus;";
            assert_eq!(browser.run(status).await, 403, "a form on {other}");
        }
        // The answer is an empty 405, in whose place Chromium shows a page of its own.
        let _ = browser.try_to_open(&format!("http://{other}:{port}/navigation")).await;
        browser.until("!location.href.endsWith('/navigation') && document.readyState === 'complete'").await;

        browser.open(&bank.url("/bank")).await;
        browser.until(ACCOUNTS_SHOWN).await;
        assert_eq!(browser.run(LOOK).await, full(), "after the visit to {other}");
        assert_eq!(session_cookie(&browser).await, cookie);
    }
}

async fn logout_everywhere_reaches_the_other_browser(kind: Kind) {
    let bank = Bank::start("jwt").await;
    let (here, there) = tokio::join!(Browser::start(kind), Browser::start(kind));
    log_in(&here, &bank.url("")).await;
    // The other browser has another tab, which has moved on, and nothing tells it that the page it had is out of date.
    let (site, _) = without_help(&bank).await;
    log_in(&there, &site).await;
    let front = there.tab().await;
    let moved_on = there.new_tab().await;
    there.open(&format!("{site}/bank")).await;
    there.until(ACCOUNTS_SHOWN).await;
    there.run(WATCH_RETURN).await;
    there.open(&format!("{site}/healthz")).await;
    there.show(&front).await;
    here.open(&bank.url("/bank")).await;
    here.until("document.querySelectorAll('#session-list > li').length === 2").await;

    let client = http();
    let accounts = client.get(bank.url("/api/accounts"));
    let stolen = [session_cookie(&here).await, session_cookie(&there).await];
    let replay = async |token: &String| {
        let request = accounts.try_clone().unwrap().header("Cookie", format!("{COOKIE}={token}"));
        request.send().await.unwrap().status().as_u16()
    };
    for token in &stolen {
        assert_eq!(replay(token).await, 200);
    }
    let credentials = json!({ "user": "bob", "password": "battery staple", "delivery": "bearer" });
    let answer = client.post(bank.url("/login")).json(&credentials).send().await.unwrap();
    let bob = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();

    here.click("#logout-everywhere").await;
    here.until(SIGNED_OUT).await;
    for token in &stolen {
        assert_eq!(replay(token).await, 401);
    }
    // The other browser still shows the page: until the person does something.
    there.until(ACCOUNTS_SHOWN).await;
    there.fill("#transfer-amount", "1.00").await;
    there.click("#transfer-submit").await;
    there.until(SIGN_IN_SHOWN).await;
    there.open(&format!("{site}/bank")).await;
    there.until(SIGN_IN_SHOWN).await;
    there.show(&moved_on).await;
    there.back().await;
    there.until_without(ACCOUNTS_VISIBLE, SIGN_IN_SHOWN).await;
    let returned = there.run("return sessionStorage.getItem('returned');").await;
    assert_ne!(returned, "with accounts", "even for the blink of an eye");

    let answer = accounts.try_clone().unwrap().bearer_auth(bob).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["user"]["id"], "bob");
}

/// Replays until the thief's log has this; on a machine that is busy the lease of a node may run out now and then.
async fn replay_until(browser: &Browser, logged: &str) {
    let entry = format!("document.querySelector(`#replay-log > li{logged}`)");
    for _ in 0..20 {
        browser.click("#replay").await;
        browser.until("!document.querySelector('#replay').disabled").await;
        if browser.run(&format!("return {entry} !== null;")).await == true {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("no {logged} in the thief's log");
}

#[tokio::test]
async fn the_panel_replays_against_every_node() {
    let bank = Bank::start_nodes(&Postgres::shared().unwrap().database().unwrap(), 3, "jwt").await;
    let browser = Browser::start(Kind::Chromium).await;
    log_in(&browser, &bank.url("")).await;
    browser.until("document.querySelectorAll('#node-list > li').length === 3").await;
    let rows = "return [...document.querySelectorAll('#exchange .answers > li')].map((row) => \
                [row.dataset.node, row.dataset.status]);";
    let each = |status: &str| json!(bank.addresses().iter().map(|node| [node, status]).collect::<Vec<_>>());
    browser.click("#capture").await;
    browser.until("!document.querySelector('#replay').disabled").await;
    replay_until(&browser, "[data-status='200 200 200']").await;
    assert_eq!(browser.run(rows).await, each("200"));

    // A cookie knows no ports: a click on the name of another node, and one is signed in there, the thief's story included.
    let second = &bank.addresses()[1];
    browser.click(&format!("#node-list > li[data-node='{second}'] a")).await;
    browser.until(&format!("location.host === '{second}' && {ACCOUNTS_SHOWN}")).await;
    browser.until("document.querySelector('#node-list [aria-current=page]')").await;
    let this_one = "return document.querySelector('#node-list [aria-current=page]').textContent;";
    assert_eq!(browser.run(this_one).await, *second);
    browser.click("#logout").await;
    browser.until(SIGNED_OUT).await;
    browser.until("document.querySelector('#replay-log > li[data-status=\"200 200 200\"][data-when=before]')").await;
    replay_until(&browser, "[data-status='401 401 401'][data-when=after]").await;
    let let_in = "return document.querySelectorAll('#replay-log > li[data-when=after][data-status*=\"200\"]').length;";
    assert_eq!(browser.run(let_in).await, 0);
    assert_eq!(browser.run(rows).await, each("401"));
    let verdict = browser.run("return document.querySelector('#exchange .verdict').textContent;").await;
    assert!(verdict.as_str().unwrap().contains("dead on all 3 nodes"), "{verdict}");
}
