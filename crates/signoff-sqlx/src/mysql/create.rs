//! Logins in MySQL: SQL and binding. The order of things is in [`crate::create`].

use signoff::store::{CreatedSessions, Family, NewSession};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::sessions::live;
use super::text::{self, Insert, push};
use super::{audit, elsewhere, log};
use crate::create::{self, Birth, Births, Look, Old, Taken, looking_twice, old, taken};
use crate::error::{conflict, database};
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
    // Nothing but births: they are one text, which is the whole transaction.
    if create::is_births_alone(batch, look) {
        return create::run(connection, batch, look, now).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    let created = create::run(&mut *transaction, batch, look, now).await?;
    transaction.commit().await.map_err(database)?;
    Ok(created)
}

impl Births for MySqlConnection {
    async fn lock(&mut self, ids: &[SessionId]) -> Result<(), Error> {
        let sql = format!(
            "SELECT sid FROM signoff_session FORCE INDEX (PRIMARY) WHERE sid IN {} FOR UPDATE; \
             SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE",
            text::list(ids)
        );
        text::rows(self, sql).await.map(drop)
    }

    // A statement of its own, because its snapshot must not be older than the locks.
    async fn replaceable(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Old>, Error> {
        let sql = format!(
            concat!(
                "SELECT sid, subject, expires_at, version FROM signoff_session FORCE INDEX (PRIMARY) WHERE sid IN {ids} AND",
                live!("{now}")
            ),
            ids = text::list(ids),
            now = now.as_micros()
        );
        text::rows(self, sql).await?.iter().map(old).collect()
    }

    async fn taken(&mut self, batch: &[NewSession]) -> Result<Taken, Error> {
        let sql = format!(
            "SELECT 1 AS what, sid FROM signoff_session WHERE sid IN {}; \
             SELECT 2 AS what, hash AS sid FROM signoff_token WHERE hash IN {}; \
             SELECT 3 AS what, family AS sid FROM signoff_refresh WHERE family IN {}",
            text::list(batch.iter().map(|new| &new.session.id)),
            text::list(batch.iter().filter_map(|new| new.token.as_ref())),
            text::list(batch.iter().filter_map(|new| new.refresh.as_ref().map(|first| &first.family)))
        );
        taken(&text::rows(self, sql).await?)
    }

    async fn link(&mut self, new: &Session) -> Result<(), Error> {
        elsewhere::insert(self, new).await
    }

    /// The lock of the head is taken as late as it can be. Where nothing else happens, this is the whole transaction, in one
    /// hop.
    async fn bear(&mut self, births: &[Birth<'_>], count: usize, now: Timestamp) -> Result<Positions, Error> {
        if self.is_in_transaction() {
            let rows = text::run(self, bear(births, count, now)).await.map_err(conflict)?;
            return log::advanced(&rows, count);
        }
        let sql = format!("START TRANSACTION; {}; COMMIT", bear(births, count, now));
        let rows = text::run(self, sql).await.map_err(conflict);
        log::advanced(&text::ended(self, rows).await?, count)
    }
}

fn bear(births: &[Birth<'_>], count: usize, now: Timestamp) -> String {
    let mut sql = String::new();
    let tokens: Vec<_> = births.iter().filter_map(|birth| Some((birth.new, birth.new.token.as_ref()?))).collect();
    if !tokens.is_empty() {
        let mut insert = Insert::into(&mut sql, "signoff_token (hash, sid)");
        for (new, token) in tokens {
            insert.row().bytes(Some(token.as_bytes())).bytes(Some(new.session.id.as_bytes()));
        }
        insert.end();
        sql.push_str("; ");
    }
    let families: Vec<_> = births.iter().filter_map(|birth| Some((birth.new, birth.new.refresh.as_ref()?))).collect();
    if !families.is_empty() {
        let mut insert = Insert::into(&mut sql, "signoff_refresh (family, sid, current, grace_until, generation)");
        for (new, first) in families {
            let family = Family::new(new.session.id, first);
            insert.row().bytes(Some(first.family.as_bytes())).bytes(Some(new.session.id.as_bytes()));
            insert.bytes(Some(first.token.as_bytes())).number(family.grace_until.as_micros());
            insert.number(integer(family.generation));
        }
        insert.end();
        sql.push_str("; ");
    }
    let events = births.iter().map(|birth| (&birth.new.audit, birth.new.audit.subject.as_ref()));
    audit::push_insert(&mut sql, events);
    push(&mut sql, format_args!("; {}; ", log::advance_in_text(count, now)));
    let columns = "sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, idle_expires_at, expires_at, \
                   version, scope, claims, data, device, address, user_agent";
    let mut insert = Insert::into(&mut sql, &format!("signoff_session ({columns})"));
    for Birth { new, nth } in births {
        let session = &new.session;
        let address = session.context.address().map(|address| address.to_string());
        insert.row().bytes(Some(session.id.as_bytes())).bytes(Some(session.subject.as_str()));
        insert.bytes(Some(session.client_id.as_str())).nth(*nth).number(session.created_at.as_micros());
        insert.number(session.authenticated_at.as_micros()).number(session.last_seen_at.as_micros());
        insert.number(session.idle_expires_at.as_micros()).number(session.expires_at.as_micros()).number(1);
        insert.bytes(session.scope.as_ref()).bytes(session.claims.as_ref()).bytes(Some(&session.data));
        insert.bytes(session.device.as_ref()).bytes(address.as_ref());
        insert.bytes(session.context.user_agent());
    }
    insert.end();
    sql
}
