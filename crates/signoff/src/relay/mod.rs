//! Many nodes, one row: a relay stands between a database and nodes that would swamp it.
//!
//! Every node of a shared store reads the log and renews its row, about once a second and after each hint. A database bears
//! hundreds of them; for thousands, let some nodes ask a [`Relay`] instead. It puts one question to the database for all
//! that ask at the same time, and has one row there for all nodes behind it. Whatever else the nodes do, logins, logouts,
//! loading sessions, goes to the database itself.
//!
//! The promise stays the same, and so does its proof. A node's lease counts from before it asked the relay, the relay reads
//! the log and renews its row only after it was asked, and the row says no more than what every node behind it has applied.
//! A relay that fails makes its nodes refuse, as a database does; each node may know several.
//!
//! What carries the messages, such as NATS or Redis, need not be trusted: they are authenticated by a [`RelayKey`]. It can
//! read who was logged out, though. The crates signoff-nats and signoff-redis have links and the other end of them;
//! [`Pending`] and [`Served`] are for those who write others.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use signoff::relay::{Relay, RelayKey, RelayLink, RelaySettings, Relayed};
//! use signoff::{KeySet, MemoryStore, Settings, SigningKey, Signoff};
//!
//! /// A relay in the same process; others are reached through a broker.
//! #[derive(Debug)]
//! struct Near(Relay);
//!
//! #[async_trait::async_trait]
//! impl RelayLink for Near {
//!     async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, signoff::Error> {
//!         self.0.answer(&message).await.ok_or_else(|| panic!("it has the key"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), signoff::Error> {
//! let database = MemoryStore::shared(Duration::from_secs(2));
//! let relay = Relay::open(database.another(), RelayKey::new(&[7; 32])?, RelaySettings::default()).await?;
//! let links: Vec<Arc<dyn RelayLink>> = vec![Arc::new(Near(relay))];
//! let store = Relayed::new(database, RelayKey::new(&[7; 32])?, links)?;
//! let keys = KeySet::new(SigningKey::generate()?);
//! let node = Signoff::open(store, keys, Settings::new("https://bank.example", "https://bank.example/api")).await?;
//! assert!(node.may_answer());
//! # Ok(())
//! # }
//! ```

mod answering;
mod children;
mod message;
mod pending;
mod relayed;
mod rounds;
mod serve;
mod served;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signoff_revocation::LeaseTerms;
use tokio::task::JoinHandle;

use crate::store::{Hints, Node, Nodes, Seated, Store};
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, NodeId, Position, secret};

pub use message::RelayKey;
pub use pending::{Pending, PendingQuestion};
pub use relayed::{RelayLink, Relayed};
pub use served::{Asked, Inbox, Served};

use children::Children;
use message::{Answer, Era, Question};
use rounds::Rounds;
use serve::{Head, Row};

/// What a relay is told once.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RelaySettings {
    /// What it is called in the list of nodes, at most 255 bytes.
    pub name: String,
    /// What wakes it, as [`Settings::hints`](crate::Settings::hints) wakes nodes.
    pub hints: Option<Arc<dyn Hints>>,
}

/// Answers nodes in place of their database. Cheap to clone; it ends with the last clone.
#[derive(Clone)]
pub struct Relay(Arc<Open>);

struct Open {
    relay: Arc<Inner>,
    tasks: Vec<JoinHandle<()>>,
    /// Left when the relay ends.
    _seated: Seated,
}

struct Inner {
    store: Arc<dyn Store>,
    key: RelayKey,
    settings: RelaySettings,
    clock: Arc<dyn Clock>,
    terms: LeaseTerms,
    /// Held while the row is made, renewed or given back, and while a node joins: no node is behind a row that is not there.
    row: tokio::sync::Mutex<Row>,
    children: Mutex<Children>,
    head: Mutex<Head>,
    reads: Rounds<()>,
    renewals: Rounds<Option<NodeId>>,
    lists: Rounds<Arc<Vec<Node>>>,
}

impl Relay {
    /// A relay on a shared store, which must be one of its own, as a node's is.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: the store is not shared, or in use.
    /// * [`ErrorKind::Unavailable`]: it does not answer.
    pub async fn open(store: impl Store, key: RelayKey, settings: RelaySettings) -> Result<Self, Error> {
        Self::open_with_clock(store, key, settings, Arc::new(SystemClock::new())).await
    }

    /// As [`Relay::open`], with another clock.
    ///
    /// # Errors
    ///
    /// As [`Relay::open`].
    pub async fn open_with_clock(
        store: impl Store,
        key: RelayKey,
        settings: RelaySettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let misuse = |what| Error::new(ErrorKind::Misuse, what);
        let length =
            store.nodes().map(Nodes::lease).ok_or_else(|| misuse("only a store that nodes share has relays"))?;
        let terms = LeaseTerms::new(length);
        let seated = store.seat().take()?;
        let relay = Arc::new(Inner {
            terms: terms.map_err(|error| misuse("the store's leases are too short or too long").with_source(error))?,
            store: Arc::new(store),
            key,
            settings,
            clock,
            row: tokio::sync::Mutex::default(),
            children: Mutex::new(Children::new(secret::random()?)),
            head: Mutex::default(),
            reads: Rounds::new(),
            renewals: Rounds::new(),
            lists: Rounds::new(),
        });
        // From here on: the log as it was before is read by each node that wants it.
        let head = relay.in_time(relay.store.log_after(Position::MAX, 1)).await?.head;
        *lock(&relay.head) = Head::at(head);
        Ok(Self(Arc::new(Open { tasks: serve::start(&relay), relay, _seated: seated })))
    }

    /// What is to be said to this message of a node; `None` when it does not come from one that has the key, and nothing is
    /// to be said. May be called as often at once as there are messages.
    pub async fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let relay = &self.0.relay;
        let (nonce, question) = Question::open(message, &relay.key)?;
        let answer = relay.answer(question).await.unwrap_or_else(|error| Answer::Failed(error.kind()));
        Some(answer.seal(&relay.key, &nonce))
    }

    /// How many nodes are behind it.
    pub fn nodes(&self) -> usize {
        lock(&self.0.relay.children).len()
    }

    /// Ends, if this is the last clone, and gives the row back once no lease that came from here is left, so that nobody
    /// waits for it. Nodes that know no other relay refuse from then on.
    pub async fn close(self) {
        if let Some(open) = Arc::into_inner(self.0) {
            open.tasks.iter().for_each(JoinHandle::abort);
            open.relay.leave().await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0.relay.settings.name;
        f.debug_struct("Relay").field("name", name).field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}

impl Inner {
    /// No call may take so long that a lease runs out over it.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| Error::new(ErrorKind::Unavailable, "the store did not answer within an eighth of a lease");
        // Half of what a node gives to the relay.
        tokio::time::timeout(self.terms.holder() / 8, call).await.map_err(late)?
    }

    fn nodes(&self) -> Result<&dyn Nodes, Error> {
        self.store.nodes().ok_or_else(|| Error::new(ErrorKind::Internal, "the store was shared, and is not any more"))
    }

    fn period(&self) -> Duration {
        self.terms.holder() / 4
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
