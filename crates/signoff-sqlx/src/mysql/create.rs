//! Logins in MySQL: SQL and binding. The order of things is in [`crate::create`].

use signoff::store::{CreatedSessions, Family, NewSession};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, MySql};

use super::asked::{ASKED, packed};
use super::sessions::{bind_live, live};
use super::{audit, elsewhere, log};
use crate::create::{self, Birth, Births, Look, Old, Taken, looking_twice, old, taken};
use crate::error::{conflict, database};
use crate::pack::{hex, json};
use crate::rows::{Positions, integer};

pub(super) async fn run(
    connection: &mut MySqlConnection,
    batch: &[NewSession],
    now: Timestamp,
) -> Result<CreatedSessions, Error> {
    looking_twice!(|look| attempt(connection, batch, look, now).await)
}

async fn attempt(
    connection: &mut MySqlConnection,
    batch: &[NewSession],
    look: Look,
    now: Timestamp,
) -> Result<CreatedSessions, Error> {
    let mut transaction = connection.begin().await.map_err(database)?;
    let created = create::run(&mut *transaction, batch, look, now).await?;
    transaction.commit().await.map_err(database)?;
    Ok(created)
}

impl Births for MySqlConnection {
    async fn lock(&mut self, ids: &[SessionId]) -> Result<(), Error> {
        if !ids.is_empty() {
            let sql = format!(
                "SELECT s.sid FROM {ASKED} STRAIGHT_JOIN signoff_session AS s FORCE INDEX (PRIMARY) \
                 ON s.sid = UNHEX(asked.sid) FOR UPDATE"
            );
            let query = sqlx::query(AssertSqlSafe(sql)).bind(packed(ids)?);
            query.fetch_all(&mut *self).await.map_err(database)?;
        }
        let sql = "SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE";
        sqlx::query(sql).fetch_one(self).await.map(|_| ()).map_err(database)
    }

    // A statement of its own, because its snapshot must not be older than the locks.
    async fn replaceable(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Old>, Error> {
        let sql = format!(
            "SELECT signoff_session.sid, subject, expires_at, version FROM {ASKED} \
             STRAIGHT_JOIN signoff_session FORCE INDEX (PRIMARY) ON signoff_session.sid = UNHEX(asked.sid) WHERE{}",
            live!()
        );
        let query = bind_live(sqlx::query(AssertSqlSafe(sql)).bind(packed(ids)?), now);
        query.fetch_all(self).await.map_err(database)?.iter().map(old).collect()
    }

    async fn taken(&mut self, batch: &[NewSession]) -> Result<Taken, Error> {
        macro_rules! asked {
            ($what:literal, $column:literal, $table:literal) => {
                concat!(
                    "SELECT CAST(",
                    $what,
                    " AS SIGNED) AS what, CAST(t.",
                    $column,
                    " AS BINARY) AS sid FROM JSON_TABLE(?, '$[*]' COLUMNS (\
                     id VARCHAR(64) CHARSET ascii PATH '$' ERROR ON ERROR)) AS asked STRAIGHT_JOIN ",
                    $table,
                    " AS t ON t.",
                    $column,
                    " = UNHEX(asked.id)"
                )
            };
        }
        let sql = concat!(
            asked!(1, "sid", "signoff_session"),
            " UNION ALL ",
            asked!(2, "hash", "signoff_token"),
            " UNION ALL ",
            asked!(3, "family", "signoff_refresh")
        );
        let ids: Vec<_> = batch.iter().map(|new| hex(new.session.id.as_bytes())).collect();
        let tokens: Vec<_> = batch.iter().filter_map(|new| new.token.map(|hash| hex(hash.as_bytes()))).collect();
        let families = batch.iter().filter_map(|new| new.refresh.map(|first| hex(first.family.as_bytes())));
        let query = sqlx::query(sql).bind(json(&ids)?).bind(json(&tokens)?).bind(json(&families.collect::<Vec<_>>())?);
        taken(&query.fetch_all(self).await.map_err(database)?)
    }

    async fn link(&mut self, new: &Session) -> Result<(), Error> {
        elsewhere::insert(self, new).await
    }

    /// The lock of the head is taken as late as it can be.
    async fn bear(&mut self, births: &[Birth<'_>], count: usize, now: Timestamp) -> Result<Positions, Error> {
        let tokens: Vec<_> = births.iter().filter(|birth| birth.new.token.is_some()).collect();
        if !tokens.is_empty() {
            let sql = insert("signoff_token (hash, sid)", 2, tokens.len());
            let mut query = prepare(&sql, tokens.len());
            for Birth { new, .. } in tokens {
                query = query.bind(new.token.as_ref().map(|token| token.as_bytes().as_slice()));
                query = query.bind(new.session.id.as_bytes().as_slice());
            }
            query.execute(&mut *self).await.map_err(conflict)?;
        }
        let families: Vec<_> =
            births.iter().filter_map(|birth| Some((birth.new, birth.new.refresh.as_ref()?))).collect();
        if !families.is_empty() {
            let sql = insert("signoff_refresh (family, sid, current, grace_until, generation)", 5, families.len());
            let mut query = prepare(&sql, families.len());
            for (new, first) in families {
                let family = Family::new(new.session.id, first);
                query = query
                    .bind(first.family.as_bytes().as_slice())
                    .bind(new.session.id.as_bytes().as_slice())
                    .bind(first.token.as_bytes().as_slice())
                    .bind(family.grace_until.as_micros())
                    .bind(integer(family.generation));
            }
            query.execute(&mut *self).await.map_err(conflict)?;
        }
        let events: Vec<_> = births.iter().map(|birth| birth.new.audit.clone()).collect();
        audit::insert(self, &events).await?;
        let positions = log::advance(self, count, now).await?;
        let columns = "signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, \
                       idle_expires_at, expires_at, version, scope, claims, data, device, address, user_agent)";
        let sql = insert(columns, 16, births.len());
        let mut query = prepare(&sql, births.len());
        for Birth { new, nth } in births {
            let session = &new.session;
            query = query
                .bind(session.id.as_bytes().as_slice())
                .bind(session.subject.as_str().as_bytes())
                .bind(session.client_id.as_str().as_bytes())
                .bind(positions.nth(*nth))
                .bind(session.created_at.as_micros())
                .bind(session.authenticated_at.as_micros())
                .bind(session.last_seen_at.as_micros())
                .bind(session.idle_expires_at.as_micros())
                .bind(session.expires_at.as_micros())
                .bind(1_i64)
                .bind(session.scope.as_deref())
                .bind(session.claims.as_deref())
                .bind(session.data.as_slice())
                .bind(session.device.as_deref())
                .bind(session.context.address().map(|address| address.to_string()))
                .bind(session.context.user_agent());
        }
        query.execute(&mut *self).await.map_err(conflict)?;
        Ok(positions)
    }
}

/// A statement for rows of as many columns. What sessions carry is too large to be unpacked from a JSON text, which MariaDB
/// would do in a file.
fn insert(table: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("INSERT INTO {table} VALUES {}", vec![row.as_str(); rows].join(", "))
}

/// Only the statement for one row is worth keeping prepared: the others would crowd out what is used more often.
fn prepare(sql: &str, rows: usize) -> Query<'_, MySql, MySqlArguments> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(rows == 1)
}
