//! The memory store as one document: JSON that is written whole and read whole. Nothing here knows where it is kept.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signoff_revocation::{Revocation, Scope, ScopeKind};

use super::{Link, MemoryStore, Row, State};
use crate::audit::{Actor, AuditEvent, AuditKind, Context, Reason};
use crate::elsewhere::{Elsewhere, Trouble};
use crate::store::{Family, Intent, IntentKey, SealedSuccessor, StoredKeyRing, Terms};
use crate::time::Timestamp;
use crate::{ClientId, Error, ErrorKind, LogoutId, Position, Session, SessionId, Subject, TokenHash};

impl MemoryStore {
    /// Everything that the store holds, as one JSON document: for a store of one's own that keeps a document in a file or
    /// under a key, and for tests. It grows with the number of sessions, so it suits thousands rather than millions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the store broke in an earlier call.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, Error> {
        let failed = |error| Error::new(ErrorKind::Internal, "the snapshot cannot be written").with_source(error);
        serde_json::to_vec(&Snapshot::of(&*self.lock()?)).map_err(failed)
    }

    /// A store with what [`MemoryStore::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] when it is something else, whole or in part.
    pub fn from_snapshot(snapshot: &[u8]) -> Result<Self, Error> {
        let broken = |error| broken().with_source(error);
        let snapshot: Snapshot = serde_json::from_slice(snapshot).map_err(broken)?;
        let store = Self::new();
        *store.lock()? = snapshot.into_state()?;
        Ok(store)
    }

    /// Puts everything back to what [`MemoryStore::to_snapshot`] wrote, under whoever uses the store: as when a database is
    /// restored from a backup, or a standby takes over that lacks the last commits. Nodes' rows are gone.
    ///
    /// # Errors
    ///
    /// As [`MemoryStore::from_snapshot`].
    #[cfg(feature = "test-util")]
    #[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
    pub fn go_back(&self, snapshot: &[u8]) -> Result<(), Error> {
        let earlier = Self::from_snapshot(snapshot)?;
        *self.lock()? = std::mem::take(&mut *earlier.lock()?);
        Ok(())
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Data, "the snapshot is broken")
}

/// The cutoffs and the index by subject are not written: they follow from the rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    head: u64,
    terms: Option<(Duration, Duration)>,
    sessions: Vec<SessionDoc>,
    tokens: Vec<([u8; 32], [u8; 16])>,
    families: Vec<FamilyDoc>,
    links: Vec<LinkDoc>,
    /// Position, kind, id and end of each entry.
    log: Vec<(u64, u8, Vec<u8>, i64)>,
    audit: Vec<EventDoc>,
    key_ring: Option<(u64, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionDoc {
    id: [u8; 16],
    subject: String,
    client_id: String,
    born: u64,
    created_at: i64,
    authenticated_at: i64,
    last_seen_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    destroyed: bool,
    scope: Option<String>,
    claims: Option<String>,
    data: Vec<u8>,
    version: u64,
    device: Option<String>,
    context: ContextDoc,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyDoc {
    key: [u8; 32],
    session: [u8; 16],
    current: [u8; 32],
    previous: Option<[u8; 32]>,
    sealed: Option<Vec<u8>>,
    grace_until: i64,
    generation: u64,
    reuse: Option<[u8; 16]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkDoc {
    session: [u8; 16],
    number: u32,
    subject: String,
    destroyer: String,
    key: String,
    attempts: u32,
    retry_at: i64,
    trouble: Option<String>,
    ended: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventDoc {
    at: i64,
    kind: String,
    subject: Option<String>,
    actor: String,
    reason: Option<String>,
    session: Option<String>,
    logout: Option<[u8; 16]>,
    detail: Option<String>,
    context: ContextDoc,
}

/// Address and user agent.
#[derive(Serialize, Deserialize)]
struct ContextDoc(Option<String>, Option<String>);

impl Snapshot {
    fn of(state: &State) -> Self {
        let entry = |entry: &Revocation| {
            let (scope, position) = (entry.scope(), entry.position().get());
            (position, scope.kind().code(), scope.id().to_vec(), entry.expires_at().as_micros())
        };
        Self {
            head: state.head,
            terms: state.terms.map(|terms| (terms.longest_session, terms.leeway)),
            sessions: state.sessions.values().map(SessionDoc::of).collect(),
            tokens: state.tokens.iter().map(|(hash, id)| (*hash.as_bytes(), *id.as_bytes())).collect(),
            families: state.families.iter().map(|(key, family)| FamilyDoc::of(key, family)).collect(),
            links: state.links.values().map(LinkDoc::of).collect(),
            log: state.log.iter().map(entry).collect(),
            audit: state.audit.iter().map(EventDoc::of).collect(),
            key_ring: state.key_ring.as_ref().map(|ring| (ring.version, ring.document.clone())),
        }
    }

    fn into_state(self) -> Result<State, Error> {
        let mut state = State { head: position(self.head)?.get(), ..State::default() };
        state.terms = self.terms.map(|(longest_session, leeway)| Terms { longest_session, leeway });
        for session in self.sessions {
            let row = session.into_row()?;
            let (id, subject) = (row.session.id, row.session.subject.clone());
            state.by_subject.entry(subject).or_default().insert(id);
            state.sessions.insert(id, row);
        }
        state.tokens = self
            .tokens
            .into_iter()
            .map(|(hash, id)| (TokenHash::from_bytes(hash), SessionId::from_bytes(id)))
            .collect();
        state.families = self.families.into_iter().map(FamilyDoc::into_family).collect::<Result<HashMap<_, _>, _>>()?;
        for link in self.links {
            let link = link.into_link()?;
            state.links.insert(link.intent.key, link);
        }
        for (at, kind, id, expires_at) in self.log {
            let scope = ScopeKind::from_code(kind).and_then(|kind| Scope::from_parts(kind, &id)).ok_or_else(broken)?;
            let entry = Revocation::new(scope, position(at)?, time(expires_at)?);
            let disordered = state.log.last().is_some_and(|last| last.position() >= entry.position());
            if disordered || entry.position().get() > state.head {
                return Err(broken());
            }
            state.cut_off(&entry);
            state.log.push(entry);
        }
        state.audit = self.audit.into_iter().map(EventDoc::into_event).collect::<Result<_, _>>()?;
        state.key_ring = self.key_ring.map(|(version, document)| StoredKeyRing { version, document });
        Ok(state)
    }
}

impl SessionDoc {
    fn of(row: &Row) -> Self {
        let Row { session, destroyed } = row;
        Self {
            id: *session.id.as_bytes(),
            subject: session.subject.as_str().to_owned(),
            client_id: session.client_id.as_str().to_owned(),
            born: session.born.get(),
            created_at: session.created_at.as_micros(),
            authenticated_at: session.authenticated_at.as_micros(),
            last_seen_at: session.last_seen_at.as_micros(),
            idle_expires_at: session.idle_expires_at.as_micros(),
            expires_at: session.expires_at.as_micros(),
            destroyed: *destroyed,
            scope: session.scope.clone(),
            claims: session.claims.clone(),
            data: session.data.clone(),
            version: session.version,
            device: session.device.clone(),
            context: ContextDoc::of(&session.context),
        }
    }

    fn into_row(self) -> Result<Row, Error> {
        let session = Session {
            id: SessionId::from_bytes(self.id),
            subject: subject(&self.subject)?,
            client_id: ClientId::new(&self.client_id).map_err(|_| broken())?,
            born: position(self.born)?,
            created_at: time(self.created_at)?,
            authenticated_at: time(self.authenticated_at)?,
            last_seen_at: time(self.last_seen_at)?,
            idle_expires_at: time(self.idle_expires_at)?,
            expires_at: time(self.expires_at)?,
            scope: self.scope,
            claims: self.claims,
            data: self.data,
            version: self.version,
            device: self.device,
            context: self.context.into_context()?,
            elsewhere: Vec::new(),
        };
        Ok(Row { session, destroyed: self.destroyed })
    }
}

impl FamilyDoc {
    fn of(key: &TokenHash, family: &Family) -> Self {
        Self {
            key: *key.as_bytes(),
            session: *family.session.as_bytes(),
            current: *family.current.as_bytes(),
            previous: family.previous.map(|hash| *hash.as_bytes()),
            sealed: family.sealed.as_ref().map(|sealed| sealed.as_bytes().to_vec()),
            grace_until: family.grace_until.as_micros(),
            generation: family.generation,
            reuse: family.reuse.map(|id| *id.as_bytes()),
        }
    }

    fn into_family(self) -> Result<(TokenHash, Family), Error> {
        let family = Family {
            session: SessionId::from_bytes(self.session),
            current: TokenHash::from_bytes(self.current),
            previous: self.previous.map(TokenHash::from_bytes),
            sealed: self.sealed.map(SealedSuccessor::new),
            grace_until: time(self.grace_until)?,
            generation: self.generation,
            reuse: self.reuse.map(LogoutId::from_bytes),
        };
        Ok((TokenHash::from_bytes(self.key), family))
    }
}

impl LinkDoc {
    fn of(link: &Link) -> Self {
        let Link { intent, ended } = link;
        Self {
            session: *intent.key.session.as_bytes(),
            number: intent.key.number,
            subject: intent.subject.as_str().to_owned(),
            destroyer: intent.elsewhere.destroyer().to_owned(),
            key: intent.elsewhere.key().to_owned(),
            attempts: intent.attempts,
            retry_at: intent.retry_at.as_micros(),
            trouble: intent.trouble.map(|trouble| trouble.as_str().to_owned()),
            ended: *ended,
        }
    }

    fn into_link(self) -> Result<Link, Error> {
        let intent = Intent {
            key: IntentKey { session: SessionId::from_bytes(self.session), number: self.number },
            subject: subject(&self.subject)?,
            elsewhere: Elsewhere::new(self.destroyer, self.key),
            attempts: self.attempts,
            retry_at: time(self.retry_at)?,
            trouble: self.trouble.map(|word| Trouble::from_word(&word).ok_or_else(broken)).transpose()?,
        };
        Ok(Link { intent, ended: self.ended })
    }
}

impl EventDoc {
    fn of(event: &AuditEvent) -> Self {
        Self {
            at: event.at.as_micros(),
            kind: event.kind.as_str().to_owned(),
            subject: event.subject.as_ref().map(|subject| subject.as_str().to_owned()),
            actor: event.actor.to_text(),
            reason: event.reason.map(|reason| reason.as_str().to_owned()),
            session: event.session.clone(),
            logout: event.logout.map(|id| *id.as_bytes()),
            detail: event.detail.clone(),
            context: ContextDoc::of(&event.context),
        }
    }

    fn into_event(self) -> Result<AuditEvent, Error> {
        Ok(AuditEvent {
            at: time(self.at)?,
            kind: AuditKind::from_word(&self.kind).ok_or_else(broken)?,
            subject: self.subject.as_deref().map(subject).transpose()?,
            actor: Actor::from_text(&self.actor).ok_or_else(broken)?,
            reason: self.reason.map(|word| Reason::from_word(&word).ok_or_else(broken)).transpose()?,
            session: self.session,
            logout: self.logout.map(LogoutId::from_bytes),
            detail: self.detail,
            context: self.context.into_context()?,
        })
    }
}

impl ContextDoc {
    fn of(context: &Context) -> Self {
        Self(context.address().map(|address| address.to_string()), context.user_agent().map(str::to_owned))
    }

    fn into_context(self) -> Result<Context, Error> {
        let address = self.0.map(|address| address.parse().map_err(|_| broken())).transpose()?;
        let context = address.map_or(Context::new(), |address| Context::new().with_address(address));
        Ok(match self.1 {
            Some(user_agent) => context.with_user_agent(&user_agent),
            None => context,
        })
    }
}

fn position(number: u64) -> Result<Position, Error> {
    Position::new(number).ok_or_else(broken)
}

fn time(micros: i64) -> Result<Timestamp, Error> {
    Timestamp::from_micros(micros).ok_or_else(broken)
}

fn subject(text: &str) -> Result<Subject, Error> {
    Subject::new(text).map_err(|_| broken())
}
