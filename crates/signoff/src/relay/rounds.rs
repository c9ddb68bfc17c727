//! One question to the store for all who ask: each gets an answer to a question that was put after they asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::panics::unless_panicking;
use crate::{Error, ErrorKind};

/// Between two questions. What comes meanwhile shares the next one.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Rounds<T> {
    waiting: Mutex<Vec<oneshot::Sender<Result<T, Error>>>>,
    come: Notify,
}

impl<T: Clone> Rounds<T> {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), come: Notify::new() }
    }

    /// Waits for the answer to the next question, never for one that has been put already.
    pub(super) async fn ask(&self) -> Result<T, Error> {
        let (asked, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        self.come.notify_one();
        answer.await.map_err(|_| Error::new(ErrorKind::Unavailable, "the relay is closing"))?
    }

    /// Puts the question for as long as the process runs.
    pub(super) async fn run<F: Future<Output = Result<T, Error>>>(&self, question: impl Fn() -> F) {
        loop {
            self.come.notified().await;
            let asked = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            let answer = match unless_panicking(question()).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::new(ErrorKind::Internal, "the store panicked")),
            };
            for one in asked {
                let _ = one.send(answer.clone());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
