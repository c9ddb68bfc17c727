//! The key ring: SQL and one row. What the document says is not read here.

use signoff::Error;
use signoff::store::StoredKeyRing;
use sqlx::mysql::MySqlPool;

use crate::error::database;
use crate::rows::key_ring;

pub(super) async fn load(pool: &MySqlPool) -> Result<Option<StoredKeyRing>, Error> {
    let sql = "SELECT version, document FROM signoff_key_ring";
    let row = sqlx::query(sql).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(key_ring).transpose()
}

pub(super) async fn save(pool: &MySqlPool, expected: u64, document: &str) -> Result<bool, Error> {
    // No ring has a version that the database cannot count to.
    let Ok(expected) = i64::try_from(expected) else { return Ok(false) };
    // Each is one statement, so nobody comes between the comparison and the change. INSERT IGNORE would make warnings of
    // other errors too.
    let inserted = expected == 0;
    let sql = match inserted {
        true => "INSERT INTO signoff_key_ring (document, version, id) VALUES (?, ? + 1, 1)",
        false => "UPDATE signoff_key_ring SET document = ?, version = version + 1 WHERE version = ? AND id = 1",
    };
    match sqlx::query(sql).bind(document).bind(expected).execute(pool).await {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if inserted && error.is_unique_violation() => Ok(false),
        Err(error) => Err(database(error)),
    }
}
