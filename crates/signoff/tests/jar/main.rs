//! What is set is what is cleared, for every cookie that can be described, by the rules of a browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod date;
mod described;
mod examples;
mod jar;
mod mistakes;
mod oracle;
mod others;
mod properties;
mod set_cookie;
mod words;

use std::sync::OnceLock;

use jar::{By, Visit};
use signoff::{
    Algorithm, Cause, CookieLedger, KeySet, Login, MemoryStore, Receipt, Settings, SigningKey, Signoff, Subject,
};

const NOW: i64 = 1_800_000_000;

/// A request to our site, by a page of ours.
fn visit<'a>(host: &'a str, path: &'a str) -> Visit<'a> {
    Visit { host, path, tls: true, by: By::SameSite, top: "https://example.com", now: NOW }
}

/// The headers that clear these cookies. One logout is enough for all tests: what it clears is in the ledger alone.
fn cleared(ledger: &CookieLedger) -> Vec<String> {
    static RECEIPT: OnceLock<Receipt> = OnceLock::new();
    let receipt = RECEIPT.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
            let settings = Settings::new("https://bank.example", "https://bank.example/api");
            let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
            let issued = signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
            signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap()
        })
    });
    let headers = receipt.headers(ledger, None);
    assert!(headers.iter().all(|(name, _)| *name == "set-cookie"));
    headers.into_iter().map(|(_, value)| value).collect()
}
