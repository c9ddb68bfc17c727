//! A connection that has subscribed, which can do little else. It is used until it is lost and then left: whoever makes the
//! next knows that something was missed.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{Client, Msg, RedisError, RedisResult, Value};
use signoff::{Error, ErrorKind};
use tokio::time::timeout;

pub(crate) struct Line {
    pubsub: PubSub,
    limit: Duration,
}

/// After so many limits of silence a connection is asked whether it is there still.
const SILENCE: u32 = 10;

impl Line {
    pub(crate) async fn subscribe(client: &Client, channel: &str, limit: Duration) -> RedisResult<Self> {
        let subscribed = timeout(limit, async {
            let mut pubsub = client.get_async_pubsub().await?;
            pubsub.subscribe(channel).await?;
            Ok(Self { pubsub, limit })
        });
        subscribed.await.unwrap_or_else(|_| Err(late()))
    }

    /// Returns when there is a message. An error says that the connection is lost.
    pub(crate) async fn next(&mut self) -> RedisResult<Msg> {
        loop {
            let message = timeout(self.limit.saturating_mul(SILENCE), self.pubsub.on_message().next()).await;
            match message {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
                // Half-open connections look like silent ones.
                Err(_) => {
                    timeout(self.limit, self.pubsub.ping::<Value>()).await.unwrap_or_else(|_| Err(late()))?;
                }
            }
        }
    }
}

pub(crate) fn client(url: &str) -> Result<Client, Error> {
    // redis says what is wrong with the URL without repeating it.
    Client::open(url).map_err(|error| Error::new(ErrorKind::Misuse, "not a URL of Redis").with_source(error))
}

pub(crate) fn channel(name: &str) -> Result<String, Error> {
    if name.is_empty() {
        return Err(Error::new(ErrorKind::Misuse, "a channel of Redis has a name"));
    }
    Ok(name.to_owned())
}

pub(crate) fn late() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}
