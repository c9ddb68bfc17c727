//! A Redis of our own, on a free port. It knows how ids get in, and nothing of how they are looked up.

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::keys::id;

/// A server that ends with the bench.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// Starts it, and tries to install it when it is missing.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let spawn = || {
            Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
                .arg("--dir")
                .arg(folder.path())
                .stdout(Stdio::null())
                .spawn()
        };
        let process = spawn().or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            Command::new("apt-get").args(["install", "-y", "redis-server"]).status()?;
            spawn()
        });
        let process =
            process.map_err(|error| format!("this bench needs redis-server, which does not start: {error}"))?;
        Ok(Self { process, port, _folder: folder })
    }

    /// A connection, once it answers.
    pub(crate) fn connect(&self) -> Result<redis::Connection, Box<dyn Error>> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        for _ in 0..100 {
            if let Ok(connection) = client.get_connection() {
                return Ok(connection);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not answer".into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sets the first `live` ids.
pub(crate) fn fill(connection: &mut redis::Connection, live: u64) -> Result<(), redis::RedisError> {
    for chunk in (0..live).collect::<Vec<_>>().chunks(10_000) {
        let mut pipe = redis::pipe();
        for index in chunk {
            pipe.cmd("SET").arg(id(*index).as_slice()).arg(1).ignore();
        }
        pipe.query::<()>(connection)?;
    }
    Ok(())
}
