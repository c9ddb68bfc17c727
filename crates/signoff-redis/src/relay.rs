//! How a relay hears its nodes by Redis. What it answers is the relay's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, RedisError};
use signoff::Error;
use signoff::relay::{Asked, Inbox, Relay, Served};

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
/// served.ready().await; // Nodes may be opened now.
/// // Until the process is to end:
/// served.close().await;
/// # Ok(()) }
/// ```
#[must_use = "nodes are answered for as long as this exists"]
pub struct RedisRelay {
    served: Served,
    channel: String,
}

/// To connect, and to send an answer. A relay may be far away, and nobody waits for it.
const LIMIT: Duration = Duration::from_secs(1);

impl RedisRelay {
    /// Answers on this channel, which is this relay's alone, by Redis at a URL as for
    /// [`RedisSessions::open`](crate::RedisSessions::open).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse) when it is no such URL, the channel has no name, or there is no runtime of tokio.
    pub fn open(relay: Relay, url: &str, channel: &str) -> Result<Self, Error> {
        let (client, channel) = (line::client(url)?, line::channel(channel)?);
        let mouth = Arc::new(Connection::new(client.clone(), LIMIT));
        let served = Served::spawn(relay, Questions { client, channel: channel.clone(), mouth })?;
        Ok(Self { served, channel })
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
    client: Client,
    channel: String,
    mouth: Arc<Connection>,
}

/// Where an answer goes, and which question it belongs to.
struct Address {
    mouth: Arc<Connection>,
    channel: String,
    number: u64,
}

impl Inbox for Questions {
    type Line = Line;
    type Address = Address;
    type Failure = RedisError;

    const OUTAGE: [&'static str; 2] =
        ["Redis is away, and this relay hears no node", "Redis is back, and this relay hears nodes again"];

    async fn listen(&self) -> Result<Line, RedisError> {
        Line::subscribe(&self.client, &self.channel, LIMIT).await
    }

    async fn next(&self, line: &mut Line) -> Result<Option<Asked<Address>>, RedisError> {
        let message = line.next().await?;
        Ok(envelope::open_question(message.get_payload_bytes()).map(|(name, number, question)| {
            let channel = envelope::replies(&self.channel, name);
            let reply_to = Address { mouth: Arc::clone(&self.mouth), channel, number };
            Asked { reply_to, message: question.to_vec() }
        }))
    }

    async fn answer(Address { mouth, channel, number }: Address, answer: Vec<u8>) -> Result<(), RedisError> {
        mouth.ask::<u64>(&envelope::publish(&channel, envelope::answer(number, &answer))).await.map(|_| ())
    }
}

impl fmt::Debug for RedisRelay {
    // Not the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRelay")
            .field("channel", &self.channel)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
