//! Families of refresh tokens in MySQL: a transaction of two hops, which are texts of several statements. What is decided in
//! between is in [`crate::exchange`].

use std::fmt::Write as _;

use signoff::store::{Exchange, Exchanged};
use signoff::time::Timestamp;
use signoff::{Error, Position, Session, TokenHash};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::sessions::live;
use super::sign_off::list;
use super::text;
use crate::error::{damaged, database};
use crate::exchange::{self, Decided, State, state};
use crate::pack::{literal, push_literal};
use crate::rows::{Fields, integer, position, session};
use crate::{sign_off, steps};

/// How the head of the log is locked. Exchanges keep sign-offs away, but not each other. Who finds a thief appends to the log:
/// it begins again with the whole lock, because two that wait for each other to let go of their shares are a deadlock.
#[derive(Clone, Copy, PartialEq, Eq)]
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
    let shared = attempt(connection, batch, now, Head::Shared).await;
    let exchanged = match text::ended(connection, shared).await? {
        Some(exchanged) => Some(exchanged),
        None => {
            let alone = attempt(connection, batch, now, Head::Exclusive).await;
            text::ended(connection, alone).await?
        }
    };
    steps::reached("exchange: committed");
    exchanged.ok_or_else(|| damaged("an exchange that has the head of the log cannot come to nothing"))
}

/// `None`: there is a thief, and nothing happened yet.
async fn attempt(
    connection: &mut MySqlConnection,
    batch: &[Exchange],
    now: Timestamp,
    lock: Head,
) -> Result<Option<Exchanged>, Error> {
    let (read, head) = read(connection, &exchange::keys(batch), now, lock).await?;
    let Decided { outcomes, changed, thefts } = Decided::new(read, batch, now);
    if thefts.is_empty() {
        text::rows(connection, format!("{}COMMIT", write(&changed))).await?;
        return Ok(Some(Exchanged { outcomes, page: exchange::nothing(head) }));
    }
    if lock == Head::Shared {
        text::rows(connection, "ROLLBACK".to_owned()).await?;
        return Ok(None);
    }
    text::rows(connection, write(&changed)).await?;
    steps::reached("exchange: written");
    let page = sign_off::run(connection, &thefts, now).await?.page;
    steps::reached("exchange: before the commit");
    text::rows(connection, "COMMIT".to_owned()).await?;
    Ok(Some(Exchanged { outcomes, page }))
}

/// Locks sessions and families, then the head, and only then reads, because what is read must not be older than the locks.
async fn read(
    connection: &mut MySqlConnection,
    keys: &[TokenHash],
    now: Timestamp,
    lock: Head,
) -> Result<(Vec<State>, Position), Error> {
    // A list must not be empty. In order, so that two batches that meet take their locks alike.
    let mut keys: Vec<_> = keys.iter().map(|key| literal(key.as_bytes())).chain(["NULL".to_owned()]).collect();
    keys.sort_unstable();
    let families = format!(
        "signoff_refresh AS f FORCE INDEX (PRIMARY) STRAIGHT_JOIN signoff_session FORCE INDEX (PRIMARY) \
         ON signoff_session.sid = f.sid WHERE f.family IN ({})",
        keys.join(", ")
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
    // Writing to a text does not fail. VALUES() is what MySQL calls old and MariaDB knows alone.
    let mut before =
        "INSERT INTO signoff_refresh (family, sid, current, previous, sealed, grace_until, generation, reuse) VALUES (";
    for State { key, family, .. } in changed {
        sql.push_str(before);
        before = ", (";
        push_literal(&mut sql, Some(key.as_bytes()));
        for bytes in [
            Some(family.session.as_bytes().as_slice()),
            Some(family.current.as_bytes()),
            family.previous.as_ref().map(|hash| hash.as_bytes().as_slice()),
            family.sealed.as_ref().map(|sealed| sealed.as_bytes()),
        ] {
            sql.push_str(", ");
            push_literal(&mut sql, bytes);
        }
        let _ = write!(sql, ", {}, {}, ", family.grace_until.as_micros(), integer(family.generation));
        push_literal(&mut sql, family.reuse.as_ref().map(|id| id.as_bytes().as_slice()));
        sql.push(')');
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE current = VALUES(current), previous = VALUES(previous), sealed = VALUES(sealed), \
         grace_until = VALUES(grace_until), generation = VALUES(generation), reuse = VALUES(reuse); \
         UPDATE signoff_session FORCE INDEX (PRIMARY) SET ",
    );
    let ids: Vec<_> = changed.iter().map(|state| state.session.id).collect();
    for (column, time) in [
        ("last_seen_at", (|session| session.last_seen_at) as fn(&Session) -> Timestamp),
        ("idle_expires_at", |session| session.idle_expires_at),
    ] {
        let _ = write!(sql, "{column} = CASE sid");
        for State { session, .. } in changed {
            sql.push_str(" WHEN ");
            push_literal(&mut sql, Some(session.id.as_bytes()));
            let _ = write!(sql, " THEN {}", time(session).as_micros());
        }
        sql.push_str(if column == "last_seen_at" { " END, " } else { " END " });
    }
    let _ = write!(sql, "WHERE sid IN ({}); ", list(&ids));
    sql
}

pub(super) async fn find(pool: &MySqlPool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = ?)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}
