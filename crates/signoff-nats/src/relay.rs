//! How a relay hears its nodes by NATS. What it answers is the relay's.

use std::fmt;
use std::time::Duration;

use signoff::Error;
use signoff::relay::{Asked, Inbox, Relay, Served};

use crate::connection::{Connection, Failure, Subscription};
use crate::servers::{self, Servers};

/// A relay that nodes reach by NATS, with a [`NatsLink`](crate::NatsLink).
///
/// It answers for as long as it exists. When NATS is away it connects again, for ever, and the log tells of the beginning and
/// the end (target `signoff`); its nodes refuse meanwhile, or go to another. What does not come from a node with the
/// key gets no answer.
///
/// ```no_run
/// use signoff::relay::{Relay, RelayKey, RelaySettings};
/// use signoff_nats::NatsRelay;
///
/// # async fn relay(store: impl signoff::store::Store, secret: &[u8]) -> Result<(), signoff::Error> {
/// let relay = Relay::open(store, RelayKey::new(secret)?, RelaySettings::default()).await?;
/// let served = NatsRelay::open(relay, "nats://10.0.0.1, nats://10.0.0.2", "bank.relay.one")?;
/// served.ready().await; // Nodes may be opened now.
/// // Until the process is to end:
/// served.close().await;
/// # Ok(()) }
/// ```
#[must_use = "nodes are answered for as long as this exists"]
pub struct NatsRelay {
    served: Served,
    subject: String,
}

/// To connect. A relay may be far away, and nobody waits for it.
const LIMIT: Duration = Duration::from_secs(1);

impl NatsRelay {
    /// Answers on this subject, which is this relay's alone, by servers as for [`NatsHints::open`](crate::NatsHints::open). The
    /// relay must be allowed to publish and to subscribe on the subject, and to publish on `<subject>.>`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse), as for [`NatsHints::open`](crate::NatsHints::open), or when there is no runtime of tokio.
    pub fn open(relay: Relay, urls: &str, subject: &str) -> Result<Self, Error> {
        let (servers, subject) = (Servers::parse(urls)?, servers::subject(subject)?);
        let served = Served::spawn(relay, Questions { servers, subject: subject.clone() })?;
        Ok(Self { served, subject })
    }

    /// Whom it answers for.
    pub fn relay(&self) -> &Relay {
        self.served.relay()
    }

    /// Returns when it hears what nodes ask: see [`Served::ready`].
    pub async fn ready(&self) {
        self.served.ready().await;
    }

    /// Answers nobody any more, and closes the relay, if nobody else has a clone: see [`Relay::close`].
    pub async fn close(self) {
        self.served.close().await;
    }
}

struct Questions {
    servers: Servers,
    subject: String,
}

impl Inbox for Questions {
    type Line = Subscription;
    type Address = (Connection, String);
    type Failure = Failure;

    const OUTAGE: [&'static str; 2] =
        ["NATS is away, and this relay hears no node", "NATS is back, and this relay hears nodes again"];

    async fn listen(&self) -> Result<Subscription, Failure> {
        Connection::open(&self.servers, LIMIT).await?.subscribe(&self.subject, &self.subject, LIMIT).await
    }

    async fn next(&self, line: &mut Subscription) -> Result<Option<Asked<Self::Address>>, Failure> {
        let message = line.message().await?;
        // Whoever repeats a node's question with another address does not make the relay speak where it has no business.
        let is_below = |address: &str| address.strip_prefix(&self.subject).is_some_and(|rest| rest.starts_with('.'));
        let address = message.reply.filter(|address| is_below(address));
        let reply_to = address.map(|address| (line.connection(), address.to_string()));
        Ok(reply_to.map(|reply_to| Asked { reply_to, message: message.payload.into() }))
    }

    async fn answer((connection, address): Self::Address, answer: Vec<u8>) -> Result<(), Failure> {
        connection.send(address, answer).await
    }
}

impl fmt::Debug for NatsRelay {
    // Not the servers, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsRelay")
            .field("subject", &self.subject)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
