//! What a proven logout clears and keeps, and what can hold it up.

use std::time::Duration;

use serde_json::json;

use super::driver::{Browser, Kind};
use super::site::{Site, logout};
use super::{HOLD_DATABASE, PLANT, in_every_browser};

in_every_browser! {
    options_say_what_is_kept
    a_worker_that_caches_pages_lets_go_of_them
    a_database_held_open_elsewhere_does_not_hold_the_logout_up
    databases_that_cannot_be_listed_are_named
    a_page_from_the_back_forward_cache_shows_nothing
}

const SECRET: &str = "document.querySelector('#secret')?.checkVisibility()";
const SIGNED_OUT: &str = "location.pathname === '/next' && window.signoff";

/// Registers the worker, past the site's policy, and waits until it has the page.
const REGISTER: &str = r#"
    const address = "/worker.js";
    const policy = window.trustedTypes?.createPolicy("worker", { createScriptURL: (text) => text });
    await navigator.serviceWorker.register(policy?.createScriptURL(address) ?? address);
    await navigator.serviceWorker.ready;
"#;

const LOOK: &str = r#"
    return {
        // Not Object.keys(): it leaves out a key that is called "length".
        local: [...Array(localStorage.length)].map((_, at) => localStorage.key(at)).sort(),
        session: Object.keys(sessionStorage).sort(),
        databases: (await indexedDB.databases()).map((database) => database.name).sort(),
        // A worker that stays goes on keeping pages.
        caches: (await caches.keys()).filter((name) => name !== "pages").sort(),
        workers: (await navigator.serviceWorker.getRegistrations()).length,
    };
"#;

/// A browser that is signed in, at a site without `Clear-Site-Data`: the header knows no exceptions.
async fn signed_in(kind: Kind) -> (Site, Browser) {
    let site = Site::start().await;
    site.without_clear_site_data();
    let browser = Browser::start(kind).await;
    site.log_in(&browser).await;
    (site, browser)
}

async fn plant(browser: &Browser) {
    let (data, _) = PLANT.split_once("// Any script").unwrap();
    browser.run(data).await;
    browser.run("for (const key of ['theme', 'consent:ads', 'consent', 'length']) localStorage.setItem(key, 1);").await;
    browser.run(REGISTER).await;
}

async fn options_say_what_is_kept(kind: Kind) {
    let (site, browser) = signed_in(kind).await;
    let all = json!({
        "local": ["consent", "consent:ads", "length", "planted", "theme"],
        "session": ["planted"], "databases": ["planted"], "caches": ["planted"], "workers": 1,
    });
    let empty = json!({ "local": [], "session": [], "databases": [], "caches": [], "workers": 0 });
    // Each with what is kept beyond nothing.
    let (half, other) =
        (json!({ "webStorage": false, "caches": false }), json!({ "indexedDB": false, "serviceWorkers": false }));
    let cases = [
        (json!({}), json!({})),
        (
            json!({ "keep": ["theme"], "keepPrefixes": ["consent:", "len"] }),
            json!({ "local": ["consent:ads", "length", "theme"] }),
        ),
        (
            json!({ "clear": half }),
            json!({ "local": all["local"], "session": all["session"], "caches": all["caches"] }),
        ),
        (json!({ "clear": other }), json!({ "databases": all["databases"], "workers": 1 })),
        (json!({ "serviceWorkers": false }), json!({ "workers": 1 })),
    ];
    for (mut options, kept) in cases {
        site.log_in(&browser).await;
        plant(&browser).await;
        assert_eq!(browser.run(LOOK).await, all);
        options["next"] = json!("/next");
        browser.run(&format!("void window.signoff.logout({options});")).await;
        browser.until(SIGNED_OUT).await;
        let mut expected = empty.clone();
        expected.as_object_mut().unwrap().extend(kept.as_object().unwrap().clone());
        browser.until_found(LOOK, &expected).await;
        // The next one begins with nothing.
        site.log_in(&browser).await;
        browser.run("void window.signoff.logout({ next: '/next' });").await;
        browser.until(SIGNED_OUT).await;
        browser.until_found(LOOK, &empty).await;
    }
}

async fn a_worker_that_caches_pages_lets_go_of_them(kind: Kind) {
    let (site, browser) = signed_in(kind).await;
    let recipe = include_str!("../../../../../docs/browser.md");
    assert!(recipe.contains(include_str!("worker.js")), "the recipe is what is tested");
    browser.run(REGISTER).await;
    // From its second visit on the page comes through the worker.
    site.show(&browser, "/page").await;
    site.show(&browser, "/page").await;
    browser.until("navigator.serviceWorker.controller").await;
    let cached = "return Boolean(await caches.match('/page'));";
    assert_eq!(browser.run(cached).await, true);
    let tell = r#"
        window.signoff.onLogout(() => new Promise((resolve) => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = resolve;
            navigator.serviceWorker.controller.postMessage("logout", [port2]);
        }));
        // This answer is on its way when the logout is.
        void fetch("/page?late");
    "#;
    browser.run(tell).await;
    let outcome = browser.run(&logout(&json!({ "navigate": false }))).await;
    assert_eq!((&outcome["confirmed"], &outcome["left"]), (&json!(true), &json!([])), "{outcome}");
    // The worker lives for as long as a page of it is open, and keeps nothing more.
    browser.run("await fetch('/page?after');").await;
    let look = "return [(await caches.keys()).length, (await navigator.serviceWorker.getRegistrations()).length];";
    assert_eq!(browser.run(look).await, json!([0, 0]));
    site.cut().await;
    let gone = browser.run("return await fetch('/page').then(() => 'came', () => 'is gone');").await;
    assert_eq!(gone, "is gone");
}

async fn a_database_held_open_elsewhere_does_not_hold_the_logout_up(kind: Kind) {
    let (site, browser) = signed_in(kind).await;
    let first = browser.tab().await;
    plant(&browser).await;
    // A page that does not import the module follows nobody, and does not let go.
    let stubborn = browser.new_tab().await;
    browser.open(&site.url("/plain")).await;
    browser.run(HOLD_DATABASE).await;
    browser.show(&first).await;
    // The module waits for five seconds; the rest is for a loaded machine.
    let script = logout(&json!({ "navigate": false }));
    let outcome = tokio::time::timeout(Duration::from_secs(20), browser.run(&script)).await.unwrap();
    assert_eq!(outcome["confirmed"], true, "the session has ended: {outcome}");
    assert_eq!(outcome["left"], json!(["indexedDB"]), "and what is left is named");
    let rest = browser.run("return [localStorage.length, (await caches.keys()).length];").await;
    assert_eq!(rest, json!([0, 0]));
    // The deletion waits for nothing but the page that holds it up.
    browser.show(&stubborn).await;
    browser.run("window.held.close();").await;
    browser.until("(await indexedDB.databases()).length === 0").await;
}

/// What is not known is not deleted, but for what the page names itself.
async fn databases_that_cannot_be_listed_are_named(kind: Kind) {
    let (_site, browser) = signed_in(kind).await;
    plant(&browser).await;
    browser.run("indexedDB.list = indexedDB.databases; indexedDB.databases = () => new Promise(() => {});").await;
    let outcome = browser.run(&logout(&json!({ "navigate": false }))).await;
    assert_eq!((&outcome["confirmed"], &outcome["left"]), (&json!(true), &json!(["indexedDB"])), "{outcome}");
    assert_eq!(browser.run("return (await indexedDB.list()).length;").await, 1);
}

async fn a_page_from_the_back_forward_cache_shows_nothing(kind: Kind) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    let token = site.log_in(&browser).await;
    let watch = r#"
        window.mark = true;
        addEventListener("pageshow", (event) => {
            if (event.persisted) void fetch("/note", { method: "POST", keepalive: true,
                body: `returned ${document.querySelector("p").checkVisibility()}` });
        });
    "#;
    browser.run(watch).await;
    // Put away while signed in. The session ends elsewhere: a notice of it would throw the page out of the cache.
    site.show(&browser, "/next").await;
    site.end(&token).await;
    browser.back().await;
    // It is asked for anew: the page that had been put away never gets to be seen.
    browser
        .until_without(
            &format!("window.mark && {SECRET}"),
            "location.pathname === '/page' && window.signoff && !window.mark",
        )
        .await;
    assert!(!site.notes().contains(&"returned true".to_owned()), "{:?}", site.notes());
}
