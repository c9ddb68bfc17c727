//! The transaction of a logout: destroy, log, record. A batch takes as many statements as a single logout.

use std::collections::{HashMap, HashSet};
use std::future::Future;

use signoff::audit::AuditEvent;
use signoff::store::{LogPage, Outcome, Revocation, Scope, SessionTarget, SignOff, SignedOff, Target};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};

use crate::error::damaged;
use crate::rows::timestamp;
use crate::rows::{Dead, Positions};
use crate::steps;

/// What a database does in a sign-off, each verb in a constant number of statements. All run in one transaction.
pub(crate) trait Ledger: Send {
    /// Destroys those of the sessions that are not destroyed yet.
    fn destroy(&mut self, ids: &[SessionId], now: Timestamp) -> impl Future<Output = Result<Vec<Dead>, Error>> + Send;

    /// Destroys all sessions of these subjects, sparing one each where that is said.
    fn destroy_of(
        &mut self,
        subjects: &[(&Subject, Option<&SessionId>)],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Dead>, Error>> + Send;

    /// Those of the sessions that have a row.
    fn known(&mut self, ids: &[SessionId]) -> impl Future<Output = Result<HashSet<SessionId>, Error>> + Send;

    /// Locks the head of the log, and then destroys sessions of these subjects again. A login may have been committed since they
    /// were, below the position that the revocation of its person is about to get: cut off, but neither destroyed nor counted, and
    /// what belongs to it elsewhere would live on. From here on there is none.
    ///
    /// What somebody has locked is left to them: they wait for the head, so to wait for them would be a circle.
    fn destroy_late(
        &mut self,
        subjects: &[&Subject],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Dead>, Error>> + Send;

    /// The position that was handed out last.
    fn head(&mut self) -> impl Future<Output = Result<Position, Error>> + Send;

    /// Hands out `count` positions in a row, from `max(head + 1, now)` on; the last becomes the head, whose row stays
    /// locked until the transaction ends.
    fn advance(&mut self, count: usize, now: Timestamp) -> impl Future<Output = Result<Positions, Error>> + Send;

    /// Appends entries to the log, and merges the wide ones into the cutoffs.
    fn append(&mut self, entries: &[Revocation]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Adds audit records.
    fn record(&mut self, events: &[AuditEvent]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Everything but the commit.
///
/// The head moves last but for the log itself, because its row is locked from then on: whoever comes second waits until
/// this transaction has ended. So the order of positions is the order of commits, on any number of connections.
pub(crate) async fn run(ledger: &mut impl Ledger, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
    let ids: Vec<_> = named(batch).map(|target| target.id).collect();
    let mut dead = Vec::new();
    if !ids.is_empty() {
        dead = ledger.destroy(&ids, now).await?;
    }
    let destroyed: HashSet<_> = dead.iter().map(|dead| dead.id).collect();
    let missing: Vec<_> = ids.into_iter().filter(|id| !destroyed.contains(id)).collect();
    let mut known = HashSet::new();
    if !missing.is_empty() {
        known = ledger.known(&missing).await?;
    }
    let subjects: Vec<_> = batch.iter().filter_map(subject).collect();
    if !subjects.is_empty() {
        dead.append(&mut ledger.destroy_of(&subjects, now).await?);
        let whole: Vec<_> =
            subjects.iter().filter(|(_, spared)| spared.is_none()).map(|(subject, _)| *subject).collect();
        if !whole.is_empty() {
            dead.append(&mut ledger.destroy_late(&whole, now).await?);
        }
    }
    let draft = Draft::new(batch, &dead, &known, now);
    steps::reached("sign-off: destroyed");

    let page = append(ledger, draft.entries, now).await?;
    if !draft.events.is_empty() {
        ledger.record(&draft.events).await?;
        steps::reached("sign-off: recorded");
    }
    steps::reached("sign-off: before the commit");
    Ok(SignedOff { outcomes: draft.outcomes, page })
}

/// The sessions that a batch names.
pub(crate) fn named(batch: &[SignOff]) -> impl Iterator<Item = &SessionTarget> {
    batch.iter().flat_map(|request| match &request.target {
        Target::Sessions(targets) => targets.as_slice(),
        _ => &[],
    })
}

fn subject(request: &SignOff) -> Option<(&Subject, Option<&SessionId>)> {
    match &request.target {
        Target::Subject { subject, except, .. } => Some((subject, except.as_ref())),
        _ => None,
    }
}

async fn append(
    ledger: &mut impl Ledger,
    drafted: Vec<(Doomed<'_>, Timestamp)>,
    now: Timestamp,
) -> Result<LogPage, Error> {
    if drafted.is_empty() {
        let head = ledger.head().await?;
        return Ok(LogPage { after: head, entries: Vec::new(), through: head });
    }
    let positions = ledger.advance(drafted.len(), now).await?;
    steps::reached("sign-off: head moved");
    let mut entries = Vec::with_capacity(drafted.len());
    let mut next = Some(positions.first);
    for (scope, expires_at) in &drafted {
        let position: Position = next.ok_or_else(|| damaged("the log has no positions left"))?;
        let scope = match scope {
            Doomed::Session(id) => Scope::Session(id.as_bytes()),
            Doomed::Wide(scope) => *scope,
        };
        entries.push(Revocation::new(scope, position, *expires_at));
        next = position.following();
    }
    ledger.append(&entries).await?;
    steps::reached("sign-off: logged");
    Ok(LogPage { after: positions.after, entries, through: positions.last })
}

/// What one statement found and did about a session that was asked for.
pub(crate) struct Found {
    /// It was destroyed by this.
    pub(crate) destroyed: bool,
    /// It has a row.
    pub(crate) known: bool,
    /// The position and the expiry of its log entry, if it got one.
    pub(crate) entry: Option<(Position, i64)>,
}

/// The requests of a batch with their sessions, one by one, if sessions are all that it names and none twice: the common
/// case, for which a database may have a shorter way than [`run`].
pub(crate) fn distinct_sessions(batch: &[SignOff]) -> Option<Vec<(&SignOff, &SessionTarget)>> {
    let mut seen = HashSet::new();
    let mut asked = Vec::with_capacity(batch.len());
    for request in batch {
        let Target::Sessions(targets) = &request.target else { return None };
        for target in targets {
            seen.insert(target.id).then(|| asked.push((request, target)))?;
        }
    }
    Some(asked)
}

/// What a batch of [`distinct_sessions`] did, from what was found in the same order, and the head before and after.
pub(crate) fn assemble(
    batch: &[SignOff],
    found: impl IntoIterator<Item = Found>,
    after: Position,
    through: Position,
) -> Result<SignedOff, Error> {
    let mut found = found.into_iter();
    let mut entries: Vec<Revocation> = Vec::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for request in batch {
        let mut outcome = Outcome::default();
        for target in named(std::slice::from_ref(request)) {
            let found = found.next().ok_or_else(|| damaged("the database forgot a session that was asked for"))?;
            match found {
                Found { destroyed: true, .. } => outcome.destroyed += 1,
                Found { known: true, .. } => outcome.gone += 1,
                _ => outcome.unknown += 1,
            }
            if let Some((position, until)) = found.entry {
                entries.push(Revocation::new(Scope::Session(target.id.as_bytes()), position, timestamp(until)?));
            }
        }
        outcomes.push(outcome);
    }
    Ok(SignedOff { outcomes, page: LogPage { after, entries, through } })
}

/// What an entry will kill.
enum Doomed<'a> {
    Session(SessionId),
    Wide(Scope<'a>),
}

/// What a batch will append, before its positions are known.
#[derive(Default)]
struct Draft<'a> {
    outcomes: Vec<Outcome>,
    entries: Vec<(Doomed<'a>, Timestamp)>,
    events: Vec<AuditEvent>,
}

impl<'a> Draft<'a> {
    /// Says what each request did as if they had come one after the other: of several that end a session, the first one
    /// destroyed it.
    fn new(batch: &'a [SignOff], dead: &[Dead], known: &HashSet<SessionId>, now: Timestamp) -> Self {
        let mut draft = Self::default();
        let mut pending: HashMap<SessionId, &Dead> = dead.iter().map(|dead| (dead.id, dead)).collect();
        let mut of_subject: HashMap<&Subject, Vec<&Dead>> = HashMap::new();
        for dead in dead {
            of_subject.entry(&dead.subject).or_default().push(dead);
        }
        let was_there: HashSet<_> = dead.iter().map(|dead| dead.id).chain(known.iter().copied()).collect();
        for request in batch {
            let mut outcome = Outcome::default();
            match &request.target {
                Target::Sessions(targets) => {
                    for target in targets {
                        if let Some(dead) = pending.remove(&target.id) {
                            outcome.destroyed += 1;
                            draft.destroyed(request, dead, true, now);
                        } else if was_there.contains(&target.id) {
                            outcome.gone += 1;
                        } else {
                            outcome.unknown += 1;
                            draft.unknown(request, target, now);
                        }
                    }
                }
                Target::Subject { subject, except, revoke_until } => {
                    for dead in of_subject.get(subject).into_iter().flatten() {
                        if Some(dead.id) != *except && pending.remove(&dead.id).is_some() {
                            outcome.destroyed += 1;
                            // The entry of the subject kills them all; only when one is spared does each need its own.
                            draft.destroyed(request, dead, except.is_some(), now);
                        }
                    }
                    if except.is_none() {
                        draft.entries.push((Doomed::Wide(Scope::Subject(subject.as_str())), *revoke_until));
                    }
                    draft.events.push(request.audit(Some(subject), None, outcome.destroyed, now));
                }
                Target::Scope { revocation, revoke_until } => {
                    draft.entries.push((Doomed::Wide(revocation.as_scope()), *revoke_until));
                    draft.events.push(request.audit(None, None, 0, now));
                }
            }
            draft.outcomes.push(outcome);
        }
        draft
    }

    fn destroyed(&mut self, request: &SignOff, dead: &Dead, revoke: bool, now: Timestamp) {
        if revoke {
            let until = dead.expires_at.saturating_add(request.margin);
            self.entries.push((Doomed::Session(dead.id), until));
        }
        self.events.push(request.audit(Some(&dead.subject), Some(&dead.id), 1, now));
    }

    fn unknown(&mut self, request: &SignOff, target: &SessionTarget, now: Timestamp) {
        if let Some(until) = target.revoke_unknown_until {
            self.entries.push((Doomed::Session(target.id), until));
            self.events.push(request.audit(None, Some(&target.id), 0, now));
        }
    }
}
