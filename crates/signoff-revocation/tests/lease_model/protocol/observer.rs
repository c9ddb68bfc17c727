//! A node that watches another's row, and deletes it when it has not changed for long enough.

use super::*;
use crate::decisions::observe;

const DELETIONS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Observer {
    /// What the row was when it was read last, and for how long.
    pub(super) seen: Option<(Version, u8)>,
    pub(super) reading: Reading,
    /// Deletions under way, each of one version.
    deletions: [Option<Version>; DELETIONS],
}

/// A read of the rows. Its age only matters to [`Fault::SeenBeforeRead`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Reading {
    No,
    Sent(u8),
    CarriedOut(u8, Option<Version>),
}

impl Observer {
    pub(super) fn new() -> Self {
        Self { seen: None, reading: Reading::No, deletions: [None; DELETIONS] }
    }

    /// What it refers to never comes back. A read that found it will find nothing to compare with, as if it were none.
    pub(super) fn forget(&mut self, deletions: bool) {
        self.seen = None;
        if let Reading::CarriedOut(_, found) = &mut self.reading {
            *found = None;
        }
        if deletions {
            self.deletions = [None; DELETIONS];
        }
    }
}

impl<const H: usize, const O: usize> Protocol<H, O> {
    pub(super) fn observers_steps(&self, state: &State<H, O>, at: usize, next: &mut Vec<(Step, State<H, O>)>) {
        let mut go = |what, change: &dyn Fn(&mut State<H, O>)| push(state, (Actor::Observer(at), what), change, next);
        let (observer, watched) = (state.observers[at], self.watched_by(at));
        match observer.reading {
            Reading::No if !self.options.eager => {
                go("asks for the rows", &|s| s.observers[at].reading = Reading::Sent(0));
            }
            Reading::No | Reading::Sent(_) => {
                let age = if let Reading::Sent(age) = observer.reading { age } else { 0 };
                let found = state.holders[watched].version();
                go("has its read of the rows carried out", &|s| {
                    s.observers[at].reading = Reading::CarriedOut(age, found);
                });
            }
            Reading::CarriedOut(read_age, found) => {
                let (mut seen, expelled) = observe(&self.decisions, observer.seen, found);
                // Counted from before the read, it is as old as that when it is new.
                let is_new = observer.seen.map(|(version, _)| version) != found;
                let mut expelled = expelled || self.has(Fault::ExpelWithoutWait) && found.is_some();
                if let Some((_, age)) = &mut seen
                    && is_new
                    && self.has(Fault::SeenBeforeRead)
                {
                    *age = read_age;
                    expelled = self.decisions.expels(read_age);
                }
                let deletions = observer.deletions.iter().flatten();
                let sends = expelled
                    && !self.has(Fault::StaleRowsIgnored)
                    && deletions.clone().count() < self.options.deletions
                    && !(self.is_canonical() && deletions.clone().any(|version| Some(*version) == found));
                go(if sends { "gets the rows, and deletes one" } else { "gets the rows" }, &|s| {
                    let observer = &mut s.observers[at];
                    (observer.seen, observer.reading) = (seen, Reading::No);
                    if sends {
                        observer.deletions[0] = found;
                        // The order in which they were sent does not matter.
                        observer.deletions.sort_unstable();
                    }
                });
            }
        }
        for (nth, version) in observer.deletions.into_iter().enumerate() {
            let Some((id, renewals)) = version else { continue };
            let removed = |s: &mut State<H, O>| {
                s.observers[at].deletions[nth] = None;
                s.observers[at].deletions.sort_unstable();
            };
            let row = state.holders[watched].row;
            let hits = row
                .is_some_and(|row| row.id == id && (row.renewals == renewals || self.has(Fault::ExpelUnconditional)));
            go("has its deletion carried out", &|s| {
                removed(s);
                if hits {
                    self.delete_row(s, watched);
                }
            });
            // A current version can be deleted again, so losing it is the same as waiting.
            if !self.is_canonical() {
                go("has its deletion lost", &removed);
            }
        }
    }
}
