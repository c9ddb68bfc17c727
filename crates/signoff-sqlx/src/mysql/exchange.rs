//! Families of refresh tokens in MySQL: a transaction of two hops, which are texts of several statements. What is decided in
//! between is in [`crate::exchange`].

use signoff::store::{Exchange, Exchanged};
use signoff::time::Timestamp;
use signoff::{Error, Position, Session, TokenHash};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::sessions::live;
use super::text::{self, Insert, push};
use crate::error::{damaged, database};
use crate::exchange::{self, Decided, State, state};
use crate::rows::{Fields, integer, position, session};
use crate::{sign_off, steps};

/// How the head of the log is locked. Exchanges keep sign-offs away, but not each other. Who finds a thief appends to the log:
/// it begins again with the whole lock, because two that wait for each other to let go of their shares are a deadlock.
#[derive(Clone, Copy)]
enum Head {
    Shared,
    Exclusive,
}

pub(super) async fn run(
    connection: &mut MySqlConnection,
    batch: &[Exchange],
    now: Timestamp,
) -> Result<Exchanged, Error> {
    steps::reached("exchange: begun");
    let done = transact(connection, batch, now).await;
    let exchanged = text::ended(connection, done).await?;
    steps::reached("exchange: committed");
    Ok(exchanged)
}

async fn transact(connection: &mut MySqlConnection, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
    let keys = exchange::keys(batch);
    let (mut states, mut head) = read(connection, &keys, now, Head::Shared).await?;
    let mut decided = Decided::new(states, batch, now);
    if !decided.thefts.is_empty() {
        text::rows(connection, "ROLLBACK".to_owned()).await?;
        (states, head) = read(connection, &keys, now, Head::Exclusive).await?;
        decided = Decided::new(states, batch, now);
    }
    let Decided { outcomes, changed, thefts } = decided;
    if thefts.is_empty() {
        text::rows(connection, format!("{}COMMIT", write(&changed))).await?;
        return Ok(Exchanged { outcomes, page: exchange::nothing(head) });
    }
    text::rows(connection, write(&changed)).await?;
    steps::reached("exchange: written");
    let page = sign_off::run(connection, &thefts, now).await?.page;
    steps::reached("exchange: before the commit");
    text::rows(connection, "COMMIT".to_owned()).await?;
    Ok(Exchanged { outcomes, page })
}

/// Locks sessions and families, then the head, and only then reads, because what is read must not be older than the locks.
async fn read(
    connection: &mut MySqlConnection,
    keys: &[TokenHash],
    now: Timestamp,
    lock: Head,
) -> Result<(Vec<State>, Position), Error> {
    let families = format!(
        "signoff_refresh AS f FORCE INDEX (PRIMARY) STRAIGHT_JOIN signoff_session FORCE INDEX (PRIMARY) \
         ON signoff_session.sid = f.sid WHERE f.family IN {}",
        text::list(keys)
    );
    let lock = match lock {
        Head::Shared => "LOCK IN SHARE MODE",
        Head::Exclusive => "FOR UPDATE",
    };
    let sql = format!(
        concat!(
            "START TRANSACTION; SELECT COUNT(f.sid) FROM {families} FOR UPDATE; \
             SELECT head FROM signoff_meta WHERE id = 1 {lock}; \
             SELECT signoff_session.*, f.family, f.current, f.previous, f.sealed, f.grace_until, f.generation, f.reuse, \
             CAST((",
            live!("{now}"),
            ") AS SIGNED) AS is_live FROM {families}"
        ),
        families = families,
        lock = lock,
        now = now.as_micros()
    );
    let rows = text::rows(connection, sql).await?;
    let [_, head, states @ ..] = rows.as_slice() else { return Err(damaged("the head of the log is missing")) };
    Ok((states.iter().map(state).collect::<Result<_, _>>()?, position(head.integer("head")?)?))
}

/// Statements that write families, all of which there are, and when their sessions were used.
fn write(changed: &[State]) -> String {
    let mut sql = String::new();
    if changed.is_empty() {
        return sql;
    }
    let columns = "family, sid, current, previous, sealed, grace_until, generation, reuse";
    let mut insert = Insert::into(&mut sql, &format!("signoff_refresh ({columns})"));
    for State { key, family, .. } in changed {
        let (previous, sealed) = (family.previous.as_ref(), family.sealed.as_ref());
        insert.row().bytes(Some(key.as_bytes())).bytes(Some(family.session.as_bytes()));
        insert.bytes(Some(family.current.as_bytes())).bytes(previous.map(|hash| hash.as_bytes()));
        insert.bytes(sealed.map(|sealed| sealed.as_bytes())).number(family.grace_until.as_micros());
        insert.number(integer(family.generation)).bytes(family.reuse.as_ref().map(|id| id.as_bytes()));
    }
    insert.end();
    let sessions = || changed.iter().map(|state| &state.session);
    push(
        &mut sql,
        // VALUES() is what MySQL calls old and MariaDB knows alone.
        format_args!(
            " ON DUPLICATE KEY UPDATE current = VALUES(current), previous = VALUES(previous), sealed = VALUES(sealed), \
             grace_until = VALUES(grace_until), generation = VALUES(generation), reuse = VALUES(reuse); \
             UPDATE signoff_session FORCE INDEX (PRIMARY) SET last_seen_at = {}, idle_expires_at = {} WHERE sid IN {}; ",
            text::times(sessions().map(|session| (&session.id, session.last_seen_at))),
            text::times(sessions().map(|session| (&session.id, session.idle_expires_at))),
            text::list(sessions().map(|session| &session.id))
        ),
    );
    sql
}

pub(super) async fn find(pool: &MySqlPool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = ?)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}
