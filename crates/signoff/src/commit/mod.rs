//! Group commit: concurrent logouts share a transaction, and so do refreshes, logins and touches, each on tasks of their
//! own that no dropped future cancels.
//!
//! The same tasks put what was committed into force in memory before anybody hears of it.

mod catch_up;
mod lanes;
mod verbs;
mod worker;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use signoff_revocation::{LogPage, Replica};
use tokio::sync::{mpsc, oneshot};

use crate::lost::Trace;
use crate::store::{Seated, Store};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Position, steps};

pub(crate) use catch_up::{catch_up, catch_up_on_same_log, read_on};
pub(crate) use verbs::{Creates, Ending, SignOffs};
pub(crate) use worker::{HighMark, Worker, unreadable_clock};

/// A verb of the store that many callers may share a transaction of.
pub(crate) trait Verb: Send + Sync + 'static {
    type Request: fmt::Debug + Clone + Send + Sync + 'static;
    type Outcome: fmt::Debug + Send + 'static;

    /// What is said when the store takes too long.
    const LATE: &'static str;
    /// The points that tests know: queued, before and after the transaction, in force.
    const STEPS: [&'static str; 4];
    /// A request that is repeated gets the outcome of the first time, so a lost answer is found out by repeating it.
    const REPEATABLE: bool;
    /// Whether it may append to the log, so that a lost answer must be looked up there.
    const LOGS: bool = true;
    /// For how long a request that is not urgent waits for others to share its transaction.
    const GATHERING: Duration = Duration::ZERO;

    /// Whether somebody waits for the answer, so that the whole group must not wait any longer.
    fn is_urgent(_: &Self::Request) -> bool {
        true
    }

    /// What became of requests whose answer was lost, in order. They began when `replica` was at `since`.
    fn find_out(
        _store: &dyn Store,
        _replica: &Replica,
        requests: &[Self::Request],
        _since: Position,
    ) -> impl Future<Output = Result<Vec<Trace<Self>>, Error>> + Send {
        let trace = |request: &Self::Request| match Self::REPEATABLE {
            true => Trace::Repeat(request.clone()),
            false => Trace::Unseen,
        };
        std::future::ready(Ok(requests.iter().map(trace).collect()))
    }

    /// Asks the store, and gives one outcome per request, in order, and the stretch of the log that was looked at, if any
    /// was.
    fn run(
        store: &dyn Store,
        requests: &[Self::Request],
        now: Timestamp,
    ) -> impl Future<Output = Result<(Vec<Self::Outcome>, Option<LogPage>), Error>> + Send;

    /// What was decided is in force, and its callers are about to hear of it.
    fn decided(&self, requests: &[Self::Request], outcomes: &mut [Self::Outcome], now: Timestamp);
}

/// What one request of a group came to.
#[derive(Debug)]
pub(crate) struct Committed<O = Ending> {
    pub(crate) outcome: O,
    /// The head after the transaction: once a replica has applied it, the request is in force there.
    pub(crate) position: Position,
}

struct Job<V: Verb> {
    request: V::Request,
    reply: oneshot::Sender<Result<Committed<V::Outcome>, Error>>,
}

/// The way to the committing task.
pub(crate) struct Committer<V: Verb = SignOffs> {
    queue: mpsc::Sender<Job<V>>,
    task: tokio::task::JoinHandle<()>,
}

/// A full queue makes callers wait, and their time limit turns that into an error: back-pressure, never loss.
const QUEUE: usize = 1024;
impl<V: Verb> Committer<V> {
    /// Starts the task. It ends, and gives up its part of the seat, when the committer is dropped and its queue is worked
    /// off.
    pub(crate) fn start(verb: V, worker: Worker, seated: Arc<Seated>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let lanes = if V::LOGS { worker.store.commits_at_once() } else { 1 };
        let task = tokio::spawn(async move {
            lanes::run(lanes, verb, worker, jobs).await;
            drop(seated);
        });
        Self { queue, task }
    }

    /// Commits a request. From the moment it is queued it happens, whether or not anybody waits for the answer.
    pub(crate) async fn commit(&self, request: V::Request, patience: Duration) -> Result<Committed<V::Outcome>, Error> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            steps::reached(V::STEPS[0]);
            self.queue.send(Job { request, reply }).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        let answered = tokio::time::timeout(patience, exchange).await;
        answered.map_err(|_| Error::new(ErrorKind::Unavailable, V::LATE))?
    }

    /// As [`Committer::commit`], for several requests, which mostly share a transaction: queued in this order, answered
    /// when all are.
    pub(crate) async fn commit_all(
        &self,
        requests: Vec<V::Request>,
        patience: Duration,
    ) -> Result<Vec<Committed<V::Outcome>>, Error> {
        let exchange = async {
            steps::reached(V::STEPS[0]);
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
        answered.map_err(|_| Error::new(ErrorKind::Unavailable, V::LATE))?
    }

    /// Works off the queue and leaves the seat.
    pub(crate) async fn close(self) {
        drop(self.queue);
        // A task that panicked has left its seat as well, by unwinding.
        let _ = self.task.await;
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "this Signoff is closing")
}
