//! Wake-ups: what one node publishes on a channel wakes those that have subscribed to it. A message says nothing, so there is
//! nothing in it to believe; the log of the store is read, as it would be a little later without it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use signoff::broker::Ear;
use signoff::store::Hints;
use signoff::{Error, ErrorKind};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::envelope;
use crate::line::{self, Line, late};

/// Wakes the nodes of a shared store by Redis: see [`Settings::hints`](signoff::Settings::hints).
///
/// Redis is never needed. Without it nodes read the log four times per lease, and a logout takes until the slowest has. It is
/// connected to when it is needed, and again when the connection is lost; what may have been missed meanwhile is made good
/// by reading the log once. Of an outage the log tells when it begins and when it ends (target `signoff`).
///
/// ```no_run
/// use std::sync::Arc;
///
/// use signoff::Settings;
/// use signoff_redis::RedisHints;
///
/// # fn main() -> Result<(), signoff::Error> {
/// let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
/// settings.hints = Some(Arc::new(RedisHints::open("redis://127.0.0.1:6379", "bank.logouts")?));
/// # Ok(()) }
/// ```
pub struct RedisHints {
    client: Client,
    channel: String,
    limit: Duration,
    mouth: Mutex<Option<MultiplexedConnection>>,
    ear: Mutex<Ear<Line>>,
    /// How often something was heard.
    heard: AtomicU64,
}

impl RedisHints {
    /// Redis at this URL, as for [`RedisSessions::open`](crate::RedisSessions::open), and the channel on which the nodes of one
    /// database meet. Whoever may publish there can wake them, and no more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is no such URL, or the channel has no name.
    pub fn open(url: &str, channel: &str) -> Result<Self, Error> {
        Ok(Self {
            client: line::client(url)?,
            channel: line::channel(channel)?,
            limit: Duration::from_millis(500),
            mouth: Mutex::default(),
            ear: Mutex::new(Ear::new([
                "Redis does not wake this node; it reads the log in time",
                "Redis wakes this node again",
            ])),
            heard: AtomicU64::new(0),
        })
    }

    /// How long Redis may take to be connected to, and to answer. Defaults to half a second, because a hint that comes later is
    /// hardly sooner than what comes without.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    async fn publish(&self, line: &mut MultiplexedConnection) -> RedisResult<()> {
        envelope::publish(&self.channel, "").query_async::<u64>(line).await.map(|_| ())
    }

    async fn subscribe(&self) -> RedisResult<Line> {
        Line::subscribe(&self.client, &self.channel, self.limit).await
    }

    async fn listen(&self, ear: &mut Ear<Line>) -> Result<(), Error> {
        let Some(line) = ear.line() else {
            ear.connect(|| self.subscribe()).await;
            // What was announced before is known to nobody here, and may be in the log.
            return Ok(());
        };
        let Err(lost) = line.next().await else { return Ok(()) };
        ear.lose(&lost);
        Err(Error::new(ErrorKind::Unavailable, "the connection to Redis was lost").with_source(lost))
    }
}

#[async_trait]
impl Hints for RedisHints {
    async fn announce(&self) -> Result<(), Error> {
        let published = timeout(self.limit, async {
            let mut mouth = self.mouth.lock().await;
            // Out of its place while it is in use: one that is lost, or over which the caller runs out of patience, is not
            // there the next time.
            if let Some(mut line) = mouth.take()
                && self.publish(&mut line).await.is_ok()
            {
                *mouth = Some(line);
                return Ok(());
            }
            let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
            let mut line = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            self.publish(&mut line).await?;
            *mouth = Some(line);
            Ok(())
        });
        let published = published.await.unwrap_or_else(|_| Err(late()));
        published.map_err(|error| Error::new(ErrorKind::Unavailable, "Redis was not told").with_source(error))
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

impl fmt::Debug for RedisHints {
    // Not the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisHints").field("channel", &self.channel).finish_non_exhaustive()
    }
}
