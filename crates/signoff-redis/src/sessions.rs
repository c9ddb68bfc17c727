//! The destroyer: which key is deleted, and within what time.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use signoff::{Error, SessionDestroyer};

use crate::connection::Connection;
use crate::line;

/// Destroys sessions that are strings, hashes or whatever under one key each, as session crates keep them.
///
/// Success means that the Redis server that the URL names has deleted the key. A replica may still serve it for a moment,
/// and one that takes over before it has heard of it serves it again: that is Redis.
pub struct RedisSessions {
    connection: Connection,
    prefix: String,
}

impl RedisSessions {
    /// Redis at this URL: `redis://`, `rediss://` with a TLS feature of the crate `redis`, or `redis+unix://`. It is connected to when
    /// it is needed, and again when the connection is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](signoff::ErrorKind::Misuse) when it is no such URL.
    pub fn open(url: &str) -> Result<Self, Error> {
        Ok(Self { connection: Connection::new(line::client(url)?, Duration::from_secs(2)), prefix: String::new() })
    }

    /// What the other store puts before its session keys. Defaults to nothing.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self }
    }

    /// How long Redis may take to be connected to, and to answer. Defaults to 2 seconds each: both together, and once more,
    /// must fit into [`Destroyers::patience`](signoff::Destroyers::patience) for a lost connection to be made good within one
    /// logout.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { connection: self.connection.within(limit), ..self }
    }
}

#[async_trait]
impl SessionDestroyer for RedisSessions {
    async fn destroy(&self, key: &str) -> Result<(), Box<dyn StdError + Send + Sync>> {
        // DEL of an absent key is 0, and success. Twice is as good as once, so a lost answer is found out by asking again.
        let mut delete = redis::cmd("DEL");
        delete.arg(format!("{}{key}", self.prefix));
        let _: u64 = self.connection.ask(&delete).await?;
        Ok(())
    }
}

impl fmt::Debug for RedisSessions {
    // Neither the URL, which may hold a password, nor keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
