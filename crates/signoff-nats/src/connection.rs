//! One connection, which is used until it is lost and then left: whoever makes the next knows that something was missed.

use std::io::{Error as IoError, ErrorKind as IoErrorKind};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Event, Message, Subscriber};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::servers::Servers;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Connection {
    client: Client,
    lost: watch::Receiver<bool>,
}

/// A connection that has subscribed.
pub(crate) struct Subscription {
    connection: Connection,
    messages: Subscriber,
}

/// What nobody takes for a hint: a node says it to hear itself.
const ECHO: &[u8] = b"?";
/// So many limits pass between two questions whether the server is there still. async-nats gives up with the third.
const SILENCE: u32 = 10;

impl Connection {
    pub(crate) async fn open(servers: &Servers, limit: Duration) -> Result<Self, Failure> {
        let (told, lost) = watch::channel(false);
        let options = servers
            .options()
            .name("signoff")
            .connection_timeout(limit)
            .ping_interval(limit.saturating_mul(SILENCE))
            // Each once. A connection is not made again behind our back for long, nor by a task that nobody waits for.
            .max_reconnects(servers.addresses().len())
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    // Nobody may be left to listen.
                    let _ = told.send(true);
                }
                std::future::ready(())
            });
        let addresses = servers.addresses().to_vec();
        // rustls panics when it has no cryptography, or must choose between two.
        let opened = tokio::spawn(async move { options.connect(addresses).await });
        let client = timeout(limit, opened).await.map_err(|_| late())???;
        Ok(Self { client, lost })
    }

    pub(crate) fn is_good(&self) -> bool {
        self.client.connection_state() == State::Connected && !*self.lost.borrow()
    }

    /// Returns when the message is with the operating system.
    pub(crate) async fn hint(&self, subject: &str) -> Result<(), Failure> {
        self.say(subject, b"").await
    }

    /// Returns when the message is on its way.
    pub(crate) async fn send(&self, to: String, message: Vec<u8>) -> Result<(), Failure> {
        Ok(self.client.publish(to, message.into()).await?)
    }

    pub(crate) async fn ask(&self, subject: String, reply: String, message: Vec<u8>) -> Result<(), Failure> {
        Ok(self.client.publish_with_reply(subject, reply, message.into()).await?)
    }

    async fn say(&self, subject: &str, what: &'static [u8]) -> Result<(), Failure> {
        self.client.publish(subject.to_owned(), what.into()).await?;
        Ok(self.client.flush().await?)
    }

    /// Returns when the server has the subscription: whatever is said from now on is heard. NATS confirms nothing, so the
    /// node listens for itself, on `echo`, which is `subject` or one that it comprises.
    pub(crate) async fn subscribe(self, subject: &str, echo: &str, limit: Duration) -> Result<Subscription, Failure> {
        let subscribed = timeout(limit, async {
            let mut messages = self.client.subscribe(subject.to_owned()).await?;
            self.say(echo, ECHO).await?;
            messages.next().await.ok_or_else(lost)?;
            Ok(Subscription { connection: self, messages })
        });
        let mute =
            |_| IoError::new(IoErrorKind::TimedOut, "its own message did not come back; may it publish and subscribe?");
        subscribed.await.map_err(mute)?
    }
}

impl Subscription {
    /// Returns when there is a hint. An error says that the connection is lost.
    pub(crate) async fn next(&mut self) -> Result<(), Failure> {
        while &*self.message().await?.payload == ECHO {}
        Ok(())
    }

    /// Returns when there is a message, which may be an echo.
    pub(crate) async fn message(&mut self) -> Result<Message, Failure> {
        tokio::select! {
            // The sender is gone when the client is.
            _ = self.connection.lost.wait_for(|lost| *lost) => Err(lost().into()),
            message = self.messages.next() => message.ok_or_else(|| lost().into()),
        }
    }

    /// To answer by.
    pub(crate) fn connection(&self) -> Connection {
        self.connection.clone()
    }
}

pub(crate) fn late() -> IoError {
    IoErrorKind::TimedOut.into()
}

fn lost() -> IoError {
    IoErrorKind::ConnectionReset.into()
}
