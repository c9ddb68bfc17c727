//! A store in memory: for tests, and for services whose sessions may end with the process. Nothing here is durable.

mod nodes;
mod snapshot;
mod state;

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use signoff_revocation::{LogPage, Revocation};

use super::{
    CreatedSessions, Exchange, Exchanged, Family, Intent, IntentsOf, LogRead, NewSession, Nodes, Postponed, Purged,
    Seat, SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Target, Terms, Touch,
};
use crate::audit::AuditEvent;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Position, Session, SessionId, Subject, TokenHash, Update};

use state::{Link, Row, State, links_of};

/// A [`Store`] that forgets everything when the process ends.
///
/// With it the promise of a logout holds for as long as the process: after a restart there are no sessions, but a JWT
/// that was revoked before would be accepted again *if the signing key survived*. So use it with a key that does not.
#[derive(Debug, Default)]
pub struct MemoryStore {
    seat: Seat,
    state: Arc<Mutex<State>>,
    shared: Option<nodes::Shared>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic while the lock is held would leave half a transaction behind: no answer then.
    fn lock(&self) -> Result<MutexGuard<'_, State>, Error> {
        self.state.lock().map_err(|_| Error::new(ErrorKind::Internal, "the memory store broke in an earlier call"))
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn seat(&self) -> &Seat {
        &self.seat
    }

    fn nodes(&self) -> Option<&dyn Nodes> {
        self.shared.as_ref().map(|_| self as &dyn Nodes)
    }

    async fn agree(&self, terms: Terms) -> Result<Terms, Error> {
        let mut state = self.lock()?;
        let agreed = state.terms.map_or(terms, |agreed| agreed.merge(terms));
        state.terms = Some(agreed);
        Ok(agreed)
    }

    async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error> {
        let mut state = self.lock()?;
        state.reserve(2 * batch.len(), now)?;
        let (after, known) = (state.head(), state.log.len());
        let old = batch.iter().filter_map(|request| request.replaces.as_ref()).map(|old| old.id);
        let old: HashSet<_> = old.filter(|id| state.sessions.contains_key(id)).collect();
        let outcomes = batch.iter().map(|request| state.create(request, &old, now)).collect::<Result<_, _>>()?;
        let page = LogPage { after, entries: state.log[known..].to_vec(), through: state.head() };
        Ok(CreatedSessions { outcomes, page })
    }

    async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
        let state = self.lock()?;
        let row = state.find(key).and_then(|id| state.live(&id, now));
        Ok(row.map(|row| row.session.clone()))
    }

    async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error> {
        let state = self.lock()?;
        let row = state.find(SessionKey::Token(token)).and_then(|id| state.sessions.get(&id));
        Ok(row.map(|row| row.session.clone()))
    }

    async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error> {
        let state = self.lock()?;
        let row = state.families.get(family).and_then(|family| state.sessions.get(&family.session));
        Ok(row.map(|row| row.session.clone()))
    }

    async fn list_sessions(
        &self,
        subject: &Subject,
        after: Option<&SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        let state = self.lock()?;
        let Some(theirs) = state.by_subject.get(subject) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let live = theirs.range((from, Bound::Unbounded)).filter_map(|id| state.live(id, now));
        Ok(live.take(limit as usize).map(|row| row.session.clone()).collect())
    }

    async fn update_session(&self, id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Result<Update, Error> {
        let mut state = self.lock()?;
        let Some(row) = state.live_mut(id, now) else { return Ok(Update::Gone) };
        if row.session.version != version {
            return Ok(Update::Conflict);
        }
        row.session.version += 1;
        row.session.data = data.to_vec();
        Ok(Update::Saved(row.session.version))
    }

    async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error> {
        let mut state = self.lock()?;
        for touch in batch {
            let Some(row) = state.live_mut(&touch.id, now) else { continue };
            let session = &mut row.session;
            session.last_seen_at = session.last_seen_at.max(now);
            session.idle_expires_at = session.idle_expires_at.max(touch.idle_expires_at.min(session.expires_at));
        }
        Ok(batch.iter().map(|touch| state.live(&touch.id, now).map(|row| row.session.clone())).collect())
    }

    async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
        let mut state = self.lock()?;
        let named = batch.iter().map(|request| match &request.target {
            Target::Sessions(targets) => targets.len(),
            _ => 1,
        });
        state.reserve(named.sum::<usize>() + state.sessions.len(), now)?;
        let (after, known) = (state.head(), state.log.len());
        let outcomes = batch.iter().map(|request| state.sign_off(request, now)).collect::<Result<_, _>>()?;
        let page = LogPage { after, entries: state.log[known..].to_vec(), through: state.head() };
        Ok(SignedOff { outcomes, page })
    }

    async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
        let mut state = self.lock()?;
        state.reserve(batch.len(), now)?;
        let (after, known) = (state.head(), state.log.len());
        let outcomes = batch.iter().map(|request| state.exchange(request, now)).collect::<Result<_, _>>()?;
        let page = LogPage { after, entries: state.log[known..].to_vec(), through: state.head() };
        Ok(Exchanged { outcomes, page })
    }

    async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        let state = self.lock()?;
        // It looks at the living too: that is only the memory store's to afford.
        let asked = state.links.values().filter(|Link { intent, ended }| match of {
            IntentsOf::All => *ended || intent.retry_at <= now,
            IntentsOf::Due => intent.retry_at <= now,
            IntentsOf::Sessions(ids) => *ended && ids.contains(&intent.key.session),
            IntentsOf::Subject(subject) => *ended && intent.subject == *subject,
        });
        let mut intents: Vec<_> = asked.map(|link| link.intent.clone()).collect();
        intents.sort_by_key(|intent| intent.retry_at);
        intents.truncate(limit as usize);
        Ok(intents)
    }

    async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
        let mut state = self.lock()?;
        let mut written = Vec::with_capacity(postponed.len());
        for one in postponed {
            let link = state.links.get_mut(&one.key).filter(|link| link.intent.attempts == one.read);
            written.push(link.is_some());
            let Some(link) = link else { continue };
            link.ended = true;
            link.intent.attempts = one.attempts;
            (link.intent.retry_at, link.intent.trouble) = (one.retry_at, one.trouble);
            state.audit.extend(one.audit.clone());
        }
        Ok(written)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), Error> {
        let mut state = self.lock()?;
        for one in settled {
            if state.links.remove(&one.key).is_some() {
                state.audit.push(one.audit.clone());
            }
        }
        Ok(())
    }

    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        let state = self.lock()?;
        let start = state.log.partition_point(|entry| entry.position() <= after);
        let entries: Vec<_> = state.log[start..].iter().take(limit as usize).cloned().collect();
        let head = state.head();
        let full = entries.len() == limit as usize;
        let through = entries.last().filter(|_| full).map_or(head, Revocation::position);
        Ok(LogRead { page: LogPage { after, entries, through }, head })
    }

    async fn record(&self, event: &AuditEvent) -> Result<(), Error> {
        self.lock()?.audit.push(event.clone());
        Ok(())
    }

    async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
        let state = self.lock()?;
        let theirs = state.audit.iter().rev().filter(|event| event.subject.as_ref() == Some(subject));
        Ok(theirs.take(limit as usize).cloned().collect())
    }

    async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
        let mut state = self.lock()?;
        let settled = |id| state.links.range(links_of(id)).next().is_none();
        let over = state.sessions.values().filter(|row| row.session.expires_at <= horizon && settled(row.session.id));
        let over: HashSet<_> = over.take(limit as usize).map(|row| row.session.id).collect();
        for id in &over {
            let row = state.sessions.remove(id);
            let siblings = row.and_then(|row| state.by_subject.get_mut(&row.session.subject));
            siblings.map(|siblings| siblings.remove(id));
        }
        state.tokens.retain(|_, session| !over.contains(session));
        state.families.retain(|_, family| !over.contains(&family.session));
        let stale = |family: &&mut Family| family.sealed.is_some() && family.grace_until <= horizon;
        let mut successors = 0;
        for family in state.families.values_mut().filter(stale).take(limit as usize) {
            family.sealed = None;
            successors += 1;
        }
        state.by_subject.retain(|_, sessions| !sessions.is_empty());
        state.cutoffs.retain(|_, (_, expires_at)| *expires_at > horizon);
        let mut revocations = 0;
        state.log.retain(|entry| {
            let drop = entry.expires_at() <= horizon && revocations < u64::from(limit);
            revocations += u64::from(drop);
            !drop
        });
        Ok(Purged { sessions: over.len() as u64, revocations, successors })
    }

    async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error> {
        Ok(self.lock()?.key_ring.clone())
    }

    async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error> {
        let mut state = self.lock()?;
        let current = state.key_ring.as_ref().map_or(0, |ring| ring.version);
        if current != expected {
            return Ok(false);
        }
        state.key_ring = Some(StoredKeyRing { version: expected + 1, document: document.to_owned() });
        Ok(true)
    }
}
