//! Wake-ups: what one node publishes on a subject wakes those that have subscribed to it. A message says nothing, so there is
//! nothing in it to believe; the log of the store is read, as it would be a little later without it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use signoff::Error;
use signoff::broker::Ear;
use signoff::store::Hints;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::connection::{Connection, Failure, Subscription, late};
use crate::servers::{self, Servers, unavailable};

/// Wakes the nodes of a shared store by NATS: see [`Settings::hints`](signoff::Settings::hints).
///
/// NATS is never needed. Without it nodes read the log four times per lease, and a logout takes until the slowest has. It is
/// connected to when it is needed, and again when the connection is lost; what may have been missed meanwhile is made good
/// by reading the log once. Of an outage the log tells when it begins and when it ends (target `signoff`).
///
/// ```no_run
/// # fn main() -> Result<(), signoff::Error> {
/// let hints = signoff_nats::NatsHints::open("nats://bank:s3cret@10.0.0.1, nats://10.0.0.2", "bank.logouts")?;
/// # let _ = hints; Ok(()) }
/// ```
pub struct NatsHints {
    servers: Servers,
    subject: String,
    limit: Duration,
    mouth: Mutex<Option<Connection>>,
    ear: Mutex<Ear<Subscription>>,
    /// How often something was heard.
    heard: AtomicU64,
}

impl NatsHints {
    /// NATS at this URL, `nats://` or `tls://`, or at several of one cluster with commas between them; and the subject on which
    /// the nodes of one database meet. Whoever may publish there can wake them, and no more.
    ///
    /// `user:password@` or `token@` before the host is for all of the servers. (async-nats logs what it sends, these included,
    /// at the level `trace`.)
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse) when it is no such URL, `tls://` without the feature `tls-rustls`, or no subject to publish on.
    pub fn open(urls: &str, subject: &str) -> Result<Self, Error> {
        Ok(Self {
            servers: Servers::parse(urls)?,
            subject: servers::subject(subject)?,
            limit: Duration::from_millis(500),
            mouth: Mutex::default(),
            ear: Mutex::new(Ear::new([
                "NATS does not wake this node; it reads the log in time",
                "NATS wakes this node again",
            ])),
            heard: AtomicU64::new(0),
        })
    }

    /// How long NATS may take to be connected to, and to answer. Defaults to half a second, because a hint that comes later is
    /// hardly sooner than what comes without.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    async fn subscribe(&self) -> Result<Subscription, Failure> {
        Connection::open(&self.servers, self.limit).await?.subscribe(&self.subject, &self.subject, self.limit).await
    }

    async fn listen(&self, ear: &mut Ear<Subscription>) -> Result<(), Error> {
        let Some(line) = ear.line() else {
            ear.connect(|| self.subscribe()).await;
            // What was announced before is known to nobody here, and may be in the log.
            return Ok(());
        };
        let Err(lost) = line.next().await else { return Ok(()) };
        ear.lose(&lost);
        Err(unavailable("the connection to NATS was lost", lost))
    }
}

#[async_trait]
impl Hints for NatsHints {
    async fn announce(&self) -> Result<(), Error> {
        let published = timeout(self.limit, async {
            let mut mouth = self.mouth.lock().await;
            // Out of its place while it is in use: one that is lost, or over which the caller runs out of patience, is not
            // there the next time.
            if let Some(line) = mouth.take()
                && line.is_good()
                && line.hint(&self.subject).await.is_ok()
            {
                *mouth = Some(line);
                return Ok(());
            }
            let line = Connection::open(&self.servers, self.limit).await?;
            line.hint(&self.subject).await?;
            *mouth = Some(line);
            Ok(())
        });
        let published = published.await.unwrap_or_else(|_| Err(late().into()));
        published.map_err(|failure: Failure| unavailable("NATS was not told", failure))
    }

    async fn heard(&self) -> Result<(), Error> {
        let before = self.heard.load(Ordering::SeqCst);
        let mut ear = self.ear.lock().await;
        // Nodes of one process may share this: what one hears is meant for all.
        if self.heard.load(Ordering::SeqCst) != before {
            return Ok(());
        }
        let heard = self.listen(&mut ear).await;
        self.heard.fetch_add(1, Ordering::SeqCst);
        heard
    }
}

impl fmt::Debug for NatsHints {
    // Not the servers, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsHints").field("subject", &self.subject).finish_non_exhaustive()
    }
}
