//! A store for [tower-sessions](https://docs.rs/tower-sessions), and so for
//! [axum-login](https://docs.rs/axum-login): applications on them keep their code and get a logout that holds.
//!
//! The cookie, and when a record is saved, stay theirs. What a record's life and end are is decided in `signoff`.

#[cfg(not(any(feature = "v0_14", feature = "v0_15")))]
compile_error!("say which version of tower-sessions the store is for, by the feature v0_14 or v0_15");

mod record;
mod rotations;
mod sessions;
mod subject;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use signoff::opaque::External;
use signoff::{Cause, Denied, Error, Live, Receipt, Signoff, Subject};

use rotations::Rotations;
pub use subject::axum_login;

/// A session store for tower-sessions, whose sessions are those of a [`Signoff`].
///
/// - `create` never overwrites. `load` gives live sessions only, held against the revocations in memory, and notes that
///   they are used. `save` changes a live session and never makes one: of a session that has ended it is an error, which
///   the layer answers with 500, without a cookie.
/// - `delete`, and so `flush` and `cycle_id`, is a logout: destroyed, revoked and recorded in one transaction, and in force
///   when it returns.
/// - The store keeps a hash of the cookie's value. The session has an id of its own, which opens nothing.
/// - Whose session it is follows from its record, by the function that is given here. It is settled when the record is
///   created, so a login has to call `cycle_id`, as it should anyway: a `save` that would make the session somebody else's
///   is an error.
/// - What `cycle_id` carries over to a new id was not logged out in the meantime; else saving it is an error as well.
///
/// ```
/// use signoff::{KeySet, MemoryStore, Settings, Signoff, SigningKey, Subject};
/// use signoff_tower_sessions::TowerSessions;
/// use tower_sessions::SessionManagerLayer;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = KeySet::new(SigningKey::generate()?);
/// # let settings = Settings::new("https://bank.example", "https://bank.example/api");
/// let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
/// let store = TowerSessions::new(signoff, |data| {
///     data.get("user").and_then(|user| user.as_str()).map(Subject::new).transpose()
/// });
/// let layer = SessionManagerLayer::new(store);
/// # let _ = layer;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TowerSessions(Arc<Inner>);

struct Inner {
    signoff: Signoff,
    subject: Box<SubjectOf>,
    rotations: Rotations,
}

type SubjectOf = dyn Fn(&HashMap<String, Value>) -> Result<Option<Subject>, Error> + Send + Sync;

/// What names a session to the browser: the 128 bits of an `Id`, of either version of tower-sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieId([u8; 16]);

impl TowerSessions {
    /// A store on this `Signoff`; `subject` says whose session a record is by its data, `None` when it is nobody's yet, so
    /// [`ANONYMOUS`]. For axum-login that is [`axum_login`].
    ///
    /// [`Settings::idle`](signoff::Settings::idle) and [`Settings::absolute`](signoff::Settings::absolute) bound every
    /// session, whatever the layer's expiry is; the earlier end counts.
    pub fn new(
        signoff: Signoff,
        subject: impl Fn(&HashMap<String, Value>) -> Result<Option<Subject>, Error> + Send + Sync + 'static,
    ) -> Self {
        let rotations = Rotations::default();
        Self(Arc::new(Inner { signoff, subject: Box::new(subject), rotations }))
    }

    /// The `Signoff`.
    pub fn signoff(&self) -> &Signoff {
        &self.0.signoff
    }

    /// The proof that a session is live, for what a [`Signoff`] does with it: listing the devices, logging out the others.
    ///
    /// # Errors
    ///
    /// As [`Signoff::authenticate_external`].
    pub async fn live(&self, id: impl Into<CookieId> + Send) -> Result<Live, Denied> {
        Ok(self.load_live(id.into()).await?.0)
    }

    /// Logs out and returns the receipt, which clears more than the layer does: call it before `Session::flush`, which then
    /// finds nothing to do but to forget the cookie.
    ///
    /// # Errors
    ///
    /// As [`Signoff::log_out`]: on [`Denied::Failed`] tell the person that they are still signed in.
    pub async fn log_out(&self, id: impl Into<CookieId> + Send, cause: Cause) -> Result<Receipt, Denied> {
        let id = id.into();
        self.signoff().log_out_external(id.external()?, cause).await
    }
}

impl fmt::Debug for TowerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TowerSessions").field(&self.0.signoff).finish()
    }
}

impl CookieId {
    fn external(&self) -> Result<External<'_>, Error> {
        External::new("tower-sessions", &self.0)
    }
}

impl fmt::Debug for CookieId {
    // It is the credential itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieId(redacted)")
    }
}

/// The [`Subject`] of sessions that are nobody's yet.
pub const ANONYMOUS: &str = "(anonymous)";

/// How many ids are drawn for a new session. Two that are equal mean that the generator is broken, and so would a third.
const DRAWS: usize = 3;

/// The traits of a version of tower-sessions in terms of `sessions`.
macro_rules! session_store {
    ($core:ident) => {
        impl From<$core::session::Id> for CookieId {
            fn from(id: $core::session::Id) -> Self {
                Self(id.0.to_le_bytes())
            }
        }

        impl From<sessions::Failure> for $core::session_store::Error {
            fn from(failure: sessions::Failure) -> Self {
                Self::Backend(failure.to_string())
            }
        }

        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl $core::SessionStore for TowerSessions {
            async fn create(&self, record: &mut $core::session::Record) -> $core::session_store::Result<()> {
                for _ in 0..DRAWS {
                    let created = self.create(record.id.into(), &mut record.data, record.expiry_date).await;
                    if !matches!(created, Err(sessions::Failure::Taken)) {
                        return Ok(created?);
                    }
                    record.id = $core::session::Id::default();
                }
                Err(sessions::Failure::Taken.into())
            }

            async fn save(&self, record: &$core::session::Record) -> $core::session_store::Result<()> {
                Ok(self.save(record.id.into(), &record.data, record.expiry_date).await?)
            }

            async fn load(
                &self,
                id: &$core::session::Id,
            ) -> $core::session_store::Result<Option<$core::session::Record>> {
                let found = self.load((*id).into()).await?;
                Ok(found.map(|(data, expiry_date)| $core::session::Record { id: *id, data, expiry_date }))
            }

            async fn delete(&self, id: &$core::session::Id) -> $core::session_store::Result<()> {
                Ok(self.delete((*id).into()).await?)
            }
        }
    };
}

#[cfg(feature = "v0_15")]
session_store!(tower_sessions_core);
#[cfg(feature = "v0_14")]
session_store!(tower_sessions_core_014);
