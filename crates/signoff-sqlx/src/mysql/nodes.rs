//! The rows of nodes: SQL and binding. Each function is one statement, and so a transaction. MySQL has no way to wake others:
//! nodes look by themselves.

use signoff::store::Node;
use signoff::{Error, NodeId, Position};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::database;
use crate::rows::{integer, node};

pub(super) async fn lease(connection: &mut MySqlConnection) -> Result<Option<i64>, Error> {
    let sql = "SELECT lease FROM signoff_meta WHERE id = 1";
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(database)
}

pub(super) async fn set_lease(connection: &mut MySqlConnection, micros: i64) -> Result<(), Error> {
    let sql = "UPDATE signoff_meta SET lease = ? WHERE id = 1 AND lease IS NULL";
    sqlx::query(sql).bind(micros).execute(connection).await.map(|_| ()).map_err(database)
}

pub(super) async fn join(connection: &mut MySqlConnection, id: &NodeId, name: &str) -> Result<bool, Error> {
    let sql = "INSERT INTO signoff_node (id, name, renewals, applied) VALUES (?, ?, 0, 0)";
    match sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(name.as_bytes()).execute(connection).await {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(database(error)),
    }
}

pub(super) async fn renew(connection: &mut MySqlConnection, id: &NodeId, applied: Position) -> Result<bool, Error> {
    let sql = "UPDATE signoff_node SET renewals = renewals + 1, applied = ? WHERE id = ? AND applied <= ?";
    let applied = integer(applied.get());
    let query = sqlx::query(sql).bind(applied).bind(id.as_bytes().as_slice()).bind(applied);
    query.execute(connection).await.map(|done| done.rows_affected() == 1).map_err(database)
}

pub(super) async fn behind(connection: &mut MySqlConnection, position: Position) -> Result<Vec<Node>, Error> {
    let sql = "SELECT id, name, renewals, applied FROM signoff_node WHERE applied < ?";
    let query = sqlx::query(sql).bind(integer(position.get()));
    query.fetch_all(connection).await.map_err(database)?.iter().map(node).collect()
}

pub(super) async fn expel(connection: &mut MySqlConnection, id: &NodeId, renewals: u64) -> Result<bool, Error> {
    let sql = "DELETE FROM signoff_node WHERE id = ? AND renewals = ?";
    let query = sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(integer(renewals));
    query.execute(connection).await.map(|done| done.rows_affected() == 1).map_err(database)
}

pub(super) async fn leave(connection: &mut MySqlConnection, id: &NodeId) -> Result<(), Error> {
    let sql = "DELETE FROM signoff_node WHERE id = ?";
    sqlx::query(sql).bind(id.as_bytes().as_slice()).execute(connection).await.map(|_| ()).map_err(database)
}

pub(super) async fn announce(_: &mut MySqlConnection) -> Result<(), Error> {
    Ok(())
}

/// The head of the log as it was seen last.
pub(crate) type Ear = i64;

/// How often nodes look whether something was logged. A logout takes about as long as this.
const LOOK: std::time::Duration = std::time::Duration::from_millis(25);

/// Waits until the head of the log is another.
pub(super) async fn heard(pool: &MySqlPool, ear: &mut Option<Ear>) -> Result<(), Error> {
    let sql = "SELECT head FROM signoff_meta WHERE id = 1";
    loop {
        let head: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.map_err(database)?;
        if ear.replace(head) != Some(head) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
