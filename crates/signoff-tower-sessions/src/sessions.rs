//! The verbs of a session store in terms of a `Signoff`, for every version of tower-sessions alike. No trait of theirs is
//! known here.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;
use signoff::{Cause, Denied, Error, ErrorKind, Live, Login, Rejection, Scope, Session, SessionId, Subject, Update};
use time::OffsetDateTime;

use crate::record::{Stored, to_date};
use crate::rotations::{MARK, Mark};
use crate::{ANONYMOUS, CookieId, TowerSessions};

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The session has ended.
    Ended,
    /// We failed.
    Failed(Error),
    /// The record is somebody else's than the session.
    NotCycled,
    /// Another node may be logging the session out.
    Shared,
    /// There is a session of this id, dead or alive.
    Taken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the session has ended, and nothing brings it back"),
            Self::Failed(error) => error.fmt(f),
            Self::Shared => f.write_str("on a store that nodes share, somebody's session keeps its id: log in again"),
            Self::NotCycled => f.write_str("a session stays with its subject: a login has to call cycle_id"),
            Self::Taken => f.write_str("there is, or was, another session of this id"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Failed(error) if error.kind() == ErrorKind::Conflict => Self::Taken,
            Denied::Failed(error) => Self::Failed(error),
            // An outage is not an end: the layer would take the session for gone, and open another.
            Denied::Rejected(rejection @ Rejection::Stale) => Self::Failed(
                Error::new(ErrorKind::Unavailable, "cannot tell whether the session lives").with_source(rejection),
            ),
            Denied::Rejected(_) => Self::Ended,
        }
    }
}

/// How often a save begins anew because another one was faster. Each time somebody else's has got through.
const ATTEMPTS: usize = 100;

impl TowerSessions {
    pub(crate) async fn create(
        &self,
        id: CookieId,
        data: &mut HashMap<String, Value>,
        expires: OffsetDateTime,
    ) -> Result<(), Failure> {
        let anonymous = Subject::new(ANONYMOUS)?;
        let subject = (self.0.subject)(data)?.unwrap_or_else(|| anonymous.clone());
        // A record that was loaded from a session of the same subject is that session under another id. Who logs in as
        // somebody else has proven who they are since.
        let before = Mark::of(data).filter(|mark| mark.subject == subject.as_str() || subject == anonymous);
        let old = before.as_ref().map(|mark| mark.session().ok_or(Failure::Ended)).transpose()?;
        if old.is_some_and(|old| !self.0.rotations.allow(old)) {
            return Err(Failure::Ended);
        }
        // What another node deletes between the two is not known here.
        if old.is_some() && self.signoff().is_shared() {
            return Err(Failure::Shared);
        }
        let login = Login::new(subject).data(Stored::new(data, expires).write()?);
        let born = before.as_ref().map(Mark::born);
        let session = self.signoff().open_external(id.external()?, login, born).await?;
        if old.is_some_and(|old| !self.0.rotations.succeed(old, session.id)) {
            self.end(session.id).await?;
            return Err(Failure::Ended);
        }
        mark(&session, data);
        Ok(())
    }

    /// The last save wins, as tower-sessions has it, but only over other saves.
    pub(crate) async fn save(
        &self,
        id: CookieId,
        data: &HashMap<String, Value>,
        expires: OffsetDateTime,
    ) -> Result<(), Failure> {
        let subject = (self.0.subject)(data)?;
        let bytes = Stored::new(data, expires).write()?;
        for _ in 0..ATTEMPTS {
            let (live, session, _) = self.load_live(id).await?;
            if subject.as_ref().is_some_and(|subject| *subject != session.subject) {
                return Err(Failure::NotCycled);
            }
            match self.signoff().update_session(&live, session.version, &bytes).await? {
                Update::Conflict => {}
                Update::Gone => return Err(Failure::Ended),
                Update::Saved(_) => return Ok(()),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "too many others save this session").into())
    }

    pub(crate) async fn load(&self, id: CookieId) -> Result<Option<(HashMap<String, Value>, OffsetDateTime)>, Failure> {
        let (live, session, stored) = match self.load_live(id).await.map_err(Failure::from) {
            Err(Failure::Ended) => return Ok(None),
            loaded => loaded?,
        };
        let expires = stored.expires();
        match self.signoff().touch_until(&live, expires).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            // It costs idle time, not the answer.
            Err(error) => tracing::warn!(target: "signoff", error = %error, "use of a session not noted"),
        }
        let mut data = stored.data.into_owned();
        mark(&session, &mut data);
        Ok(Some((data, to_date(expires.min(session.expires_at)))))
    }

    pub(crate) async fn delete(&self, id: CookieId) -> Result<(), Failure> {
        let authentic = match self.signoff().recognise_external(id.external()?).await {
            // Nothing opens with it, and nothing ever did.
            Err(Denied::Rejected(_)) => return Ok(()),
            found => found?,
        };
        let session = *authentic.claims().session_id();
        let is_somebodys = authentic.claims().subject() != ANONYMOUS;
        let mut successor = if is_somebodys { self.0.rotations.begin(session) } else { None };
        let destroyed = self.signoff().destroy(vec![authentic], Cause::logout()).await?;
        if self.signoff().revoke_destroyed(destroyed).await?.into_receipt().destroyed() > 0 {
            self.0.rotations.ended(session);
        }
        // Its id was changed a moment ago, by a request whose answer the browser may not have seen yet.
        while let Some(next) = successor {
            successor = self.0.rotations.begin(next);
            self.end(next).await?;
        }
        Ok(())
    }

    async fn end(&self, id: SessionId) -> Result<(), Error> {
        self.signoff().revoke(Scope::Session(id.as_bytes()), Cause::logout()).await.map(|_| ())
    }

    /// A session that lives, also by the end that the layer gave its record.
    pub(crate) async fn load_live(&self, id: CookieId) -> Result<(Live, Session, Stored<'static>), Denied> {
        let (live, session) = self.signoff().authenticate_external(id.external()?).await?;
        let stored = Stored::read(&session.data)?;
        let past = self.signoff().since(stored.expires()).ok_or(Rejection::Stale)?;
        if past.is_zero() { Ok((live, session, stored)) } else { Err(Rejection::Expired.into()) }
    }
}

/// Has the record say which session it is from, if that is somebody's.
fn mark(session: &Session, data: &mut HashMap<String, Value>) {
    if session.subject.as_str() == ANONYMOUS {
        data.remove(MARK);
    } else {
        Mark::put(session, data);
    }
}
