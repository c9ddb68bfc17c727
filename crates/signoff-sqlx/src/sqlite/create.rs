//! Logins in SQLite: SQL and binding. The order of things is in [`crate::create`].

use signoff::store::{Family, NewSession};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::SqliteConnection;

use super::sessions::live;
use super::{audit, elsewhere, log};
use crate::create::{Birth, Births, Old, Taken, old, taken};
use crate::error::{conflict, database};
use crate::pack::{hex, json};
use crate::rows::{Positions, integer};

impl Births for SqliteConnection {
    // The transaction has the write lock.
    async fn lock(&mut self, _: &[SessionId]) -> Result<(), Error> {
        Ok(())
    }

    async fn replaceable(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Old>, Error> {
        let sql = concat!(
            "SELECT sid, subject, expires_at, version FROM signoff_session \
             WHERE sid IN (SELECT unhex(value) FROM json_each(?2)) AND",
            live!()
        );
        let ids = json(&ids.iter().map(|id| hex(id.as_bytes())).collect::<Vec<_>>())?;
        let query = sqlx::query(sql).bind(now.as_micros()).bind(ids);
        query.fetch_all(self).await.map_err(database)?.iter().map(old).collect()
    }

    async fn taken(&mut self, batch: &[NewSession]) -> Result<Taken, Error> {
        let sql = "SELECT 1 AS what, sid FROM signoff_session WHERE sid IN (SELECT unhex(value) FROM json_each(?)) \
                   UNION ALL SELECT 2, hash FROM signoff_token WHERE hash IN (SELECT unhex(value) FROM json_each(?)) \
                   UNION ALL SELECT 3, family FROM signoff_refresh \
                   WHERE family IN (SELECT unhex(value) FROM json_each(?))";
        let ids: Vec<_> = batch.iter().map(|new| hex(new.session.id.as_bytes())).collect();
        let tokens: Vec<_> = batch.iter().filter_map(|new| new.token.map(|hash| hex(hash.as_bytes()))).collect();
        let families = batch.iter().filter_map(|new| new.refresh.map(|first| hex(first.family.as_bytes())));
        let query = sqlx::query(sql).bind(json(&ids)?).bind(json(&tokens)?).bind(json(&families.collect::<Vec<_>>())?);
        taken(&query.fetch_all(self).await.map_err(database)?)
    }

    async fn link(&mut self, new: &Session) -> Result<(), Error> {
        elsewhere::insert(self, new).await
    }

    async fn bear(&mut self, births: &[Birth<'_>], count: usize, now: Timestamp) -> Result<Positions, Error> {
        let positions = log::advance(self, count, now).await?;
        let rows: Vec<_> = births.iter().map(|birth| row(birth, positions)).collect();
        let rows = json(&rows)?;
        let sessions = "INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, \
                        last_seen_at, idle_expires_at, expires_at, version, scope, claims, data, device, address, \
                        user_agent) \
                        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
                        value ->> 6, value ->> 7, value ->> 8, 1, value ->> 9, value ->> 10, unhex(value ->> 11), \
                        value ->> 12, value ->> 13, value ->> 14 FROM json_each(?)";
        sqlx::query(sessions).bind(&rows).execute(&mut *self).await.map_err(conflict)?;
        if births.iter().any(|birth| birth.new.token.is_some()) {
            let tokens = "INSERT INTO signoff_token (hash, sid) SELECT unhex(value ->> 15), unhex(value ->> 0) \
                          FROM json_each(?) WHERE value ->> 15 IS NOT NULL";
            sqlx::query(tokens).bind(&rows).execute(&mut *self).await.map_err(conflict)?;
        }
        if births.iter().any(|birth| birth.new.refresh.is_some()) {
            let families = "INSERT INTO signoff_refresh (family, sid, current, grace_until, generation) \
                            SELECT unhex(value ->> 16), unhex(value ->> 0), unhex(value ->> 17), value ->> 18, \
                            value ->> 19 FROM json_each(?) WHERE value ->> 16 IS NOT NULL";
            sqlx::query(families).bind(&rows).execute(&mut *self).await.map_err(conflict)?;
        }
        let events: Vec<_> = births.iter().map(|birth| birth.new.audit.clone()).collect();
        audit::insert(self, &events).await?;
        Ok(positions)
    }
}

/// A session, its token's hash and its family as the columns of one row.
#[derive(serde::Serialize)]
struct Row<'a>(
    String,
    &'a str,
    &'a str,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<&'a str>,
    Option<&'a str>,
    String,
    Option<&'a str>,
    Option<String>,
    Option<&'a str>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

fn row<'a>(birth: &Birth<'a>, positions: Positions) -> Row<'a> {
    let NewSession { session, token, refresh, .. } = birth.new;
    let family = refresh.map(|first| (first.family, Family::new(session.id, &first)));
    Row(
        hex(session.id.as_bytes()),
        session.subject.as_str(),
        session.client_id.as_str(),
        positions.nth(birth.nth),
        session.created_at.as_micros(),
        session.authenticated_at.as_micros(),
        session.last_seen_at.as_micros(),
        session.idle_expires_at.as_micros(),
        session.expires_at.as_micros(),
        session.scope.as_deref(),
        session.claims.as_deref(),
        hex(&session.data),
        session.device.as_deref(),
        session.context.address().map(|address| address.to_string()),
        session.context.user_agent(),
        token.map(|token| hex(token.as_bytes())),
        family.as_ref().map(|(key, _)| hex(key.as_bytes())),
        family.as_ref().map(|(_, family)| hex(family.current.as_bytes())),
        family.as_ref().map(|(_, family)| family.grace_until.as_micros()),
        family.as_ref().map(|(_, family)| integer(family.generation)),
    )
}
