//! The protocol of leases, explored until nothing new can happen: a check that begins after a logout has returned never
//! accepts what the logout revoked. Every decision about time is the library's own.
//!
//! The same is then tried with one thing done wrong at a time, and each time the search has to find a way to break the
//! promise: otherwise the model could not see such a mistake. `--nocapture` shows these ways. `SIGNOFF_LONG=1` explores
//! more of what is too large for every day.

#![forbid(unsafe_code)]
#![cfg(not(any(signoff_loom, signoff_shuttle)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "ways to a broken promise are there to be read")]

mod decisions;
mod faults;
mod options;
mod protocol;
mod search;

use std::io::Write;

use decisions::Scale;
use options::{Numbers, Options, Order, Renew, T0, Until};
use protocol::{Protocol, situation};
use search::{End, Outcome, search};

/// The protocol in full.
const FULL: Options = Options {
    fault: None,
    deletions: 1,
    eager: false,
    leave: true,
    numbers: Numbers::Canonical,
    order: Order::DeadlineThenTime,
    preload: true,
    renew: Renew::Unconditional,
    scale: Scale { holder: 2, observer: 4 },
    strays: 2,
    t0: T0::BeforeLogRead,
    until: Until::RowsOrTime,
};

/// What most faults need no more than: less of the same, so that they are found sooner.
const SMALL: Options = Options { leave: false, preload: false, strays: 1, ..FULL };

/// As the protocol was first described: deadlines from the renewal, and rows alone.
const FIRST: Options = Options { t0: T0::BeforeRenewal, until: Until::Rows, ..SMALL };

/// Real ids and counts, on clocks that are as coarse as can be.
const COUNTED: Options = Options {
    eager: true,
    numbers: Numbers::Counted { ids: 2, renewals: 1 },
    scale: Scale { holder: 1, observer: 2 },
    ..SMALL
};

/// The same with renewals that are conditional on the count.
const CONDITIONAL: Options = Options { renew: Renew::IfUnchanged, ..COUNTED };

#[test]
fn the_whole_protocol() {
    all::<1, 1>("the whole protocol", FULL);
}

/// The parts that are enough each: either half of a logout's wait, and the first description.
#[test]
fn other_rules() {
    all::<1, 1>("rows alone", Options { until: Until::Rows, ..SMALL });
    all::<1, 1>("time alone", Options { until: Until::Time, ..SMALL });
    all::<1, 1>("as first described", FIRST);
}

#[test]
fn a_check_that_reads_the_time_first() {
    all::<1, 1>("time, deadline, replica", Options { order: Order::TimeThenDeadline, ..FULL });
}

#[test]
fn a_finer_clock() {
    all::<1, 1>("leases of three units", Options { scale: Scale { holder: 3, observer: 6 }, ..SMALL });
}

#[test]
fn two_observers() {
    all::<1, 2>("two observers", if is_long() { FULL } else { Options { strays: 0, ..SMALL } });
}

/// That canonical numbers stand for real ones, as far as real ones go.
#[test]
fn real_ids_and_counts() {
    let numbers = Numbers::Counted { ids: 2, renewals: if is_long() { 2 } else { 1 } };
    all::<1, 1>("real ids and counts", Options { numbers, ..COUNTED });
    all::<1, 1>("real ids and counts, conditional renewals", Options { numbers, ..CONDITIONAL });
}

/// Two nodes that hold leases and watch each other: as far as a moment goes, or all of it on coarse clocks, and ten
/// million states on finer ones with renewals that were given up. That takes minutes, so better with `--release`.
#[test]
fn two_holders() {
    let fine = Options { eager: true, ..SMALL };
    let coarse = Options { scale: Scale { holder: 1, observer: 2 }, strays: 0, ..fine };
    if is_long() {
        all::<2, 2>("two holders", coarse);
    }
    let (options, limit) = if is_long() { (fine, 10_000_000) } else { (coarse, 150_000) };
    let outcome = explore::<2, 2>("two holders, within a limit", options, limit);
    assert!(!matches!(outcome.end, End::Broken(_)), "{}", in_words(&outcome.end));
    assert_ne!(outcome.situations & situation::WAITING_WHILE_STALE, 0, "what has to happen did not");
}

/// Explores everything, in which the promise has to hold and what makes it worth something has to happen.
fn all<const H: usize, const O: usize>(name: &str, options: Options) {
    let outcome = explore::<H, O>(name, options, usize::MAX);
    assert_eq!(outcome.end, End::Exhausted, "{}", in_words(&outcome.end));
    assert_eq!(outcome.situations, situation::ALL, "what has to happen did not");
}

fn explore<const H: usize, const O: usize>(name: &str, options: Options, limit: usize) -> Outcome {
    let outcome = search(&Protocol::<H, O>::new(options), limit);
    let how = match &outcome.end {
        End::Broken(way) => format!("broken after {} steps", way.len()),
        End::Exhausted => "which is all".to_owned(),
        End::Limit => "of more".to_owned(),
    };
    // Written past the capture of the test harness: a model that shrank to a few states proves nothing.
    let line = format!("lease model: {name}: {} states, {how}\n", outcome.states);
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    outcome
}

/// The way to a broken promise, a line for every step.
fn in_words(end: &End) -> String {
    let End::Broken(way) = end else { return String::new() };
    let lines = way.iter().map(|(actor, what)| format!("  {actor} {what}\n"));
    lines.chain(["  the check asks the replica, and accepts what was revoked\n".to_owned()]).collect()
}

fn is_long() -> bool {
    std::env::var("SIGNOFF_LONG").is_ok_and(|long| long == "1")
}
