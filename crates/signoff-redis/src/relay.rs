//! How a relay hears its nodes by Redis. What it answers is the relay's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Client;
use signoff::broker::Ear;
use signoff::relay::{Answering, Relay};
use signoff::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::envelope;
use crate::line::{self, Line};

/// A relay that nodes reach by Redis, with a [`RedisLink`](crate::RedisLink).
///
/// It answers for as long as it exists. When Redis is away it connects again, for ever, and the log tells of the beginning
/// and the end (target `signoff`); its nodes refuse meanwhile, or go to another. What does not come from a node with
/// the key gets no answer.
///
/// ```no_run
/// use signoff::relay::{Relay, RelayKey, RelaySettings};
/// use signoff_redis::RedisRelay;
///
/// # async fn relay(store: impl signoff::store::Store, secret: &[u8]) -> Result<(), signoff::Error> {
/// let relay = Relay::open(store, RelayKey::new(secret)?, RelaySettings::default()).await?;
/// let served = RedisRelay::open(relay, "redis://127.0.0.1:6379", "bank.relay.one")?;
/// // Until the process is to end:
/// served.close().await;
/// # Ok(()) }
/// ```
#[must_use = "nodes are answered for as long as this exists"]
pub struct RedisRelay {
    relay: Relay,
    channel: String,
    /// The task ends when this is gone, closed or not.
    stop: oneshot::Sender<()>,
    task: JoinHandle<Relay>,
}

/// To connect, and to send an answer. A relay may be far away, and nobody waits for it.
const LIMIT: Duration = Duration::from_secs(1);

impl RedisRelay {
    /// Answers on this channel, which is this relay's alone, by Redis at a URL as for
    /// [`RedisSessions::open`](crate::RedisSessions::open).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is no such URL, the channel has no name, or there is no runtime of tokio.
    pub fn open(relay: Relay, url: &str, channel: &str) -> Result<Self, Error> {
        let (client, channel) = (line::client(url)?, line::channel(channel)?);
        let runtime = Handle::try_current();
        let runtime = runtime
            .map_err(|error| Error::new(ErrorKind::Misuse, "a relay needs a runtime of tokio").with_source(error))?;
        let (stop, stopped) = oneshot::channel();
        let task = runtime.spawn(serve(relay.clone(), client, channel.clone(), stopped));
        Ok(Self { relay, channel, stop, task })
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

async fn serve(relay: Relay, client: Client, channel: String, stopped: oneshot::Receiver<()>) -> Relay {
    let mut answering = Answering::new(relay);
    tokio::select! {
        _ = stopped => {}
        () = answer(&mut answering, &client, &channel) => {}
    }
    answering.stop().await
}

/// For ever.
async fn answer(answering: &mut Answering, client: &Client, channel: &str) {
    let mut ear =
        Ear::new(["Redis is away, and this relay hears no node", "Redis is back, and this relay hears nodes again"]);
    let mouth = Arc::new(Connection::new(client.clone(), LIMIT));
    loop {
        let Some(line) = ear.line() else {
            ear.connect(|| Line::subscribe(client, channel, LIMIT)).await;
            continue;
        };
        let message = match line.next().await {
            Ok(message) => message,
            Err(lost) => {
                ear.lose(&lost);
                continue;
            }
        };
        let Some((name, number, question)) = envelope::open_question(message.get_payload_bytes()) else { continue };
        let (to, mouth) = (envelope::replies(channel, name), Arc::clone(&mouth));
        answering.answer(question.to_vec(), move |answer| async move {
            let sent = mouth.ask::<u64>(&envelope::publish(&to, envelope::answer(number, &answer))).await;
            // The node asks again, or another relay.
            if let Err(error) = sent {
                tracing::debug!(target: "signoff", error = %error, "an answer of the relay is lost");
            }
        });
    }
}

impl fmt::Debug for RedisRelay {
    // Not the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRelay").field("channel", &self.channel).field("relay", &self.relay).finish_non_exhaustive()
    }
}
