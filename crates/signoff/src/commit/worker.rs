//! What is done with a group: one transaction, its lost answer looked for, its bad inputs set apart, and what was committed put
//! into force.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use signoff_revocation::{ApplyError, Replica};
use tokio::time::Instant;

use super::catch_up::{catch_up, not_applied};
use super::{Committed, Verb};
use crate::lost::Trace;
use crate::store::Store;
use crate::time::{Clock, Timestamp};
use crate::{Error, ErrorKind, Position, steps};

/// What a committing task works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) batch: usize,
    /// How long a group may take. A store that hangs must not hold up all logouts for good.
    pub(crate) limit: Duration,
    /// Every foreign token that was accepted has a position at or before this one.
    pub(crate) accepted: Arc<HighMark>,
}

/// The highest position of the foreign tokens that this process has accepted, in microseconds.
///
/// Their positions come from the wall clock (`iat`), not from the log. A wall clock that steps back must not hand out a
/// position to a revocation that is not after theirs: it would leave them alive.
#[derive(Debug, Default)]
pub(crate) struct HighMark(AtomicI64);

impl HighMark {
    /// Takes note of a token *before* it is held against the replica.
    #[inline]
    pub(crate) fn raise(&self, position: Position) {
        let position = i64::try_from(position.get()).unwrap_or(i64::MAX);
        // Mostly it is as high already; then the cache line stays shared.
        if self.0.load(Ordering::SeqCst) < position {
            self.0.fetch_max(position, Ordering::SeqCst);
        }
    }

    /// The time after all of them, if it is later than `now`.
    fn after(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst).saturating_add(1)).map_or(now, |after| after.max(now))
    }
}

/// How long it is looked for what became of a commit whose answer was lost. A person is waiting.
const LOOK_UP: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Worker {
    pub(super) async fn commit_group<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
    ) -> Vec<Result<Committed<V::Outcome>, Error>> {
        let since = self.replica.applied();
        match self.commit_together(verb, requests).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                self.find_out(verb, requests, since, error, Instant::now() + LOOK_UP).await
            }
            whole => self.settle(verb, requests, whole).await,
        }
    }

    /// The answer may have been lost after the commit, so it is looked for what became of it. What is repeated then may lose
    /// its answer as well, as on connections that the server is closing one by one: it is looked for again, until `until`.
    async fn find_out<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
        since: Position,
        lost: Error,
        until: Instant,
    ) -> Vec<Result<Committed<V::Outcome>, Error>> {
        // What broke the one connection may have broken others as well, so one refusal does not end the search.
        let look = async {
            loop {
                match V::find_out(&*self.store, &self.replica, requests, since).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => tokio::time::sleep(LOOK_AGAIN).await,
                    looked => break looked,
                }
            }
        };
        let Ok(Ok(traces)) = tokio::time::timeout_at(until, look).await else {
            return requests.iter().map(|_| Err(lost.clone())).collect();
        };
        let again: Vec<_> = traces
            .iter()
            .filter_map(|trace| match trace {
                Trace::Repeat(request) => Some(request.clone()),
                Trace::Done(_) | Trace::Unseen => None,
            })
            .collect();
        let mut repeated = match again.is_empty() {
            true => Vec::new(),
            false => match self.commit_together(verb, &again).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    Box::pin(self.find_out(verb, &again, since, error, until)).await
                }
                whole => self.settle(verb, &again, whole).await,
            },
        }
        .into_iter();
        let Ok(now) = self.now() else { return requests.iter().map(|_| Err(lost.clone())).collect() };
        let position = self.replica.applied();
        let result = |(trace, request)| match trace {
            Trace::Done(mut outcome) => {
                verb.decided(std::slice::from_ref(request), std::slice::from_mut(&mut outcome), now);
                Ok(Committed { outcome, position })
            }
            Trace::Repeat(_) => repeated.next().unwrap_or_else(|| Err(lost.clone())),
            Trace::Unseen => Err(lost.clone()),
        };
        traces.into_iter().zip(requests).map(result).collect()
    }

    /// One result per request of a group that was committed, or not, as a whole.
    async fn settle<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
        whole: Result<Vec<Committed<V::Outcome>>, Error>,
    ) -> Vec<Result<Committed<V::Outcome>, Error>> {
        match whole {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            // The fault of one request must not fail its neighbours: each gets a transaction of its own.
            Err(error) if requests.len() > 1 && error.kind() != ErrorKind::Unavailable => {
                let mut results = Vec::with_capacity(requests.len());
                for request in requests {
                    let alone = self.commit_together(verb, std::slice::from_ref(request)).await;
                    results.push(alone.and_then(|mut committed| {
                        committed.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "the store lost an outcome"))
                    }));
                }
                results
            }
            Err(error) => requests.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn commit_together<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
    ) -> Result<Vec<Committed<V::Outcome>>, Error> {
        let [_, before, after, in_force] = V::STEPS;
        steps::reached(before);
        let now = self.now()?;
        let before_all = self.replica.applied();
        let (mut outcomes, page) = match V::run(&*self.store, requests, now).await {
            Ok(answer) => answer,
            Err(error) => {
                self.look_up_lost_answer::<V>().await;
                return Err(error);
            }
        };
        steps::reached(after);
        if outcomes.len() != requests.len() {
            return Err(Error::new(ErrorKind::Internal, "the store answered for another number of requests"));
        }
        if page.as_ref().is_some_and(|page| page.after < before_all) {
            // Nothing that was revoked in the lost stretch is known to the store any more. What is here knows, but not of what
            // happens there.
            self.replica.distrust();
            return Err(Error::new(ErrorKind::Data, "the log ends before what was read of it: the store went back"));
        }
        let applied = page.as_ref().map_or(Ok(Position::ZERO), |page| self.replica.apply(page));
        match applied {
            Ok(_) => {}
            Err(ApplyError::Gap { .. }) => catch_up(&*self.store, &self.replica).await?,
            Err(error) => return Err(not_applied(error)),
        }
        steps::reached(in_force);
        verb.decided(requests, &mut outcomes, now);
        let position = page.map_or(Position::ZERO, |page| page.through);
        Ok(outcomes.into_iter().map(|outcome| Committed { outcome, position }).collect())
    }

    /// A transaction may have committed although its answer was lost. If so, the log tells, and the tokens die here before
    /// the caller hears of the error; if the log cannot be read either, the retry will find out.
    pub(super) async fn look_up_lost_answer<V: Verb>(&self) {
        if !V::LOGS {
            return;
        }
        let _ = tokio::time::timeout(LOOK_UP, catch_up(&*self.store, &self.replica)).await;
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.clock.wall().map(|now| self.accepted.after(now)).ok_or_else(unreadable_clock)
    }
}

pub(crate) fn unreadable_clock() -> Error {
    Error::new(ErrorKind::Unavailable, "the clock is unreadable, or shows a time before 1970 or after 9999")
}
