//! The task that finishes what was left unfinished: by a node that died, by a logout whose caller gave up, by a destroyer
//! that failed. Two nodes may do it at once; each notes what it is about to try, so they rarely try the same.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Finisher;
use super::finish::BATCH;
use crate::store::IntentsOf;
use crate::{Error, steps};

/// Sweeps until it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeper(JoinHandle<()>);

impl Sweeper {
    /// Starts at once with what is unfinished.
    pub(crate) fn start(finisher: Arc<Finisher>) -> Self {
        Self(tokio::spawn(run(finisher)))
    }

    /// Ends it, and waits until it has let go of the store.
    pub(crate) async fn close(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(finisher: Arc<Finisher>) {
    let mut failed = 0;
    loop {
        let sweeping = Arc::clone(&finisher);
        // A task of its own, so that a store that panics does not end the sweeping for good.
        match Abandoned(tokio::spawn(async move { sweeping.sweep().await })).wait().await {
            Ok(tried) if tried == BATCH as usize => {
                failed = 0;
                continue;
            }
            Ok(_) => {
                steps::reached("elsewhere: swept");
                failed = 0;
            }
            Err(error) => {
                failed += 1;
                tracing::warn!(target: "signoff", %error, "unfinished logouts were not looked for; trying again");
            }
        }
        let pause = finisher.destroyers.pause_between(failed);
        // A logout that failed is due in a moment: sooner than the next sweep, but not at once.
        if timeout(pause, finisher.failed.notified()).await.is_ok() {
            sleep(finisher.destroyers.pause_after(1).min(pause)).await;
        }
    }
}

impl Finisher {
    /// Tries what is due, and says how much that was.
    async fn sweep(&self) -> Result<usize, Error> {
        let now = self.now()?;
        let due = self.ask(self.store.intents(IntentsOf::Due, BATCH, now)).await?;
        let due = due.into_iter().filter(|intent| !self.is_in_hand(intent));
        let attempts: Vec<_> = due.map(|intent| self.attempt(intent, now)).collect();
        let count = attempts.len();
        if count == 0 {
            return Ok(0);
        }
        let claims: Vec<_> = attempts.iter().map(|attempt| attempt.claim()).collect();
        let claimed = self.ask(self.store.postpone(&claims)).await?;
        let ours = attempts.into_iter().zip(claimed).filter(|(_, claimed)| *claimed);
        let ours: Vec<_> = ours.map(|(attempt, _)| attempt.claimed()).collect();
        steps::reached("elsewhere: claimed");
        tracing::info!(target: "signoff", count = ours.len(), "finishing logouts elsewhere");
        // What failed is noted, and due again later.
        let _ = self.try_all(ours).await;
        Ok(count)
    }
}

/// A task that ends with whoever waits for it.
struct Abandoned(JoinHandle<Result<usize, Error>>);

impl Abandoned {
    async fn wait(mut self) -> Result<usize, Error> {
        (&mut self.0).await.map_err(|_| super::unavailable("the store panicked"))?
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abort();
    }
}
