//! What the bank shows beside a logout: the password once more, the audit trail, devices, renewal, themes, and the page
//! that explains what happened.

use serde_json::{Value, json};

use super::driver::{Browser, Kind};
use super::{ACCOUNTS_SHOWN, COOKIE, SIGNED_OUT, http, in_every_browser, log_in, session_cookie};
use crate::bank::Bank;

in_every_browser! {
    a_large_transfer_asks_for_the_password_and_kills_the_old_token
    tabs_share_one_renewal_and_one_logout
    a_theme_outlives_a_logout_which_is_explained
    other_devices_are_signed_out_and_the_audit_trail_says_so
}

async fn balance(browser: &Browser) -> Value {
    browser.run("return (await (await fetch('/api/accounts')).json()).accounts[0].balance_cents;").await
}

async fn replay(bank: &Bank, token: &str) -> u16 {
    let request = http().get(bank.url("/api/accounts")).header("Cookie", format!("{COOKIE}={token}"));
    request.send().await.unwrap().status().as_u16()
}

async fn a_large_transfer_asks_for_the_password_and_kills_the_old_token(kind: Kind) {
    let bank = Bank::start_with(&["--password-age", "1"]).await;
    let browser = Browser::start(kind).await;
    log_in(&browser, &bank.url("")).await;
    let before = balance(&browser).await.as_i64().unwrap();
    let old = session_cookie(&browser).await;
    // The time in a token is in whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;

    // A thousand is not yet large.
    browser.fill("#transfer-amount", "1000").await;
    browser.click("#transfer-submit").await;
    browser.until("document.querySelector('#transfer-result').dataset.kind === 'good'").await;
    assert_eq!(balance(&browser).await, before - 100_000);

    browser.fill("#transfer-amount", "1000.01").await;
    browser.click("#transfer-submit").await;
    browser.until("document.querySelector('#step-up').open").await;
    let focus = "return document.activeElement.id;";
    assert_eq!(browser.run(focus).await, "step-up-password");
    // Escape cancels, and the person goes on from where they were. U+E00C is that key in WebDriver.
    browser.fill("#step-up-password", "\u{e00c}").await;
    browser.until("!document.querySelector('#step-up').open").await;
    browser.until("document.querySelector('#transfer-result').textContent.startsWith('Cancelled')").await;
    assert_eq!(balance(&browser).await, before - 100_000);
    assert_eq!(session_cookie(&browser).await, old);

    browser.click("#transfer-submit").await;
    browser.until("document.querySelector('#step-up').open").await;
    browser.fill("#step-up-password", "battery staple").await;
    browser.click("#step-up-submit").await;
    browser.until("document.querySelector('#step-up-error').textContent === 'That is not your password.'").await;
    assert_eq!(replay(&bank, &old).await, 200);
    browser.run("document.querySelector('#step-up-password').value = '';").await;
    browser.fill("#step-up-password", "correct horse").await;
    browser.click("#step-up-submit").await;
    browser.until("document.querySelector('#transfer-result').textContent.startsWith('€1,000.01 sent')").await;
    assert_eq!(balance(&browser).await, before - 200_001);
    assert_ne!(session_cookie(&browser).await, old);
    assert_eq!(replay(&bank, &old).await, 401, "a copy of the old token");
    browser.until("document.querySelector('#audit-list').textContent.includes('Password confirmed')").await;
}

async fn tabs_share_one_renewal_and_one_logout(kind: Kind) {
    let bank = Bank::start_with(&["--token-life", "6"]).await;
    let browser = Browser::start(kind).await;
    log_in(&browser, &bank.url("")).await;
    let first = browser.tab().await;
    let old = session_cookie(&browser).await;
    let _second = browser.new_tab().await;
    browser.open(&bank.url("/bank")).await;
    browser.until(ACCOUNTS_SHOWN).await;
    browser.until("document.querySelector('#renewal').dataset.tabs === '2'").await;
    browser.until("document.querySelector('#renewal').dataset.renewed === 'true'").await;
    // Older than a token may become: only a renewal keeps anybody in.
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(replay(&bank, &old).await, 401);
    assert_eq!(browser.run("return (await fetch('/api/me')).status;").await, 200);
    let shown = "return document.querySelector('#renewal').textContent;";
    let shown = browser.run(shown).await;
    assert!(
        shown.as_str().unwrap().starts_with("Session renewed at ") && shown.as_str().unwrap().ends_with(", 2 tabs")
    );

    browser.click("#logout").await;
    browser.until(SIGNED_OUT).await;
    let receipt = "return document.querySelector('#destroyed-proof code').textContent;";
    let id = browser.run(receipt).await;
    browser.show(&first).await;
    browser.until(SIGNED_OUT).await;
    assert_eq!(browser.run(receipt).await, id, "every tab tells of the same logout");
}

async fn a_theme_outlives_a_logout_which_is_explained(kind: Kind) {
    let bank = Bank::start("jwt").await;
    let browser = Browser::start(kind).await;
    log_in(&browser, &bank.url("")).await;
    let choose = "const theme = document.querySelector('#theme'); theme.value = 'dark'; \
                  theme.dispatchEvent(new Event('change'));";
    browser.run(choose).await;
    let colours = "return [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor];";
    let dark = json!(["dark", "rgb(14, 20, 18)"]);
    assert_eq!(browser.run(colours).await, dark);
    browser.click("#logout").await;
    browser.until(SIGNED_OUT).await;
    assert_eq!(browser.run(colours).await, dark);
    assert_eq!(browser.run("return location.pathname;").await, "/goodbye");

    let proofs = "return [...document.querySelectorAll('.steps > li')].map((step) => step.innerText);";
    let steps = browser.run(proofs).await;
    let steps: Vec<&str> = steps.as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    let told = [
        ["session was destroyed", "Logout id"],
        ["tokens were revoked", "The only node"],
        ["cookie was cleared", "401"],
        ["browser was reset", "Kept, on purpose: your theme"],
    ];
    assert_eq!(steps.len(), told.len());
    for (step, words) in steps.iter().zip(told) {
        assert!(words.iter().all(|word| step.contains(word)), "{words:?} in {step}");
    }
    // The receipt outlives a reload, the name of the window is given back.
    let id = "return [document.querySelector('#destroyed-proof code').textContent, window.name];";
    let before = browser.run(id).await;
    browser.run("location.reload();").await;
    browser.until("performance.getEntriesByType('navigation')[0].type === 'reload'").await;
    browser.until(SIGNED_OUT).await;
    assert_eq!(browser.run(id).await, before);
    assert_eq!(before[1], "");

    // A form of a page whose script never loaded gets there too.
    browser.click("#sign-in-again").await;
    log_in(&browser, &bank.url("")).await;
    browser.run("HTMLFormElement.prototype.submit.call(document.querySelector('#logout-form'));").await;
    browser.until("location.pathname === '/goodbye' && document.body.dataset.ready === 'true'").await;
    assert_eq!(browser.run("return (await fetch('/api/me')).status;").await, 401);
    assert_eq!(browser.run(colours).await, dark);
    // Whoever is signed in is not told otherwise.
    log_in(&browser, &bank.url("")).await;
    browser.open(&bank.url("/goodbye#signed-out")).await;
    browser.until(ACCOUNTS_SHOWN).await;
}

async fn other_devices_are_signed_out_and_the_audit_trail_says_so(kind: Kind) {
    let bank = Bank::start("opaque").await;
    let browser = Browser::start(kind).await;
    log_in(&browser, &bank.url("")).await;
    let (client, mut others) = (http(), Vec::new());
    for agent in ["curl/8.0", "Mozilla/5.0 (iPhone) Safari/605"] {
        let credentials = json!({ "user": "alice", "password": "correct horse", "delivery": "bearer" });
        let request = client.post(bank.url("/login")).header("User-Agent", agent).json(&credentials);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        others.push(answer["access_token"].as_str().unwrap().to_owned());
    }
    browser.open(&bank.url("/bank")).await;
    browser.until("document.querySelectorAll('#session-list > li').length === 3").await;
    browser.until("document.querySelector('#audit-list').textContent.includes('Signed in on Safari on iPhone')").await;
    browser.click("#end-others").await;
    browser.until("document.querySelectorAll('#session-list > li').length === 1").await;
    assert_eq!(browser.run("return document.querySelector('#session-list > li').dataset.current;").await, "true");
    browser.until("document.querySelector('#session-result').textContent === '2 other devices were signed out.'").await;
    browser.until("document.querySelector('#audit-list').textContent.includes('Session ended by you')").await;
    for token in &others {
        let answer = client.get(bank.url("/api/accounts")).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(browser.run("return (await fetch('/api/me')).status;").await, 200);
    // Nobody reads of anybody else.
    let credentials = json!({ "user": "bob", "password": "battery staple", "delivery": "bearer" });
    let answer = client.post(bank.url("/login")).json(&credentials).send().await.unwrap();
    let bob = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    let answer = client.get(bank.url("/api/audit")).bearer_auth(bob).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["events"].as_array().unwrap().len(), 1);
}
