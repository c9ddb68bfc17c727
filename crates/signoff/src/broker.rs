//! For those who bring [hints](crate::store::Hints) or the messages of [relays](crate::relay) over a broker: a connection that
//! comes back. It knows no broker.

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

/// What listens on a connection `L` until it is lost, and then on the next, for ever. Tells the operator when an outage begins
/// and when it ends, once each.
pub struct Ear<L> {
    line: Option<L>,
    is_reported: bool,
    /// What an outage means, and its end.
    words: [&'static str; 2],
}

/// Between two attempts to connect, doubled up to the second.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_millis(1_600);

impl<L> Ear<L> {
    /// Not connected yet. `words` are what the log says when an outage begins, and when it ends.
    pub const fn new(words: [&'static str; 2]) -> Self {
        Self { line: None, is_reported: false, words }
    }

    /// The connection, if there is one.
    pub fn line(&mut self) -> Option<&mut L> {
        self.line.as_mut()
    }

    /// Returns when there is a connection. Not before, with an error: all who listen notice an outage together, and would
    /// run in circles.
    pub async fn connect<F, E>(&mut self, subscribe: impl Fn() -> F)
    where
        F: Future<Output = Result<L, E>>,
        E: fmt::Display,
    {
        let mut pause = SOON;
        loop {
            match subscribe().await {
                Ok(line) => {
                    self.line = Some(line);
                    if std::mem::take(&mut self.is_reported) {
                        tracing::info!(target: "signoff", "{}", self.words[1]);
                    }
                    return;
                }
                Err(failure) => self.lose(&failure),
            }
            sleep(pause).await;
            pause = (2 * pause).min(LATER);
        }
    }

    /// The connection is lost, or there was none to be had.
    pub fn lose(&mut self, failure: &impl fmt::Display) {
        self.line = None;
        // Once per outage.
        if !std::mem::replace(&mut self.is_reported, true) {
            tracing::warn!(target: "signoff", error = %failure, "{}", self.words[0]);
        }
    }
}

impl<L> fmt::Debug for Ear<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("is_connected", &self.line.is_some()).finish_non_exhaustive()
    }
}
