//! Group commit: concurrent logouts share a transaction, on a task of its own that no dropped future cancels.
//!
//! The same task puts what was committed into force in memory before anybody hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use signoff_revocation::{ApplyError, Replica};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Outcome, Seated, SignOff, Store};
use crate::time::{Clock, Timestamp};
use crate::{Error, ErrorKind, Position, steps};

/// What one request of a group came to.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) outcome: Outcome,
    /// The head after the transaction: once a replica has applied it, the request is in force there.
    pub(crate) position: Position,
}

struct Job {
    request: SignOff,
    reply: oneshot::Sender<Result<Committed, Error>>,
}

/// The way to the committing task.
#[derive(Debug)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Job>,
    task: tokio::task::JoinHandle<()>,
}

/// What the committing task works with.
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

/// A full queue makes callers wait, and their time limit turns that into an error: back-pressure, never loss.
const QUEUE: usize = 1024;
/// How many entries are read from the log at once.
const PAGE: u32 = 10_000;

impl Committer {
    /// Starts the task. It ends, and leaves the seat, when the committer is dropped and its queue is worked off.
    pub(crate) fn start(worker: Worker, seated: Seated) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            Arc::new(worker).run(jobs).await;
            drop(seated);
        });
        Self { queue, task }
    }

    /// Commits a request. From the moment it is queued it happens, whether or not anybody waits for the answer.
    pub(crate) async fn commit(&self, request: SignOff, patience: Duration) -> Result<Committed, Error> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            steps::reached("logout: queued");
            self.queue.send(Job { request, reply }).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        let answered = tokio::time::timeout(patience, exchange).await;
        answered.map_err(|_| Error::new(ErrorKind::Unavailable, "the store did not confirm the logout in time"))?
    }

    /// As [`Committer::commit`], for several requests, which mostly share a transaction: queued in this order, answered
    /// when all are.
    pub(crate) async fn commit_all(&self, requests: Vec<SignOff>, patience: Duration) -> Result<Vec<Committed>, Error> {
        let exchange = async {
            steps::reached("logout: queued");
            let mut answers = Vec::with_capacity(requests.len());
            for request in requests {
                let (reply, answer) = oneshot::channel();
                self.queue.send(Job { request, reply }).await.map_err(|_| closed())?;
                answers.push(answer);
            }
            let mut committed = Vec::with_capacity(answers.len());
            for answer in answers {
                committed.push(answer.await.map_err(|_| closed())??);
            }
            Ok(committed)
        };
        let answered = tokio::time::timeout(patience, exchange).await;
        answered.map_err(|_| Error::new(ErrorKind::Unavailable, "the store did not confirm the logout in time"))?
    }

    /// Works off the queue and leaves the seat.
    pub(crate) async fn close(self) {
        drop(self.queue);
        // A task that panicked has left its seat as well, by unwinding.
        let _ = self.task.await;
    }
}

impl Worker {
    async fn run(self: Arc<Self>, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, self.batch).await > 0 {
            let (requests, replies): (Vec<_>, Vec<_>) = group.drain(..).map(|job| (job.request, job.reply)).unzip();
            let worker = Arc::clone(&self);
            // A task of its own, so that a store that panics fails this group and not all logouts to come.
            let mut work = tokio::spawn(async move { worker.commit_group(&requests).await });
            let refuse = |error: Error| replies.iter().map(|_| Err(error.clone())).collect();
            let results = match tokio::time::timeout(self.limit, &mut work).await {
                Ok(Ok(results)) => results,
                Ok(Err(_)) => refuse(Error::new(ErrorKind::Internal, "the store panicked during a logout")),
                Err(_) => {
                    work.abort();
                    self.look_up_lost_answer().await;
                    refuse(Error::new(ErrorKind::Unavailable, "the store hangs"))
                }
            };
            for (reply, result) in replies.into_iter().zip(results) {
                // Nobody waits any more: the logout happened all the same.
                let _ = reply.send(result);
            }
        }
    }

    async fn commit_group(&self, requests: &[SignOff]) -> Vec<Result<Committed, Error>> {
        let whole = self.commit_together(requests).await;
        match whole {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            // The fault of one request must not fail its neighbours: each gets a transaction of its own.
            Err(error) if requests.len() > 1 && error.kind() != ErrorKind::Unavailable => {
                let mut results = Vec::with_capacity(requests.len());
                for request in requests {
                    let alone = self.commit_together(std::slice::from_ref(request)).await;
                    results.push(alone.and_then(|mut committed| {
                        committed.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "the store lost an outcome"))
                    }));
                }
                results
            }
            Err(error) => requests.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn commit_together(&self, requests: &[SignOff]) -> Result<Vec<Committed>, Error> {
        steps::reached("logout: before the transaction");
        let now = self.now()?;
        let signed_off = match self.store.sign_off(requests, now).await {
            Ok(signed_off) => signed_off,
            Err(error) => {
                self.look_up_lost_answer().await;
                return Err(error);
            }
        };
        steps::reached("logout: after the transaction");
        if signed_off.outcomes.len() != requests.len() {
            return Err(Error::new(ErrorKind::Internal, "the store answered for another number of requests"));
        }
        match self.replica.apply(&signed_off.page) {
            Ok(_) => {}
            Err(ApplyError::Gap { .. }) => catch_up(&*self.store, &self.replica).await?,
            Err(error) => return Err(not_applied(error)),
        }
        steps::reached("logout: in force");
        let position = signed_off.page.through;
        Ok(signed_off.outcomes.into_iter().map(|outcome| Committed { outcome, position }).collect())
    }

    /// A transaction may have committed although its answer was lost. If so, the log tells, and the tokens die here before
    /// the caller hears of the error; if the log cannot be read either, the retry will find out.
    async fn look_up_lost_answer(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), catch_up(&*self.store, &self.replica)).await;
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.clock.wall().map(|now| self.accepted.after(now)).ok_or_else(unreadable_clock)
    }
}

/// Reads the log from where the replica stands to its head.
pub(crate) async fn catch_up(store: &dyn Store, replica: &Replica) -> Result<(), Error> {
    loop {
        let read = store.log_after(replica.applied(), PAGE).await?;
        let applied = replica.apply(&read.page).map_err(not_applied)?;
        if applied >= read.head {
            return Ok(());
        }
        if read.page.through <= read.page.after {
            return Err(Error::new(ErrorKind::Internal, "the store returned a log page that leads nowhere"));
        }
    }
}

pub(crate) fn unreadable_clock() -> Error {
    Error::new(ErrorKind::Unavailable, "the clock is unreadable, or shows a time before 1970 or after 9999")
}

fn not_applied(error: ApplyError) -> Error {
    match error {
        ApplyError::Full { .. } => {
            Error::new(ErrorKind::Unavailable, "no memory for another revocation: purge, or raise revocation_bytes")
        }
        _ => Error::new(ErrorKind::Data, "the revocation log is damaged"),
    }
    .with_source(error)
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "this Signoff is closing")
}
