//! A page that other sites embed: each of them has a partition, which is cleared from within and from nowhere else.

use signoff::cookie::SameSite;
use signoff::{CookieLedger, CookieSpec, Secret};

use super::super::driver::Kind;
use super::super::in_every_browser;
use super::trial::{Kept, SITE, Trial};
use super::words::with;

in_every_browser! {
    a_partition_is_cleared_from_within
}

const SHOP: &str = "http://shop.localhost";
const NEWS: &str = "http://news.localhost";

fn partitions(kept: &[Kept]) -> Vec<&str> {
    let mut all: Vec<_> = kept.iter().map(|kept| kept.partition.as_deref().unwrap_or_default()).collect();
    all.sort_unstable();
    all
}

async fn a_partition_is_cleared_from_within(kind: Kind) {
    let spec = CookieSpec::host("sid").unwrap().same_site(SameSite::None).partitioned();
    let mut trial = Trial::start(kind).await;
    let clear = trial.cleared(&CookieLedger::from(spec.clone()));
    let host = |top: &'static str| &top["http://".len()..];
    let set = |top| [spec.set(&Secret::new(host(top))).unwrap()];
    for top in [SHOP, NEWS, SITE] {
        trial.open(top).await;
        assert_eq!(trial.ask().await, [""; 0]);
        trial.answer(&set(top)).await;
        assert_eq!(trial.ask().await, [format!("__Host-sid={}", host(top))]);
    }
    // At the top, where there is a partition as well.
    assert_eq!(partitions(&trial.answer(&clear).await), [NEWS, SHOP]);
    trial.open(NEWS).await;
    // What another site embeds clears nothing that is not said to be `SameSite=None` again.
    let strict = [with(&clear[0], "SameSite", Some("Strict"))];
    assert_eq!(partitions(&trial.answer(&strict).await), [NEWS, SHOP]);
    let unpartitioned = [with(&clear[0], "Partitioned", None)];
    let left = trial.answer(&unpartitioned).await;
    match kind {
        Kind::Chromium => assert_eq!(partitions(&left), [NEWS, SHOP]),
        // Only here: what is embedded has a partition in any case.
        Kind::Firefox => assert_eq!(partitions(&left), [SHOP]),
    }
    assert_eq!(partitions(&trial.answer(&set(NEWS)).await), [NEWS, SHOP]);
    assert_eq!(partitions(&trial.answer(&clear).await), [SHOP]);
    assert_eq!(trial.ask().await, [""; 0]);
    trial.open(SHOP).await;
    assert_eq!(trial.ask().await, ["__Host-sid=shop.localhost"]);
    assert_eq!(trial.answer(&clear).await, []);
    assert_eq!(trial.ask().await, [""; 0]);
}
