//! How a node asks a relay by Redis. It knows nothing of what is asked; the key that authenticates it is not here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Client, RedisError};
use signoff::relay::{Pending, RelayLink};
use signoff::{Error, ErrorKind};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::envelope;
use crate::line::{self, Line, late};

/// A node's way to a [`RedisRelay`](crate::RedisRelay).
///
/// It is connected when it is needed, and again when the connection is lost, or is silent too often. Answers come on a
/// channel of the connection's own, below that of the relay, each with the number of its question.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use signoff::relay::{RelayKey, RelayLink, Relayed};
/// use signoff_redis::RedisLink;
///
/// # fn node(store: impl signoff::store::Store, secret: &[u8]) -> Result<(), signoff::Error> {
/// // Two, so that one may fail.
/// let links: Vec<Arc<dyn RelayLink>> = vec![
///     Arc::new(RedisLink::open("redis://127.0.0.1:6379", "bank.relay.one")?),
///     Arc::new(RedisLink::open("redis://127.0.0.1:6379", "bank.relay.two")?),
/// ];
/// // Opened in place of the store.
/// let store = Relayed::new(store, RelayKey::new(secret)?, links)?;
/// # let _ = store; Ok(()) }
/// ```
pub struct RedisLink {
    client: Client,
    channel: String,
    limit: Duration,
    mouth: Connection,
    ear: Mutex<Option<Arc<Ear>>>,
}

/// Where answers come, and who waits for them.
struct Ear {
    pending: Arc<Pending>,
    /// Takes answers to those who wait for them.
    reader: JoinHandle<()>,
}

const LIMIT: Duration = Duration::from_millis(500);

impl RedisLink {
    /// To the relay on this channel, by Redis at a URL as for [`RedisSessions::open`](crate::RedisSessions::open).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is no such URL, or the channel has no name.
    pub fn open(url: &str, channel: &str) -> Result<Self, Error> {
        let client = line::client(url)?;
        let mouth = Connection::new(client.clone(), LIMIT);
        Ok(Self { client, channel: line::channel(channel)?, limit: LIMIT, mouth, ear: Mutex::default() })
    }

    /// How long an answer may take, with connecting if need be. Defaults to half a second, because a node that waits for more
    /// than a quarter of its lease has given up.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, mouth: self.mouth.within(limit), ..self }
    }

    async fn ear(&self) -> Result<Arc<Ear>, Error> {
        let mut ear = self.ear.lock().await;
        if let Some(ear) = ear.as_ref().filter(|ear| ear.pending.is_good()) {
            return Ok(Arc::clone(ear));
        }
        // What waits for it may be answered yet.
        *ear = None;
        let pending = Arc::new(Pending::new()?);
        let channel = envelope::replies(&self.channel, pending.name());
        let line = Line::subscribe(&self.client, &channel, self.limit).await;
        let line = line.map_err(|error| unavailable("Redis does not answer", error))?;
        let reader = tokio::spawn(read(line, Arc::clone(&pending)));
        Ok(Arc::clone(ear.insert(Arc::new(Ear { pending, reader }))))
    }
}

#[async_trait]
impl RelayLink for RedisLink {
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let answered = timeout(self.limit, async {
            let ear = self.ear().await?;
            let question = ear.pending.ask()?;
            let asked = envelope::question(ear.pending.name(), question.number(), &message);
            // How many hear it says nothing: those of one server of several are counted.
            let sent = self.mouth.ask::<u64>(&envelope::publish(&self.channel, asked)).await;
            sent.map_err(|error| unavailable("Redis does not take a question to a relay", error))?;
            question.answer().await
        });
        answered.await.unwrap_or_else(|_| Err(unavailable("the relay did not answer in time", late())))
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(mut line: Line, pending: Arc<Pending>) {
    while let Ok(message) = line.next().await {
        if let Some((number, answer)) = envelope::open_answer(message.get_payload_bytes()) {
            pending.answered(number, answer.to_vec());
        }
    }
    pending.close();
}

fn unavailable(what: &'static str, error: RedisError) -> Error {
    Error::new(ErrorKind::Unavailable, what).with_source(error)
}

impl fmt::Debug for RedisLink {
    // Not the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").field("channel", &self.channel).finish_non_exhaustive()
    }
}
