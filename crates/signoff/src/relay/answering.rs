//! Many messages to a relay at once, and no more than it bears. It receives and sends nothing.

use tokio::task::JoinSet;

use super::Relay;

/// Answers each message in a task of its own. What comes while so many are being
/// answered is dropped, and costs its sender the time that it waits.
#[derive(Debug)]
pub(super) struct Answering {
    relay: Relay,
    tasks: JoinSet<()>,
}

/// At once. A relay has some fifty nodes, each of which asks two or three questions at a time.
const MOST: usize = 1_024;

impl Answering {
    /// For this relay.
    pub(super) fn new(relay: Relay) -> Self {
        Self { relay, tasks: JoinSet::new() }
    }

    /// Begins to answer a message. `reply` sends what is to be said, if something is.
    pub(super) fn answer<F: Future<Output = ()> + Send>(
        &mut self,
        message: Vec<u8>,
        reply: impl FnOnce(Vec<u8>) -> F + Send + 'static,
    ) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() >= MOST {
            return;
        }
        let relay = self.relay.clone();
        self.tasks.spawn(async move {
            if let Some(answer) = relay.answer(&message).await {
                reply(answer).await;
            }
        });
    }

    /// Leaves what has not been answered, and returns the relay, to be closed.
    pub(super) async fn stop(mut self) -> Relay {
        self.tasks.shutdown().await;
        self.relay
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::super::{Question, RelayKey, RelaySettings};
    use super::*;
    use crate::{MemoryStore, Position};

    #[tokio::test]
    async fn a_crowd_is_answered_and_what_is_too_much_is_dropped() {
        let store = MemoryStore::shared(Duration::from_secs(8));
        let key = || RelayKey::new(&[7; 32]).unwrap();
        let mut answering = Answering::new(Relay::open(store, key(), RelaySettings::default()).await.unwrap());
        let answers = Arc::new(AtomicUsize::new(0));
        // No task runs before this one waits.
        for n in 0..2 * MOST {
            let (_, message) = Question::Behind { position: Position::MAX }.seal(&key()).unwrap();
            let answers = Arc::clone(&answers);
            answering.answer(message, move |_| async move {
                answers.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(answering.tasks.len(), (n + 1).min(MOST));
        }
        while answers.load(Ordering::SeqCst) < MOST {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // There is room again; nonsense gets no reply.
        answering.answer(b"nonsense".to_vec(), |_| async { unreachable!("it has no key") });
        assert!((1..=MOST).contains(&answering.tasks.len()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(answers.load(Ordering::SeqCst), MOST);
        answering.stop().await.close().await;
    }
}
