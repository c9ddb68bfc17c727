//! A store in memory: for tests, and for services whose sessions may end with the process. Nothing here is durable.

mod nodes;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::{Bound, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use signoff_revocation::{LogPage, Revocation, Scope};

use super::{
    CreateOutcome, CreatedSessions, Decision, Exchange, ExchangeOutcome, Exchanged, Family, Intent, IntentKey,
    IntentsOf, LogRead, NewSession, Node, Nodes, Outcome, Postponed, Purged, Repeated, ScopeBuf, ScopeKind, Seat,
    SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Target, Terms, Touch,
};
use crate::audit::AuditEvent;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, NodeId, Position, Session, SessionId, Subject, TokenHash, Update};

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

#[derive(Debug, Default)]
struct State {
    head: u64,
    terms: Option<Terms>,
    sessions: HashMap<SessionId, Row>,
    by_subject: HashMap<Subject, BTreeSet<SessionId>>,
    tokens: HashMap<TokenHash, SessionId>,
    families: HashMap<TokenHash, Family>,
    links: BTreeMap<IntentKey, Link>,
    /// Invariant: in growing order of position.
    log: Vec<Revocation>,
    /// The last position and the latest expiry of every wide scope in the log.
    cutoffs: HashMap<ScopeBuf, (Position, Timestamp)>,
    audit: Vec<AuditEvent>,
    key_ring: Option<StoredKeyRing>,
    nodes: HashMap<NodeId, Node>,
}

#[derive(Debug)]
struct Row {
    session: Session,
    destroyed: bool,
}

/// A session of another store: what becomes an intent.
#[derive(Debug)]
struct Link {
    intent: Intent,
    /// Its session is destroyed, or it was tried.
    ended: bool,
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

impl State {
    fn head(&self) -> Position {
        Position::new(self.head).unwrap_or(Position::MAX)
    }

    fn advance(&mut self, now: Timestamp) -> Result<Position, Error> {
        let position = Position::next(self.head(), now)
            .ok_or_else(|| Error::new(ErrorKind::Data, "the log has no positions left"))?;
        self.head = position.get();
        Ok(position)
    }

    fn live(&self, id: &SessionId, now: Timestamp) -> Option<&Row> {
        let row = self.sessions.get(id)?;
        let session = &row.session;
        let scopes =
            [Scope::Subject(session.subject.as_str()), Scope::Client(session.client_id.as_str()), Scope::Everything];
        let cut_off = scopes.into_iter().any(|scope| {
            let cutoff = self.cutoffs.get(&scope.into());
            cutoff.is_some_and(|(position, expires_at)| *position > session.born && *expires_at > now)
        });
        (!row.destroyed && !session.is_expired(now) && !cut_off).then_some(row)
    }

    fn live_mut(&mut self, id: &SessionId, now: Timestamp) -> Option<&mut Row> {
        self.live(id, now)?;
        self.sessions.get_mut(id)
    }

    fn find(&self, key: SessionKey<'_>) -> Option<SessionId> {
        match key {
            SessionKey::Id(id) => Some(*id),
            SessionKey::Token(hash) => self.tokens.get(hash).copied(),
        }
    }

    fn append(&mut self, scope: Scope<'_>, expires_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let entry = Revocation::new(scope, self.advance(now)?, expires_at);
        self.cut_off(&entry);
        self.log.push(entry);
        Ok(())
    }

    /// Merges the latest entry of the log into the cutoff of its scope.
    fn cut_off(&mut self, entry: &Revocation) {
        let (position, expires_at) = (entry.position(), entry.expires_at());
        let cutoff = self.cutoffs.entry(entry.scope().into()).or_insert((position, expires_at));
        *cutoff = (position, cutoff.1.max(expires_at));
    }

    /// Destroys a session that is not destroyed yet, revokes it, and writes the record.
    fn destroy(&mut self, id: SessionId, request: &SignOff, now: Timestamp, revoke: bool) -> Result<bool, Error> {
        let Some(row) = self.sessions.get_mut(&id).filter(|row| !row.destroyed) else { return Ok(false) };
        row.destroyed = true;
        row.session.data.clear();
        row.session.claims = None;
        let expires_at = row.session.expires_at.saturating_add(request.margin);
        let event = request.audit(Some(&row.session.subject), Some(&id), 1, now);
        for link in self.links.range_mut(links_of(id)).map(|(_, link)| link).filter(|link| !link.ended) {
            link.ended = true;
            link.intent.retry_at = now;
        }
        if revoke {
            self.append(Scope::Session(id.as_bytes()), expires_at, now)?;
        }
        self.audit.push(event);
        Ok(true)
    }

    /// `old` are the sessions that were there before the batch.
    fn create(
        &mut self,
        request: &NewSession,
        old: &HashSet<SessionId>,
        now: Timestamp,
    ) -> Result<CreateOutcome, Error> {
        let NewSession { session, token, refresh, audit, replaces } = request;
        let token_exists = token.is_some_and(|token| self.tokens.contains_key(&token));
        let family_exists = refresh.is_some_and(|refresh| self.families.contains_key(&refresh.family));
        if token_exists || family_exists || self.sessions.contains_key(&session.id) {
            return Ok(CreateOutcome::Conflict);
        }
        if let Some(replace) = replaces {
            let Some(row) = self.live(&replace.id, now).filter(|_| old.contains(&replace.id)) else {
                return Ok(CreateOutcome::Gone);
            };
            if replace.version.is_some_and(|version| version != row.session.version) {
                return Ok(CreateOutcome::Changed);
            }
            self.destroy(replace.id, &replace.sign_off(), now, true)?;
        }
        let born = self.advance(now)?;
        for (number, elsewhere) in (0..).zip(&session.elsewhere) {
            let key = IntentKey { session: session.id, number };
            let (subject, elsewhere) = (session.subject.clone(), elsewhere.clone());
            let intent = Intent { key, subject, elsewhere, attempts: 0, retry_at: session.expires_at, trouble: None };
            self.links.insert(key, Link { intent, ended: false });
        }
        let kept = Session { born, version: 1, elsewhere: Vec::new(), ..session.clone() };
        self.sessions.insert(session.id, Row { session: kept, destroyed: false });
        self.by_subject.entry(session.subject.clone()).or_default().insert(session.id);
        if let Some(token) = token {
            self.tokens.insert(*token, session.id);
        }
        if let Some(refresh) = refresh {
            self.families.insert(refresh.family, Family::new(session.id, refresh));
        }
        self.audit.push(audit.clone());
        Ok(CreateOutcome::Created(born))
    }

    fn exchange(&mut self, request: &Exchange, now: Timestamp) -> Result<ExchangeOutcome, Error> {
        let Some(mut family) = self.families.get(&request.family).cloned() else {
            return Ok(ExchangeOutcome::Unknown);
        };
        let id = family.session;
        let decision = family.exchange(request, self.live(&id, now).is_some(), now);
        if decision == Decision::Reused {
            self.sign_off(&request.sign_off(&id), now)?;
        }
        let Some(row) = self.sessions.get_mut(&id) else { return Ok(ExchangeOutcome::Unknown) };
        let successor = family.current;
        match decision {
            Decision::Gone => return Ok(ExchangeOutcome::Gone),
            Decision::Reused => {
                self.families.insert(request.family, family);
            }
            Decision::Rotated => {
                row.session.last_seen_at = now;
                row.session.idle_expires_at = request.idle_expires_at.min(row.session.expires_at);
                self.families.insert(request.family, family);
            }
            Decision::Repeated(_) | Decision::Same(_) => {}
        }
        let session = row.session.clone();
        Ok(match decision {
            Decision::Gone => ExchangeOutcome::Gone,
            Decision::Reused | Decision::Repeated(Repeated::Reused) => ExchangeOutcome::Reused(session),
            Decision::Rotated | Decision::Repeated(Repeated::Rotated) => ExchangeOutcome::Rotated(session),
            Decision::Same(sealed) => ExchangeOutcome::Same { session, successor, sealed },
        })
    }

    /// Nothing that appends at most `most` entries can fail halfway if there are positions for all of them.
    fn reserve(&self, most: usize, now: Timestamp) -> Result<(), Error> {
        let last = Position::next(self.head(), now).and_then(|next| Position::new(next.get() + most as u64));
        last.map(|_| ()).ok_or_else(|| Error::new(ErrorKind::Data, "the log has no positions left"))
    }

    fn sign_off(&mut self, request: &SignOff, now: Timestamp) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        match &request.target {
            Target::Scope { revocation, revoke_until } => {
                self.append(revocation.as_scope(), *revoke_until, now)?;
                self.audit.push(request.audit(None, None, 0, now));
            }
            Target::Sessions(targets) => {
                for target in targets {
                    if self.destroy(target.id, request, now, true)? {
                        outcome.destroyed += 1;
                    } else if self.sessions.contains_key(&target.id) {
                        outcome.gone += 1;
                    } else {
                        outcome.unknown += 1;
                        if let Some(until) = target.revoke_unknown_until {
                            self.append(Scope::Session(target.id.as_bytes()), until, now)?;
                            self.audit.push(request.audit(None, Some(&target.id), 0, now));
                        }
                    }
                }
            }
            Target::Subject { subject, except, revoke_until } => {
                for id in self.by_subject.get(subject).cloned().unwrap_or_default() {
                    if Some(id) == *except {
                        continue;
                    }
                    outcome.destroyed += u64::from(self.destroy(id, request, now, except.is_some())?);
                }
                if except.is_none() {
                    self.append(Scope::Subject(subject.as_str()), *revoke_until, now)?;
                }
                self.audit.push(request.audit(Some(subject), None, outcome.destroyed, now));
            }
        }
        Ok(outcome)
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

fn links_of(session: SessionId) -> RangeInclusive<IntentKey> {
    IntentKey { session, number: 0 }..=IntentKey { session, number: u32::MAX }
}

const _: () = assert!(ScopeKind::ALL.len() == 6, "a new kind of scope must be considered in `live`");
