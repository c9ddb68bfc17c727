//! Several statements as one text: one hop for all of them.

use signoff::Error;
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::error::database;

/// Runs them, and gives the rows of all of them.
pub(super) async fn rows(connection: &mut MySqlConnection, sql: String) -> Result<Vec<MySqlRow>, Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.map_err(database)
}

/// What a transaction of such texts came to. What one that failed has locked would stay locked.
pub(super) async fn ended<T>(connection: &mut MySqlConnection, done: Result<T, Error>) -> Result<T, Error> {
    if done.is_err() {
        // Where this fails as well, the connection is broken, and the server does it.
        let _ = rows(connection, "ROLLBACK".to_owned()).await;
    }
    done
}
