//! Every interleaving of a few threads, by loom: `RUSTFLAGS="--cfg signoff_loom" cargo test --release --test it`.
//!
//! Loom also lets a relaxed load see any value that the memory model allows, so these models notice a barrier that is
//! missing, which no test on a real x86 processor does. Every model states the same promise in its own situation: a
//! scope is dead for every check that begins after its insert, once dead it stays so until its expiry, and what nobody
//! revoked is alive.

mod few;
mod lease;
mod replica;
mod set;
mod three;

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::Arc as Count;
use std::sync::atomic::AtomicUsize as Executions;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use signoff_revocation::{Cutoff, Position, Reader, RevocationSet, Scope, ScopeKind, Timestamp};

use crate::{granules, pos};

/// Runs a model in every interleaving.
fn every(name: &str, model: impl Fn() + Sync + Send + 'static) {
    run(name, None, model);
}

/// Runs a model in every interleaving in which threads are interrupted at most so many times: most mistakes need two.
fn most(name: &str, interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
    run(name, Some(interruptions), model);
}

fn run(name: &str, interruptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let executions = Count::new(Executions::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions;
    // To rebuild a shard takes some hundred loads and stores.
    builder.max_branches = 20_000;
    let count = Count::clone(&executions);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    // Written past the capture of the test harness: a model that shrank to a few executions proves nothing.
    let line = format!("loom: {name}: {} executions\n", executions.load(Ordering::Relaxed));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Names of tokens by the line of two in which their search begins: nine for the first and four for the second.
///
/// Eight fill the first line to its last lane, and the ninth has to go on to the second. So this repeats how the crate
/// lays out a hash; if that changes, the seeded faults `spill` and `growth` are no longer caught.
fn crowded_line() -> ([String; 9], [String; 4]) {
    let home = |name: &String| {
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        (hasher.finish() >> 56) & 1
    };
    let names = |line| (0..).map(|n| format!("t{n}")).filter(move |name| home(name) == line);
    let (mut first, mut second) = (names(0), names(1));
    (std::array::from_fn(|_| first.next().unwrap()), std::array::from_fn(|_| second.next().unwrap()))
}

fn token(name: &str) -> Scope<'_> {
    Scope::Token(name.as_bytes())
}

/// A set with these tokens, which never expire.
fn set_with<'a>(tokens: impl IntoIterator<Item = &'a String>) -> Arc<RevocationSet> {
    let set = RevocationSet::new();
    for name in tokens {
        revoke(&set, token(name));
    }
    Arc::new(set)
}

fn revoke(set: &RevocationSet, scope: Scope<'_>) {
    set.insert(scope, Cutoff::ABSOLUTE, Timestamp::MAX).unwrap();
}

/// For tokens, sessions and keys, and for others where the cutoff is absolute.
fn is_dead(set: &RevocationSet, scope: Scope<'_>) -> bool {
    set.dead_by(&[scope], Position::MAX).is_some()
}

fn is_dead_for(reader: &mut Reader<'_>, scope: Scope<'_>) -> bool {
    reader.dead_by(&[scope], Position::MAX).is_some()
}

/// What the threads of a model share beside the set.
#[derive(Clone)]
struct Race {
    told: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
}

impl Race {
    fn new() -> Self {
        Self { told: Arc::new(AtomicBool::new(false)), turns: Arc::new(AtomicU64::new(0)) }
    }

    /// Tells the other threads that what the model waits for has happened.
    fn tell(&self) {
        self.told.store(true, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// A place where threads may change places; loom tries all orders of them. It orders nothing itself.
    ///
    /// Without it loom would not try enough: it compares a store with the last access of anybody to the same atomic
    /// only, and a writer that loads what it is about to replace hides what readers have loaded before.
    fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Another thread, which takes its turns before and after its work.
    fn thread(
        &self,
        set: &Arc<RevocationSet>,
        work: impl FnOnce(&RevocationSet, &Self) + 'static,
    ) -> loom::thread::JoinHandle<()> {
        let (set, race) = (Arc::clone(set), self.clone());
        loom::thread::spawn(move || {
            race.turn();
            work(&set, &race);
            race.turn();
        })
    }
}
