//! Questions that were sent by way of one connection and wait for their answers. It sends nothing; a
//! [`RelayLink`](super::RelayLink) does.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::lock;
use crate::{Error, ErrorKind, secret};

/// For those who write a [`RelayLink`](super::RelayLink) over something that has no questions and answers, only messages:
/// which answer belongs to which question. One for each connection: an answer that comes by another is nobody's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), signoff::Error> {
/// let pending = signoff::relay::Pending::new()?;
/// let question = pending.ask()?;
/// // Sent with the number and the name, and returned with the answer.
/// pending.answered(question.number(), b"yes".to_vec());
/// assert_eq!(question.answer().await?, b"yes");
/// assert_eq!(pending.len(), 0);
/// # Ok(())
/// # }
/// ```
pub struct Pending {
    name: String,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    /// Never the same twice.
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    /// How many in a row were given up since something was heard.
    silent: u32,
    is_closed: bool,
}

/// A question that waits. When it is dropped its answer is nobody's.
#[derive(Debug)]
#[must_use = "a question that is dropped gets no answer"]
pub struct PendingQuestion<'a> {
    pending: &'a Pending,
    number: u64,
    answer: oneshot::Receiver<Vec<u8>>,
}

/// More is not asked at once; a node has a handful.
const MOST: usize = 4_096;
/// A connection that is silent so often is not believed in any more, whatever it says about itself.
const SILENCE: u32 = 2;

impl Pending {
    /// With a new name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when there are no random numbers.
    pub fn new() -> Result<Self, Error> {
        let name = u128::from_be_bytes(secret::random()?);
        Ok(Self { name: format!("{name:032x}"), asked: Mutex::default() })
    }

    /// Thirty-two hexadecimal digits that nobody else has, to be called back by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins to wait. To be called before the question is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the connection is lost, or thousands wait already.
    pub fn ask(&self) -> Result<PendingQuestion<'_>, Error> {
        let mut asked = lock(&self.asked);
        if asked.is_closed {
            return Err(lost());
        }
        if asked.waiting.len() >= MOST {
            return Err(Error::new(ErrorKind::Unavailable, "too many questions wait for a relay's answer"));
        }
        let (waiting, answer) = oneshot::channel();
        asked.last += 1;
        let number = asked.last;
        asked.waiting.insert(number, waiting);
        Ok(PendingQuestion { pending: self, number, answer })
    }

    /// Passes an answer on. What nobody waits for (any more) is forgotten.
    pub fn answered(&self, number: u64, answer: Vec<u8>) {
        let mut asked = lock(&self.asked);
        if let Some(waiting) = asked.waiting.remove(&number) {
            asked.silent = 0;
            // Whoever asked may have gone meanwhile.
            let _ = waiting.send(answer);
        }
    }

    /// There will be no answer to this one: it reached nobody.
    pub fn failed(&self, number: u64) {
        let mut asked = lock(&self.asked);
        // The connection did what it could.
        asked.silent = 0;
        asked.waiting.remove(&number);
    }

    /// The connection is lost: nobody need wait any longer.
    pub fn close(&self) {
        let mut asked = lock(&self.asked);
        asked.is_closed = true;
        asked.waiting.clear();
    }

    /// Whether to ask by this connection, or by a new one: `false` after [`Pending::close`], and when several questions in a
    /// row got no answer, for a connection can be lost without noticing it.
    pub fn is_good(&self) -> bool {
        let asked = lock(&self.asked);
        !asked.is_closed && asked.silent < SILENCE
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        lock(&self.asked).waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PendingQuestion<'_> {
    /// What the answer must name.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The answer, whenever it comes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when it will not.
    pub async fn answer(mut self) -> Result<Vec<u8>, Error> {
        (&mut self.answer).await.map_err(|_| lost())
    }
}

impl Drop for PendingQuestion<'_> {
    fn drop(&mut self) {
        let mut asked = lock(&self.pending.asked);
        // It was there, so there was no answer.
        if asked.waiting.remove(&self.number).is_some() {
            asked.silent += 1;
        }
    }
}

impl fmt::Debug for Pending {
    // Not the name: whoever knows it can answer nonsense.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "there is no way to the relay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_gets_its_own_answer_and_the_late_ones_are_forgotten() {
        let pending = Pending::new().unwrap();
        let (one, two, gone) = (pending.ask().unwrap(), pending.ask().unwrap(), pending.ask().unwrap());
        let (first, third) = (one.number(), gone.number());
        drop(gone);
        assert_eq!(pending.len(), 2, "who is gone takes no room");
        pending.answered(third, b"late".to_vec());
        pending.answered(two.number(), b"two".to_vec());
        pending.answered(first, b"one".to_vec());
        // The same once more, and what was never asked.
        pending.answered(first, b"another".to_vec());
        pending.answered(77, b"forged".to_vec());
        assert_eq!((one.answer().await.unwrap(), two.answer().await.unwrap()), (b"one".to_vec(), b"two".to_vec()));
        assert!(pending.is_empty() && pending.is_good());
        assert_ne!(pending.name(), Pending::new().unwrap().name());
    }

    #[tokio::test]
    async fn a_connection_that_is_silent_or_lost_is_left() {
        let pending = Pending::new().unwrap();
        drop(pending.ask().unwrap());
        let question = pending.ask().unwrap();
        pending.failed(question.number());
        assert_eq!(question.answer().await.unwrap_err().kind(), ErrorKind::Unavailable);
        drop(pending.ask().unwrap());
        assert!(pending.is_good(), "something was heard between the two");
        drop(pending.ask().unwrap());
        assert!(!pending.is_good());

        let pending = Pending::new().unwrap();
        let question = pending.ask().unwrap();
        pending.close();
        assert!(!pending.is_good() && pending.ask().is_err());
        assert_eq!(question.answer().await.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_crowd_takes_no_more_than_its_room() {
        let pending = Pending::new().unwrap();
        let mut all: Vec<_> = (0..MOST).map(|_| pending.ask().unwrap()).collect();
        assert_eq!(pending.ask().unwrap_err().kind(), ErrorKind::Unavailable);
        all.clear();
        assert!(pending.is_empty() && pending.ask().is_ok());
    }
}
