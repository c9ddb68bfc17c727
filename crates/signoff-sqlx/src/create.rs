//! The transaction of logins: end what is replaced, move the head, log, create, record. A batch takes as many statements as
//! a single login.

use std::collections::{HashMap, HashSet};
use std::future::Future;

use signoff::audit::AuditEvent;
use signoff::store::{CreateOutcome, CreatedSessions, LogPage, NewSession, Revocation, Scope};
use signoff::time::Timestamp;
use signoff::{Error, Position, Session, SessionId, TokenHash};

use crate::error::damaged;
use crate::exchange::hash;
use crate::rows::{Dead, Fields, Positions, dead, session_id};
use crate::sign_off::Ledger;
use crate::steps;

/// A new session, and which of the positions that its transaction hands out it is born at, from 1.
pub(crate) struct Birth<'a> {
    pub(crate) new: &'a NewSession,
    pub(crate) nth: usize,
}

/// What a database does when sessions are created, each verb in a constant number of statements.
pub(crate) trait Births: Ledger {
    /// Locks these sessions, in the order of their ids, and then the head of the log, as a sign-off does, so that the two
    /// cannot deadlock.
    fn lock(&mut self, ids: &[SessionId]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Those of the sessions that are live, as [`old`] reads them. They are locked, and the head is, so they stay so.
    fn replaceable(
        &mut self,
        ids: &[SessionId],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Old>, Error>> + Send;

    /// What of these sessions exists already. The head is locked, so nobody adds to it.
    fn taken(&mut self, batch: &[NewSession]) -> impl Future<Output = Result<Taken, Error>> + Send;

    /// Adds what belongs to a session in other stores.
    fn link(&mut self, new: &Session) -> impl Future<Output = Result<(), Error>> + Send;

    /// Hands out `count` positions, as [`Ledger::advance`], and adds the sessions with their tokens, families and records.
    ///
    /// [`ErrorKind::Conflict`](signoff::ErrorKind::Conflict) when something of them exists; then the transaction is of no more use.
    fn bear(
        &mut self,
        births: &[Birth<'_>],
        count: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Positions, Error>> + Send;
}

/// A live session whose place is taken.
pub(crate) struct Old {
    dead: Dead,
    version: u64,
}

/// Ids and hashes that cannot be used again.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) ids: HashSet<SessionId>,
    pub(crate) tokens: HashSet<TokenHash>,
    pub(crate) families: HashSet<TokenHash>,
}

/// Whether to look first if ids and hashes are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// They were looked at last time, and one was taken.
    First,
    /// They are random: it would cost a statement, and never find anything.
    Never,
}

/// Once more with a look first where an id or a hash was taken after all, which rolled the transaction back.
macro_rules! looking_twice {
    (|$look:ident| $attempt:expr) => {{
        let $look = $crate::create::Look::Never;
        match $attempt {
            Err(error) if error.kind() == signoff::ErrorKind::Conflict => {
                let $look = $crate::create::Look::First;
                $attempt
            }
            result => result,
        }
    }};
}

pub(crate) use looking_twice;

/// Everything but the commit.
pub(crate) async fn run(
    births: &mut impl Births,
    batch: &[NewSession],
    look: Look,
    now: Timestamp,
) -> Result<CreatedSessions, Error> {
    steps::reached("create: begun");
    let replaced = replaced(batch);
    let mut old = HashMap::new();
    if !replaced.is_empty() || look == Look::First {
        births.lock(&replaced).await?;
    }
    if !replaced.is_empty() {
        let found = births.replaceable(&replaced, now).await?;
        old = found.into_iter().map(|old| (old.dead.id, old)).collect();
    }
    let taken = match look {
        Look::First => births.taken(batch).await?,
        Look::Never => Taken::default(),
    };
    let draft = Draft::new(batch, old, taken, now);
    if draft.births.is_empty() {
        let head = births.head().await?;
        return draft.finish(Positions { after: head, first: head, last: head });
    }
    if !draft.ends.is_empty() {
        let ids: Vec<_> = draft.ends.iter().map(|end| end.old.id).collect();
        if births.destroy(&ids, now).await?.len() != ids.len() {
            return Err(damaged("a session that was locked is gone"));
        }
        births.record(&draft.events).await?;
        steps::reached("create: destroyed");
    }
    for birth in draft.births.iter().filter(|birth| is_linked(birth.new)) {
        births.link(&birth.new.session).await?;
    }
    let positions = births.bear(&draft.births, draft.count, now).await?;
    let created = draft.finish(positions)?;
    if !created.page.entries.is_empty() {
        births.append(&created.page.entries).await?;
    }
    steps::reached("create: before the commit");
    Ok(created)
}

/// The sessions whose place is to be taken, once each, in order, so that two batches that meet take their locks alike.
fn replaced(batch: &[NewSession]) -> Vec<SessionId> {
    let mut ids: Vec<_> = batch.iter().filter_map(|new| new.replaces.as_ref().map(|replace| replace.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether nothing is looked at, replaced or linked: a database may do that as one thing.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn is_births_alone(batch: &[NewSession], look: Look) -> bool {
    look == Look::Never && replaced(batch).is_empty() && !batch.iter().any(is_linked)
}

/// Whether sessions of other stores belong to it.
fn is_linked(new: &NewSession) -> bool {
    !new.session.elsewhere.is_empty()
}

/// A session that ends in this transaction.
struct End {
    old: Dead,
    expires_at: Timestamp,
    nth: usize,
}

/// What a batch will do, before its positions are known.
struct Draft<'a> {
    /// What becomes of each request; `Ok` is the number of its birth.
    decided: Vec<Result<usize, CreateOutcome>>,
    births: Vec<Birth<'a>>,
    ends: Vec<End>,
    /// The records of the ends.
    events: Vec<AuditEvent>,
    /// How many positions it takes.
    count: usize,
}

impl<'a> Draft<'a> {
    /// Decides as if the requests had come one after the other.
    fn new(batch: &'a [NewSession], mut old: HashMap<SessionId, Old>, mut taken: Taken, now: Timestamp) -> Self {
        let (decided, births) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        let mut draft = Self { decided, births, ends: Vec::new(), events: Vec::new(), count: 0 };
        for new in batch {
            let decided = draft.decide(new, &mut old, &mut taken, now);
            draft.decided.push(decided);
        }
        draft
    }

    fn decide(
        &mut self,
        new: &'a NewSession,
        old: &mut HashMap<SessionId, Old>,
        taken: &mut Taken,
        now: Timestamp,
    ) -> Result<usize, CreateOutcome> {
        let (id, family) = (new.session.id, new.refresh.map(|refresh| refresh.family));
        let token_taken = new.token.is_some_and(|token| taken.tokens.contains(&token));
        let family_taken = family.is_some_and(|family| taken.families.contains(&family));
        // The id of an old session is taken, whether or not it was looked for.
        if token_taken || family_taken || taken.ids.contains(&id) || old.contains_key(&id) {
            return Err(CreateOutcome::Conflict);
        }
        if let Some(replace) = &new.replaces {
            let is_changed = |old: &Old| replace.version.is_some_and(|version| version != old.version);
            match old.get(&replace.id) {
                None => return Err(CreateOutcome::Gone),
                Some(old) if is_changed(old) => return Err(CreateOutcome::Changed),
                Some(_) => {}
            }
            if let Some(Old { dead, .. }) = old.remove(&replace.id) {
                taken.ids.insert(dead.id);
                self.count += 1;
                self.events.push(replace.sign_off().audit(Some(&dead.subject), Some(&dead.id), 1, now));
                let expires_at = dead.expires_at.saturating_add(replace.margin);
                self.ends.push(End { old: dead, expires_at, nth: self.count });
            }
        }
        self.count += 1;
        taken.ids.insert(id);
        taken.tokens.extend(new.token);
        taken.families.extend(family);
        self.births.push(Birth { new, nth: self.count });
        Ok(self.count)
    }

    fn finish(&self, positions: Positions) -> Result<CreatedSessions, Error> {
        let position = |nth: usize| -> Result<Position, Error> {
            let position = positions.first.get().checked_add(nth as u64 - 1).and_then(Position::new);
            position.ok_or_else(|| damaged("the log has no positions left"))
        };
        let entry = |end: &End| {
            let scope = Scope::Session(end.old.id.as_bytes());
            Ok(Revocation::new(scope, position(end.nth)?, end.expires_at))
        };
        let entries = self.ends.iter().map(entry).collect::<Result<_, Error>>()?;
        let outcome = |decided: &Result<usize, CreateOutcome>| match decided {
            Ok(nth) => position(*nth).map(CreateOutcome::Created),
            Err(refused) => Ok(*refused),
        };
        let outcomes = self.decided.iter().map(outcome).collect::<Result<_, Error>>()?;
        Ok(CreatedSessions { outcomes, page: LogPage { after: positions.after, entries, through: positions.last } })
    }
}

/// A row with the columns `sid`, `subject`, `expires_at` and `version`.
pub(crate) fn old(row: &impl Fields) -> Result<Old, Error> {
    Ok(Old { dead: dead(row)?, version: row.integer("version")?.unsigned_abs() })
}

/// Rows of a column `what`, 1 for an id, 2 for a token's hash and 3 for a family's, and a column `sid` with it.
pub(crate) fn taken<R: Fields>(rows: &[R]) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    for row in rows {
        let hashed = || hash(row.bytes("sid")?.unwrap_or_default());
        match row.integer("what")? {
            1 => drop(taken.ids.insert(session_id(row)?)),
            2 => drop(taken.tokens.insert(hashed()?)),
            _ => drop(taken.families.insert(hashed()?)),
        }
    }
    Ok(taken)
}
