//! The transaction of a logout: destroy, log, record, commit. A batch takes as many statements as a single logout.

use std::collections::{HashMap, HashSet};

use signoff::audit::AuditEvent;
use signoff::store::{LogPage, Outcome, Revocation, Scope, SignOff, SignedOff, Target};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::log::{self, hex, json};
use super::sessions::session_id;
use super::{audit, timestamp};
use crate::error::{damaged, database};
use crate::steps;

/// What a batch will append, before its positions are known.
#[derive(Default)]
struct Draft<'a> {
    outcomes: Vec<Outcome>,
    entries: Vec<(Doomed<'a>, Timestamp)>,
    events: Vec<AuditEvent>,
}

/// What an entry will kill.
enum Doomed<'a> {
    Session(SessionId),
    Wide(Scope<'a>),
}

/// A session that this transaction destroyed.
struct Dead {
    id: SessionId,
    subject: Subject,
    expires_at: Timestamp,
}

pub(super) async fn run(
    mut transaction: Transaction<'static, Sqlite>,
    batch: &[SignOff],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    let signed_off = perform(&mut transaction, batch, now).await?;
    steps::reached("sign-off: before the commit");
    transaction.commit().await.map_err(database)?;
    steps::reached("sign-off: committed");
    Ok(signed_off)
}

/// Everything but the commit.
pub(super) async fn perform(
    transaction: &mut SqliteConnection,
    batch: &[SignOff],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    steps::reached("sign-off: begun");
    let mut draft = Draft::default();
    let mut rest = batch;
    while let Some(request) = rest.first() {
        match &request.target {
            Target::Sessions(_) => {
                // Neighbours that name sessions share their statements.
                let run = rest.iter().take_while(|request| matches!(request.target, Target::Sessions(_))).count();
                draft.sessions(&mut *transaction, &rest[..run], now).await?;
                rest = &rest[run..];
            }
            Target::Subject { subject, except, revoke_until } => {
                let spared = except.as_ref();
                draft.subject(&mut *transaction, request, subject, spared, *revoke_until, now).await?;
                rest = &rest[1..];
            }
            Target::Scope { revocation, revoke_until } => {
                draft.outcomes.push(Outcome::default());
                draft.entries.push((Doomed::Wide(revocation.as_scope()), *revoke_until));
                draft.events.push(request.audit(None, None, 0, now));
                rest = &rest[1..];
            }
        }
    }
    steps::reached("sign-off: destroyed");

    let page = append(&mut *transaction, draft.entries, now).await?;
    if !draft.events.is_empty() {
        audit::insert(&mut *transaction, &draft.events).await?;
        steps::reached("sign-off: recorded");
    }
    Ok(SignedOff { outcomes: draft.outcomes, page })
}

async fn append(
    connection: &mut SqliteConnection,
    drafted: Vec<(Doomed<'_>, Timestamp)>,
    now: Timestamp,
) -> Result<LogPage, Error> {
    if drafted.is_empty() {
        let head = log::head(connection).await?;
        return Ok(LogPage { after: head, entries: Vec::new(), through: head });
    }
    let positions = log::advance(connection, drafted.len(), now).await?;
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
    log::append(connection, &entries).await?;
    steps::reached("sign-off: logged");
    Ok(LogPage { after: positions.after, entries, through: positions.last })
}

impl<'a> Draft<'a> {
    async fn sessions(
        &mut self,
        connection: &mut SqliteConnection,
        requests: &[SignOff],
        now: Timestamp,
    ) -> Result<(), Error> {
        let targets = |request: &SignOff| match &request.target {
            Target::Sessions(targets) => targets.clone(),
            _ => Vec::new(),
        };
        let ids: Vec<_> = requests.iter().flat_map(targets).map(|target| hex(target.id.as_bytes())).collect();
        let ids = json(&ids)?;
        let sql = "UPDATE signoff_session SET destroyed_at = ?, data = x'', claims = NULL WHERE destroyed_at IS NULL \
                   AND sid IN (SELECT unhex(value) FROM json_each(?)) RETURNING sid, subject, expires_at";
        let query = sqlx::query(sql).bind(now.as_micros()).bind(&ids);
        let rows = query.fetch_all(&mut *connection).await.map_err(database)?;
        let mut destroyed: HashMap<SessionId, Dead> = HashMap::with_capacity(rows.len());
        for row in &rows {
            let dead = dead(row)?;
            destroyed.insert(dead.id, dead);
        }
        let mut gone = HashSet::new();
        for request in requests {
            let mut outcome = Outcome::default();
            for target in targets(request) {
                // The first request that names a session destroyed it; for the others it is gone.
                if let Some(dead) = destroyed.remove(&target.id) {
                    outcome.destroyed += 1;
                    self.destroyed(request, &dead, true, now);
                    gone.insert(target.id);
                } else if gone.contains(&target.id) || exists(connection, &target.id).await? {
                    outcome.gone += 1;
                } else {
                    outcome.unknown += 1;
                    if let Some(until) = target.revoke_unknown_until {
                        self.entries.push((Doomed::Session(target.id), until));
                        self.events.push(request.audit(None, Some(&target.id), 0, now));
                    }
                }
            }
            self.outcomes.push(outcome);
        }
        Ok(())
    }

    async fn subject(
        &mut self,
        connection: &mut SqliteConnection,
        request: &SignOff,
        subject: &'a Subject,
        spared: Option<&SessionId>,
        revoke_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE signoff_session SET destroyed_at = ?1, data = x'', claims = NULL \
                   WHERE subject = ?2 AND destroyed_at IS NULL AND sid IS NOT ?3 RETURNING sid, subject, expires_at";
        let rows = sqlx::query(sql)
            .bind(now.as_micros())
            .bind(subject.as_str())
            .bind(spared.map(|id| id.as_bytes().as_slice()))
            .fetch_all(&mut *connection)
            .await
            .map_err(database)?;
        for row in &rows {
            // The entry of the subject kills them all; only when one is spared does each need its own.
            self.destroyed(request, &dead(row)?, spared.is_some(), now);
        }
        let destroyed = rows.len() as u64;
        if spared.is_none() {
            self.entries.push((Doomed::Wide(Scope::Subject(subject.as_str())), revoke_until));
        }
        self.outcomes.push(Outcome { destroyed, ..Outcome::default() });
        self.events.push(request.audit(Some(subject), None, destroyed, now));
        Ok(())
    }

    fn destroyed(&mut self, request: &SignOff, dead: &Dead, revoke: bool, now: Timestamp) {
        if revoke {
            let until = dead.expires_at.saturating_add(request.margin);
            self.entries.push((Doomed::Session(dead.id), until));
        }
        self.events.push(request.audit(Some(&dead.subject), Some(&dead.id), 1, now));
    }
}

async fn exists(connection: &mut SqliteConnection, id: &SessionId) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM signoff_session WHERE sid = ?)")
        .bind(id.as_bytes().as_slice())
        .fetch_one(connection)
        .await
        .map_err(database)
}

fn dead(row: &SqliteRow) -> Result<Dead, Error> {
    let subject = Subject::new(row.try_get("subject").map_err(database)?);
    Ok(Dead {
        id: session_id(row.try_get("sid").map_err(database)?)?,
        subject: subject.map_err(|_| damaged("a stored subject is broken"))?,
        expires_at: timestamp(row.try_get("expires_at").map_err(database)?)?,
    })
}
