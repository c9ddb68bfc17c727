//! The transaction of refreshes: read families and sessions, let `signoff` decide, write, commit. A batch takes as many
//! statements as a single refresh.

use std::collections::HashMap;

use signoff::store::{
    Decision, Exchange, ExchangeOutcome, Exchanged, Family, LogPage, NewFamily, Repeated, SealedSuccessor,
};
use signoff::time::Timestamp;
use signoff::{Error, LogoutId, Session, SessionId, TokenHash};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::log::{self, hex, json};
use super::sessions::{conflict_or, live, session};
use super::{integer, sign_off, timestamp};
use crate::error::{damaged, database};
use crate::steps;

/// A family and its session, as they are after the requests so far.
struct State {
    family: Family,
    session: Session,
    is_live: bool,
    /// The requests so far rotated it, or found a token used before.
    is_changed: bool,
}

pub(super) async fn run(
    mut transaction: Transaction<'static, Sqlite>,
    batch: &[Exchange],
    now: Timestamp,
) -> Result<Exchanged, Error> {
    steps::reached("exchange: begun");
    // The transaction has the write lock, so what is read now stays true.
    let mut states = read(&mut transaction, batch, now).await?;
    let mut ends = Vec::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for request in batch {
        let Some(state) = states.get_mut(&request.family) else {
            outcomes.push(ExchangeOutcome::Unknown);
            continue;
        };
        let decision = state.family.exchange(request, state.is_live, now);
        if decision == Decision::Reused {
            ends.push(request.sign_off(&state.session.id));
        }
        outcomes.push(state.follow(decision, request, now));
    }
    steps::reached("exchange: decided");
    write(&mut transaction, &states).await?;
    steps::reached("exchange: written");
    let page = if ends.is_empty() {
        let head = log::head(&mut transaction).await?;
        LogPage { after: head, entries: Vec::new(), through: head }
    } else {
        sign_off::perform(&mut transaction, &ends, now).await?.page
    };
    steps::reached("exchange: before the commit");
    transaction.commit().await.map_err(database)?;
    steps::reached("exchange: committed");
    Ok(Exchanged { outcomes, page })
}

impl State {
    fn follow(&mut self, decision: Decision, request: &Exchange, now: Timestamp) -> ExchangeOutcome {
        match decision {
            Decision::Gone => ExchangeOutcome::Gone,
            Decision::Repeated(Repeated::Reused) => ExchangeOutcome::Reused(self.session.clone()),
            Decision::Repeated(Repeated::Rotated) => ExchangeOutcome::Rotated(self.session.clone()),
            Decision::Reused => {
                (self.is_live, self.is_changed) = (false, true);
                // As the sign-off leaves it.
                self.session.data.clear();
                self.session.claims = None;
                ExchangeOutcome::Reused(self.session.clone())
            }
            Decision::Rotated => {
                self.is_changed = true;
                self.session.last_seen_at = now;
                self.session.idle_expires_at = request.idle_expires_at.min(self.session.expires_at);
                self.is_live = !self.session.is_expired(now);
                ExchangeOutcome::Rotated(self.session.clone())
            }
            Decision::Same(sealed) => {
                let (session, successor) = (self.session.clone(), self.family.current);
                ExchangeOutcome::Same { session, successor, sealed }
            }
        }
    }
}

async fn read(
    connection: &mut SqliteConnection,
    batch: &[Exchange],
    now: Timestamp,
) -> Result<HashMap<TokenHash, State>, Error> {
    let families: Vec<_> = batch.iter().map(|request| hex(request.family.as_bytes())).collect();
    // The order of a cross join is the order that it is done in: each family by its key, each session by its id.
    let sql = concat!(
        "SELECT signoff_session.*, f.family, f.current, f.previous, f.sealed, f.grace_until, f.generation, f.reuse, (",
        live!(),
        ") AS is_live FROM json_each(?2) AS asked CROSS JOIN signoff_refresh AS f ON f.family = unhex(asked.value) \
         CROSS JOIN signoff_session ON signoff_session.sid = f.sid"
    );
    let query = sqlx::query(sql).bind(now.as_micros()).bind(json(&families)?);
    let rows = query.fetch_all(connection).await.map_err(database)?;
    let mut states = HashMap::with_capacity(rows.len());
    for row in &rows {
        let session = session(row)?;
        let key = hash(row.try_get("family").map_err(database)?)?;
        let is_live: bool = row.try_get("is_live").map_err(database)?;
        states.insert(key, State { family: family(row, session.id)?, session, is_live, is_changed: false });
    }
    Ok(states)
}

/// Writes what changed, all families in one statement, and all sessions.
async fn write(connection: &mut SqliteConnection, states: &HashMap<TokenHash, State>) -> Result<(), Error> {
    let changed = || states.iter().filter(|(_, state)| state.is_changed);
    if changed().next().is_none() {
        return Ok(());
    }
    let families: Vec<_> = changed()
        .map(|(key, State { family, .. })| {
            (
                hex(key.as_bytes()),
                hex(family.current.as_bytes()),
                family.previous.map(|hash| hex(hash.as_bytes())),
                family.sealed.as_ref().map(|sealed| hex(sealed.as_bytes())),
                family.grace_until.as_micros(),
                integer(family.generation),
                family.reuse.map(|id| hex(id.as_bytes())),
            )
        })
        .collect();
    let sql = "UPDATE signoff_refresh SET current = unhex(value ->> 1), previous = unhex(value ->> 2), \
               sealed = unhex(value ->> 3), grace_until = value ->> 4, generation = value ->> 5, \
               reuse = unhex(value ->> 6) FROM json_each(?) WHERE family = unhex(value ->> 0)";
    sqlx::query(sql).bind(json(&families)?).execute(&mut *connection).await.map_err(database)?;
    let sessions: Vec<_> = changed()
        .map(|(_, State { session, .. })| {
            (hex(session.id.as_bytes()), session.last_seen_at.as_micros(), session.idle_expires_at.as_micros())
        })
        .collect();
    let sql = "UPDATE signoff_session SET last_seen_at = value ->> 1, idle_expires_at = value ->> 2 \
               FROM json_each(?) WHERE sid = unhex(value ->> 0)";
    sqlx::query(sql).bind(json(&sessions)?).execute(connection).await.map_err(database)?;
    Ok(())
}

pub(super) async fn insert(connection: &mut SqliteConnection, first: &NewFamily, id: &SessionId) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_refresh (family, sid, current, grace_until, generation) VALUES (?, ?, ?, ?, ?)";
    let family = Family::new(*id, first);
    let inserted = sqlx::query(sql)
        .bind(first.family.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(family.current.as_bytes().as_slice())
        .bind(family.grace_until.as_micros())
        .bind(integer(family.generation))
        .execute(connection)
        .await;
    inserted.map(|_| ()).map_err(conflict_or)
}

pub(super) async fn find(pool: &SqlitePool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = ?)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

/// Forgets sealed successors whose grace was over at `horizon`.
pub(super) async fn forget(connection: &mut SqliteConnection, horizon: Timestamp, limit: u32) -> Result<(), Error> {
    let sql = "UPDATE signoff_refresh SET sealed = NULL WHERE family IN (SELECT family FROM signoff_refresh \
               WHERE sealed IS NOT NULL AND grace_until <= ? ORDER BY grace_until LIMIT ?)";
    let done = sqlx::query(sql).bind(horizon.as_micros()).bind(limit).execute(connection).await;
    done.map(|_| ()).map_err(database)
}

fn family(row: &SqliteRow, session: SessionId) -> Result<Family, Error> {
    let bytes = |column: &str| row.try_get::<Option<&[u8]>, _>(column).map_err(database);
    let reuse = bytes("reuse")?.map(|bytes| bytes.try_into().map(LogoutId::from_bytes)).transpose();
    let generation: i64 = row.try_get("generation").map_err(database)?;
    Ok(Family {
        session,
        current: hash(row.try_get("current").map_err(database)?)?,
        previous: bytes("previous")?.map(hash).transpose()?,
        sealed: bytes("sealed")?.map(|bytes| SealedSuccessor::new(bytes.to_vec())),
        grace_until: timestamp(row.try_get("grace_until").map_err(database)?)?,
        generation: generation.unsigned_abs(),
        reuse: reuse.map_err(|_| damaged("a stored logout id has no 16 bytes"))?,
    })
}

fn hash(bytes: &[u8]) -> Result<TokenHash, Error> {
    bytes.try_into().map(TokenHash::from_bytes).map_err(|_| damaged("a stored hash has no 32 bytes"))
}
