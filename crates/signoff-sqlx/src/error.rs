//! What a database error means for the caller.

use signoff::{Error, ErrorKind};
use sqlx::error::DatabaseError;

/// One place that sorts sqlx's errors by consequence. The source is kept; it holds SQL, never a bound value.
pub(crate) fn database(error: sqlx::Error) -> Error {
    let (kind, what) = match &error {
        sqlx::Error::Database(answer) => match verdict(&**answer) {
            Verdict::Damaged => {
                (ErrorKind::Data, "the database is damaged, is no database, or has other tables than signoff made")
            }
            Verdict::NotHere => {
                (ErrorKind::Misuse, "the database refuses this user, or does not exist: check the URL and the rights")
            }
            Verdict::NotNow => (ErrorKind::Unavailable, "the database did not do it"),
            Verdict::RolledBack => (ErrorKind::Unavailable, "the database preferred another transaction to this one"),
            Verdict::Unspeakable => (ErrorKind::Misuse, "a text or number is one that this database cannot hold"),
        },
        // An answer that makes no sense is one that was cut off, or is of a server that is going down: it may have happened.
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
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

/// Whether the database says that it has rolled the transaction back for another one's sake: nothing of it happened.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn is_rolled_back(error: &Error) -> bool {
    answer(error).is_some_and(|answer| verdict(answer) == Verdict::RolledBack)
}

/// Whether the server itself answered with this error, so that the connection is good.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn is_answer(error: &Error) -> bool {
    answer(error).is_some()
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
fn answer(error: &Error) -> Option<&dyn DatabaseError> {
    std::error::Error::source(error)?.downcast_ref::<sqlx::Error>()?.as_database_error()
}

/// What a database's answer comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// The data or the tables are not what they should be.
    Damaged,
    /// The wrong address, user or password.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code, reason = "a file has no users"))]
    NotHere,
    /// Busy, full, read-only, shutting down: it may be better next time.
    NotNow,
    /// It was rolled back so that another transaction could go on.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code, reason = "one writer at a time"))]
    RolledBack,
    /// A value that the database has no way to keep.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code, reason = "SQLite keeps anything"))]
    Unspeakable,
}

fn verdict(error: &dyn DatabaseError) -> Verdict {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return postgres(error.code());
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return mysql(error.number());
    }
    sqlite(error.code().as_deref())
}

/// SQLITE_ERROR (a table or column is missing), SQLITE_CORRUPT and SQLITE_NOTADB, in their plain and extended forms (the
/// low byte is the plain one). What is left is busy, full, read-only or unreachable.
fn sqlite(code: Option<&str>) -> Verdict {
    let code = code.and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(1 | 11 | 26) => Verdict::Damaged,
        _ => Verdict::NotNow,
    }
}

/// By SQLSTATE (PostgreSQL's documentation, appendix A).
#[cfg(feature = "postgres")]
fn postgres(code: &str) -> Verdict {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Verdict::RolledBack,
        // A missing or duplicate table, column or function; data_corrupted, index_corrupted; a number out of range, which
        // is a head that has no positions left.
        "42P01" | "42P07" | "42703" | "42701" | "42883" | "XX001" | "XX002" | "22003" => Verdict::Damaged,
        // A character that the encoding of the database does not have; NUL has none anywhere.
        "22021" | "22P05" | "54000" => Verdict::Unspeakable,
        // invalid_authorization, invalid_password, no such database, no such schema, insufficient_privilege
        "28000" | "28P01" | "3D000" | "3F000" | "42501" => Verdict::NotHere,
        _ => Verdict::NotNow,
    }
}

/// By number: MySQL's SQLSTATEs are too coarse. MariaDB has the same ones.
#[cfg(feature = "mysql")]
fn mysql(number: u16) -> Verdict {
    match number {
        // ER_LOCK_DEADLOCK; ER_CHECKREAD, which is how MariaDB calls a row that changed since the snapshot.
        1213 | 1020 => Verdict::RolledBack,
        // A missing or duplicate table, column or procedure; a damaged table or index; a number out of range, which is a
        // head that has no positions left.
        1146 | 1050 | 1054 | 1060 | 1305 | 1304 | 1034 | 1712 | 1932 | 1690 | 1264 => Verdict::Damaged,
        // A character that the column does not have, or a value that is too long for it or for a packet.
        1366 | 1406 | 1153 => Verdict::Unspeakable,
        // Access denied in its forms, and no such database or none named.
        1044 | 1045 | 1698 | 1049 | 1046 | 1142 | 1143 | 1227 | 1370 => Verdict::NotHere,
        _ => Verdict::NotNow,
    }
}
