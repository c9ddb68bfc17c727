//! Random schedules of more threads than loom can exhaust, by shuttle:
//! `RUSTFLAGS="--cfg signoff_shuttle" cargo test --release --test it`.
//!
//! Shuttle runs atomics in one order for all threads, so it sees no missing barrier; it sees what happens when threads
//! change places between any two of their steps. `SIGNOFF_SCHEDULES` says how many schedules there are to be.

use std::collections::BTreeMap;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::{Config, FailurePersistence, Runner};
use signoff_revocation::{Cutoff, Position, RevocationSet, Scope, Timestamp};

use crate::{from_env, granules, pos};

fn schedules() -> usize {
    usize::try_from(from_env("SIGNOFF_SCHEDULES", if cfg!(debug_assertions) { 400 } else { 4_000 })).unwrap()
}

fn config() -> Config {
    let mut config = Config::new();
    // It would say that it knows one order of atomics only.
    config.silence_warnings = true;
    // Without optimisation the default is too small.
    config.stack_size = 0x4_0000;
    config
}

/// For what needs shuttle's atomics, but not its schedules.
pub(crate) fn once(scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = config();
    config.failure_persistence = FailurePersistence::None;
    Runner::new(RandomScheduler::new(1), config).run(scenario);
}

#[test]
fn random_schedules() {
    Runner::new(RandomScheduler::new(schedules()), config()).run(scenario);
}

/// Few interruptions at random places: deeper mistakes than chance finds.
#[test]
fn probing_schedules() {
    Runner::new(PctScheduler::new(3, schedules()), config()).run(scenario);
}

/// What the threads share.
struct World {
    set: RevocationSet,
    /// What is inserted: before the threads begin, and by each writer.
    plans: [Vec<Step>; 3],
    /// How far each plan has been carried out.
    inserted: [AtomicU64; 3],
    /// The farthest horizon of any purge so far, stored before the purge begins.
    horizon: AtomicU64,
}

/// Together enough that shards grow and split. When most of it has expired, they merge.
const STEPS: usize = 9;
/// Expiries are 1, 2 or `LATE`; no purge goes beyond 2 before the end.
const LATE: u64 = 9;

/// A revocation of a plan. Plans share subjects and clients, but no tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    name: Name,
    cutoff: u64,
    expiry: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Client(&'static str),
    Subject(&'static str),
    Token(String),
}

impl Name {
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Client(id) => Scope::Client(id),
            Self::Subject(id) => Scope::Subject(id),
            Self::Token(id) => Scope::Token(id.as_bytes()),
        }
    }
}

impl World {
    fn new() -> Self {
        let mut rng = thread_rng();
        let mut plan = |writer| (0..STEPS).map(|n| step(writer, n, &mut rng)).collect();
        let world = Self {
            set: RevocationSet::new(),
            plans: std::array::from_fn(&mut plan),
            inserted: std::array::from_fn(|_| AtomicU64::new(0)),
            horizon: AtomicU64::new(0),
        };
        world.write(0);
        world
    }

    fn write(&self, writer: usize) {
        for (n, step) in self.plans[writer].iter().enumerate() {
            self.set.insert(step.name.scope(), Cutoff::at(pos(step.cutoff)), granules(step.expiry)).unwrap();
            self.inserted[writer].store(n as u64 + 1, Ordering::Release);
        }
    }

    fn purge(&self) {
        for horizon in [1, 2] {
            self.horizon.store(horizon, Ordering::SeqCst);
            if thread_rng().gen_bool(0.5) {
                self.set.purge(granules(horizon));
            } else {
                for _ in 0..RevocationSet::PARTS {
                    self.set.purge_part(granules(horizon));
                }
            }
        }
    }

    /// What was inserted is dead until a horizon has passed it, and so is what was once seen dead.
    fn read(&self) {
        let mut rng = thread_rng();
        let mut reader = self.set.reader();
        let mut seen = BTreeMap::new();
        for _ in 0..6 {
            let (writer, n) = (rng.gen_range(0..3), rng.gen_range(0..STEPS));
            let step = &self.plans[writer][n];
            let told = self.inserted[writer].load(Ordering::Acquire) > n as u64;
            let cutoff =
                if rng.gen_bool(0.5) { reader.cutoff(step.name.scope()) } else { self.set.cutoff(step.name.scope()) };
            let before = seen.insert(&step.name, (cutoff, step.expiry));
            let promised = before.and_then(|(cutoff, _)| cutoff).max(told.then(|| effective(step)));
            if cutoff < promised {
                // Subjects and clients live to the end; of tokens each plan says once how long they live.
                let horizon = self.horizon.load(Ordering::SeqCst);
                assert!(horizon >= step.expiry, "{step:?} has {cutoff:?}, not {promised:?}, at horizon {horizon}");
            }
            let nobody = [Scope::Token(b"nobody"), Scope::Subject("nobody"), Scope::Client("nobody")];
            assert_eq!(reader.dead_by(&nobody, Position::ZERO), None);
        }
    }
}

fn step(writer: usize, n: usize, rng: &mut impl Rng) -> Step {
    let cutoff = rng.gen_range(1..=9);
    match rng.gen_range(0..10) {
        0 => Step { name: Name::Client(["x", "y"][rng.gen_range(0..2)]), cutoff, expiry: LATE },
        1 | 2 => Step { name: Name::Subject(["a", "b", "c"][rng.gen_range(0..3)]), cutoff, expiry: LATE },
        _ => Step {
            name: Name::Token(format!("{writer} {n} {}", rng.gen_range(0..50))),
            cutoff,
            expiry: [1, 2, LATE][rng.gen_range(0..3)],
        },
    }
}

fn effective(step: &Step) -> Cutoff {
    if step.name.scope().kind().is_absolute() { Cutoff::ABSOLUTE } else { Cutoff::at(pos(step.cutoff)) }
}

fn scenario() {
    let world = Arc::new(World::new());
    let thread = |work: fn(&World, usize), n| {
        let world = Arc::clone(&world);
        shuttle::thread::spawn(move || work(&world, n))
    };
    let threads = [
        thread(World::write, 1),
        thread(World::write, 2),
        thread(|world, _| world.purge(), 0),
        thread(|world, _| world.read(), 0),
        thread(|world, _| world.read(), 1),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
    // Whatever the order was, this is what must be left.
    world.set.purge(granules(LATE - 1));
    let mut left = BTreeMap::new();
    for step in world.plans.iter().flatten().filter(|step| step.expiry == LATE) {
        let cutoff = left.entry(&step.name).or_insert_with(|| effective(step));
        *cutoff = effective(step).max(*cutoff);
    }
    assert_eq!(world.set.len(), left.len());
    for step in world.plans.iter().flatten() {
        assert_eq!(world.set.cutoff(step.name.scope()), left.get(&step.name).copied(), "{step:?}");
    }
    assert_eq!(world.set.purge(Timestamp::MAX), left.len());
}
