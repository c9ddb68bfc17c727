//! Families of refresh tokens in PostgreSQL: SQL and binding. The order of things is in [`crate::families`].

use signoff::store::{Exchange, Exchanged};
use signoff::time::Timestamp;
use signoff::{Error, Position, Session, TokenHash};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};

use super::sessions::live;
use crate::error::database;
use crate::exchange::{State, state};
use crate::families::{self, Families};
use crate::rows::{Fields, integer, position, session};
use crate::steps;

pub(super) async fn run(connection: &mut PgConnection, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
    let mut transaction = connection.begin().await.map_err(database)?;
    let exchanged = families::run(&mut *transaction, batch, now).await?;
    transaction.commit().await.map_err(database)?;
    steps::reached("exchange: committed");
    Ok(exchanged)
}

impl Families for PgConnection {
    async fn read(&mut self, keys: &[TokenHash], now: Timestamp) -> Result<(Vec<State>, Position), Error> {
        // Who changes a family has locked its session. A subquery that depends on nothing is done before the row that it
        // stands beside is locked.
        let lock = "WITH held AS MATERIALIZED (SELECT sid FROM signoff_session WHERE sid = ANY (ARRAY(\
                    SELECT sid FROM signoff_refresh WHERE family = ANY ($1))) ORDER BY sid FOR UPDATE) \
                    SELECT head FROM signoff_meta WHERE id = 1 AND (SELECT count(*) FROM held) >= 0 FOR UPDATE";
        let keys: Vec<_> = keys.iter().map(|key| key.as_bytes().as_slice()).collect();
        let head = sqlx::query(lock).bind(&keys).fetch_one(&mut *self).await.map_err(database)?;
        // A statement of its own, because its snapshot must not be older than the locks.
        let sql = concat!(
            "WITH f AS MATERIALIZED (SELECT * FROM signoff_refresh WHERE family = ANY ($2)) \
             SELECT signoff_session.*, f.family, f.current, f.previous, f.sealed, f.grace_until, f.generation, f.reuse, (",
            live!(),
            ")::int::bigint AS is_live FROM f JOIN signoff_session ON signoff_session.sid = f.sid \
             WHERE signoff_session.sid = ANY (ARRAY(SELECT sid FROM f))"
        );
        let query = sqlx::query(sql).bind(now.as_micros()).bind(&keys);
        let states = query.fetch_all(self).await.map_err(database)?.iter().map(state).collect::<Result<_, _>>()?;
        Ok((states, position(head.integer("head")?)?))
    }

    async fn write(&mut self, changed: &[State]) -> Result<(), Error> {
        let sql = "WITH new AS MATERIALIZED (SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], \
                   $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bigint[], $10::bigint[]) AS new (family, \
                   current, previous, sealed, grace_until, generation, reuse, sid, last_seen_at, idle_expires_at)), \
                   families AS (UPDATE signoff_refresh AS f SET current = new.current, previous = new.previous, \
                   sealed = new.sealed, grace_until = new.grace_until, generation = new.generation, reuse = new.reuse \
                   FROM new WHERE f.family = ANY ($1) AND f.family = new.family) \
                   UPDATE signoff_session AS s SET last_seen_at = new.last_seen_at, \
                   idle_expires_at = new.idle_expires_at FROM new WHERE s.sid = ANY ($8) AND s.sid = new.sid";
        let all = || changed.iter();
        let families = || changed.iter().map(|state| &state.family);
        sqlx::query(sql)
            .bind(all().map(|state| state.key.as_bytes().as_slice()).collect::<Vec<_>>())
            .bind(families().map(|family| family.current.as_bytes().as_slice()).collect::<Vec<_>>())
            .bind(
                families()
                    .map(|family| family.previous.as_ref().map(|hash| hash.as_bytes().as_slice()))
                    .collect::<Vec<_>>(),
            )
            .bind(families().map(|family| family.sealed.as_ref().map(|sealed| sealed.as_bytes())).collect::<Vec<_>>())
            .bind(families().map(|family| family.grace_until.as_micros()).collect::<Vec<_>>())
            .bind(families().map(|family| integer(family.generation)).collect::<Vec<_>>())
            .bind(families().map(|family| family.reuse.as_ref().map(|id| id.as_bytes().as_slice())).collect::<Vec<_>>())
            .bind(all().map(|state| state.session.id.as_bytes().as_slice()).collect::<Vec<_>>())
            .bind(all().map(|state| state.session.last_seen_at.as_micros()).collect::<Vec<_>>())
            .bind(all().map(|state| state.session.idle_expires_at.as_micros()).collect::<Vec<_>>())
            .execute(self)
            .await
            .map_err(database)?;
        Ok(())
    }
}

pub(super) async fn find(pool: &PgPool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = $1)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}
