//! The protocol of leases, as everything that its parts can do next: nodes that hold leases, others that watch their rows,
//! one caller of logout, and a check of a revoked token that begins after the logout has returned.
//!
//! There is one position P, and of every replica and report only whether it reaches P: loading, publishing and reporting
//! keep the order of positions, so this stands for any number of logouts. Time is relative: only ages are kept, and an age
//! that decides nothing any more is not counted on. Requests are sent, carried out and answered in separate steps; they can
//! be lost, or given up while they are still under way, and be carried out at any later time. A pause is a part that does
//! nothing while others do.
//!
//! Ids are new for every row and counts of renewals grow, so a reference to a row is to the current one or to one that never
//! comes back. [`Numbers::Canonical`] keeps of each reference only that, which makes renewals, crashes and new ids
//! unbounded. [`Numbers::Counted`] has real ids and counts up to a bound, for faults in just them.

mod holder;
mod observer;

use crate::decisions::{Decisions, Rows, Version};
use crate::options::{Fault, Numbers, Options, Order, Renew, T0, Until};
use crate::search::{Actor, Model, Step};

/// Which protocol, of how many holders and observers.
pub(crate) struct Protocol<const H: usize, const O: usize> {
    pub(crate) options: Options,
    decisions: Decisions,
    lease_over: u8,
    wait_over: u8,
}

/// Everything that matters for what comes next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State<const H: usize, const O: usize> {
    /// Whether P is committed.
    head: bool,
    holders: [holder::Holder; H],
    observers: [observer::Observer; O],
    caller: Caller,
    reading: Reading,
    check: Check,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Caller {
    Idle,
    /// Its commit took effect, and the answer is under way.
    Committed,
    /// It knows that P is committed, since so many units of its clock.
    Waiting(u8),
    Returned,
}

/// A read of the rows by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reading {
    No,
    Sent,
    CarriedOut(Rows),
}

/// One check of a token that P revokes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Check {
    No,
    /// With [`Fault::ReplicaBeforeDeadline`]: what the replica of this holder said.
    Snapshot {
        of: u8,
        replica: bool,
    },
    /// It has a deadline of a cycle that is so old now.
    Deadline {
        of: u8,
        age: u8,
        replica: bool,
    },
    /// It has read the time of this holder. Whether the deadline is later that is there to be read, and the one that comes of
    /// the cycle under way then, if any.
    Time {
        of: u8,
        deadline: bool,
        cycle: Option<bool>,
    },
    /// The deadline was not over when the time was read. What it goes by is the replica, or what that said before.
    Excused {
        of: u8,
        replica: bool,
    },
}

impl Check {
    /// Which holder it asks.
    fn of(self) -> Option<usize> {
        match self {
            Self::No => None,
            Self::Deadline { of, .. }
            | Self::Excused { of, .. }
            | Self::Snapshot { of, .. }
            | Self::Time { of, .. } => Some(usize::from(of)),
        }
    }
}

/// What has to be come through, or the model shows nothing.
pub(crate) mod situation {
    pub(crate) const RETURNED_WHILE_LEASED: u8 = 1;
    pub(crate) const RETURNED_AFTER_EXPEL: u8 = 2;
    pub(crate) const GOOD_ACCEPT: u8 = 4;
    pub(crate) const WAITING_WHILE_STALE: u8 = 8;
    pub(crate) const ALL: u8 = 15;
}

impl<const H: usize, const O: usize> Protocol<H, O> {
    pub(crate) fn new(options: Options) -> Self {
        let halves = match options.fault {
            Some(Fault::LeaseTwiceAsLong) => 4,
            Some(Fault::LeaseHalfAsLongAgain) => 3,
            _ => 2,
        };
        let decisions = Decisions::new(options.scale, halves);
        // A check with a cached clock makes a difference until the cache is too old as well.
        let cached = if options.fault == Some(Fault::CachedClock) { CACHED } else { 0 };
        let (lease_over, wait_over) = (decisions.lease_over() + cached, decisions.wait_over());
        Self { options, decisions, lease_over, wait_over }
    }

    fn has(&self, fault: Fault) -> bool {
        self.options.fault == Some(fault)
    }

    fn is_canonical(&self) -> bool {
        self.options.numbers == Numbers::Canonical
    }

    /// Whose row an observer watches. Two holders watch each other.
    fn watched_by(&self, observer: usize) -> usize {
        if H == 1 { 0 } else { observer }
    }

    fn observers_of(&self, holder: usize) -> impl Iterator<Item = usize> {
        (0..O).filter(move |observer| self.watched_by(*observer) == holder)
    }

    /// The caller has the last clock; an observer shares one with the holder that it is, if it is one.
    fn clock_of_observer(&self, observer: usize) -> usize {
        if H == 1 { H + observer } else { (observer + 1) % H }
    }

    const CLOCKS: usize = if H == 1 { H + O + 1 } else { H + 1 };

    /// Lets the clock move, and says whether that makes a difference.
    fn advance(&self, state: &mut State<H, O>, clock: usize, units: u8) -> bool {
        let mut moved = false;
        let mut grow = |age: &mut u8, most: u8| {
            moved |= *age < most;
            *age = age.saturating_add(units).min(most);
        };
        if let Some(holder) = state.holders.get_mut(clock) {
            grow(&mut holder.lease, self.lease_over);
            match &mut holder.cycle {
                holder::Cycle::Reading { age, .. }
                | holder::Cycle::Renewing { age, .. }
                | holder::Cycle::Inserting { age, .. } => grow(age, self.lease_over),
                holder::Cycle::No => {}
            }
            if self.has(Fault::CachedClock) {
                grow(&mut holder.cached, CACHED);
            }
            if let Check::Deadline { of, age, .. } = &mut state.check
                && usize::from(*of) == clock
            {
                grow(age, self.lease_over);
            }
        }
        for (at, observer) in state.observers.iter_mut().enumerate() {
            if self.clock_of_observer(at) == clock {
                if let Some((_, age)) = &mut observer.seen {
                    grow(age, self.wait_over);
                }
                if let observer::Reading::Sent(age) | observer::Reading::CarriedOut(age, _) = &mut observer.reading
                    && self.has(Fault::SeenBeforeRead)
                {
                    grow(age, self.wait_over);
                }
            }
        }
        if let Caller::Waiting(age) = &mut state.caller
            && clock == Self::CLOCKS - 1
        {
            grow(age, self.wait_over);
        }
        moved
    }

    /// Every clock moves by one unit or two, each as it likes.
    fn ticks(&self, state: &State<H, O>, next: &mut Vec<(Step, State<H, O>)>) {
        let began = next.len();
        next.push(((Actor::Time([0; 4]), "passes"), *state));
        for clock in 0..Self::CLOCKS {
            for at in began..next.len() {
                let mut twice = next[at];
                if !self.advance(&mut next[at].1, clock, 1) {
                    continue;
                }
                tick(&mut next[at], clock, 1);
                self.advance(&mut twice.1, clock, 2);
                tick(&mut twice, clock, 2);
                if twice.1 != next[at].1 {
                    next.push(twice);
                }
            }
        }
    }

    fn callers_steps(&self, state: &State<H, O>, next: &mut Vec<(Step, State<H, O>)>) {
        let mut go = |what, change: &dyn Fn(&mut State<H, O>)| push(state, (Actor::Caller, what), change, next);
        let returns = |state: &mut State<H, O>| (state.caller, state.reading) = (Caller::Returned, Reading::No);
        match state.caller {
            Caller::Idle if !state.head => {
                go("commits P", &|s| (s.head, s.caller) = (true, Caller::Committed));
                go("is too late: another logout commits P", &|s| s.head = true);
            }
            Caller::Idle if self.has(Fault::AlreadyGoneReturns) => {
                go("finds everything revoked, and returns", &returns);
            }
            Caller::Idle => go("finds everything revoked", &|s| s.caller = Caller::Waiting(0)),
            Caller::Committed if self.has(Fault::LogoutDoesNotWait) => go("knows of its commit, and returns", &returns),
            Caller::Committed => go("knows of its commit", &|s| s.caller = Caller::Waiting(0)),
            Caller::Waiting(age) => {
                if self.options.until != Until::Rows && self.decisions.is_over(age, Rows::Unknown) {
                    go("has waited long enough, and returns", &returns);
                }
            }
            Caller::Returned => return,
        }
        let may_read = matches!(state.caller, Caller::Waiting(_)) || self.has(Fault::RowsBeforeCommit);
        match (state.reading, state.caller) {
            (Reading::No, _) if !may_read || self.options.until == Until::Time => {}
            (Reading::No, _) if !self.options.eager => {
                go("asks for the rows", &|s| s.reading = Reading::Sent);
            }
            (Reading::No | Reading::Sent, _) => {
                let rows = self.rows(state);
                go("has its read of the rows carried out", &|s| s.reading = Reading::CarriedOut(rows));
            }
            (Reading::CarriedOut(rows), Caller::Waiting(age)) => {
                // A read that began before the commit is dropped, but by the fault.
                let age = if self.options.until == Until::Rows { 0 } else { age };
                if self.decisions.is_over(age, rows) {
                    go("sees that no row lags, and returns", &returns);
                } else if self.has(Fault::LaggardDeleted) {
                    go("deletes the rows that lag", &|s| {
                        for at in 0..H {
                            if s.holders[at].lags() {
                                self.delete_row(s, at);
                            }
                        }
                        s.reading = Reading::No;
                    });
                } else {
                    go("sees that a row lags", &|s| s.reading = Reading::No);
                }
            }
            _ => {}
        }
    }

    /// What a read of all rows finds.
    fn rows(&self, state: &State<H, O>) -> Rows {
        let is_stale = |at: usize| {
            self.observers_of(at).any(|observer| {
                let seen = state.observers[observer].seen;
                seen.is_some_and(|(version, age)| {
                    state.holders[at].version() == Some(version) && self.decisions.expels(age)
                })
            })
        };
        let ignored = |at: usize| self.has(Fault::StaleRowsIgnored) && is_stale(at);
        let rows = || (0..H).filter(|at| state.holders[*at].row.is_some() && !ignored(*at));
        match rows().any(|at| state.holders[at].lags()) {
            true => Rows::Behind,
            false if rows().next().is_none() => Rows::None,
            false => Rows::Applied,
        }
    }

    fn checks_steps(&self, state: &State<H, O>, next: &mut Vec<(Step, State<H, O>)>) {
        let mut go = |what, check| push(state, (Actor::Check, what), &|s: &mut State<H, O>| s.check = check, next);
        match state.check {
            Check::No if state.caller == Caller::Returned => {
                for (at, holder) in state.holders.iter().enumerate() {
                    let (of, replica) = (at as u8, holder.replica);
                    if self.has(Fault::ReplicaBeforeDeadline) {
                        go("begins, and asks the replica", Check::Snapshot { of, replica });
                    } else if self.options.order == Order::TimeThenDeadline {
                        let deadline = self.decisions.holds(holder.lease);
                        let cycle = holder.cycle.age().map(|age| self.decisions.holds(age));
                        go("begins, and reads the time", Check::Time { of, deadline, cycle });
                    } else if holder.lease < self.lease_over {
                        go("begins, and reads the deadline", Check::Deadline { of, age: holder.lease, replica: false });
                    }
                }
            }
            Check::Snapshot { of, replica } => {
                let age = state.holders[usize::from(of)].lease;
                go("reads the deadline", Check::Deadline { of, age, replica });
            }
            Check::Deadline { of, age, replica } => {
                let now = age.saturating_sub(state.holders[usize::from(of)].cached);
                if self.decisions.holds(now) {
                    go("reads the time: the lease holds", Check::Excused { of, replica });
                } else {
                    go("reads the time: the lease is over", Check::No);
                }
            }
            Check::Time { of, deadline: true, .. } => {
                go("reads the deadline: the lease holds", Check::Excused { of, replica: false });
            }
            Check::Time { .. } => go("reads the deadline: the lease is over", Check::No),
            Check::Excused { .. } => go("asks the replica, and refuses", Check::No),
            Check::No => {}
        }
    }

    /// Whether a check that is excused goes by a replica that has P.
    fn knows(&self, state: &State<H, O>) -> Option<bool> {
        let Check::Excused { of, replica } = state.check else { return None };
        let now = state.holders[usize::from(of)].replica;
        Some(if self.has(Fault::ReplicaBeforeDeadline) { replica } else { now })
    }

    /// The row of a holder has a version that no reference can be to: all that there are, are to dead ones.
    fn forget_version(&self, state: &mut State<H, O>, holder: usize, deletions: bool) {
        if self.is_canonical() {
            for at in self.observers_of(holder) {
                state.observers[at].forget(deletions);
            }
        }
    }

    fn delete_row(&self, state: &mut State<H, O>, holder: usize) {
        state.holders[holder].row = None;
        self.forget_version(state, holder, true);
        if self.is_canonical() && !self.has(Fault::RenewalUpserts) {
            state.holders[holder].strays = [None; holder::STRAYS];
        }
    }
}

/// How old a cached time can be: more makes no difference that matters to the fault.
const CACHED: u8 = 2;

/// Notes for the record how far a clock moved.
fn tick<S>(((actor, _), _): &mut (Step, S), clock: usize, by: u8) {
    if let Actor::Time(units) = actor {
        units[clock] = by;
    }
}

fn push<S: Copy>(state: &S, step: Step, change: &dyn Fn(&mut S), next: &mut Vec<(Step, S)>) {
    let mut changed = *state;
    change(&mut changed);
    next.push((step, changed));
}

impl<const H: usize, const O: usize> Model for Protocol<H, O> {
    type State = State<H, O>;

    fn first(&self) -> State<H, O> {
        State {
            head: false,
            holders: [holder::Holder::new(self.lease_over); H],
            observers: [observer::Observer::new(); O],
            caller: Caller::Idle,
            reading: Reading::No,
            check: Check::No,
        }
    }

    fn steps(&self, state: &State<H, O>, next: &mut Vec<(Step, State<H, O>)>) {
        self.ticks(state, next);
        (0..H).for_each(|at| self.holders_steps(state, at, next));
        (0..O).for_each(|at| self.observers_steps(state, at, next));
        self.callers_steps(state, next);
        self.checks_steps(state, next);
        if H == 1 {
            // Which of two observers is which makes no difference.
            next.iter_mut().for_each(|(_, state)| state.observers.sort_unstable());
        }
    }

    /// A token that P revokes was accepted by a check that began after the logout had returned.
    fn is_broken(&self, state: &State<H, O>) -> bool {
        self.knows(state) == Some(false)
    }

    fn situations(&self, state: &State<H, O>) -> u8 {
        let any = |of: &dyn Fn(&holder::Holder) -> bool| state.holders.iter().any(of);
        let leased = |holder: &holder::Holder| self.decisions.holds(holder.lease);
        let is = |holds, bit| if holds { bit } else { 0 };
        let returned = state.caller == Caller::Returned;
        let expelled = |holder: &holder::Holder| holder.is_expelled() && !holder.replica;
        let waiting = matches!(state.caller, Caller::Waiting(_));
        is(returned && any(&leased), situation::RETURNED_WHILE_LEASED)
            | is(returned && any(&expelled), situation::RETURNED_AFTER_EXPEL)
            | is(self.knows(state) == Some(true), situation::GOOD_ACCEPT)
            | is(waiting && any(&|holder| leased(holder) && !holder.replica), situation::WAITING_WHILE_STALE)
    }
}
