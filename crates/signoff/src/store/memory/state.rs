//! The rows of the memory store, and what one request does to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use signoff_revocation::{Revocation, Scope};

use crate::audit::AuditEvent;
use crate::store::{
    CreateOutcome, Decision, Exchange, ExchangeOutcome, Family, Intent, IntentKey, NewSession, Node, Outcome, Repeated,
    ScopeBuf, SessionKey, SignOff, StoredKeyRing, Target, Terms,
};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, NodeId, Position, Session, SessionId, Subject, TokenHash};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) head: u64,
    pub(super) terms: Option<Terms>,
    pub(super) sessions: HashMap<SessionId, Row>,
    pub(super) by_subject: HashMap<Subject, BTreeSet<SessionId>>,
    pub(super) tokens: HashMap<TokenHash, SessionId>,
    pub(super) families: HashMap<TokenHash, Family>,
    pub(super) links: BTreeMap<IntentKey, Link>,
    /// Invariant: in growing order of position.
    pub(super) log: Vec<Revocation>,
    /// The last position and the latest expiry of every wide scope in the log.
    pub(super) cutoffs: HashMap<ScopeBuf, (Position, Timestamp)>,
    pub(super) audit: Vec<AuditEvent>,
    pub(super) key_ring: Option<StoredKeyRing>,
    pub(super) nodes: HashMap<NodeId, Node>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) session: Session,
    pub(super) destroyed: bool,
}

/// A session of another store: what becomes an intent.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) intent: Intent,
    /// Its session is destroyed, or it was tried.
    pub(super) ended: bool,
}

impl State {
    pub(super) fn head(&self) -> Position {
        Position::new(self.head).unwrap_or(Position::MAX)
    }

    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Position, Error> {
        let position = Position::next(self.head(), now)
            .ok_or_else(|| Error::new(ErrorKind::Data, "the log has no positions left"))?;
        self.head = position.get();
        Ok(position)
    }

    pub(super) fn live(&self, id: &SessionId, now: Timestamp) -> Option<&Row> {
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

    pub(super) fn live_mut(&mut self, id: &SessionId, now: Timestamp) -> Option<&mut Row> {
        self.live(id, now)?;
        self.sessions.get_mut(id)
    }

    pub(super) fn find(&self, key: SessionKey<'_>) -> Option<SessionId> {
        match key {
            SessionKey::Id(id) => Some(*id),
            SessionKey::Token(hash) => self.tokens.get(hash).copied(),
        }
    }

    pub(super) fn append(&mut self, scope: Scope<'_>, expires_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let entry = Revocation::new(scope, self.advance(now)?, expires_at);
        self.cut_off(&entry);
        self.log.push(entry);
        Ok(())
    }

    /// Merges the latest entry of the log into the cutoff of its scope.
    pub(super) fn cut_off(&mut self, entry: &Revocation) {
        let (position, expires_at) = (entry.position(), entry.expires_at());
        let cutoff = self.cutoffs.entry(entry.scope().into()).or_insert((position, expires_at));
        *cutoff = (position, cutoff.1.max(expires_at));
    }

    /// Destroys a session that is not destroyed yet, revokes it, and writes the record.
    pub(super) fn destroy(
        &mut self,
        id: SessionId,
        request: &SignOff,
        now: Timestamp,
        revoke: bool,
    ) -> Result<bool, Error> {
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
    pub(super) fn create(
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

    pub(super) fn exchange(&mut self, request: &Exchange, now: Timestamp) -> Result<ExchangeOutcome, Error> {
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
    pub(super) fn reserve(&self, most: usize, now: Timestamp) -> Result<(), Error> {
        let last = Position::next(self.head(), now).and_then(|next| Position::new(next.get() + most as u64));
        last.map(|_| ()).ok_or_else(|| Error::new(ErrorKind::Data, "the log has no positions left"))
    }

    pub(super) fn sign_off(&mut self, request: &SignOff, now: Timestamp) -> Result<Outcome, Error> {
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

pub(super) fn links_of(session: SessionId) -> RangeInclusive<IntentKey> {
    IntentKey { session, number: 0 }..=IntentKey { session, number: u32::MAX }
}
