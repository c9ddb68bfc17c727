//! The loops around a lookup: isolated, in a row, and timed one by one. They know nothing of what is looked up in.

use std::hint::black_box;
use std::time::Instant;

use crate::{nanos_each, now};

/// Lookups per round, unless there is a reason for another number.
pub const BATCH: usize = 10_000;

/// Calls at the beginning of a round that are not timed, see [`warm_nanos_each`].
pub const WARM: usize = 4;

/// As [`nanos_each`], after a few calls that are not timed: what the contestant before has left in the caches, or has
/// driven out of them, would otherwise be charged to the next one.
pub fn warm_nanos_each(count: usize, mut call: impl FnMut()) -> f64 {
    (0..WARM).for_each(|_| call());
    nanos_each(count, |_| call())
}

/// Nanoseconds of a lookup that overlaps with no other, as if the rest of a request lay between them. Making the key
/// and reading the clock are included; a lookup that does nothing shows what they take.
///
/// A processor that guesses answers starts the next lookup early, and a fence does not stop it: what the compiler makes
/// of `fence(SeqCst)` on x86-64 orders loads, which may still overlap. So each key needs the clock, see [`zero_at`].
pub fn isolated<K>(
    batch: usize,
    mut draw: impl FnMut(u64) -> K,
    mut look_up: impl FnMut(&K) -> bool,
) -> impl FnMut() -> f64 {
    let start = now();
    move || {
        nanos_each(batch, |_| {
            let key = draw(zero_at(now(), start));
            black_box(look_up(&key));
        })
    }
}

/// Lookups per second when they follow each other without pause and overlap as far as the processor can.
pub fn in_a_row<K>(mut draw: impl FnMut(u64) -> K, mut look_up: impl FnMut(&K) -> bool) -> impl FnMut() -> f64 {
    move || {
        1e9 / nanos_each(5 * BATCH, |_| {
            black_box(look_up(&draw(0)));
        })
    }
}

/// Times isolated lookups, each alone, and replaces `nanos` with what they took: making the key and one and a half
/// readings of the clock are included.
pub fn one_by_one<K>(
    count: usize,
    nanos: &mut Vec<f64>,
    mut draw: impl FnMut(u64) -> K,
    mut look_up: impl FnMut(&K) -> bool,
) {
    let epoch = now();
    nanos.clear();
    for _ in 0..count {
        let start = now();
        let key = draw(zero_at(start, epoch));
        black_box(look_up(&key));
        nanos.push((now() - start).as_nanos() as f64);
    }
}

/// A zero that is not known before `moment` was read, and reading the clock waits for all that goes before. What is
/// made from it cannot be looked up any sooner.
pub fn zero_at(moment: Instant, epoch: Instant) -> u64 {
    black_box((moment - epoch).as_nanos() as u64) >> 63
}
