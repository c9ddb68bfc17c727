//! A breadth-first search through everything that a model can do. It knows nothing of leases.

use std::fmt;
use std::hash::{Hash, Hasher};

/// What can be explored.
pub(crate) trait Model {
    /// Everything that matters for what can happen next.
    type State: Copy + Eq + Hash;

    /// Where it begins.
    fn first(&self) -> Self::State;

    /// All that can happen next, each with a name in words.
    fn steps(&self, state: &Self::State, next: &mut Vec<(Step, Self::State)>);

    /// Whether the promise is broken here.
    fn is_broken(&self, state: &Self::State) -> bool;

    /// Which of the situations that a run has to come through this is, as bits.
    fn situations(&self, state: &Self::State) -> u8;
}

/// Who does what.
pub(crate) type Step = (Actor, &'static str);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Actor {
    Caller,
    Check,
    Holder(usize),
    Observer(usize),
    /// By how many units each clock moves: holders, observers, the caller. Clocks that decide nothing do not.
    Time([u8; 4]),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("the caller"),
            Self::Check => f.write_str("the check"),
            Self::Holder(at) => write!(f, "holder {at}"),
            Self::Observer(at) => write!(f, "observer {at}"),
            Self::Time(units) => write!(f, "time (clocks by {units:?})"),
        }
    }
}

/// How a search ended, and what it came through.
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) situations: u8,
    pub(crate) end: End,
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The shortest way to a broken promise.
    Broken(Vec<Step>),
    /// Everything that can happen was looked at.
    Exhausted,
    /// There is more than the limit.
    Limit,
}

/// Looks at every state that can be reached, nearest first, until the promise is broken or the limit is passed.
pub(crate) fn search<M: Model>(model: &M, limit: usize) -> Outcome {
    let mut known = Known::new(model.first());
    let (mut situations, mut at, mut next) = (0, 0, Vec::new());
    while at < known.states.len() {
        let state = known.states[at];
        situations |= model.situations(&state);
        model.steps(&state, &mut next);
        for (_, state) in next.drain(..) {
            if known.insert(state, at) && model.is_broken(&state) {
                let way = known.way_to_last(model);
                return Outcome { states: known.states.len(), situations, end: End::Broken(way) };
            }
        }
        if known.states.len() > limit {
            return Outcome { states: known.states.len(), situations, end: End::Limit };
        }
        at += 1;
    }
    Outcome { states: known.states.len(), situations, end: End::Exhausted }
}

/// All states so far, in the order in which they were found.
///
/// The hash table is a plain one, because that of the standard library is slow without optimisation.
struct Known<S> {
    states: Vec<S>,
    parents: Vec<u32>,
    /// [`FREE`], or 32 bits of a hash above a place in `states`; a power of two of them, at most half in use.
    table: Vec<u64>,
}

const FREE: u64 = u64::MAX;

impl<S: Copy + Eq + Hash> Known<S> {
    fn new(first: S) -> Self {
        let mut known = Self { states: Vec::new(), parents: Vec::new(), table: vec![FREE; 1 << 16] };
        known.insert(first, 0);
        known
    }

    /// Whether it is new.
    fn insert(&mut self, state: S, parent: usize) -> bool {
        let mut mix = Mix(0);
        state.hash(&mut mix);
        let hash = mix.0 >> 32 << 32;
        let mut slot = self.first_slot(hash);
        while self.table[slot] != FREE {
            let entry = self.table[slot];
            if entry >> 32 << 32 == hash && self.states[entry as u32 as usize] == state {
                return false;
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
        self.table[slot] = hash | self.states.len() as u64;
        self.states.push(state);
        self.parents.push(u32::try_from(parent).unwrap());
        if self.states.len() * 2 > self.table.len() {
            let larger = vec![FREE; self.table.len() * 4];
            for entry in std::mem::replace(&mut self.table, larger) {
                let mut slot = self.first_slot(entry);
                while entry != FREE && self.table[slot] != FREE {
                    slot = (slot + 1) & (self.table.len() - 1);
                }
                if entry != FREE {
                    self.table[slot] = entry;
                }
            }
        }
        true
    }

    fn first_slot(&self, entry: u64) -> usize {
        (entry >> 32) as usize & (self.table.len() - 1)
    }

    /// The steps are not kept, so they are found again.
    fn way_to_last(&self, model: &impl Model<State = S>) -> Vec<Step> {
        let (mut way, mut at, mut next) = (Vec::new(), self.states.len() - 1, Vec::new());
        while at != 0 {
            let parent = self.parents[at] as usize;
            model.steps(&self.states[parent], &mut next);
            way.extend(next.drain(..).find(|(_, state)| *state == self.states[at]).map(|(step, _)| step));
            at = parent;
        }
        way.reverse();
        way
    }
}

/// Quick, and good enough for states that nobody chooses.
struct Mix(u64);

impl Mix {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
