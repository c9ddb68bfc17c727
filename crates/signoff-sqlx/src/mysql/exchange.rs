//! Families of refresh tokens in MySQL: SQL and binding. The order of things is in [`crate::exchange`].

use signoff::store::{Exchange, Exchanged};
use signoff::time::Timestamp;
use signoff::{Error, Session, TokenHash};
use sqlx::Connection;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::sessions::{bind_live, live};
use crate::error::database;
use crate::exchange::{self, Families, State, state};
use crate::pack::{hex, json};
use crate::rows::{integer, session};
use crate::steps;

pub(super) async fn run(
    connection: &mut MySqlConnection,
    batch: &[Exchange],
    now: Timestamp,
) -> Result<Exchanged, Error> {
    let mut transaction = connection.begin().await.map_err(database)?;
    let exchanged = exchange::run(&mut *transaction, batch, now).await?;
    transaction.commit().await.map_err(database)?;
    steps::reached("exchange: committed");
    Ok(exchanged)
}

/// One row for each key of a JSON text, and its family.
macro_rules! asked {
    () => {
        "JSON_TABLE(?, '$[*]' COLUMNS (family VARCHAR(64) CHARSET ascii PATH '$' ERROR ON ERROR)) AS asked \
         STRAIGHT_JOIN signoff_refresh AS f FORCE INDEX (PRIMARY) ON f.family = UNHEX(asked.family) \
         STRAIGHT_JOIN signoff_session FORCE INDEX (PRIMARY) ON signoff_session.sid = f.sid"
    };
}

impl Families for MySqlConnection {
    async fn read(&mut self, keys: &[TokenHash], now: Timestamp) -> Result<Vec<State>, Error> {
        let mut keys: Vec<_> = keys.iter().map(|key| hex(key.as_bytes())).collect();
        // Once each, for a join would repeat them; in order, so that two batches that meet take their locks alike.
        keys.sort_unstable();
        keys.dedup();
        let keys = json(&keys)?;
        let lock = concat!("SELECT f.sid FROM ", asked!(), " FOR UPDATE");
        sqlx::query(lock).bind(&keys).fetch_all(&mut *self).await.map_err(database)?;
        let lock = "SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE";
        sqlx::query(lock).fetch_one(&mut *self).await.map_err(database)?;
        // A statement of its own, because its snapshot must not be older than the locks.
        let sql = concat!(
            "SELECT signoff_session.*, f.family, f.current, f.previous, f.sealed, f.grace_until, f.generation, f.reuse, \
             CAST((",
            live!(),
            ") AS SIGNED) AS is_live FROM ",
            asked!()
        );
        let query = bind_live(sqlx::query(sql), now).bind(keys);
        query.fetch_all(self).await.map_err(database)?.iter().map(state).collect()
    }

    async fn write(&mut self, changed: &[&State]) -> Result<(), Error> {
        let rows: Vec<_> = changed
            .iter()
            .map(|State { key, family, session, .. }| {
                (
                    hex(key.as_bytes()),
                    hex(family.current.as_bytes()),
                    family.previous.map(|hash| hex(hash.as_bytes())),
                    family.sealed.as_ref().map(|sealed| hex(sealed.as_bytes())),
                    family.grace_until.as_micros(),
                    integer(family.generation),
                    family.reuse.map(|id| hex(id.as_bytes())),
                    hex(session.id.as_bytes()),
                    session.last_seen_at.as_micros(),
                    session.idle_expires_at.as_micros(),
                )
            })
            .collect();
        let families = "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (\
                        family VARCHAR(64) CHARSET ascii PATH '$[0]' ERROR ON ERROR, \
                        current VARCHAR(64) CHARSET ascii PATH '$[1]' ERROR ON ERROR, \
                        previous VARCHAR(64) CHARSET ascii PATH '$[2]' ERROR ON ERROR, \
                        sealed VARCHAR(128) CHARSET ascii PATH '$[3]' ERROR ON ERROR, \
                        grace_until BIGINT PATH '$[4]' ERROR ON ERROR, generation BIGINT PATH '$[5]' ERROR ON ERROR, \
                        reuse VARCHAR(32) CHARSET ascii PATH '$[6]' ERROR ON ERROR)) AS new \
                        STRAIGHT_JOIN signoff_refresh AS f FORCE INDEX (PRIMARY) ON f.family = UNHEX(new.family) \
                        SET f.current = UNHEX(new.current), f.previous = UNHEX(new.previous), \
                        f.sealed = UNHEX(new.sealed), f.grace_until = new.grace_until, f.generation = new.generation, \
                        f.reuse = UNHEX(new.reuse)";
        let sessions = "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (\
                        sid VARCHAR(32) CHARSET ascii PATH '$[7]' ERROR ON ERROR, \
                        last_seen_at BIGINT PATH '$[8]' ERROR ON ERROR, \
                        idle_expires_at BIGINT PATH '$[9]' ERROR ON ERROR)) AS new \
                        STRAIGHT_JOIN signoff_session AS s FORCE INDEX (PRIMARY) ON s.sid = UNHEX(new.sid) \
                        SET s.last_seen_at = new.last_seen_at, s.idle_expires_at = new.idle_expires_at";
        let rows = json(&rows)?;
        for sql in [families, sessions] {
            sqlx::query(sql).bind(&rows).execute(&mut *self).await.map_err(database)?;
        }
        Ok(())
    }
}

pub(super) async fn find(pool: &MySqlPool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = ?)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}
