//! How a relay hears its nodes by NATS. What it answers is the relay's.

use std::fmt;
use std::time::Duration;

use signoff::broker::Ear;
use signoff::relay::{Answering, Relay};
use signoff::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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
/// // Until the process is to end:
/// served.close().await;
/// # Ok(()) }
/// ```
#[must_use = "nodes are answered for as long as this exists"]
pub struct NatsRelay {
    relay: Relay,
    subject: String,
    /// The task ends when this is gone, closed or not.
    stop: oneshot::Sender<()>,
    task: JoinHandle<Relay>,
}

/// To connect. A relay may be far away, and nobody waits for it.
const LIMIT: Duration = Duration::from_secs(1);

impl NatsRelay {
    /// Answers on this subject, which is this relay's alone, by servers as for [`NatsHints::open`](crate::NatsHints::open). The
    /// relay must be allowed to publish and to subscribe on the subject, and to publish on `<subject>.>`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`], as for [`NatsHints::open`](crate::NatsHints::open), or when there is no runtime of tokio.
    pub fn open(relay: Relay, urls: &str, subject: &str) -> Result<Self, Error> {
        let (servers, subject) = (Servers::parse(urls)?, servers::subject(subject)?);
        let runtime = Handle::try_current();
        let runtime = runtime
            .map_err(|error| Error::new(ErrorKind::Misuse, "a relay needs a runtime of tokio").with_source(error))?;
        let (stop, stopped) = oneshot::channel();
        let task = runtime.spawn(serve(relay.clone(), servers, subject.clone(), stopped));
        Ok(Self { relay, subject, stop, task })
    }

    /// Whom it answers for.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Answers nobody any more, and closes the relay, if nobody else has a clone: see [`Relay::close`].
    pub async fn close(self) {
        let Self { relay, stop, task, .. } = self;
        drop((relay, stop));
        if let Ok(relay) = task.await {
            relay.close().await;
        }
    }
}

async fn serve(relay: Relay, servers: Servers, subject: String, stopped: oneshot::Receiver<()>) -> Relay {
    let mut answering = Answering::new(relay);
    tokio::select! {
        _ = stopped => {}
        () = answer(&mut answering, &servers, &subject) => {}
    }
    answering.stop().await
}

/// For ever.
async fn answer(answering: &mut Answering, servers: &Servers, subject: &str) {
    let mut ear =
        Ear::new(["NATS is away, and this relay hears no node", "NATS is back, and this relay hears nodes again"]);
    // Whoever repeats a node's question with another address does not make the relay speak where it has no business.
    let addresses = format!("{subject}.");
    loop {
        let Some(line) = ear.line() else {
            ear.connect(|| subscribe(servers, subject)).await;
            continue;
        };
        let message = match line.message().await {
            Ok(message) => message,
            Err(lost) => {
                ear.lose(&lost);
                continue;
            }
        };
        let Some(address) = message.reply.filter(|address| address.starts_with(&addresses)) else { continue };
        let connection = line.connection();
        answering.answer(message.payload.into(), move |answer| async move {
            // The node asks again, or another relay.
            if let Err(failure) = connection.send(address.to_string(), answer).await {
                tracing::debug!(target: "signoff", error = %failure, "an answer of the relay is lost");
            }
        });
    }
}

async fn subscribe(servers: &Servers, subject: &str) -> Result<Subscription, Failure> {
    Connection::open(servers, LIMIT).await?.subscribe(subject, subject, LIMIT).await
}

impl fmt::Debug for NatsRelay {
    // Not the servers, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsRelay").field("subject", &self.subject).field("relay", &self.relay).finish_non_exhaustive()
    }
}
