//! The task in which a relay hears its nodes. It knows no broker.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Relay;
use super::answering::Answering;
use crate::broker::Ear;
use crate::{Error, ErrorKind};

/// For those who bring messages to a [`Relay`]: where its nodes ask, such as a subject of a broker. [`Served`] listens there.
pub trait Inbox: Send + Sync + 'static {
    /// A connection that listens.
    type Line: Send;
    /// Whom to answer, and by what.
    type Address: Send + 'static;
    /// Why there is no connection, or no answer was sent. It is logged.
    type Failure: fmt::Display + Send;

    /// What the log says when an outage begins, and when it ends.
    const OUTAGE: [&'static str; 2];

    /// Connects. When it returns, what is asked from then on is heard.
    fn listen(&self) -> impl Future<Output = Result<Self::Line, Self::Failure>> + Send;

    /// The next message, or `None` for what is none. A failure says that the connection is lost. May be dropped while it waits.
    fn next(
        &self,
        line: &mut Self::Line,
    ) -> impl Future<Output = Result<Option<(Self::Address, Vec<u8>)>, Self::Failure>> + Send;

    /// Sends an answer. Whoever waits for one that is lost asks again, or another relay.
    fn answer(
        address: Self::Address,
        answer: Vec<u8>,
    ) -> impl Future<Output = Result<(), Self::Failure>> + Send + 'static;
}

/// A relay that answers what comes to an [`Inbox`], for as long as this exists. When the connection is lost it connects
/// again, for ever.
#[must_use = "nodes are answered for as long as this exists"]
pub struct Served {
    relay: Relay,
    hears: watch::Receiver<bool>,
    /// The task ends when this is gone, closed or not.
    stop: oneshot::Sender<()>,
    task: JoinHandle<Relay>,
}

impl Served {
    /// Begins to listen, and does not wait until it does: see [`Served::ready`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when there is no runtime of tokio.
    pub fn spawn(relay: Relay, inbox: impl Inbox) -> Result<Self, Error> {
        let runtime = Handle::try_current();
        let runtime = runtime
            .map_err(|error| Error::new(ErrorKind::Misuse, "a relay needs a runtime of tokio").with_source(error))?;
        let (stop, stopped) = oneshot::channel();
        let (listens, hears) = watch::channel(false);
        let mut answering = Answering::new(relay.clone());
        let task = runtime.spawn(async move {
            {
                // By hand, as `select!` needs a feature of tokio that an application may not have.
                let (mut stopped, mut serving) = (pin!(stopped), pin!(serve(&mut answering, &inbox, &listens)));
                poll_fn(|context| match stopped.as_mut().poll(context) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => serving.as_mut().poll(context),
                })
                .await;
            }
            answering.stop().await
        });
        Ok(Self { relay, hears, stop, task })
    }

    /// Whom it answers for.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Returns when it hears what nodes ask. A node that is opened sooner, and knows no other relay, is told that there is no
    /// way to it. Waits while the broker is away; set a time limit if need be.
    pub async fn ready(&self) {
        // The sender is gone when the task is, which only a panic could end.
        let _ = self.hears.clone().wait_for(|hears| *hears).await;
    }

    /// Answers nobody any more, and closes the relay, if nobody else has a clone: see [`Relay::close`].
    pub async fn close(self) {
        let Self { relay, stop, task, .. } = self;
        drop((relay, stop));
        if let Ok(relay) = task.await {
            relay.close().await;
        }
    }
}

/// For ever.
async fn serve<I: Inbox>(answering: &mut Answering, inbox: &I, listens: &watch::Sender<bool>) {
    let mut ear = Ear::new(I::OUTAGE);
    loop {
        let Some(line) = ear.line() else {
            ear.connect(|| inbox.listen()).await;
            listens.send_replace(true);
            continue;
        };
        match inbox.next(line).await {
            Ok(Some((address, message))) => answering.answer(message, move |answer| async move {
                if let Err(failure) = I::answer(address, answer).await {
                    tracing::debug!(target: "signoff", error = %failure, "an answer of the relay is lost");
                }
            }),
            Ok(None) => {}
            Err(lost) => {
                listens.send_replace(false);
                ear.lose(&lost);
            }
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("relay", &self.relay)
            .field("hears", &*self.hears.borrow())
            .finish_non_exhaustive()
    }
}
