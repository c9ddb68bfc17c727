//! What listens on a connection until it is lost, and then on the next, for ever.

use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::time::sleep;

use crate::line::Line;

/// Tells the operator when an outage begins and when it ends, once each.
pub(crate) struct Ear {
    line: Option<Line>,
    is_reported: bool,
    /// What an outage means, and its end.
    words: [&'static str; 2],
}

/// Between two attempts to connect, doubled up to the second.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_millis(1_600);

impl Ear {
    pub(crate) const fn new(words: [&'static str; 2]) -> Self {
        Self { line: None, is_reported: false, words }
    }

    pub(crate) fn line(&mut self) -> Option<&mut Line> {
        self.line.as_mut()
    }

    /// Returns when there is a subscription. Not before, with an error: all who listen notice an outage together, and
    /// would run in circles.
    pub(crate) async fn connect<F>(&mut self, subscribe: impl Fn() -> F)
    where
        F: Future<Output = RedisResult<Line>>,
    {
        let mut pause = SOON;
        loop {
            match subscribe().await {
                Ok(line) => {
                    self.line = Some(line);
                    if std::mem::take(&mut self.is_reported) {
                        tracing::info!(target: "signoff_redis", "{}", self.words[1]);
                    }
                    return;
                }
                Err(failure) => self.lose(&failure),
            }
            sleep(pause).await;
            pause = (2 * pause).min(LATER);
        }
    }

    pub(crate) fn lose(&mut self, failure: &RedisError) {
        self.line = None;
        // Once per outage.
        if !std::mem::replace(&mut self.is_reported, true) {
            tracing::warn!(target: "signoff_redis", error = %failure, "{}", self.words[0]);
        }
    }
}
