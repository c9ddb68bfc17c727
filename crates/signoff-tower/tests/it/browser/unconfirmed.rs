//! Logouts that the server cannot confirm: what goes, what stays, what is said, and what happens when it is back.

use std::time::Duration;

use serde_json::{Value, json};

use super::driver::{Browser, Kind};
use super::site::{Answers, Site, logout, unconfirmed};
use super::{PLANT, in_every_browser};

in_every_browser! {
    offline_the_data_goes_and_a_retry_ends_the_session
    what_brings_a_retry
    a_server_that_does_not_answer_is_tried_again
    only_a_server_that_cannot_be_reached_is_waited_for
    staying_signed_in_is_a_click_away
    without_the_network_the_data_goes
    a_new_login_is_not_ended_by_an_old_logout
    a_retry_that_finds_no_session_ends_the_wait
    a_page_may_tell_the_person_itself
    a_tab_that_stays_does_so_once
}

const PENDING: &str = "window.signoff.pendingLogout()";
/// The notice of the module, which is all that there is on the page, and visible.
const NOTICE: &str = "document.body.childElementCount === 1 && document.querySelector('main[role=alert]')\
     ?.checkVisibility() && document.body.innerText.includes('still signed in on the server') && document.title === ''";
const SECRET: &str = "document.querySelector('#secret')?.checkVisibility()";
const ON_NEXT: &str = "location.pathname === '/next' && window.signoff && document.querySelector('#secret')\
     .checkVisibility() && window.signoff.pendingLogout() === null";

const STORED: &str = r#"
    return {
        local: Object.keys(localStorage).sort(),
        session: Object.keys(sessionStorage).sort(),
        databases: (await indexedDB.databases()).map((database) => database.name).sort(),
        caches: (await caches.keys()).sort(),
    };
"#;

/// Nothing but what was asked to stay, and the marker.
fn marked() -> Value {
    json!({ "local": ["signoff:pending", "theme"], "session": [], "databases": [], "caches": [] })
}

/// Data of every kind. The site's policy on trusted types forbids this page to register a worker by its address.
async fn plant(browser: &Browser) {
    let (data, _) = PLANT.split_once("// Any script").unwrap();
    browser.run(&format!("{data} localStorage.setItem('theme', 'dark');")).await;
}

async fn offline_the_data_goes_and_a_retry_ends_the_session(kind: Kind) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    let first = browser.tab().await;
    let token = site.log_in(&browser).await;
    let second = browser.new_tab().await;
    site.show(&browser, "/page").await;
    browser.run("sessionStorage.setItem('mine', 'too');").await;
    browser.show(&first).await;
    plant(&browser).await;

    site.cut().await;
    // The careful one changes nothing.
    let refused = browser.run(&logout(&json!({}))).await;
    assert_eq!((&refused["reason"], &refused["status"]), (&json!("offline"), &json!(0)));
    assert_eq!(browser.run(&format!("return {SECRET};")).await, true);

    let outcome = browser.run(&logout(&unconfirmed())).await;
    assert_eq!((&outcome["confirmed"], &outcome["reason"]), (&json!(false), &json!("offline")), "{outcome}");
    assert_eq!(outcome["left"], json!([]));
    for member in ["status", "session", "tokens", "logout_id"] {
        assert!(outcome.get(member).is_none(), "{member} would be a proof: {outcome}");
    }
    for tab in [&first, &second] {
        browser.show(tab).await;
        browser.until(NOTICE).await;
        assert_eq!(browser.run(STORED).await, marked());
    }
    let marker = browser.run("return localStorage.getItem('signoff:pending');").await;
    assert!(!marker.as_str().unwrap().contains(&token));
    assert_eq!(site.replay(&token).await, 200, "the page says so: the session lives on");

    site.mend().await;
    for tab in [&first, &second] {
        browser.show(tab).await;
        browser.until(ON_NEXT).await;
        // `keep` binds the module alone: this answer has `Clear-Site-Data: "storage"`, which both browsers honour.
        assert_eq!(browser.run("return localStorage.length;").await, 0);
    }
    assert_eq!(site.replay(&token).await, 401);
    assert_eq!(browser.cookies().await, [] as [Value; 0]);
    let notes = site.notes();
    let heard = |here: &str| notes.iter().filter(|note| note.starts_with("logout") && note.contains(here)).count();
    assert_eq!((heard("\"here\":true"), heard("\"here\":false")), (1, 1), "{notes:?}");
}

/// Signed in, and then out as far as the browser goes, with a server that says to come back in an hour.
async fn pending(kind: Kind) -> (Site, Browser, String) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    let token = site.log_in(&browser).await;
    site.answers(Answers::Unavailable);
    let outcome = browser.run(&logout(&unconfirmed())).await;
    assert_eq!(outcome["reason"], "unavailable", "{outcome}");
    browser.until(NOTICE).await;
    (site, browser, token)
}

async fn what_brings_a_retry(kind: Kind) {
    let (site, browser, token) = pending(kind).await;
    // The network, for real; then what a browser says when a tab comes to the front.
    let before = site.logouts();
    browser.offline(true).await;
    browser.until("navigator.onLine === false").await;
    browser.offline(false).await;
    posted(&site, before + 1).await;
    brings_a_retry(&site, async || {
        browser.run("document.dispatchEvent(new Event('visibilitychange'));").await;
    })
    .await;
    // The button does what it says; and the page does not change as long as nothing is proven.
    brings_a_retry(&site, async || browser.click("button").await).await;
    browser.until(NOTICE).await;
    // A page that is loaded shows nothing, and tries.
    let before = site.logouts();
    browser.open(&site.url("/page")).await;
    browser.until_without(SECRET, NOTICE).await;
    posted(&site, before + 1).await;
    assert_eq!(site.replay(&token).await, 200);

    site.answers(Answers::Well);
    browser.open(&site.url("/page")).await;
    browser.until_without(&format!("location.pathname === '/page' && {SECRET}"), ON_NEXT).await;
    assert_eq!(site.replay(&token).await, 401);
    // Once proven it is over.
    let before = site.logouts();
    site.show(&browser, "/page").await;
    browser.run("window.dispatchEvent(new Event('online'));").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(site.logouts(), before);
}

async fn without_the_network_the_data_goes(kind: Kind) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    let token = site.log_in(&browser).await;
    plant(&browser).await;
    browser.offline(true).await;
    browser.until("navigator.onLine === false").await;
    // Firefox still reaches its own machine then.
    site.cut().await;
    let outcome = browser.run(&logout(&unconfirmed())).await;
    assert_eq!(outcome["reason"], "offline", "{outcome}");
    browser.until(NOTICE).await;
    assert_eq!(browser.run(STORED).await, marked());
    assert_eq!(site.replay(&token).await, 200);
    site.mend().await;
    browser.offline(false).await;
    browser.until(ON_NEXT).await;
    assert_eq!(site.replay(&token).await, 401);
}

async fn staying_signed_in_is_a_click_away(kind: Kind) {
    let (site, browser, token) = pending(kind).await;
    browser.click("button:last-child").await;
    browser.until(&format!("window.signoff && {SECRET} && !{PENDING}")).await;
    let before = site.logouts();
    browser.run("window.dispatchEvent(new Event('online'));").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((site.logouts(), site.replay(&token).await), (before, 200));
}

/// While an attempt is under way no other begins, so what brings one is done until it does.
async fn brings_a_retry(site: &Site, what: impl AsyncFn()) {
    let before = site.logouts();
    for _ in 0..20 {
        what().await;
        for _ in 0..10 {
            if site.logouts() > before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    panic!("no retry");
}

async fn posted(site: &Site, count: usize) {
    for _ in 0..200 {
        if site.logouts() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} logouts were posted, not {count}", site.logouts());
}

async fn a_server_that_does_not_answer_is_tried_again(kind: Kind) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    for (answers, alive) in [(Answers::Never, 200), (Answers::Half, 200), (Answers::Lost, 401)] {
        site.answers(Answers::Well);
        let token = site.log_in(&browser).await;
        site.answers(answers);
        let refused = browser.run(&logout(&json!({ "timeout": 300 }))).await;
        assert_eq!(refused["reason"], "timeout", "{refused}");
        assert_eq!(browser.run(&format!("return {SECRET};")).await, true);
        let outcome = browser.run(&logout(&unconfirmed())).await;
        assert_eq!((&outcome["confirmed"], &outcome["reason"]), (&json!(false), &json!("timeout")), "{outcome}");
        browser.until(NOTICE).await;
        assert_eq!(site.replay(&token).await, alive);
        site.answers(Answers::Well);
        // By a click, or by waiting.
        if alive == 200 {
            browser.click("button").await;
        }
        browser.until(ON_NEXT).await;
        assert_eq!(site.replay(&token).await, 401);
    }
}

/// A server that says no was reached. A retry would hear the same, and the marker would stay for ever.
async fn only_a_server_that_cannot_be_reached_is_waited_for(kind: Kind) {
    let site = Site::start().await;
    let browser = Browser::start(kind).await;
    let token = site.log_in(&browser).await;
    plant(&browser).await;
    let before = browser.run(STORED).await;
    let refused = [400, 403, 405].map(|status| (Answers::With(status), "refused"));
    let unproven = [200, 202, 204, 404, 429, 500].map(|status| (Answers::With(status), "unproven"));
    let others = [(Answers::With(401), "no-session"), (Answers::Portal, "unproven")];
    for (answers, reason) in refused.into_iter().chain(unproven).chain(others) {
        site.answers(answers);
        let got = browser.run(&logout(&unconfirmed())).await;
        assert_eq!(got["reason"], reason, "{got}");
        assert!(got["message"].as_str().unwrap().contains("Nothing was cleared"), "{got}");
        assert_eq!(browser.run(&format!("return {SECRET} && !{PENDING};")).await, true);
    }
    assert_eq!(browser.run(STORED).await, before);
    // Without being asked for, it is never done.
    for status in [502, 503, 504] {
        site.answers(Answers::With(status));
        let got = browser.run(&logout(&json!({}))).await;
        assert_eq!((&got["reason"], &got["status"]), (&json!("unavailable"), &json!(status)));
    }
    // A redirect cannot be told from a lost network.
    site.answers(Answers::Elsewhere);
    assert_eq!(browser.run(&logout(&json!({}))).await["reason"], "offline");
    assert_eq!(browser.run(STORED).await, before);
    assert_eq!(site.replay(&token).await, 200);
}

async fn a_new_login_is_not_ended_by_an_old_logout(kind: Kind) {
    let (site, browser, token) = pending(kind).await;
    let waiting = browser.tab().await;
    let front = browser.new_tab().await;
    site.show(&browser, "/front").await;
    // A login that fails gives nothing up.
    let failed = "return await window.signoff.forgetPendingLogout(() => window.logIn('wrong'));";
    assert_eq!(browser.run(failed).await, false);
    assert_eq!(browser.run(&format!("return {PENDING}.url;")).await, "/logout");
    // And what throws neither.
    let thrown =
        "try { await window.signoff.forgetPendingLogout(() => { throw 1; }); } catch (error) { return error; }";
    assert_eq!(browser.run(thrown).await, 1);
    assert_eq!(browser.run(&format!("return {PENDING}.url;")).await, "/logout");

    // The server is back while the login is under way, and both tabs would like to try. (One may have tried just before.)
    let login = r"
        window.login = window.signoff.forgetPendingLogout(async () => {
            window.begun = true;
            await new Promise((resolve) => setTimeout(resolve, 1500));
            return window.logIn();
        });
    ";
    browser.run(login).await;
    browser.until("window.begun").await;
    let posted = site.logouts();
    site.answers(Answers::Well);
    browser.run("window.dispatchEvent(new Event('online'));").await;
    browser.show(&waiting).await;
    browser.run("window.dispatchEvent(new Event('online'));").await;
    browser.show(&front).await;
    assert_eq!(browser.run("return await window.login;").await, true);
    let fresh = super::session_cookie(&browser).await;
    assert_ne!(fresh, token);
    // The other tab drops its notice by itself.
    browser.show(&waiting).await;
    browser.until(&format!("window.signoff && {SECRET} && !{PENDING}")).await;
    assert_eq!(site.logouts(), posted);
    assert_eq!(
        (site.replay(&token).await, site.replay(&fresh).await),
        (401, 200),
        "the bank ends the old one at a login"
    );
}

async fn a_retry_that_finds_no_session_ends_the_wait(kind: Kind) {
    let (site, browser, _) = pending(kind).await;
    site.answers(Answers::With(401));
    browser.click("button").await;
    browser.until(ON_NEXT).await;
    assert!(site.notes().contains(&r#"logout {"logout_id":"","here":true}"#.to_owned()), "{:?}", site.notes());
}

async fn a_page_may_tell_the_person_itself(kind: Kind) {
    let (site, browser, token) = pending(kind).await;
    // By something of its own on an otherwise empty page.
    site.show(&browser, "/own").await;
    browser.until("document.body.childElementCount === 1 && document.querySelector('footer')?.checkVisibility()").await;
    // Or by staying as it is; it then also stays where it is when the logout is proven.
    site.show(&browser, "/front").await;
    browser.until(&format!("{SECRET} && {PENDING}.url === '/logout'")).await;
    site.answers(Answers::Well);
    let proven = "return [await window.signoff.retryPendingLogout(), location.pathname];";
    assert_eq!(browser.run(proven).await, json!([null, "/front"]));
    assert_eq!(browser.run(&format!("return {SECRET} && !{PENDING};")).await, true);
    assert_eq!(site.replay(&token).await, 401);

    // A tab that was told to stay does, also when it is the one in which the person asks.
    let token = site.log_in(&browser).await;
    site.answers(Answers::Unavailable);
    let mut options = unconfirmed();
    options["navigate"] = json!(false);
    let outcome = browser.run(&logout(&options)).await;
    assert_eq!(outcome["confirmed"], false);
    assert_eq!(browser.run(&format!("return {SECRET};")).await, true);
    site.answers(Answers::Well);
    assert_eq!(browser.run("return await window.signoff.retryPendingLogout();").await, Value::Null);
    assert_eq!(site.replay(&token).await, 401);
}

async fn a_tab_that_stays_does_so_once(kind: Kind) {
    let (site, browser, _) = pending(kind).await;
    let asks = browser.tab().await;
    let stays = browser.new_tab().await;
    site.show(&browser, "/front").await;
    browser.until(&format!("{SECRET} && {PENDING}")).await;
    site.answers(Answers::Well);
    browser.show(&asks).await;
    browser.until(ON_NEXT).await;
    browser.show(&stays).await;
    browser.until(&format!("{SECRET} && !{PENDING} && location.pathname === '/front'")).await;
    let told = |note: &String| note.starts_with("logout") && note.contains("\"here\":false");
    assert!(site.notes().iter().any(told), "{:?}", site.notes());

    // It goes on as an application of one page does; what it shows by then must go with the next logout elsewhere.
    assert_eq!(browser.run("return await window.logIn();").await, true);
    browser.show(&asks).await;
    site.show(&browser, "/page").await;
    browser.run(&logout(&json!({ "next": "/next", "navigate": false }))).await;
    browser.show(&stays).await;
    browser.until(ON_NEXT).await;
}
