//! What works off the queue: one group after the other, or two at a time where the store gains by it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;

use super::{Job, Verb, Worker};
use crate::panics::unless_panicking;
use crate::{Error, ErrorKind};

/// How many requests must wait before a transaction begins beside another: fewer are better served by the next one, which
/// they share with whoever comes until then.
const CROWD: usize = 64;

/// Where the lanes meet.
struct Lanes<V: Verb> {
    /// Whoever has it is the one that waits for requests.
    jobs: Mutex<mpsc::Receiver<Job<V>>>,
    /// Transactions under way.
    busy: AtomicUsize,
    done: Notify,
}

/// Works off the queue until it is closed and empty, with at most so many transactions under way.
pub(super) async fn run<V: Verb>(count: usize, verb: V, worker: Worker, jobs: mpsc::Receiver<Job<V>>) {
    let lanes = Arc::new(Lanes { jobs: Mutex::new(jobs), busy: AtomicUsize::new(0), done: Notify::new() });
    let verb = Arc::new(verb);
    let mut beside = JoinSet::new();
    for _ in 1..count {
        let (verb, worker, lanes) = (Arc::clone(&verb), worker.clone(), Arc::clone(&lanes));
        beside.spawn(async move { lanes.work(&*verb, &worker).await });
    }
    lanes.work(&*verb, &worker).await;
    // One that panicked has dropped its requests, and their callers were told.
    while beside.join_next().await.is_some() {}
}

impl<V: Verb> Lanes<V> {
    async fn work(&self, verb: &V, worker: &Worker) {
        loop {
            let group = self.next(worker.batch).await;
            if group.is_empty() {
                return;
            }
            let (requests, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|job| (job.request, job.reply)).unzip();
            let work = unless_panicking(worker.commit_group(verb, &requests));
            let refuse = |error: Error| replies.iter().map(|_| Err(error.clone())).collect();
            let results = match tokio::time::timeout(worker.limit, work).await {
                Ok(Ok(results)) => results,
                Ok(Err(_)) => refuse(Error::new(ErrorKind::Internal, "the store panicked during a commit")),
                Err(_) => {
                    worker.look_up_lost_answer::<V>().await;
                    refuse(Error::new(ErrorKind::Unavailable, "the store hangs"))
                }
            };
            self.busy.fetch_sub(1, Ordering::SeqCst);
            self.done.notify_waiters();
            let answer = move || {
                for (reply, result) in replies.into_iter().zip(results) {
                    // Nobody waits any more: it happened all the same.
                    let _ = reply.send(result);
                }
            };
            // The store need not wait until a crowd is woken, if there is something to do for it.
            if self.jobs.try_lock().is_ok_and(|jobs| !jobs.is_empty()) {
                tokio::spawn(async move { answer() });
            } else {
                answer();
            }
        }
    }

    /// The next group, whose transaction counts as under way from here on; empty when there will be no more.
    async fn next(&self, most: usize) -> Vec<Job<V>> {
        let mut jobs = self.jobs.lock().await;
        let mut group = Vec::new();
        if jobs.recv_many(&mut group, most).await > 0 {
            gather(&mut jobs, &mut group, most).await;
            self.until_it_pays(&mut jobs, &mut group, most).await;
            self.busy.fetch_add(1, Ordering::SeqCst);
        }
        group
    }

    /// Waits while another transaction is under way, unless there is a crowd.
    async fn until_it_pays(&self, jobs: &mut mpsc::Receiver<Job<V>>, group: &mut Vec<Job<V>>, most: usize) {
        while group.len() < CROWD.min(most) {
            let mut done = pin!(self.done.notified());
            done.as_mut().enable();
            if self.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
            let room = most - group.len();
            let mut more = pin!(jobs.recv_many(group, room));
            let came = poll_fn(|context| {
                if done.as_mut().poll(context).is_ready() {
                    return Poll::Ready(0);
                }
                more.as_mut().poll(context)
            });
            if came.await == 0 {
                return;
            }
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

#[cfg(test)]
mod tests;
