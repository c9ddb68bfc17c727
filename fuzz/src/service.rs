//! The service that tokens are presented to: a fixed key, a clock that stands still, a few revocations.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::test_util::ManualClock;
use signoff::time::Timestamp;
use signoff::{Cause, KeySet, MemoryStore, Scope, Settings, Signoff};
use tokio::runtime::Runtime;

use crate::keys::{Key, OTHER_SECRET, SECRET, hs256, tag};

pub(crate) const ISSUER: &str = "https://bank.example";
pub(crate) const AUDIENCE: &str = "https://bank.example/api";

/// What the clock shows, in seconds since the epoch.
pub const NOW: u64 = 1_800_000_000;

/// What is revoked, in this order: the first entry stands at [`NOW`] in microseconds, every other one behind it.
pub(crate) const REVOKED_SUBJECT: &str = "mallory";
pub(crate) const REVOKED_CLIENT: &str = "rogue";
pub(crate) const REVOKED_SESSION: [u8; 16] = [0xdd; 16];
pub(crate) const REVOKED_TOKEN: [u8; 16] = [0xee; 16];

pub(crate) struct Service {
    pub(crate) signoff: Signoff,
    /// Another service for the same audience, with another key.
    pub(crate) stranger: Signoff,
    /// The committing tasks live on it. It does not run between calls, and verifying does not need it.
    _runtime: Runtime,
}

pub(crate) fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (signoff, stranger) = runtime.block_on(async {
            let retired = [Key::EdDsa, Key::Es256].map(Key::signing_key);
            let keys = KeySet::new(hs256(&SECRET));
            let keys = retired.iter().fold(keys, |keys, key| keys.with_retired(key.verifying_key().clone()));
            let signoff = open(keys).await;
            for scope in [
                Scope::Subject(REVOKED_SUBJECT),
                Scope::Client(REVOKED_CLIENT),
                Scope::Session(&REVOKED_SESSION),
                Scope::Token(&REVOKED_TOKEN),
            ] {
                signoff.revoke(scope, Cause::logout()).await.unwrap();
            }
            (signoff, open(KeySet::new(hs256(&OTHER_SECRET))).await)
        });
        Service { signoff, stranger, _runtime: runtime }
    })
}

async fn open(keys: KeySet) -> Signoff {
    let clock = ManualClock::new(Timestamp::from_secs(NOW.cast_signed()).unwrap());
    let settings = Settings::new(ISSUER, AUDIENCE);
    Signoff::open_with_clock(MemoryStore::new(), keys, settings, Arc::new(clock)).await.unwrap()
}

/// The header of a token that the service's key signed.
pub fn header() -> String {
    format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, Key::Hs256.kid())
}

/// A token over any header and payload, well signed with the service's key.
pub fn sign(header: &[u8], payload: &[u8]) -> String {
    attach(format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)), &SECRET)
}

/// The same signing input, signed with another key than its `kid` says.
pub(crate) fn forge(input: &str) -> String {
    attach(input.to_owned(), &OTHER_SECRET)
}

fn attach(input: String, secret: &[u8]) -> String {
    let tag = tag(ring::hmac::HMAC_SHA256, secret, input.as_bytes());
    format!("{input}.{tag}")
}
