//! The rows of nodes, and hints by NOTIFY: SQL and binding. Each function is one statement, and so a transaction.

use signoff::store::Node;
use signoff::{Error, NodeId, Position};
use sqlx::postgres::{PgConnection, PgListener, PgPool};

use crate::error::database;
use crate::rows::{integer, node};

pub(super) async fn lease(connection: &mut PgConnection) -> Result<Option<i64>, Error> {
    let sql = "SELECT lease FROM signoff_meta WHERE id = 1";
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(database)
}

pub(super) async fn set_lease(connection: &mut PgConnection, micros: i64) -> Result<(), Error> {
    let sql = "UPDATE signoff_meta SET lease = $1 WHERE id = 1 AND lease IS NULL";
    sqlx::query(sql).bind(micros).execute(connection).await.map(|_| ()).map_err(database)
}

pub(super) async fn join(connection: &mut PgConnection, id: &NodeId, name: &str) -> Result<bool, Error> {
    let sql = "INSERT INTO signoff_node (id, name, renewals, applied) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(name);
    query.execute(connection).await.map(|done| done.rows_affected() == 1).map_err(database)
}

pub(super) async fn renew(connection: &mut PgConnection, id: &NodeId, applied: Position) -> Result<bool, Error> {
    let sql = "UPDATE signoff_node SET renewals = renewals + 1, applied = $2 WHERE id = $1 AND applied <= $2";
    let query = sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(integer(applied.get()));
    query.execute(connection).await.map(|done| done.rows_affected() == 1).map_err(database)
}

pub(super) async fn behind(connection: &mut PgConnection, position: Position) -> Result<Vec<Node>, Error> {
    let sql = "SELECT id, name, renewals, applied FROM signoff_node WHERE applied < $1";
    let query = sqlx::query(sql).bind(integer(position.get()));
    query.fetch_all(connection).await.map_err(database)?.iter().map(node).collect()
}

pub(super) async fn expel(connection: &mut PgConnection, id: &NodeId, renewals: u64) -> Result<bool, Error> {
    let sql = "DELETE FROM signoff_node WHERE id = $1 AND renewals = $2";
    let query = sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(integer(renewals));
    query.execute(connection).await.map(|done| done.rows_affected() == 1).map_err(database)
}

pub(super) async fn leave(connection: &mut PgConnection, id: &NodeId) -> Result<(), Error> {
    let sql = "DELETE FROM signoff_node WHERE id = $1";
    let query = sqlx::query(sql).bind(id.as_bytes().as_slice());
    query.execute(connection).await.map(|_| ()).map_err(database)
}

/// Beside the transactions of logouts, and not in them: a NOTIFY takes a lock of the whole server when it commits.
pub(super) async fn announce(connection: &mut PgConnection) -> Result<(), Error> {
    let sql = "SELECT pg_notify('signoff ' || md5(current_schema()), '')";
    sqlx::query(sql).execute(connection).await.map(|_| ()).map_err(database)
}

/// What is listened with. It is made again when its connection breaks.
pub(crate) type Ear = PgListener;

/// Waits for a hint. A connection that broke counts as one, for it may have missed some.
pub(super) async fn heard(pool: &PgPool, ear: &mut Option<Ear>) -> Result<(), Error> {
    let Some(listener) = ear else {
        let mut listener = PgListener::connect_with(pool).await.map_err(database)?;
        let sql = "SELECT 'signoff ' || md5(current_schema())";
        let channel: String = sqlx::query_scalar(sql).fetch_one(pool).await.map_err(database)?;
        listener.listen(&channel).await.map_err(database)?;
        // Whatever was announced before counts as heard.
        *ear = Some(listener);
        return Ok(());
    };
    match listener.try_recv().await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            *ear = None;
            Ok(())
        }
        Err(error) => {
            *ear = None;
            Err(database(error))
        }
    }
}
