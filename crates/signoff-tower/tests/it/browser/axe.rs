//! The bank's pages before axe-core, which knows the rules of WCAG. It installs it by itself, in the version that
//! `browser/axe` pins, and never skips. One browser is enough: the rules are about the pages.

use std::fs;
use std::path::Path;

use serde_json::json;
use signoff_test_servers::install_npm;

use super::driver::{Browser, Kind};
use super::{SIGN_IN_SHOWN, SIGNED_OUT, log_in};
use crate::bank::Bank;

/// What is folded away is opened, so that it is looked at too.
const RUN: &str = r#"
    for (const details of document.querySelectorAll("details")) details.open = true;
    const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
    return {
        violations: violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`)),
        looked: passes.length > 10,
    };
"#;

/// The source of axe-core, installed once for all runs.
fn source() -> String {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/browser/axe");
    let folder = install_npm("axe", &pinned, &[]).unwrap();
    fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap()
}

async fn look(browser: &Browser, axe: &str, what: &str) {
    browser.run(axe).await;
    assert_eq!(browser.run(RUN).await, json!({ "violations": [], "looked": true }), "{what}");
}

#[tokio::test]
async fn the_pages_violate_no_rule() {
    let axe = source();
    let bank = Bank::start("jwt").await;
    let browser = Browser::start(Kind::Chromium).await;
    for theme in ["light", "dark", "contrast"] {
        browser.open(&bank.url("/")).await;
        browser.run(&format!("document.cookie = 'theme={theme}; path=/';")).await;
        browser.open(&bank.url("/")).await;
        browser.until(SIGN_IN_SHOWN).await;
        assert_eq!(browser.run("return document.documentElement.dataset.theme;").await, theme);
        look(&browser, &axe, &format!("sign-in, {theme}")).await;
        log_in(&browser, &bank.url("")).await;
        // With the devices and the events of the session.
        browser.until("document.querySelector('.end-session') && document.querySelector('#audit-list > li')").await;
        look(&browser, &axe, &format!("account, {theme}")).await;
        browser.run("document.querySelector('#step-up').showModal();").await;
        look(&browser, &axe, &format!("question for the password, {theme}")).await;
        browser.run("document.querySelector('#step-up').close();").await;
        // With what the thief got, and with a logout that did not succeed.
        browser.click("#capture").await;
        browser.until("!document.querySelector('#replay').disabled").await;
        browser.click("#replay").await;
        browser.until("document.querySelector('#replay-log > li[data-status=\"200\"]')").await;
        browser.click("#plug").await;
        browser.until("!document.querySelector('#plug').disabled").await;
        browser.click("#logout").await;
        browser.until("document.querySelector('#logout-error').checkVisibility()").await;
        look(&browser, &axe, &format!("still signed in, {theme}")).await;
        browser.click("#plug").await;
        browser.until("!document.querySelector('#plug').disabled").await;
        browser.click("#logout-retry").await;
        browser.until(SIGNED_OUT).await;
        look(&browser, &axe, &format!("goodbye, {theme}")).await;
    }
}
