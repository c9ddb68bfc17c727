//! How a node asks a relay by NATS. It knows nothing of what is asked; the key that authenticates it is not here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::StatusCode;
use async_trait::async_trait;
use signoff::Error;
use signoff::relay::{Pending, RelayLink};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::{Connection, Failure, Subscription, late};
use crate::servers::{self, Servers, unavailable};

/// A node's way to a [`NatsRelay`](crate::NatsRelay).
///
/// It is connected when it is needed, and again when the connection is lost, or is silent too often. Answers come on a
/// subject of the connection's own, below that of the relay, each with the number of its question. A relay that is not there
/// is noticed at once, for NATS says so.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use signoff::relay::{RelayKey, RelayLink, Relayed};
/// use signoff_nats::NatsLink;
///
/// # fn node(store: impl signoff::store::Store, secret: &[u8]) -> Result<(), signoff::Error> {
/// // Two, so that one may fail.
/// let links: Vec<Arc<dyn RelayLink>> = vec![
///     Arc::new(NatsLink::open("nats://10.0.0.1, nats://10.0.0.2", "bank.relay.one")?),
///     Arc::new(NatsLink::open("nats://10.0.0.1, nats://10.0.0.2", "bank.relay.two")?),
/// ];
/// // Opened in place of the store.
/// let store = Relayed::new(store, RelayKey::new(secret)?, links)?;
/// # let _ = store; Ok(()) }
/// ```
pub struct NatsLink {
    servers: Servers,
    subject: String,
    limit: Duration,
    line: Mutex<Option<Arc<Line>>>,
}

/// A connection, and what was asked by it.
struct Line {
    connection: Connection,
    pending: Arc<Pending>,
    /// Takes answers to those who wait for them.
    reader: JoinHandle<()>,
}

impl NatsLink {
    /// To the relay on this subject, by servers as for [`NatsHints::open`](crate::NatsHints::open). The node must be allowed to
    /// publish and to subscribe on `<subject>.>`, and to publish on the subject itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse), as for [`NatsHints::open`](crate::NatsHints::open).
    pub fn open(urls: &str, subject: &str) -> Result<Self, Error> {
        Ok(Self {
            servers: Servers::parse(urls)?,
            subject: servers::subject(subject)?,
            limit: Duration::from_millis(500),
            line: Mutex::default(),
        })
    }

    /// How long an answer may take, with connecting if need be. Defaults to half a second, because a node that waits for more
    /// than a quarter of its lease has given up.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    async fn line(&self) -> Result<Arc<Line>, Error> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| line.connection.is_good() && line.pending.is_good()) {
            return Ok(Arc::clone(line));
        }
        // What was asked by it may be answered yet.
        *line = None;
        let pending = Arc::new(Pending::new()?);
        let made = Line::open(self, pending).await.map_err(|failure| unavailable("NATS does not answer", failure))?;
        Ok(Arc::clone(line.insert(Arc::new(made))))
    }

    fn reply(&self, pending: &Pending, number: impl fmt::Display) -> String {
        format!("{}.{}.{number}", self.subject, pending.name())
    }
}

#[async_trait]
impl RelayLink for NatsLink {
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let answered = timeout(self.limit, async {
            let line = self.line().await?;
            let question = line.pending.ask()?;
            let reply = self.reply(&line.pending, question.number());
            let sent = line.connection.ask(self.subject.clone(), reply, message).await;
            sent.map_err(|failure| unavailable("NATS does not take a question to a relay", failure))?;
            question.answer().await
        });
        answered.await.unwrap_or_else(|_| Err(unavailable("the relay did not answer in time", late())))
    }
}

impl Line {
    async fn open(link: &NatsLink, pending: Arc<Pending>) -> Result<Self, Failure> {
        let (all, echo) = (link.reply(&pending, '*'), link.reply(&pending, 0));
        let connection = Connection::open(&link.servers, link.limit).await?;
        let replies = connection.subscribe(&all, &echo, link.limit).await?;
        let connection = replies.connection();
        Ok(Self { connection, reader: tokio::spawn(read(replies, Arc::clone(&pending))), pending })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(mut replies: Subscription, pending: Arc<Pending>) {
    while let Ok(message) = replies.message().await {
        let Some(number) = message.subject.rsplit('.').next().and_then(|number| number.parse().ok()) else { continue };
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            pending.failed(number);
        } else {
            pending.answered(number, message.payload.into());
        }
    }
    pending.close();
}

impl fmt::Debug for NatsLink {
    // Not the servers, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLink").field("subject", &self.subject).finish_non_exhaustive()
    }
}
