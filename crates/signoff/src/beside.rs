//! Files that appear whole or not at all, whenever the process dies, and that only their owner can read. It knows nothing
//! of what is in them.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::LogoutId;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and that is no error: whoever was first is right.
    Kept,
    /// It is gone, in the moment in which the new one is there.
    Replaced,
}

/// Writes a file beside `path` under a name that nobody else uses, makes it durable, and puts it into place.
pub(crate) fn write(
    path: &Path,
    existing: Existing,
    contents: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    clear(path);
    let unique = LogoutId::generate().map_err(io::Error::other)?.fingerprint();
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{unique}{SUFFIX}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    // Says that somebody is at work. Where files cannot be locked, nobody clears up either.
    let _ = file.try_lock();
    let placed = contents(&mut file).and_then(|()| file.sync_all()).and_then(|()| match existing {
        Existing::Kept => match fs::hard_link(&beside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        },
        Existing::Replaced => fs::rename(&beside, path),
    });
    // A name that was given away is not there any more.
    if existing == Existing::Kept || placed.is_err() {
        let removed = fs::remove_file(&beside);
        placed.and(removed)?;
    }
    sync_folder(path)
}

/// Removes what processes that died have left beside `path`. What cannot be removed does no harm but take room.
fn clear(path: &Path) {
    let (Some(name), Ok(folder)) = (path.file_name(), fs::read_dir(folder(path))) else { return };
    for entry in folder.flatten().filter(|entry| is_beside(&entry.file_name(), name)) {
        // Whoever writes holds the lock; it is free as soon as they are gone.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one that [`write`] makes up.
fn is_beside(candidate: &OsStr, name: &OsStr) -> bool {
    let rest = candidate.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
    let unique = rest.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(SUFFIX.as_bytes()));
    unique.is_some_and(|unique| unique.len() == 12 && unique.iter().all(u8::is_ascii_hexdigit))
}

/// A name is only as durable as its folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

const SUFFIX: &str = ".new";
