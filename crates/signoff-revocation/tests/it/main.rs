//! Behaviour of the public interface: against a model, and between threads.
//!
//! Three builds share this binary: the ordinary one, the one for loom (`--cfg signoff_loom`) and the one for shuttle
//! (`--cfg signoff_shuttle`). In the last two the set is a small world, whose shards fill up, split and merge within a
//! dozen entries.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[cfg(not(signoff_loom))]
mod dump;
#[cfg(signoff_loom)]
mod interleavings;
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
mod large;
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
mod model;
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
mod replica;
#[cfg(signoff_shuttle)]
mod schedules;
#[cfg(not(signoff_loom))]
mod set_model;
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
mod stress;

use signoff_revocation::{Position, RevocationSet, Timestamp};

fn pos(position: u64) -> Position {
    Position::new(position).unwrap()
}

/// Expiry counts in granules, so that is what exact tests count in.
fn granules(count: u64) -> Timestamp {
    Timestamp::MIN.saturating_add(RevocationSet::GRANULE * u32::try_from(count).unwrap())
}

/// A number from the environment, for those who want more of a test, or less.
#[cfg(not(signoff_loom))]
fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// For a property that is tried in so many cases without optimisation, and in 20,000 with it.
#[cfg(not(signoff_loom))]
fn config(unoptimised: u64) -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, FileFailurePersistence};

    let cases = from_env("SIGNOFF_CASES", if cfg!(debug_assertions) { unoptimised } else { 20_000 });
    // A seeded fault is to be noticed, not to be made small and remembered.
    let seeded = cfg!(signoff_faults);
    Config {
        cases: u32::try_from(cases).unwrap(),
        max_shrink_iters: if seeded { 0 } else { u32::MAX },
        failure_persistence: (!seeded).then(|| Box::new(FileFailurePersistence::default()) as _),
        ..Config::default()
    }
}
