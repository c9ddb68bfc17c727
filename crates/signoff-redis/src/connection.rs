//! One connection that all calls share, made when it is needed and made again when it is lost. Every wait is bounded.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::line::late;

pub(crate) struct Connection {
    client: Client,
    limit: Duration,
    /// With the number of its making, so that of many callers who lose it together one makes the next.
    made: Mutex<(u64, Option<MultiplexedConnection>)>,
}

impl Connection {
    pub(crate) fn new(client: Client, limit: Duration) -> Self {
        Self { client, limit, made: Mutex::new((0, None)) }
    }

    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Asks a command that may be repeated. What an idle connection has lost without noticing is asked once more on a new
    /// one.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let (number, mut connection) = self.after(0).await?;
        match self.limited(command.query_async(&mut connection)).await {
            Err(error) if error.is_unrecoverable_error() || error.is_timeout() => {
                let (_, mut connection) = self.after(number).await?;
                self.limited(command.query_async(&mut connection)).await
            }
            answer => answer,
        }
    }

    /// The connection, if it was made after the one of this number; else a new one.
    async fn after(&self, lost: u64) -> RedisResult<(u64, MultiplexedConnection)> {
        let mut made = self.limited(async { Ok(self.made.lock().await) }).await?;
        if let (number, Some(connection)) = &*made
            && *number > lost
        {
            return Ok((*number, connection.clone()));
        }
        made.1 = None;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limit))
            .set_response_timeout(Some(self.limit));
        let connection = self.limited(self.client.get_multiplexed_async_connection_with_config(&config)).await?;
        *made = (made.0 + 1, Some(connection.clone()));
        Ok((made.0, connection))
    }

    async fn limited<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.limit, answer).await.map_err(|_| late())?
    }
}
