//! The bank's pages for whoever has a keyboard and no mouse, or ears and no eyes.

use serde_json::json;

use super::driver::{Browser, Kind};
use super::{SIGNED_OUT, in_every_browser, log_in};
use crate::bank::Bank;

in_every_browser! {
    pages_are_used_by_keyboard_and_by_ear
}

/// What a screen reader would stumble over.
const STUMBLES: &str = r#"
    const shown = (node) => node.checkVisibility();
    const found = [];
    const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((one) => Number(one.tagName[1]));
    if (levels.filter((level) => level === 1).length !== 1) found.push(`headings ${levels}`);
    levels.forEach((level, n) => { if (n > 0 && level > levels[n - 1] + 1) found.push(`headings ${levels}`); });
    for (const node of [...document.querySelectorAll("a, button, input, select")].filter(shown)) {
        // The choices of a select are not its name, also where they stand within its label.
        const label = [...node.labels ?? []].map((one) => one.textContent.replace(node.textContent, "")).join("");
        const text = node.matches("a, button") ? node.textContent : "";
        if (!(node.getAttribute("aria-label") ?? label + text).trim()) found.push(node.outerHTML);
    }
    for (const tag of ["header", "main", "aside"]) if (!document.querySelector(`body ${tag}`)) found.push(tag);
    if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
    return found;
"#;

async fn pages_are_used_by_keyboard_and_by_ear(kind: Kind) {
    const TAB: &str = "\u{e004}";
    let bank = Bank::start("jwt").await;
    let browser = Browser::start(kind).await;
    browser.open(&bank.url("/")).await;
    browser.until("document.body.dataset.ready === 'true'").await;
    assert_eq!(browser.run(STUMBLES).await, json!([]));
    log_in(&browser, &bank.url("")).await;
    assert_eq!(browser.run(STUMBLES).await, json!([]));

    // From the first thing that takes the focus through the whole page; each stop can be seen.
    let first = "const all = document.querySelectorAll('a, button, input, select'); all[0].focus(); \
                 return document.activeElement.className;";
    assert_eq!(browser.run(first).await, "skip");
    let seen = "const on = document.activeElement; const box = on.getBoundingClientRect(); \
                const ring = getComputedStyle(on).outlineStyle !== 'none' || on.className === 'skip'; \
                return [on.id || on.className, box.width > 0 && ring];";
    let mut stops = Vec::new();
    for _ in 0..12 {
        let stop = browser.run(seen).await;
        assert_eq!(stop[1], true, "{stop}");
        stops.push(stop[0].as_str().unwrap().to_owned());
        if stops.last().unwrap() == "plug" {
            break;
        }
        browser.fill(":focus", TAB).await;
    }
    let wanted = [
        "skip",
        "brand",
        "theme",
        "logout-everywhere",
        "logout",
        "transfer-to",
        "transfer-amount",
        "transfer-submit",
        "end-session quiet",
        "capture",
        "plug",
    ];
    assert_eq!(stops, wanted);

    browser.run("document.querySelector('#logout').focus();").await;
    browser.fill("#logout", "\u{e007}").await;
    browser.until(SIGNED_OUT).await;
    assert_eq!(browser.run(STUMBLES).await, json!([]));
    assert_eq!(browser.run("return document.activeElement.id;").await, "signed-out-banner");
}
