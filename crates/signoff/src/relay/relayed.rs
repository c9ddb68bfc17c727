//! A store whose log and rows are reached by way of a relay.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::message::{Answer, Question};
use super::{RelayKey, lock};
use crate::audit::AuditEvent;
use crate::store::{
    CreatedSessions, Exchange, Exchanged, Intent, IntentsOf, LogRead, NewSession, Node, Nodes, Postponed, Purged, Seat,
    SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Terms, Touch, forward,
};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, NodeId, Position, Session, SessionId, Subject, TokenHash, Update};

/// How a node reaches a relay: a way to send bytes and get others back. It need not be trusted: see [`RelayKey`].
#[async_trait]
pub trait RelayLink: fmt::Debug + Send + Sync + 'static {
    /// Takes a message to [`Relay::answer`](super::Relay::answer) and returns what that said. May take long, or lose it.
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error>;
}

/// A store of a node behind relays: the log and the rows of nodes are asked for there, everything else of the store itself.
///
/// It stays with a relay until that fails twice in a row, and joins the next one then. Between the two it may not answer for
/// a moment.
#[derive(Debug)]
pub struct Relayed<S> {
    store: S,
    key: RelayKey,
    links: Vec<Arc<dyn RelayLink>>,
    choice: Mutex<Choice>,
}

/// Which relay is asked.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    relay: usize,
    /// How often it has failed since it last answered.
    failures: u32,
    /// With which of them the row has joined.
    joined: usize,
    /// How often a row was to be renewed.
    renewals: u64,
}

/// One question to a relay: a failure, unless it is answered. (Whoever asks may not wait for the answer.)
struct Attempt<'a> {
    choice: &'a Mutex<Choice>,
    count: usize,
    relay: usize,
}

impl Attempt<'_> {
    fn answered(self) {
        lock(self.choice).failures = 0;
        std::mem::forget(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut choice = lock(self.choice);
        if choice.relay == self.relay {
            choice.failures += 1;
            if choice.failures == 2 {
                (choice.relay, choice.failures) = ((choice.relay + 1) % self.count, 0);
            }
        }
    }
}

impl<S: Store> Relayed<S> {
    /// `store` must be shared by nodes, and be the one that the relays are on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the store is not shared, or there is no relay.
    pub fn new(store: S, key: RelayKey, links: Vec<Arc<dyn RelayLink>>) -> Result<Self, Error> {
        if store.nodes().is_none() {
            return Err(Error::new(ErrorKind::Misuse, "only nodes that share a store have use for a relay"));
        }
        if links.is_empty() {
            return Err(Error::new(ErrorKind::Misuse, "a store behind relays needs at least one"));
        }
        Ok(Self { store, key, links, choice: Mutex::default() })
    }

    async fn ask(&self, question: Question) -> Result<Answer, Error> {
        let relay = lock(&self.choice).relay;
        // Only what the cycle asks: whoever waits for others stops asking when time is over, and nothing has failed then.
        let counts = !matches!(question, Question::Behind { .. } | Question::Expel { .. });
        let attempt = counts.then(|| Attempt { choice: &self.choice, count: self.links.len(), relay });
        let (nonce, sealed) = question.seal(&self.key)?;
        let answer = self.links[relay].ask(sealed).await?;
        let failed = |what| Error::new(ErrorKind::Unavailable, what);
        let answer = Answer::open(&answer, &self.key, &nonce).ok_or_else(|| failed("no relay of ours has answered"))?;
        // Also when it says that its store does not answer: another relay has the same one.
        if let Some(attempt) = attempt {
            attempt.answered();
        }
        match answer {
            Answer::Failed(ErrorKind::Data) => {
                Err(Error::new(ErrorKind::Data, "the log went back, or is damaged, says the relay"))
            }
            Answer::Failed(_) => Err(failed("the relay's store does not answer")),
            answer => Ok(answer),
        }
    }

    async fn say(&self, question: Question) -> Result<bool, Error> {
        match self.ask(question).await? {
            Answer::Said(what) => Ok(what),
            _ => Err(Error::new(ErrorKind::Internal, "the relay answers another question")),
        }
    }

    fn of_nodes(&self) -> Result<&dyn Nodes, Error> {
        self.store.nodes().ok_or_else(|| Error::new(ErrorKind::Internal, "the store was shared, and is not any more"))
    }
}

forward!(impl[S: Store] for Relayed<S>, |this| this.store, {
    fn seat(&self) -> &Seat {
        self.store.seat()
    }

    fn nodes(&self) -> Option<&dyn Nodes> {
        Some(self)
    }

    fn commits_at_once(&self) -> usize {
        self.store.commits_at_once()
    }

    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        match self.ask(Question::Log { after, limit }).await? {
            Answer::Log(read) if read.page.after == after => Ok(read),
            _ => Err(Error::new(ErrorKind::Internal, "the relay answers another question")),
        }
    }
});

#[async_trait]
impl<S: Store> Nodes for Relayed<S> {
    fn lease(&self) -> Duration {
        self.store.nodes().map_or(Duration::ZERO, Nodes::lease)
    }

    async fn join(&self, id: &NodeId, name: &str) -> Result<(), Error> {
        {
            let mut choice = lock(&self.choice);
            choice.joined = choice.relay;
        }
        let Answer::Era(era) = self.ask(Question::Hello).await? else {
            return Err(Error::new(ErrorKind::Internal, "the relay answers another question"));
        };
        match self.say(Question::Join { id: *id, name: name.to_owned(), era }).await? {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Conflict, "a node of this id has joined")),
        }
    }

    async fn renew(&self, id: &NodeId, applied: Position) -> Result<bool, Error> {
        // The next relay does not know the row, so it need not be asked.
        let count = {
            let mut choice = lock(&self.choice);
            if choice.joined != choice.relay {
                return Ok(false);
            }
            choice.renewals += 1;
            choice.renewals
        };
        self.say(Question::Renew { id: *id, applied, count }).await
    }

    async fn behind(&self, position: Position) -> Result<Vec<Node>, Error> {
        match self.ask(Question::Behind { position }).await? {
            Answer::Rows(rows) => Ok(rows),
            _ => Err(Error::new(ErrorKind::Internal, "the relay answers another question")),
        }
    }

    async fn expel(&self, id: &NodeId, renewals: u64) -> Result<bool, Error> {
        self.say(Question::Expel { id: *id, renewals }).await
    }

    async fn leave(&self, id: &NodeId) -> Result<(), Error> {
        self.say(Question::Leave { id: *id }).await.map(|_| ())
    }

    async fn announce(&self) -> Result<(), Error> {
        self.of_nodes()?.announce().await
    }

    async fn heard(&self) -> Result<(), Error> {
        self.of_nodes()?.heard().await
    }
}
