//! Group commit: concurrent logouts share a transaction, and so do refreshes, logins and touches, each on a task of their
//! own that no dropped future cancels.
//!
//! The same task puts what was committed into force in memory before anybody hears of it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use signoff_revocation::{ApplyError, LogPage, Replica};
use tokio::sync::{mpsc, oneshot};

use crate::elsewhere::{Finisher, Finishing, Over};
use crate::lost::{self, Trace};
use crate::store::{CreateOutcome, NewSession, Outcome, Seated, SignOff, Store};
use crate::time::{Clock, Timestamp};
use crate::{Error, ErrorKind, Position, steps};

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

/// Logouts. What they end elsewhere is finished as soon as they are in force.
pub(crate) struct SignOffs(pub(crate) Option<Arc<Finisher>>);

/// What a logout came to.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// What is being finished in other stores.
    pub(crate) finishing: Option<Finishing>,
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, finishing: None }
    }
}

impl Verb for SignOffs {
    type Request = SignOff;
    type Outcome = Ending;

    const LATE: &'static str = "the store did not confirm the logout in time";
    const STEPS: [&'static str; 4] =
        ["logout: queued", "logout: before the transaction", "logout: after the transaction", "logout: in force"];
    const REPEATABLE: bool = false;

    async fn run(
        store: &dyn Store,
        requests: &[SignOff],
        now: Timestamp,
    ) -> Result<(Vec<Ending>, Option<LogPage>), Error> {
        let signed_off = store.sign_off(requests, now).await?;
        Ok((signed_off.outcomes.into_iter().map(Ending::from).collect(), Some(signed_off.page)))
    }

    async fn find_out(
        store: &dyn Store,
        replica: &Replica,
        requests: &[SignOff],
        since: Position,
    ) -> Result<Vec<Trace<Self>>, Error> {
        lost::find_out(store, replica, requests, since).await
    }

    fn decided(&self, requests: &[SignOff], endings: &mut [Ending], _: Timestamp) {
        let Some(finisher) = &self.0 else { return };
        for (request, ending) in requests.iter().zip(endings) {
            ending.finishing = Over::by(&request.target).map(|ended| finisher.start(ended));
        }
    }
}

/// Logins, and what else makes a session. What belonged elsewhere to a session that is replaced is destroyed without
/// anybody waiting for it.
pub(crate) struct Creates(pub(crate) Option<Arc<Finisher>>);

impl Verb for Creates {
    type Request = NewSession;
    type Outcome = CreateOutcome;

    const LATE: &'static str = "the store did not confirm the session in time";
    const STEPS: [&'static str; 4] =
        ["login: queued", "login: before the transaction", "login: after the transaction", "login: in force"];
    const REPEATABLE: bool = false;

    async fn run(
        store: &dyn Store,
        requests: &[NewSession],
        now: Timestamp,
    ) -> Result<(Vec<CreateOutcome>, Option<LogPage>), Error> {
        let created = store.create_sessions(requests, now).await?;
        Ok((created.outcomes, Some(created.page)))
    }

    fn decided(&self, requests: &[NewSession], outcomes: &mut [CreateOutcome], _: Timestamp) {
        let Some(finisher) = &self.0 else { return };
        for (request, outcome) in requests.iter().zip(outcomes) {
            if let (Some(replaced), CreateOutcome::Created(_)) = (&request.replaces, outcome) {
                drop(finisher.start(Over::Sessions(vec![replaced.id])));
            }
        }
    }
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

/// A full queue makes callers wait, and their time limit turns that into an error: back-pressure, never loss.
const QUEUE: usize = 1024;
/// How long it is looked for what became of a commit whose answer was lost. A person is waiting.
const LOOK_UP: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How many entries are read from the log at once: some megabytes, and enough to load them in bulk.
const PAGE: u32 = 50_000;

impl<V: Verb> Committer<V> {
    /// Starts the task. It ends, and gives up its part of the seat, when the committer is dropped and its queue is worked
    /// off.
    pub(crate) fn start(verb: V, worker: Worker, seated: Arc<Seated>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            run(Arc::new((verb, worker)), jobs).await;
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

async fn run<V: Verb>(worker: Arc<(V, Worker)>, mut jobs: mpsc::Receiver<Job<V>>) {
    let mut group = Vec::new();
    while jobs.recv_many(&mut group, worker.1.batch).await > 0 {
        gather(&mut jobs, &mut group, worker.1.batch).await;
        let (requests, replies): (Vec<_>, Vec<_>) = group.drain(..).map(|job| (job.request, job.reply)).unzip();
        let working = Arc::clone(&worker);
        // A task of its own, so that a store that panics fails this group and not all to come.
        let mut work = tokio::spawn(async move { working.1.commit_group(&working.0, &requests).await });
        let refuse = |error: Error| replies.iter().map(|_| Err(error.clone())).collect();
        let results = match tokio::time::timeout(worker.1.limit, &mut work).await {
            Ok(Ok(results)) => results,
            Ok(Err(_)) => refuse(Error::new(ErrorKind::Internal, "the store panicked during a commit")),
            Err(_) => {
                work.abort();
                worker.1.look_up_lost_answer::<V>().await;
                refuse(Error::new(ErrorKind::Unavailable, "the store hangs"))
            }
        };
        for (reply, result) in replies.into_iter().zip(results) {
            // Nobody waits any more: it happened all the same.
            let _ = reply.send(result);
        }
    }
}

/// Waits a little for company, unless somebody in the group is in a hurry.
async fn gather<V: Verb>(jobs: &mut mpsc::Receiver<Job<V>>, group: &mut Vec<Job<V>>, most: usize) {
    let until = tokio::time::Instant::now() + V::GATHERING;
    let mut seen = 0;
    while group.len() < most && !group[seen..].iter().any(|job| V::is_urgent(&job.request)) {
        seen = group.len();
        let more = jobs.recv_many(group, most - seen);
        // Over, or nobody is left who could come.
        if !tokio::time::timeout_at(until, more).await.is_ok_and(|more| more > 0) {
            return;
        }
    }
}

impl Worker {
    async fn commit_group<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
    ) -> Vec<Result<Committed<V::Outcome>, Error>> {
        let since = self.replica.applied();
        match self.commit_together(verb, requests).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => self.find_out(verb, requests, since, error).await,
            whole => self.settle(verb, requests, whole).await,
        }
    }

    /// The answer may have been lost after the commit. Once, it is looked for what became of it.
    async fn find_out<V: Verb>(
        &self,
        verb: &V,
        requests: &[V::Request],
        since: Position,
        lost: Error,
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
        let Ok(Ok(traces)) = tokio::time::timeout(LOOK_UP, look).await else {
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
            false => self.settle(verb, &again, self.commit_together(verb, &again).await).await,
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
    async fn look_up_lost_answer<V: Verb>(&self) {
        if !V::LOGS {
            return;
        }
        let _ = tokio::time::timeout(LOOK_UP, catch_up(&*self.store, &self.replica)).await;
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.clock.wall().map(|now| self.accepted.after(now)).ok_or_else(unreadable_clock)
    }
}

/// Reads the log from where the replica stands to its head. While the replica applies a page, the store reads the next.
pub(crate) async fn catch_up(store: &dyn Store, replica: &Replica) -> Result<(), Error> {
    let mut read = store.log_after(replica.applied(), PAGE).await?;
    loop {
        let through = read.page.through;
        if through >= read.head {
            let applied = replica.apply(&read.page).map_err(not_applied)?;
            if applied >= read.head {
                return Ok(());
            }
            read = store.log_after(applied, PAGE).await?;
            continue;
        }
        if through <= read.page.after {
            return Err(Error::new(ErrorKind::Internal, "the store returned a log page that leads nowhere"));
        }
        let mut next = store.log_after(through, PAGE);
        // Asked once, it has sent the query.
        let early = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        replica.apply(&read.page).map_err(not_applied)?;
        read = match early {
            Poll::Ready(answer) => answer?,
            Poll::Pending => next.await?,
        };
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
