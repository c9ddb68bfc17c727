//! What a simulated node stands on: a line to the store, and clocks that run wrong. All of it lives in virtual time, and all
//! dice are thrown by one generator.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use signoff::time::{Clock, Timestamp};
use signoff::{Error, ErrorKind};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::histories::line::Line;
use crate::histories::mistakes::Mistake;

/// One simulated world: its dice, its time, and what happened in it.
#[derive(Debug)]
pub(crate) struct World {
    dice: Mutex<fastrand::Rng>,
    began: Instant,
    trace: Mutex<Trace>,
}

/// Everything that happened, as a sum, and in words if they are wanted.
#[derive(Debug, Default)]
struct Trace {
    sum: u64,
    words: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, in_words: bool) -> Arc<Self> {
        let trace = Trace { sum: 0, words: in_words.then(Vec::new) };
        let dice = Mutex::new(fastrand::Rng::with_seed(seed));
        Arc::new(Self { dice, began: Instant::now(), trace: Mutex::new(trace) })
    }

    /// How long it has existed.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A number below `sides`.
    pub(crate) fn dice(&self, sides: u64) -> u64 {
        held(&self.dice).u64(0..sides)
    }

    /// Whether something that happens so many times in a hundred happens now.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.dice(100) < percent
    }

    /// A time between these, in milliseconds, to the microsecond.
    pub(crate) fn between(&self, from: u64, to: u64) -> Duration {
        Duration::from_micros(1_000 * from + self.dice(1_000 * (to - from) + 1))
    }

    pub(crate) async fn pause(&self, from: u64, to: u64) {
        tokio::time::sleep(self.between(from, to)).await;
    }

    /// Takes note of what happened.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        let now = self.now();
        let what = what();
        let mut trace = held(&self.trace);
        for byte in what.bytes().chain(now.as_micros().to_le_bytes()) {
            trace.sum = (trace.sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
        if let Some(words) = &mut trace.words {
            words.push(format!("{:>9.3} {what}", now.as_secs_f64()));
        }
    }

    /// The sum, and the words if they were wanted.
    pub(crate) fn trace(&self) -> (u64, Vec<String>) {
        let trace = held(&self.trace);
        (trace.sum, trace.words.clone().unwrap_or_default())
    }
}

/// The line of one node, and what is wrong with it at the moment.
#[derive(Debug)]
pub(crate) struct Wire {
    world: Arc<World>,
    state: Mutex<State>,
    changed: Notify,
    forged: Notify,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// Messages wait until this is over.
    pub(crate) held: bool,
    /// Messages are lost, and nobody is told.
    pub(crate) lost: u64,
    /// Messages come to nothing, and the sender is told.
    pub(crate) refused: bool,
    /// The longest that a message takes, in milliseconds.
    pub(crate) slow: u64,
    /// How many hints in a hundred are lost.
    pub(crate) deaf: u64,
}

impl State {
    pub(crate) const GOOD: Self = Self { held: false, lost: 0, refused: false, slow: 3, deaf: 0 };
}

impl Wire {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let (changed, forged) = (Notify::new(), Notify::new());
        Arc::new(Self { world: Arc::clone(world), state: Mutex::new(State::GOOD), changed, forged })
    }

    pub(crate) fn set(&self, state: State) {
        *held(&self.state) = state;
        self.changed.notify_waiters();
    }

    pub(crate) fn state(&self) -> State {
        *held(&self.state)
    }

    /// A hint that nobody gave.
    pub(crate) fn forge(&self) {
        self.forged.notify_one();
    }
}

impl Line for Wire {
    async fn pass(&self) -> Result<(), Error> {
        let State { slow, lost, .. } = self.state();
        tokio::time::sleep(self.world.between(0, slow)).await;
        if self.world.chance(lost) {
            std::future::pending::<()>().await;
        }
        loop {
            let changed = self.changed.notified();
            let state = self.state();
            if state.refused {
                return Err(Error::new(ErrorKind::Unavailable, "the line is broken"));
            }
            if !state.held {
                return Ok(());
            }
            changed.await;
        }
    }

    async fn hint(&self) -> bool {
        let State { slow, deaf, held, .. } = self.state();
        tokio::time::sleep(self.world.between(0, 2 * slow)).await;
        !held && !self.world.chance(deaf)
    }

    async fn forged(&self) {
        self.forged.notified().await;
    }

    fn elapsed(&self) -> Duration {
        self.world.now()
    }

    fn page(&self) -> u32 {
        3
    }
}

/// The clocks of one node. Elapsed time passes nine tenths to eleven tenths as fast as it should, and the wall clock shows
/// what somebody has set it to.
#[derive(Debug)]
pub(crate) struct Clocks {
    world: Arc<World>,
    mistake: Option<Mistake>,
    state: Mutex<Elapsed>,
    /// How far the wall clock is off, in microseconds.
    wall: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Elapsed {
    /// What it showed when its rate was changed, and when that was.
    shown: Duration,
    at: Duration,
    /// How many thousandths pass in a thousandth.
    rate: u32,
}

/// What wall clocks show when the world begins, less the hour that they can be set back.
const EPOCH: u64 = 1_800_000_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000_000;

impl Clocks {
    pub(crate) fn new(world: &Arc<World>, mistake: Option<Mistake>) -> Arc<Self> {
        let elapsed = Elapsed { shown: world.between(0, 1_000_000), at: world.now(), rate: 1_000 };
        let (state, wall) = (Mutex::new(elapsed), AtomicU64::new(HOUR));
        let clocks = Self { world: Arc::clone(world), mistake, state, wall };
        clocks.change_rate();
        Arc::new(clocks)
    }

    /// From now on time passes at another rate, mostly one of the two that are as wrong as can be.
    pub(crate) fn change_rate(&self) {
        let rate = match self.world.dice(10) {
            0..4 => 900,
            4..8 => 1_100,
            _ => 900 + u32::try_from(self.world.dice(201)).unwrap(),
        };
        let (shown, at) = (self.shown(), self.world.now());
        *held(&self.state) = Elapsed { shown, at, rate };
    }

    /// Sets the wall clock to so many microseconds before or after the right time, which is at [`HOUR`].
    pub(crate) fn set_wall(&self, off: u64) {
        self.wall.store(off, Ordering::SeqCst);
    }

    fn shown(&self) -> Duration {
        let Elapsed { shown, at, rate } = *held(&self.state);
        shown + (self.world.now() - at) * rate / 1_000
    }
}

impl Clock for Clocks {
    fn wall(&self) -> Option<Timestamp> {
        let micros = EPOCH + self.wall.load(Ordering::SeqCst) + u64::try_from(self.world.now().as_micros()).ok()?;
        Timestamp::from_micros(i64::try_from(micros).ok()?)
    }

    fn elapsed(&self) -> Duration {
        match self.mistake {
            Some(Mistake::WallClock) => {
                let wall = self.wall().map_or(0, Timestamp::as_micros);
                Duration::from_micros(wall.unsigned_abs())
            }
            mistake => Mistake::slowed(mistake, self.shown()),
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
