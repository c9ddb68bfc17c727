//! What a database error means for the caller.

use signoff::{Error, ErrorKind};

/// One place that sorts sqlx's errors by consequence. The source is kept; it holds SQL, never a bound value.
pub(crate) fn database(error: sqlx::Error) -> Error {
    let (kind, what) = match &error {
        sqlx::Error::Database(database) if is_damage(database.code().as_deref()) => {
            (ErrorKind::Data, "the database is damaged, is no database, or has other tables than signoff made")
        }
        sqlx::Error::Database(_)
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => (ErrorKind::Unavailable, "the database did not do it"),
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (ErrorKind::Data, "the database holds what it cannot hold")
        }
        sqlx::Error::Configuration(_) => (ErrorKind::Misuse, "the database cannot be opened like this"),
        _ => (ErrorKind::Internal, "unexpected answer of the database"),
    };
    Error::new(kind, what).with_source(error)
}

pub(crate) fn migration(error: sqlx::migrate::MigrateError) -> Error {
    use sqlx::migrate::MigrateError;
    let (kind, what) = match error {
        MigrateError::VersionMissing(_) => (ErrorKind::Data, "the database was written by a newer signoff"),
        MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => {
            (ErrorKind::Data, "signoff's tables are not as signoff made them")
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => return database(error),
        other => return Error::new(ErrorKind::Internal, "signoff's tables could not be set up").with_source(other),
    };
    Error::new(kind, what).with_source(error)
}

/// What an INSERT of a session or a token met.
pub(crate) fn conflict(error: sqlx::Error) -> Error {
    if error.as_database_error().is_some_and(|error| error.is_unique_violation()) {
        return Error::new(ErrorKind::Conflict, "a session with this id or token exists").with_source(error);
    }
    database(error)
}

/// A row that no version of signoff writes.
pub(crate) fn damaged(what: &'static str) -> Error {
    Error::new(ErrorKind::Data, what)
}

/// SQLITE_ERROR (a table or column is missing), SQLITE_CORRUPT and SQLITE_NOTADB, in their plain and extended forms (the
/// low byte is the plain one). What is left is busy, full, read-only or unreachable: it may be better next time.
fn is_damage(code: Option<&str>) -> bool {
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 1 | 11 | 26))
}
