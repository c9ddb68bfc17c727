//! NATS on a free port of the loopback interface.

use std::net::{TcpListener, TcpStream};

use crate::guard::{Failure, Server};
use crate::{programs, template};

/// A private server.
#[derive(Debug)]
pub struct Nats {
    server: Server,
    port: u16,
}

impl Nats {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub fn start() -> Result<Self, Failure> {
        Self::start_with(&[])
    }

    /// Starts it with these words on its command line.
    ///
    /// # Errors
    ///
    /// As [`Nats::start`].
    pub fn start_with(words: &[&str]) -> Result<Self, Failure> {
        let program = programs::find("nats-server", "nats-server")?;
        let folder = template::folder(None)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = vec![program.into(), "-a".into(), "127.0.0.1".into(), "-p".into(), port.to_string().into()];
        command.extend(words.iter().map(Into::into));
        let server = Server::start(folder, command, || answers(port))?;
        Ok(Self { server, port })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once.
    ///
    /// # Errors
    ///
    /// It cannot be reached.
    pub fn crash(&self) -> Result<(), Failure> {
        self.server.crash()
    }

    /// Starts the server again on the same port.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start_again(&self) -> Result<(), Failure> {
        self.server.start_again(|| answers(self.port))
    }
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
