//! How fast entries go in: one by one, and in bulk.
//!
//! Claims: entries per second of each. What they weigh is the business of the bench `revocation_memory`.

use signoff_benches::{Length, Series, Unit, claim, remark, time};
use signoff_revocation::{Cutoff, RevocationSet, Scope};

use crate::LARGE;
use crate::keys::{expiry, id, sessions};

/// Measures, and returns the large set that it grew.
pub(crate) fn run(length: Length) -> RevocationSet {
    let (mut set, mut taken) = time(|| sessions(LARGE));
    let mut inserts = vec![LARGE as f64 / taken.as_secs_f64()];
    for _ in 1..length.pick(3, 1) {
        drop(set);
        (set, taken) = time(|| sessions(LARGE));
        inserts.push(LARGE as f64 / taken.as_secs_f64());
    }
    remark(format_args!("\nentries per second, from empty to {LARGE}, on one thread, median [least..most]"));
    claim_rate("insert-rate", "RevocationSet::insert, and making the id", inserts, 2.5e6);
    claim_rate("load-rate", "RevocationSet::load", loads(length.pick(5, 2)), 6e6);
    set
}

/// Entries per second into an empty set, all of them at hand.
fn loads(rounds: usize) -> Vec<f64> {
    let ids = (0..LARGE).map(id).collect::<Vec<_>>();
    let one = |_| {
        let set = RevocationSet::new();
        let entries = ids.iter().zip(0..).map(|(id, number)| (Scope::Session(id), Cutoff::ABSOLUTE, expiry(number)));
        let (loaded, taken) = time(|| set.load(entries));
        loaded.expect("there is room");
        LARGE as f64 / taken.as_secs_f64()
    };
    (0..rounds).map(one).collect()
}

fn claim_rate(id: &str, name: &str, rates: Vec<f64>, target: f64) {
    let rates = Series::new(name, Unit::PerSecond, rates);
    remark(format_args!("  {rates}"));
    claim(id, &rates, &rates.target("target", target));
}
