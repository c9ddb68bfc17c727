//! The key ring: SQL and one row. What the document says is not read here.

use signoff::Error;
use signoff::store::StoredKeyRing;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use crate::error::database;
use crate::rows::key_ring;

pub(super) async fn load(pool: &SqlitePool) -> Result<Option<StoredKeyRing>, Error> {
    let sql = "SELECT version, document FROM signoff_key_ring";
    let row = sqlx::query(sql).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(key_ring).transpose()
}

pub(super) async fn save(connection: &mut SqliteConnection, expected: u64, document: &str) -> Result<bool, Error> {
    // No ring has a version that the database cannot count to.
    let Ok(expected) = i64::try_from(expected) else { return Ok(false) };
    // Each is one statement, so nobody comes between the comparison and the change.
    let sql = if expected == 0 {
        "INSERT INTO signoff_key_ring (id, version, document) VALUES (1, ?1 + 1, ?2) ON CONFLICT DO NOTHING"
    } else {
        "UPDATE signoff_key_ring SET version = version + 1, document = ?2 WHERE version = ?1"
    };
    let done = sqlx::query(sql).bind(expected).bind(document).execute(connection).await.map_err(database)?;
    Ok(done.rows_affected() == 1)
}
