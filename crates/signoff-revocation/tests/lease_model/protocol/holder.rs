//! A node that holds a lease: it joins, runs its cycle, is expelled, leaves, crashes.

use super::*;

pub(super) const STRAYS: usize = 2;

/// One process after the other, with the row in the store that belongs to the last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Holder {
    pub(super) row: Option<Row>,
    /// Requests that it has given up and that can still be carried out.
    pub(super) strays: [Option<Request>; STRAYS],
    /// The id of its row, counted up for every row.
    id: u8,
    /// Whether it has a row, as far as it knows.
    pub(super) joined: bool,
    leaving: Leaving,
    /// Whether its replica has P.
    pub(super) replica: bool,
    /// How old the cycle is from which its deadline counts.
    pub(super) lease: u8,
    pub(super) cycle: Cycle,
    /// The count of renewals that it knows of. Only [`Renew::IfUnchanged`] needs it.
    known: u8,
    /// How old its cached time is. Only [`Fault::CachedClock`] has one.
    pub(super) cached: u8,
    /// Whether no cycle has begun since it joined. Only faults in the first one need it.
    fresh: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Row {
    pub(super) id: u8,
    pub(super) renewals: u8,
    applied: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Request {
    Insert { applied: bool },
    Renew { applied: bool, known: u8 },
}

/// What it waits for. An age is that of `t0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cycle {
    No,
    Inserting {
        age: u8,
        applied: bool,
        done: bool,
    },
    /// The log; what was read of it.
    Reading {
        age: u8,
        found: Option<bool>,
    },
    /// The store; whether it found the row. What is not published yet is so by [`Fault::ReportBeforePublish`].
    Renewing {
        age: u8,
        applied: bool,
        found: Option<bool>,
    },
}

impl Cycle {
    /// How old `t0` is, if there is one.
    pub(super) fn age(self) -> Option<u8> {
        match self {
            Self::Inserting { age, .. } | Self::Reading { age, .. } | Self::Renewing { age, .. } => Some(age),
            Self::No => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Leaving {
    No,
    /// It has stopped, and its row is to be deleted.
    Stopped,
    /// The row is deleted. A renewal may be under way still.
    Deleted,
}

impl Holder {
    pub(super) fn new(no_lease: u8) -> Self {
        Self {
            row: None,
            strays: [None; STRAYS],
            id: 0,
            joined: false,
            leaving: Leaving::No,
            replica: false,
            lease: no_lease,
            cycle: Cycle::No,
            known: 0,
            cached: 0,
            fresh: false,
        }
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.row.map(|row| (row.id, row.renewals))
    }

    /// Whether its row is gone, and it does not know yet.
    pub(super) fn is_expelled(&self) -> bool {
        self.joined && self.row.is_none() && self.leaving == Leaving::No
    }

    /// Whether its row says that it has not applied P.
    pub(super) fn lags(&self) -> bool {
        self.row.is_some_and(|row| !row.applied)
    }
}

impl<const H: usize, const O: usize> Protocol<H, O> {
    pub(super) fn holders_steps(&self, state: &State<H, O>, at: usize, next: &mut Vec<(Step, State<H, O>)>) {
        let mut go = |what, change: &dyn Fn(&mut State<H, O>)| push(state, (Actor::Holder(at), what), change, next);
        let holder = state.holders[at];
        let rests = |s: &mut State<H, O>| s.holders[at].cycle = Cycle::No;
        match holder.cycle {
            Cycle::No if !holder.joined => {
                if self.has(Fault::LoadBeforeInsert) {
                    go("asks for the log, to join", &|s| s.holders[at].cycle = Cycle::Reading { age: 0, found: None });
                } else {
                    if self.may_join(&holder) {
                        go("inserts a row", &|s| self.insert(s, at, self.lease_over));
                    }
                    if self.options.preload && !holder.replica {
                        let cycle = Cycle::Reading { age: self.lease_over, found: None };
                        go("asks for the log, before it joins", &|s| s.holders[at].cycle = cycle);
                    }
                }
            }
            Cycle::No => match holder.leaving {
                Leaving::No if self.has(Fault::NoLoadAfterInsert) && holder.fresh => {
                    let cycle = Cycle::Renewing { age: 0, applied: holder.replica, found: None };
                    go("renews, without a look at the log", &|s| {
                        (s.holders[at].cycle, s.holders[at].fresh) = (cycle, false);
                    });
                }
                Leaving::No => {
                    go("begins: asks for the log", &|s| {
                        s.holders[at].cycle = Cycle::Reading { age: 0, found: None };
                        if let Check::Time { of, cycle, .. } = &mut s.check
                            && usize::from(*of) == at
                        {
                            *cycle = None;
                        }
                    });
                }
                Leaving::Stopped => {}
                Leaving::Deleted => go("has left", &|s| {
                    self.stop(s, at);
                    (s.holders[at].joined, s.holders[at].leaving) = (false, Leaving::No);
                }),
            },
            Cycle::Inserting { age, applied, done } => {
                if !done {
                    go("has its insert carried out", &|s| {
                        self.carry_out(s, at, Request::Insert { applied });
                        s.holders[at].cycle = Cycle::Inserting { age, applied, done: true };
                    });
                } else if self.has(Fault::LoadBeforeInsert) {
                    go("has joined, and renews", &|s| {
                        let holder = &mut s.holders[at];
                        holder.joined = true;
                        holder.cycle = Cycle::Renewing { age, applied: holder.replica, found: None };
                    });
                } else {
                    let fresh = self.has(Fault::NoLoadAfterInsert) || self.has(Fault::InsertGrants);
                    go("has joined", &|s| {
                        let holder = &mut s.holders[at];
                        (holder.joined, holder.cycle, holder.fresh, holder.known) = (true, Cycle::No, fresh, 0);
                    });
                }
                if self.has(Fault::InsertRetried) {
                    let request = (!done).then_some(Request::Insert { applied });
                    let fits = holder.strays.iter().flatten().count() < self.options.strays;
                    if fits || request.is_none() {
                        go("inserts the row again", &|s| {
                            self.stray(s, at, request);
                            s.holders[at].cycle = Cycle::Inserting { age, applied: s.holders[at].replica, done: false };
                        });
                    }
                } else {
                    go("gives up its insert", &|s| {
                        rests(s);
                        self.abandon_row(s, at);
                    });
                }
            }
            Cycle::Reading { age, found: None } => {
                let head = state.head;
                go("has its read of the log carried out", &|s| {
                    s.holders[at].cycle = Cycle::Reading { age, found: Some(head) };
                });
                go("gets no answer from the log", &rests);
            }
            Cycle::Reading { age, found: Some(found) } if !holder.joined => go("publishes the log", &|s| {
                s.holders[at].replica |= found;
                if self.has(Fault::LoadBeforeInsert) && self.may_join(&s.holders[at]) {
                    self.insert(s, at, age);
                } else {
                    rests(s);
                }
            }),
            Cycle::Reading { age, found: Some(found) } => {
                go("publishes the log, and renews", &|s| self.publish_and_renew(s, at, age, found));
                go("gets no answer from the log", &rests);
            }
            Cycle::Renewing { age, applied, found: None } => {
                let request = Request::Renew { applied, known: holder.known };
                if self.is_within_bounds(&holder, request) {
                    go("has its renewal carried out", &|s| {
                        let found = Some(self.carry_out(s, at, request));
                        s.holders[at].cycle = Cycle::Renewing { age, applied, found };
                    });
                }
                if holder.strays.iter().flatten().count() < self.options.strays {
                    go("gives up its renewal, which is still under way", &|s| {
                        self.stray(s, at, Some(request));
                        rests(s);
                    });
                }
                go("has its renewal lost", &rests);
            }
            Cycle::Renewing { age, applied, found: Some(found) } => {
                let renewed = found || self.has(Fault::NoRowRenews);
                go(if renewed { "is told that it renewed" } else { "is told that it is expelled" }, &|s| {
                    rests(s);
                    if renewed { self.grant(s, at, age, applied) } else { self.expelled(s, at) }
                });
                go("gets no answer to its renewal", &rests);
            }
        }
        for (nth, request) in holder.strays.into_iter().enumerate() {
            if let Some(request) = request
                && self.is_within_bounds(&holder, request)
            {
                go("has a request carried out that it gave up", &|s| {
                    // Taken first: what is left of the strays can be void afterwards.
                    s.holders[at].strays[nth] = None;
                    s.holders[at].strays.sort_unstable();
                    self.carry_out(s, at, request);
                });
            }
        }
        if holder.joined && holder.leaving == Leaving::No && self.options.leave {
            go("leaves", &|s| self.leave(s, at));
        }
        if holder.leaving == Leaving::Stopped {
            go("has its row deleted, to leave", &|s| {
                self.delete_row(s, at);
                s.holders[at].leaving = Leaving::Deleted;
            });
        }
        if holder.cached != 0 {
            go("reads the time for its cache", &|s| s.holders[at].cached = 0);
        }
        if holder != Holder::new(self.lease_over) {
            go("crashes", &|s| self.crash(s, at));
        }
    }

    fn publish_and_renew(&self, state: &mut State<H, O>, at: usize, age: u8, found: bool) {
        let head = state.head;
        let holder = &mut state.holders[at];
        let mut applied = holder.replica || found;
        if !self.has(Fault::ReportBeforePublish) {
            holder.replica = applied;
        }
        if self.has(Fault::HeadAfterEntries) {
            applied |= head;
        }
        if self.has(Fault::InsertGrants) && holder.fresh {
            (holder.fresh, holder.cycle) = (false, Cycle::No);
            return self.extend(state, at, age);
        }
        let from_renewal = self.options.t0 == T0::BeforeRenewal || self.has(Fault::TimeRuleFromRenewal);
        holder.cycle = Cycle::Renewing { age: if from_renewal { 0 } else { age }, applied, found: None };
    }

    fn grant(&self, state: &mut State<H, O>, at: usize, age: u8, applied: bool) {
        let age = if self.has(Fault::DeadlineFromAnswer) { 0 } else { age };
        // Its permit is void when it has left meanwhile.
        if state.holders[at].leaving == Leaving::No || self.has(Fault::LeaverGranted) {
            self.extend(state, at, age);
        }
        let holder = &mut state.holders[at];
        if self.has(Fault::ReportBeforePublish) {
            holder.replica = applied;
        }
        if self.options.renew == Renew::IfUnchanged {
            holder.known += 1;
        }
    }

    /// The deadline counts from a cycle of this age, if not from a later one.
    fn extend(&self, state: &mut State<H, O>, at: usize, age: u8) {
        state.holders[at].lease = state.holders[at].lease.min(age);
        if let Check::Time { of, deadline, cycle } = &mut state.check
            && usize::from(*of) == at
        {
            // A cycle that began after the time was read has a later deadline.
            *deadline |= cycle.take().unwrap_or(true);
        }
    }

    fn stop(&self, state: &mut State<H, O>, at: usize) {
        state.holders[at].lease = self.lease_over;
        if let Check::Time { of, deadline, .. } = &mut state.check
            && usize::from(*of) == at
        {
            *deadline = false;
        }
    }

    fn expelled(&self, state: &mut State<H, O>, at: usize) {
        self.stop(state, at);
        let holder = &mut state.holders[at];
        (holder.joined, holder.leaving) = (false, Leaving::No);
        holder.replica &= !self.has(Fault::ReplicaEmptied);
        self.abandon_row(state, at);
    }

    fn leave(&self, state: &mut State<H, O>, at: usize) {
        let holder = &mut state.holders[at];
        holder.leaving = Leaving::Stopped;
        if let Cycle::Reading { .. } = holder.cycle {
            holder.cycle = Cycle::No;
        }
        if !self.has(Fault::DeleteThenStop) {
            self.stop(state, at);
        }
    }

    /// The process ends, with everything that it had in memory, and another one can begin.
    fn crash(&self, state: &mut State<H, O>, at: usize) {
        let Holder { row, strays, id, .. } = state.holders[at];
        state.holders[at] = Holder { row, strays, id, ..Holder::new(self.lease_over) };
        self.abandon_row(state, at);
        if state.check.of() == Some(at) {
            state.check = Check::No;
        }
    }

    /// The next row has another id, so nothing that refers to this one matters to its node. It is taken for gone, because
    /// all that it can still do is to delay a logout.
    fn abandon_row(&self, state: &mut State<H, O>, at: usize) {
        if !self.is_id_fixed() {
            self.delete_row(state, at);
            state.holders[at].strays = [None; STRAYS];
        }
    }

    fn is_id_fixed(&self) -> bool {
        self.has(Fault::FixedIdReset) || self.has(Fault::FixedIdAdopted)
    }

    fn may_join(&self, holder: &Holder) -> bool {
        match self.options.numbers {
            Numbers::Canonical => true,
            Numbers::Counted { ids, .. } => self.is_id_fixed() || holder.id < ids,
        }
    }

    fn insert(&self, state: &mut State<H, O>, at: usize, age: u8) {
        let holder = &mut state.holders[at];
        if !self.is_canonical() && !self.is_id_fixed() {
            holder.id += 1;
        }
        // What was loaded before is reported at once, so that who joins delays nobody.
        holder.cycle = Cycle::Inserting { age, applied: holder.replica, done: false };
    }

    fn stray(&self, state: &mut State<H, O>, at: usize, request: Option<Request>) {
        let holder = &mut state.holders[at];
        // A request whose row is gone for good, or that reports less than the row says, finds nothing.
        let futile = match request {
            Some(Request::Renew { applied, .. }) => match holder.row {
                Some(row) => row.applied && !applied,
                None => self.is_canonical() && !self.has(Fault::RenewalUpserts),
            },
            _ => false,
        };
        if request.is_some() && !futile {
            holder.strays[0] = request;
            holder.strays.sort_unstable();
        }
    }

    /// Whether the store's numbers do not become larger than what is explored.
    fn is_within_bounds(&self, holder: &Holder, request: Request) -> bool {
        let Numbers::Counted { renewals, .. } = self.options.numbers else { return true };
        let (Request::Renew { known, .. }, Some(row)) = (request, holder.row) else { return true };
        row.renewals < renewals || self.options.renew == Renew::IfUnchanged && row.renewals != known
    }

    /// The store carries out a request of the holder, and says whether it found what it takes.
    fn carry_out(&self, state: &mut State<H, O>, at: usize, request: Request) -> bool {
        let id = state.holders[at].id;
        match (request, state.holders[at].row) {
            (Request::Insert { applied }, row) => {
                if row.is_none() || self.has(Fault::FixedIdReset) {
                    state.holders[at].row = Some(Row { id, renewals: 0, applied });
                }
                true
            }
            (Request::Renew { applied, .. }, None) if self.has(Fault::RenewalUpserts) => {
                state.holders[at].row = Some(Row { id, renewals: 0, applied });
                true
            }
            (Request::Renew { .. }, None) => false,
            (Request::Renew { applied, known }, Some(row)) => {
                let conditional = self.options.renew == Renew::IfUnchanged;
                if conditional && row.renewals == known + 1 && self.has(Fault::RetryCountedFromRetry) {
                    return true;
                }
                if row.applied && !applied || conditional && row.renewals != known {
                    return false;
                }
                let renewals = if self.is_canonical() { 0 } else { row.renewals + 1 };
                state.holders[at].row = Some(Row { id, renewals, applied });
                self.forget_version(state, at, !self.has(Fault::ExpelUnconditional));
                if applied && self.is_canonical() {
                    // Those that report less find nothing from here on.
                    for stray in &mut state.holders[at].strays {
                        *stray = stray.filter(|stray| !matches!(stray, Request::Renew { applied: false, .. }));
                    }
                    state.holders[at].strays.sort_unstable();
                }
                true
            }
        }
    }
}
