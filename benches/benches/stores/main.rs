//! Logging out, refreshing, starting and purging, durably, on SQLite, PostgreSQL and MariaDB, measured beside what one
//! would write by hand.
//!
//! The claims are said in the files. `-- NAME` runs only the files of these names, `-- sqlite` only that database.

mod crowd;
mod database;
mod hand;
mod large;
mod lone;
mod purges;
mod refreshes;
mod rows;
mod service;
mod snapshot;
mod start;

use std::error::Error;
use std::path::Path;

use database::Database;
use signoff_benches::{Length, claim, file_system, flush_time, remark};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (files, servers) = (Path::new(env!("CARGO_TARGET_TMPDIR")), std::env::temp_dir());
    remark(format_args!(
        "SQLite in WAL mode with synchronous=FULL on {}, which confirms 4 KiB within {:.0?}; PostgreSQL, and MariaDB without a \
         binary log, with their durable defaults on {}, {:.0?}, over Unix sockets.\nA logout recognises a token that was seen \
         before, destroys the session, logs the revocation, writes the audit record, commits, and applies.",
        file_system(files),
        flush_time(files)?,
        file_system(&servers),
        flush_time(&servers)?,
    ));
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |names: [&str; 2]| words.is_empty() || names.iter().all(|name| selects(&words, name));
    let mut purged = Vec::new();
    for database in &Database::all()? {
        let name = database.name();
        if wanted(["lone", name]) {
            lone::run(length, &runtime, database)?;
        }
        if wanted(["crowd", name]) {
            crowd::run(length, &runtime, database)?;
        }
        if wanted(["refreshes", name]) {
            refreshes::run(length, &runtime, database)?;
        }
        if wanted(["start", name]) {
            start::run(length, &runtime, database)?;
        }
        if matches!(database, Database::Sqlite) && wanted(["snapshot", name]) {
            snapshot::run(length, &runtime)?;
        }
        if wanted(["purges", name]) {
            purged.push(purges::run(length, &runtime, database)?);
        }
        if wanted(["large", name]) {
            large::run(length, &runtime, database)?;
        }
    }
    let worst = purged.iter().max_by(|[a, b], [c, d]| a.over(b).total_cmp(&c.over(d)));
    if let Some([while_purging, quiet]) = worst {
        claim("purge-p99", while_purging, quiet);
    }
    Ok(())
}

/// Whether words ask for this: by its name, or by no name of its kind.
fn selects(words: &[String], name: &str) -> bool {
    const DATABASES: [&str; 3] = ["mariadb", "postgres", "sqlite"];
    let kind = DATABASES.contains(&name);
    let mut of_kind = words.iter().filter(|word| DATABASES.contains(&word.as_str()) == kind).peekable();
    of_kind.peek().is_none() || of_kind.any(|word| word == name)
}
