//! Finishes logouts elsewhere: reads the intents, has them destroyed, settles them or puts them off. Each logout on a task
//! of its own, so that no caller who vanishes leaves one half done.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Trouble, unavailable};
use crate::audit::{Actor, AuditEvent, AuditKind, Context};
use crate::commit::unreadable_clock;
use crate::store::{Intent, IntentsOf, Postponed, Settled, Store, Target};
use crate::time::{Clock, Timestamp};
use crate::{Destroyers, Error, SessionId, Subject, steps};

/// What a sign-off ended.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    Sessions(Vec<SessionId>),
    Subject(Subject),
}

impl Over {
    /// `None` for a scope, which destroys no session: those that it cuts off are finished when their time is over.
    pub(crate) fn by(target: &Target) -> Option<Self> {
        match target {
            Target::Scope { .. } => None,
            Target::Sessions(targets) => Some(Self::Sessions(targets.iter().map(|target| target.id).collect())),
            Target::Subject { subject, .. } => Some(Self::Subject(subject.clone())),
        }
    }

    fn as_intents(&self) -> IntentsOf<'_> {
        match self {
            Self::Sessions(ids) => IntentsOf::Sessions(ids),
            Self::Subject(subject) => IntentsOf::Subject(subject),
        }
    }
}

/// A logout that is being finished elsewhere. It goes on when this is dropped.
#[derive(Debug)]
#[must_use = "there is no receipt before it is finished"]
pub(crate) struct Finishing(oneshot::Receiver<Result<(), Error>>);

impl Finishing {
    pub(crate) async fn wait(self) -> Result<(), Error> {
        self.0.await.map_err(|_| unavailable("the task that destroys sessions elsewhere has ended"))?
    }
}

/// What an attempt works with.
pub(crate) struct Finisher {
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pub(super) destroyers: Destroyers,
    /// How long a call to the store may take.
    limit: Duration,
    /// Something failed: the sweeper is wanted.
    pub(super) failed: Notify,
    running: Semaphore,
    tasks: Mutex<JoinSet<()>>,
    in_hand: Mutex<InHand>,
}

/// What logouts of this process are about to finish: the sweeper leaves it to them.
#[derive(Default)]
struct InHand {
    next: u64,
    over: HashMap<u64, Over>,
}

/// An intent, and what is to be written down if it fails.
pub(super) struct Attempt {
    intent: Intent,
    /// Its attempts with this one, and when the next one is due.
    attempts: u32,
    retry_at: Timestamp,
}

/// How many intents are read and tried at once.
pub(super) const BATCH: u32 = 64;
/// How many logouts are finished at once; more of them wait for their turn.
const RUNNING: usize = 1_024;

impl Finisher {
    /// `None` if there is nothing to destroy with: then it costs nothing.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        destroyers: Destroyers,
        limit: Duration,
    ) -> Option<Arc<Self>> {
        let is_needed = !destroyers.is_empty();
        let (failed, running) = (Notify::new(), Semaphore::new(RUNNING));
        let (tasks, in_hand) = (Mutex::default(), Mutex::default());
        is_needed.then(|| Arc::new(Self { store, clock, destroyers, limit, failed, running, tasks, in_hand }))
    }

    /// Finishes what has just ended, or ended before and was not finished.
    pub(crate) fn start(self: &Arc<Self>, ended: Over) -> Finishing {
        let (tell, told) = oneshot::channel();
        let held = Held::new(Arc::clone(self), ended.clone());
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let finisher = &held.finisher;
            let _turn = finisher.running.acquire().await;
            steps::reached("elsewhere: begun");
            let finished = finisher.finish(&ended).await;
            if finished.is_err() {
                finisher.look();
            }
            // Nobody waits any more: it happened all the same.
            let _ = tell.send(finished);
        });
        Finishing(told)
    }

    /// Has the sweeper look soon.
    pub(crate) fn look(&self) {
        self.failed.notify_one();
    }

    /// Waits until all that was started has let go of the store.
    pub(crate) async fn close(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }

    /// Whether a logout of this process is about to finish it.
    pub(super) fn is_in_hand(&self, intent: &Intent) -> bool {
        self.in_hand().over.values().any(|over| match over {
            Over::Sessions(ids) => ids.contains(&intent.key.session),
            Over::Subject(subject) => *subject == intent.subject,
        })
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    fn in_hand(&self) -> MutexGuard<'_, InHand> {
        self.in_hand.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    async fn finish(&self, ended: &Over) -> Result<(), Error> {
        loop {
            let now = self.now()?;
            let intents = self.ask(self.store.intents(ended.as_intents(), BATCH, now)).await?;
            let is_last = intents.len() < BATCH as usize;
            let attempts = intents.into_iter().map(|intent| self.attempt(intent, now));
            self.try_all(attempts.collect()).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    pub(super) fn attempt(&self, intent: Intent, now: Timestamp) -> Attempt {
        let attempts = intent.attempts.saturating_add(1);
        let retry_at = now.saturating_add(self.destroyers.pause_after(attempts));
        Attempt { intent, attempts, retry_at }
    }

    /// Tries them all at once, and settles those that are done. An error unless all are.
    pub(super) async fn try_all(&self, attempts: Vec<Attempt>) -> Result<(), Error> {
        let deadline = Instant::now() + self.destroyers.patience;
        let started: Vec<_> =
            attempts.into_iter().map(|attempt| (self.start_destroying(&attempt.intent), attempt)).collect();
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        let mut first_error = None;
        for (task, attempt) in started {
            match join(task, deadline).await {
                Ok(()) => done.push(attempt),
                Err((trouble, error)) => {
                    first_error.get_or_insert(error);
                    failed.push((attempt, trouble));
                }
            }
        }
        steps::reached("elsewhere: destroyed");
        let now = self.now()?;
        if !done.is_empty() {
            let settled: Vec<_> = done
                .iter()
                .map(|Attempt { intent, .. }| Settled {
                    key: intent.key,
                    audit: record(AuditKind::ElsewhereDestroyed, intent, now),
                })
                .collect();
            self.ask(self.store.settle(&settled)).await?;
            steps::reached("elsewhere: settled");
        }
        let Some(error) = first_error else { return Ok(()) };
        let notes: Vec<_> = failed.into_iter().filter_map(|(attempt, trouble)| attempt.note(trouble, now)).collect();
        if !notes.is_empty() {
            self.ask(self.store.postpone(&notes)).await?;
        }
        Err(error)
    }

    fn start_destroying(&self, intent: &Intent) -> Option<JoinHandle<Result<(), Source>>> {
        let destroyer = self.destroyers.named(intent.elsewhere.destroyer())?;
        let key = intent.elsewhere.key().to_owned();
        Some(tokio::spawn(async move { destroyer.destroy(&key).await }))
    }

    /// A store that hangs must not hold up a logout for good.
    pub(super) async fn ask<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout(self.limit, answer).await.map_err(|_| unavailable("the store did not answer in time"))?
    }

    pub(super) fn now(&self) -> Result<Timestamp, Error> {
        self.clock.wall().ok_or_else(unreadable_clock)
    }
}

/// Keeps what a logout finishes in hand until it is dropped.
struct Held {
    finisher: Arc<Finisher>,
    number: u64,
}

impl Held {
    fn new(finisher: Arc<Finisher>, over: Over) -> Self {
        let mut in_hand = finisher.in_hand();
        let number = in_hand.next;
        in_hand.next += 1;
        in_hand.over.insert(number, over);
        drop(in_hand);
        Self { finisher, number }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.finisher.in_hand().over.remove(&self.number);
    }
}

impl Attempt {
    /// Notes it before it is made, so that other nodes keep off.
    pub(super) fn claim(&self) -> Postponed {
        let Self { intent, attempts, retry_at } = self;
        let (key, read, trouble) = (intent.key, intent.attempts, intent.trouble);
        Postponed { key, read, attempts: *attempts, retry_at: *retry_at, trouble, audit: None }
    }

    /// It is noted.
    pub(super) fn claimed(mut self) -> Self {
        self.intent.attempts = self.attempts;
        self
    }

    /// Notes that it failed, unless all of that is noted already.
    fn note(self, trouble: Trouble, now: Timestamp) -> Option<Postponed> {
        let Self { intent, attempts, .. } = &self;
        tracing::warn!(
            target: "signoff",
            session = intent.key.session.fingerprint(),
            destroyer = intent.elsewhere.destroyer(),
            attempts,
            trouble = trouble.as_str(),
            "a session elsewhere is not destroyed yet"
        );
        let audit = intent.trouble.is_none().then(|| record(AuditKind::ElsewhereDelayed, intent, now));
        let is_new = intent.attempts != *attempts || intent.trouble != Some(trouble);
        is_new.then(|| Postponed { trouble: Some(trouble), audit, ..self.claim() })
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What became of one destroyer's work.
async fn join(task: Option<JoinHandle<Result<(), Source>>>, deadline: Instant) -> Result<(), (Trouble, Error)> {
    let what = "a session elsewhere is not destroyed yet; no token of ours is accepted, and it is tried again";
    let Some(mut task) = task else { return Err((Trouble::Unconfigured, unavailable(what))) };
    match timeout_at(deadline, &mut task).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(source))) => Err((Trouble::Failed, unavailable(what).with_boxed_source(source))),
        Ok(Err(_)) => Err((Trouble::Panicked, unavailable(what))),
        Err(_) => {
            task.abort();
            Err((Trouble::Late, unavailable(what)))
        }
    }
}

fn record(kind: AuditKind, intent: &Intent, at: Timestamp) -> AuditEvent {
    AuditEvent {
        at,
        kind,
        subject: Some(intent.subject.clone()),
        actor: Actor::System,
        reason: None,
        session: Some(intent.key.session.fingerprint()),
        logout: None,
        detail: Some(intent.elsewhere.destroyer().to_owned()),
        context: Context::new(),
    }
}
