//! Families of refresh tokens in SQLite: SQL and binding. The order of things is in [`crate::families`].

use signoff::time::Timestamp;
use signoff::{Error, Position, Session, TokenHash};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::log;
use super::sessions::live;
use crate::error::database;
use crate::exchange::{State, state};
use crate::families::Families;
use crate::pack::{hex, json};
use crate::rows::{integer, session};

impl Families for SqliteConnection {
    // The transaction has the write lock, so what is read stays true.
    async fn read(&mut self, keys: &[TokenHash], now: Timestamp) -> Result<(Vec<State>, Position), Error> {
        // The order of a cross join is the order that it is done in: each family by its key, each session by its id.
        let sql = concat!(
            "SELECT signoff_session.*, f.family, f.current, f.previous, f.sealed, f.grace_until, f.generation, f.reuse, (",
            live!(),
            ") AS is_live FROM json_each(?2) AS asked CROSS JOIN signoff_refresh AS f ON f.family = unhex(asked.value) \
             CROSS JOIN signoff_session ON signoff_session.sid = f.sid"
        );
        let keys: Vec<_> = keys.iter().map(|key| hex(key.as_bytes())).collect();
        let query = sqlx::query(sql).bind(now.as_micros()).bind(json(&keys)?);
        let rows = query.fetch_all(&mut *self).await.map_err(database)?;
        Ok((rows.iter().map(state).collect::<Result<_, _>>()?, log::head(self).await?))
    }

    async fn write(&mut self, changed: &[State]) -> Result<(), Error> {
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
        let rows = json(&rows)?;
        let families = "UPDATE signoff_refresh SET current = unhex(value ->> 1), previous = unhex(value ->> 2), \
                        sealed = unhex(value ->> 3), grace_until = value ->> 4, generation = value ->> 5, \
                        reuse = unhex(value ->> 6) FROM json_each(?) WHERE family = unhex(value ->> 0)";
        let sessions = "UPDATE signoff_session SET last_seen_at = value ->> 8, idle_expires_at = value ->> 9 \
                        FROM json_each(?) WHERE sid = unhex(value ->> 7)";
        for sql in [families, sessions] {
            sqlx::query(sql).bind(&rows).execute(&mut *self).await.map_err(database)?;
        }
        Ok(())
    }
}

pub(super) async fn find(pool: &SqlitePool, family: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_refresh WHERE family = ?)";
    let query = sqlx::query(sql).bind(family.as_bytes().as_slice());
    let row = query.fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}
