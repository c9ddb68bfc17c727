//! What the bench knows of Redis: how ids get in, and nothing of how they are looked up.

use redis::Connection;
use signoff_test_servers::{Failure, Redis};

use crate::keys::id;

pub(crate) fn connect(server: &Redis) -> Result<Connection, Failure> {
    Ok(redis::Client::open(server.url())?.get_connection()?)
}

/// Sets the first `live` ids.
pub(crate) fn fill(connection: &mut Connection, live: u64) -> Result<(), redis::RedisError> {
    for chunk in (0..live).collect::<Vec<_>>().chunks(10_000) {
        let mut pipe = redis::pipe();
        for index in chunk {
            pipe.cmd("SET").arg(id(*index).as_slice()).arg(1).ignore();
        }
        pipe.query::<()>(connection)?;
    }
    Ok(())
}
