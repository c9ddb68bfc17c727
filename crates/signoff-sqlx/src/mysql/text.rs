//! Several statements as one text: one hop for all of them, and quicker than what unpacks many rows there, for which MariaDB
//! makes tables in files. All that is not ours to choose is a number or a literal of hexadecimal digits.

use std::fmt::Write as _;

use signoff::time::Timestamp;
use signoff::{Error, SessionId, Subject, TokenHash};
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::error::database;
use crate::pack::push_literal;

/// Runs statements, and gives the rows of all of them.
pub(super) async fn rows(connection: &mut MySqlConnection, sql: String) -> Result<Vec<MySqlRow>, Error> {
    run(connection, sql).await.map_err(database)
}

/// As [`rows`], for who sorts errors otherwise.
pub(super) async fn run(connection: &mut MySqlConnection, sql: String) -> Result<Vec<MySqlRow>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await
}

/// What a transaction of such texts came to. What one that failed has locked would stay locked.
pub(super) async fn ended<T>(connection: &mut MySqlConnection, done: Result<T, Error>) -> Result<T, Error> {
    if done.is_err() {
        // Where this fails as well, the connection is broken, and the server does it.
        let _ = run(connection, "ROLLBACK".to_owned()).await;
    }
    done
}

/// What rows are found by.
pub(super) trait Id {
    fn bytes(&self) -> &[u8];
}

impl Id for SessionId {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Id for TokenHash {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Id for Subject {
    fn bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

/// What comes after IN, in order, so that two batches that meet take their locks alike. Such a list must not be empty, and no
/// column equals NULL.
pub(super) fn list<'a, I: Id + 'a>(ids: impl IntoIterator<Item = &'a I>) -> String {
    let mut ids: Vec<_> = ids.into_iter().map(Id::bytes).collect();
    ids.sort_unstable();
    let mut list = String::with_capacity(40 * ids.len() + 8);
    list.push_str("(NULL");
    for id in ids {
        list.push_str(", ");
        push_literal(&mut list, Some(id));
    }
    list.push(')');
    list
}

/// The time of each session, by the session's id. There must be one.
pub(super) fn times<'a>(of: impl Iterator<Item = (&'a SessionId, Timestamp)>) -> String {
    let mut case = "CASE sid".to_owned();
    for (id, time) in of {
        case.push_str(" WHEN ");
        push_literal(&mut case, Some(id.as_bytes()));
        push(&mut case, format_args!(" THEN {}", time.as_micros()));
    }
    case.push_str(" END");
    case
}

/// Writes to the end of a text, which does not fail.
pub(super) fn push(sql: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = sql.write_fmt(what);
}

/// Rows that are added, at the end of a text. There must be one.
pub(super) struct Insert<'a> {
    sql: &'a mut String,
    between: &'static str,
}

impl<'a> Insert<'a> {
    /// Into a table with these columns.
    pub(super) fn into(sql: &'a mut String, table: &str) -> Self {
        push(sql, format_args!("INSERT INTO {table} VALUES "));
        Self { sql, between: "(" }
    }

    /// Begins a row.
    pub(super) fn row(&mut self) -> &mut Self {
        self.sql.push_str(if self.between == "(" { "(" } else { "), (" });
        self.between = "";
        self
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.between();
        push(self.sql, format_args!("{number}"));
        self
    }

    /// The `nth` of the positions that [`advance_in_text`](super::log::advance_in_text) hands out, from 1.
    pub(super) fn nth(&mut self, nth: usize) -> &mut Self {
        self.between();
        push(self.sql, format_args!("@signoff_base + {nth}"));
        self
    }

    /// Of a text as well.
    pub(super) fn bytes<B: AsRef<[u8]> + ?Sized>(&mut self, bytes: Option<&B>) -> &mut Self {
        self.between();
        push_literal(self.sql, bytes.map(AsRef::as_ref));
        self
    }

    /// The end of the last row.
    pub(super) fn end(self) {
        self.sql.push(')');
    }

    fn between(&mut self) {
        self.sql.push_str(self.between);
        self.between = ", ";
    }
}
