//! Sessions: what the server knows about somebody who is logged in.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::Context;
use crate::elsewhere::Elsewhere;
use crate::time::Timestamp;
use crate::{ClientId, Error, ErrorKind, Live, Position, Scope, SessionId, Signoff, Subject, store};

/// The server's record of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from their rows")]
pub struct Session {
    /// Its name; a handle, not a credential.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// Which program it was opened for.
    pub client_id: ClientId,
    /// Where in the log it was born: every revocation of a wider scope after this position kills it.
    pub born: Position,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the person last proved who they are: when the session was created, or later, by
    /// [`Signoff::step_up`]. Its tokens carry it (`auth_time`, RFC 9068, section 2.2.1).
    pub authenticated_at: Timestamp,
    /// When it was last used, as far as it was written down.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// What its tokens may be used for (`scope`, RFC 6749, section 3.3).
    pub scope: Option<String>,
    /// The application's claims, a JSON object; its tokens carry them.
    pub claims: Option<String>,
    /// The application's data.
    pub data: Vec<u8>,
    /// Counts the changes of `data`: a change names the version that it is based on.
    pub version: u64,
    /// A name for the device, for the list that people see.
    pub device: Option<String>,
    /// Where it was opened from.
    pub context: Context,
    /// The sessions of other stores that end with it. Said when it is created; what a store loads leaves it empty.
    pub elsewhere: Vec<Elsewhere>,
}

impl Session {
    /// Whether it is past its idle or absolute end.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.idle_expires_at || now >= self.expires_at
    }

    /// Every scope whose revocation ends it.
    pub(crate) fn scopes(&self) -> [Scope<'_>; 4] {
        let (subject, client_id) = (self.subject.as_str(), self.client_id.as_str());
        [Scope::Session(self.id.as_bytes()), Scope::Subject(subject), Scope::Client(client_id), Scope::Everything]
    }

    /// The application's data as JSON, as [`Signoff::update_session_as`] writes it; `None` while there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] when it is something else.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        if self.data.is_empty() {
            return Ok(None);
        }
        let misfit = |error| Error::new(ErrorKind::Data, "the session's data does not fit the type").with_source(error);
        serde_json::from_slice(&self.data).map(Some).map_err(misfit)
    }
}

/// What became of a change to a session's data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a session that is gone was not saved"]
#[expect(clippy::exhaustive_enums, reason = "saved, outrun, or gone: a caller must handle each")]
pub enum Update {
    /// Somebody else changed the data since this version. Load it again.
    Conflict,
    /// The session is destroyed, expired or cut off: treat the request as logged out. Nothing brings it back.
    Gone,
    /// Saved, under this version.
    Saved(u64),
}

/// The most that a session may carry, in bytes.
const MAX_DATA: usize = 64 * 1024;
/// How many sessions a listing holds at the most.
const PAGE: u32 = 100;

impl Signoff {
    /// The session behind a live token, fresh from the store; `None` when it ended in the meantime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn session(&self, live: &Live) -> Result<Option<Session>, Error> {
        self.store().load_session(store::SessionKey::Id(live.session_id()), self.now()?).await
    }

    /// Replaces a session's data, if it is still at `version` and alive. There is no way to save a session that ended.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`] above 64 KiB.
    /// * [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn update_session(&self, live: &Live, version: u64, data: &[u8]) -> Result<Update, Error> {
        if data.len() > MAX_DATA {
            return Err(Error::new(ErrorKind::Misuse, "session data has at most 64 KiB"));
        }
        self.store().update_session(live.session_id(), version, data, self.now()?).await
    }

    /// As [`Signoff::update_session`], with a type that serialises to JSON of at most 64 KiB.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`] above 64 KiB, or when the value is no JSON.
    /// * [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn update_session_as(
        &self,
        live: &Live,
        version: u64,
        data: &(impl Serialize + Sync),
    ) -> Result<Update, Error> {
        let misuse = |error| Error::new(ErrorKind::Misuse, "the session's data is no JSON").with_source(error);
        let data = serde_json::to_vec(data).map_err(misuse)?;
        self.update_session(live, version, &data).await
    }

    /// The live sessions of a subject, in the order of their ids, up to 100 after `after`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn sessions(&self, subject: &Subject, after: Option<&SessionId>) -> Result<Vec<Session>, Error> {
        self.store().list_sessions(subject, after, PAGE, self.now()?).await
    }
}
