//! Tokens as they arrive: what came through the network a moment ago is hot in the processor's caches, whatever else a
//! service holds is not.
//!
//! So the tokens of a batch are copied into a small buffer before anybody looks at the clock, and what is timed is the
//! checks alone, on the copies. The first few of each batch are checked untimed: what the contestant before has driven out
//! of the caches would otherwise be charged to the next one. How much that is when as many tokens are live as the caches
//! hold, a contestant shows who is kept busy before, beside one who is not.

use std::hint::black_box;
use std::time::Duration;

use crate::loops::{WARM, zero_at};
use crate::random::{mix, scale};
use crate::{nanos_each, now};

/// How the next token is chosen.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "in turn or at random")]
pub enum Order {
    /// One after the other, from the beginning again after the last.
    InTurn,
    /// Any, another series for each who draws: what was drawn lately is in the caches.
    Random {
        /// Which series.
        series: u64,
    },
}

/// Where tokens arrive, `batch` at a time, and as many more as warm up.
#[derive(Debug)]
pub struct Arrivals<'a> {
    tokens: &'a [String],
    order: Order,
    count: u64,
    arrived: Vec<String>,
    busy: Duration,
}

/// For how long whoever is kept busy checks tokens before a batch.
const BUSY: Duration = Duration::from_micros(400);

impl<'a> Arrivals<'a> {
    /// Nothing has arrived yet.
    pub fn new(tokens: &'a [String], order: Order, batch: usize) -> Self {
        assert!(!tokens.is_empty());
        Self { tokens, order, count: 0, arrived: vec![String::new(); WARM + batch], busy: Duration::ZERO }
    }

    /// Before each batch others are checked, untimed, as by a service that does little else.
    #[must_use]
    pub fn busy(mut self) -> Self {
        self.busy = BUSY;
        self
    }

    /// Lets tokens arrive, warms up with some, and returns the others.
    fn next_batch(&mut self, mut check: impl FnMut(&str) -> bool) -> &[String] {
        let start = now();
        while now() - start < self.busy {
            self.arrive();
            self.arrived.iter().for_each(|token| assert!(check(token)));
        }
        self.arrive();
        let (warm, batch) = self.arrived.split_at(WARM);
        warm.iter().for_each(|token| assert!(check(token)));
        batch
    }

    fn arrive(&mut self) {
        let live = self.tokens.len() as u64;
        for slot in &mut self.arrived {
            let number = match self.order {
                Order::InTurn => self.count % live,
                Order::Random { series } => scale(mix((series << 40) + self.count), live),
            };
            self.count += 1;
            slot.clear();
            slot.push_str(&self.tokens[number as usize]);
        }
    }

    /// Nanoseconds of a check, one after the other without a pause.
    pub fn in_a_row(mut self, mut check: impl FnMut(&str) -> bool) -> impl FnMut() -> f64 {
        move || {
            let batch = self.next_batch(&mut check);
            nanos_each(batch.len(), |n| assert!(check(black_box(&batch[n]))))
        }
    }

    /// Nanoseconds of a check that overlaps with no other, see [`loops`](crate::loops). Reading the clock is included;
    /// a check that does nothing shows what it takes.
    pub fn isolated(mut self, mut check: impl FnMut(&str) -> bool) -> impl FnMut() -> f64 {
        let epoch = now();
        move || {
            let batch = self.next_batch(&mut check);
            nanos_each(batch.len(), |n| {
                let n = n + zero_at(now(), epoch) as usize;
                assert!(check(black_box(&batch[n])));
            })
        }
    }

    /// Times isolated checks, each alone, and replaces `nanos` with what they took.
    pub fn one_by_one(&mut self, nanos: &mut Vec<f64>, mut check: impl FnMut(&str) -> bool) {
        let epoch = now();
        let batch = self.next_batch(&mut check);
        nanos.clear();
        for n in 0..batch.len() {
            let start = now();
            let n = n + zero_at(start, epoch) as usize;
            assert!(check(black_box(&batch[n])));
            nanos.push((now() - start).as_nanos() as f64);
        }
    }
}
