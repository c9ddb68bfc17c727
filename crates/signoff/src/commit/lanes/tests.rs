use std::sync::Mutex;
use std::time::Duration;

use signoff_revocation::{LogPage, Replica};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::MemoryStore;
use crate::commit::Committed;
use crate::store::Store;
use crate::time::{SystemClock, Timestamp};

/// Transactions that end when they are told to.
#[derive(Debug)]
struct Probe {
    end: Semaphore,
    /// The sizes of those under way, and of all that there were.
    under_way: Mutex<Vec<usize>>,
    all: Mutex<Vec<usize>>,
}

struct Held;

impl Verb for Held {
    type Request = (Arc<Probe>, u32);
    type Outcome = u32;

    const LATE: &'static str = "late";
    const STEPS: [&'static str; 4] = ["queued", "before", "after", "in force"];
    const REPEATABLE: bool = true;

    async fn run(
        _: &dyn Store,
        requests: &[Self::Request],
        _: Timestamp,
    ) -> Result<(Vec<u32>, Option<LogPage>), Error> {
        let (probe, size) = (&requests[0].0, requests.len());
        probe.all.lock().unwrap().push(size);
        probe.under_way.lock().unwrap().push(size);
        probe.end.acquire().await.unwrap().forget();
        probe.under_way.lock().unwrap().retain(|other| *other != size);
        Ok((requests.iter().map(|(_, n)| *n).collect(), None))
    }

    fn decided(&self, _: &[Self::Request], _: &mut [u32], _: Timestamp) {}
}

struct Crowd {
    queue: mpsc::Sender<Job<Held>>,
    lanes: JoinHandle<()>,
    probe: Arc<Probe>,
    answers: Vec<oneshot::Receiver<Result<Committed<u32>, Error>>>,
}

impl Crowd {
    fn new(at_once: usize) -> Self {
        let worker = Worker {
            store: Arc::new(MemoryStore::new()),
            replica: Arc::new(Replica::new()),
            clock: Arc::new(SystemClock::new()),
            batch: 256,
            limit: Duration::from_secs(60),
            accepted: Arc::default(),
        };
        let (queue, jobs) = mpsc::channel(1_024);
        let probe = Arc::new(Probe { end: Semaphore::new(0), under_way: Mutex::default(), all: Mutex::default() });
        Self { queue, lanes: tokio::spawn(run(at_once, Held, worker, jobs)), probe, answers: Vec::new() }
    }

    /// So many more ask. The sizes of the transactions that are under way then.
    async fn ask(&mut self, more: u32) -> Vec<usize> {
        for _ in 0..more {
            let (reply, answer) = oneshot::channel();
            let request = (Arc::clone(&self.probe), self.answers.len() as u32);
            self.queue.try_send(Job { request, reply }).unwrap();
            self.answers.push(answer);
        }
        self.settled().await
    }

    /// One transaction ends. The sizes of those that are under way then.
    async fn end_one(&mut self) -> Vec<usize> {
        self.probe.end.add_permits(1);
        self.settled().await
    }

    async fn settled(&self) -> Vec<usize> {
        // Time moves when nobody can do anything any more.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.probe.under_way.lock().unwrap().clone()
    }

    /// All transactions end, and everybody has got their own answer. The sizes of all that there were.
    async fn end(self) -> Vec<usize> {
        self.probe.end.add_permits(1_000);
        for (n, answer) in self.answers.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap().unwrap().outcome as usize, n);
        }
        drop(self.queue);
        self.lanes.await.unwrap();
        self.probe.all.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_has_two_transactions_under_way() {
    let mut crowd = Crowd::new(2);
    assert_eq!(crowd.ask(1).await, [1], "nobody waits for company");
    assert_eq!(crowd.ask(63).await, [1], "too few: they share the next one");
    assert_eq!(crowd.ask(1).await, [1, 64]);
    assert_eq!(crowd.ask(300).await, [1, 64], "not three");
    assert_eq!(crowd.end_one().await.len(), 2, "the next one begins when one has ended");
    let all = crowd.end().await;
    assert_eq!(all.iter().sum::<usize>(), 365, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn too_few_for_a_second_transaction_go_when_the_first_has_ended() {
    let mut crowd = Crowd::new(2);
    assert_eq!(crowd.ask(1).await, [1]);
    assert_eq!(crowd.ask(20).await, [1]);
    assert_eq!(crowd.end_one().await, [20]);
    assert_eq!(crowd.end().await, [1, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_likes_one_at_a_time_gets_one_at_a_time() {
    let mut crowd = Crowd::new(1);
    assert_eq!(crowd.ask(1).await, [1]);
    assert_eq!(crowd.ask(400).await, [1]);
    assert_eq!(crowd.end_one().await, [256]);
    assert_eq!(crowd.end().await, [1, 256, 144]);
}
