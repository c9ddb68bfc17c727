//! Temporary.
#![allow(missing_docs)]
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::position::Position;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug)]
pub struct LeaseTerms(u64);
#[derive(Debug)]
pub struct LeaseError;
impl std::fmt::Display for LeaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bad lease")
    }
}
impl std::error::Error for LeaseError {}
impl LeaseTerms {
    pub fn new(length: Duration) -> Result<Self, LeaseError> {
        Ok(Self(length.as_nanos() as u64))
    }
    pub fn holder(&self) -> Duration {
        Duration::from_nanos(self.0 / 8 * 7)
    }
    pub fn observer(&self) -> Duration {
        Duration::from_nanos(self.0 / 8 * 9 + 10)
    }
}
#[derive(Debug, Default)]
pub struct Lease {
    deadline: AtomicU64,
    generation: Mutex<u64>,
}
#[derive(Debug)]
pub struct Permit(Duration, u64);
impl Lease {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn begin(&self, now: Duration) -> Permit {
        Permit(now, *self.generation.lock().unwrap())
    }
    pub fn grant(&self, permit: Permit, terms: &LeaseTerms) {
        let generation = self.generation.lock().unwrap();
        if *generation == permit.1 {
            let deadline = (permit.0 + terms.holder()).as_nanos() as u64;
            self.deadline.fetch_max(deadline, Ordering::Release);
        }
    }
    pub fn stop(&self) {
        *self.generation.lock().unwrap() += 1;
        self.deadline.store(0, Ordering::Release);
    }
    #[inline]
    pub fn holds(&self, now: Duration) -> bool {
        (now.as_nanos() as u64) < self.deadline.load(Ordering::Acquire)
    }
}
#[derive(Debug)]
pub struct Observations<Id>(HashMap<Id, (u64, Duration)>);
impl<Id> Default for Observations<Id> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}
impl<Id: Copy + Eq + Hash> Observations<Id> {
    pub fn observe(
        &mut self,
        rows: impl IntoIterator<Item = (Id, u64)>,
        now: Duration,
        terms: &LeaseTerms,
    ) -> Vec<(Id, u64)> {
        let mut new = HashMap::new();
        let mut over = Vec::new();
        for (id, renewals) in rows {
            let since = self.0.get(&id).filter(|seen| seen.0 == renewals).map_or(now, |seen| seen.1);
            if now.saturating_sub(since) >= terms.observer() {
                over.push((id, renewals));
            }
            new.insert(id, (renewals, since));
        }
        self.0 = new;
        over
    }
}
#[derive(Clone, Copy, Debug)]
pub struct Waiting(Position, Duration);
impl Waiting {
    pub fn new(position: Position, known_at: Duration) -> Self {
        Self(position, known_at)
    }
    pub fn position(&self) -> Position {
        self.0
    }
    pub fn is_over(&self, now: Duration, low_water: Option<Position>, terms: &LeaseTerms) -> bool {
        low_water.is_none_or(|low| low >= self.0) || self.is_overdue(now, terms)
    }
    pub fn is_overdue(&self, now: Duration, terms: &LeaseTerms) -> bool {
        now.saturating_sub(self.1) >= terms.observer()
    }
}
