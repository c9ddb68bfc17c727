//! One owner per database file, by an advisory lock that the operating system releases when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use signoff::{Error, ErrorKind};

/// Holds the lock while it lives.
///
/// The lock is on a file of its own: SQLite's locks on the database vanish when the process closes any handle to it.
#[derive(Debug)]
pub(super) struct Owner {
    _lock: File,
}

impl Owner {
    /// Takes the file, creating it if it is missing, and says what it is really called: two names of one file
    /// (symbolic links, relative paths) must meet in one lock. Hard links do not: make none.
    pub(super) fn take(path: &Path) -> Result<(Self, PathBuf), Error> {
        create(path).map_err(unavailable)?;
        let path = path.canonicalize().map_err(unavailable)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push("-owner");
        let lock = create(Path::new(&beside)).map_err(unavailable)?;
        match lock.try_lock() {
            Ok(()) => Ok((Self { _lock: lock }, path)),
            Err(TryLockError::WouldBlock) => {
                let what = "the database is in use: one owner at a time, and somebody else has it open";
                Err(Error::new(ErrorKind::Misuse, what))
            }
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}

/// Opens a file, or creates it readable by its owner only. SQLite gives its own files the same rights.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unavailable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the database file cannot be opened or created").with_source(error)
}
