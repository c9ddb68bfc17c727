//! Sessions that are kept in other stores, Redis or another session crate, and end with ours.
//!
//! A login names them, by the name of what destroys them and the key that the other store has them under. They are
//! written down in the transaction that creates our session. When that ends, by whatever verb, its destroyed row *is* the
//! durable intent to destroy them: it commits with the logout, and from then on the tokens are dead by our log. Then they
//! are destroyed, then the intent is settled, and only then there is a receipt. A failure in between is an
//! [`Unavailable`](crate::ErrorKind::Unavailable) logout that a retry completes, or a task that every [`Signoff`] with
//! destroyers runs, on whatever node.
//!
//! It does not know any other store: see `signoff-redis`, or write a closure. The whole story is in `docs/elsewhere.md`.
//!
//! ```
//! use std::collections::HashSet;
//! use std::sync::{Arc, Mutex};
//!
//! use signoff::{Cause, Destroyers, KeySet, Login, MemoryStore, Settings, Signoff, SigningKey, Subject};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let old_sessions = Arc::new(Mutex::new(HashSet::from(["abc".to_owned()])));
//! let theirs = Arc::clone(&old_sessions);
//! let destroy = move |key: String| {
//!     let theirs = Arc::clone(&theirs);
//!     async move {
//!         theirs.lock().map_err(|_| "broken")?.remove(&key);
//!         Ok::<_, &str>(())
//!     }
//! };
//!
//! let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
//! settings.destroyers = Destroyers::new().with("old sessions", destroy)?;
//! let keys = KeySet::new(SigningKey::generate()?);
//! let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
//!
//! let issued = signoff.log_in(Login::new(Subject::new("alice")?).elsewhere("old sessions", "abc")).await?;
//! let _ = signoff.log_out(&[issued.token.expose()], Cause::logout()).await?;
//! assert!(old_sessions.lock().unwrap().is_empty());
//! # Ok(()) }
//! ```
//!
//! [`Signoff`]: crate::Signoff

mod destroyers;
mod finish;
mod sweep;

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use crate::audit::words;
use crate::store::IntentsOf;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Signoff, Subject};

pub use destroyers::Destroyers;
pub(crate) use finish::{Finisher, Finishing, Over};
pub(crate) use sweep::Sweeper;

/// Destroys sessions of another store.
///
/// Closures from a `String` to a future of `Result<(), E>` are destroyers.
#[async_trait]
pub trait SessionDestroyer: Send + Sync + 'static {
    /// Destroys the session that the other store has under this key.
    ///
    /// - When it returns `Ok`, the session is not accepted there any more.
    /// - That there is none is success: it may be called for the same key several times, also at once.
    /// - It may be dropped at any await, and runs on a task of its own: a panic is a failure like another.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being sure. It is kept as the source of the error that the caller of the logout gets, and
    /// shown to no client; it is tried again later.
    async fn destroy(&self, key: &str) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

#[async_trait]
impl<F, Fut, E> SessionDestroyer for F
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn StdError + Send + Sync>> + Send,
{
    async fn destroy(&self, key: &str) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self(key.to_owned()).await.map_err(Into::into)
    }
}

/// A session of another store that belongs to one of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Elsewhere {
    destroyer: String,
    key: String,
}

impl Elsewhere {
    /// What a store kept, or a login named; it is checked when a session is created.
    pub fn new(destroyer: impl Into<String>, key: impl Into<String>) -> Self {
        Self { destroyer: destroyer.into(), key: key.into() }
    }

    /// The name of what destroys it, 1 to 64 bytes.
    pub fn destroyer(&self) -> &str {
        &self.destroyer
    }

    /// The key that the other store has it under, 1 to 512 bytes. In many stores it is the very credential.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Elsewhere {
    // The key may open the session there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("destroyer", &self.destroyer).finish_non_exhaustive()
    }
}

words! {
    /// Why a session of another store is not destroyed yet.
    Trouble {
        /// Its destroyer returned an error.
        Failed = "failed",
        /// Its destroyer took longer than it may: [`Destroyers::patience`].
        Late = "late",
        /// Its destroyer panicked.
        Panicked = "panicked",
        /// No destroyer of its name is configured on the node that tried.
        Unconfigured = "unconfigured",
    }
}

/// A logout that is not finished in another store. Our own tokens of the session are dead.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnfinishedLogout {
    /// The session that ended, by [fingerprint](crate::SessionId::fingerprint).
    pub session: String,
    /// Whose it was.
    pub subject: Subject,
    /// The name of what is to destroy the session of the other store.
    pub destroyer: String,
    /// How often it was tried. 0: a moment ago the session ended, or its node died before it could try.
    pub attempts: u32,
    /// When it is tried next.
    pub retry_at: Timestamp,
    /// What the last failure was.
    pub trouble: Option<Trouble>,
}

/// How many a list holds at the most.
const LISTED: u32 = 100;

impl Signoff {
    /// Logouts that are not finished in other stores, in the order in which they are tried next, at most 100. Empty, or
    /// nearly, unless another store is down or its destroyer is not configured. Needs no destroyers of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn unfinished_logouts(&self) -> Result<Vec<UnfinishedLogout>, Error> {
        let intents = self.store().intents(IntentsOf::All, LISTED, self.now()?).await?;
        let unfinished = intents.into_iter().map(|intent| UnfinishedLogout {
            session: intent.key.session.fingerprint(),
            subject: intent.subject,
            destroyer: intent.elsewhere.destroyer,
            attempts: intent.attempts,
            retry_at: intent.retry_at,
            trouble: intent.trouble,
        });
        Ok(unfinished.collect())
    }
}

fn unavailable(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}
