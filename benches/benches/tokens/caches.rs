//! What verified tokens may be remembered in: a table that decides between two caches, and claims nothing.
//!
//! A get is everything from the token to the answer: the keyed hash of the token, the cache, and the comparison with the
//! token that the entry holds.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;
use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::random::{mix, scale};
use signoff_benches::{Contestant, Length, Unit, interleave, quantile};

/// Tokens that arrive at once.
const BATCH: usize = 32;
/// Batches whose gets are one sample.
const BATCHES: usize = 32;

/// The bytes of a token here.
const TOKEN: usize = 620;

/// An entry of about a kilobyte, in one piece: every page that a get has to touch costs as much as the cache itself.
struct Entry {
    token: [u8; TOKEN],
    _claims: [u64; 48],
}

impl Entry {
    fn new(token: &str) -> Arc<Self> {
        let mut entry = Self { token: [0; TOKEN], _claims: [0; 48] };
        entry.token.copy_from_slice(token.as_bytes());
        Arc::new(entry)
    }

    fn is_of(&self, token: &str) -> bool {
        self.token == *token.as_bytes()
    }
}

/// Measures.
pub(crate) fn run(length: Length) {
    for entries in [1_000, 100_000] {
        gets(length, entries);
    }
}

fn gets(length: Length, entries: usize) {
    let tokens: Vec<_> = (0..entries as u64).map(text).collect();
    let keys = RandomState::default();
    let key = |token: &str| keys.hash_one(token);
    let room = entries + entries / 8 + 1_000;
    let hasher = RandomState::default();
    let quick = quick_cache::sync::Cache::<u64, Arc<Entry>, _, _, _>::with(
        room,
        room as u64,
        UnitWeighter,
        hasher,
        DefaultLifecycle::default(),
    );
    let moka = moka::sync::Cache::builder().max_capacity(2 * entries as u64);
    let moka = moka.build_with_hasher(RandomState::default());
    for token in &tokens {
        quick.insert(key(token), Entry::new(token));
        moka.insert(key(token), Entry::new(token));
    }
    moka.run_pending_tasks();

    let nothing = |token: &str| key(token) != 0;
    let in_quick = |token: &str| quick.get(&key(token)).is_some_and(|entry| entry.is_of(token));
    let in_moka = |token: &str| moka.get(&key(token)).is_some_and(|entry| entry.is_of(token));
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let arrivals = |series| Arrivals::new(&tokens, Order::Random { series }, BATCH);
        let _ = interleave(
            &format!("{name} of a get from a cache of tokens, {entries} entries of a kilobyte"),
            Unit::Nanoseconds,
            length.pick(301, 51),
            [
                Contestant::new("the hash alone", sample(arrivals(0), part, nothing)),
                Contestant::new("quick_cache 0.7, sync", sample(arrivals(1), part, in_quick)),
                Contestant::new("moka 0.12, sync", sample(arrivals(2), part, in_moka)),
            ],
        );
    }
}

fn sample(mut arrivals: Arrivals<'_>, part: f64, get: impl Fn(&str) -> bool) -> impl FnMut() -> f64 {
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    move || {
        all.clear();
        for _ in 0..BATCHES {
            arrivals.one_by_one(&mut batch, &get);
            all.extend_from_slice(&batch);
        }
        quantile(&mut all, part)
    }
}

/// Something as long as a token.
fn text(number: u64) -> String {
    let digits = (0..TOKEN as u64).map(|place| b'0' + scale(mix(number << 20 | place), 75) as u8);
    digits.map(char::from).collect()
}
