//! A copy of the replica in a file, so that a restart reads the log from where the copy ends and not from its beginning.
//!
//! The log stays the only truth. A file that is missing, damaged, of another log or too old costs the time of reading it
//! all; what would cost a logout is a file that makes a node go on behind entries which it never had. `docs/decisions/0018`
//! says why that cannot happen. What the bytes are is in `file`; how they get to the disk in `beside`.

mod file;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use signoff_revocation::{Replica, Revocation};

use crate::beside::{self, Existing};
use crate::commit::catch_up;
use crate::keeper::Tender;
use crate::purge::scattered;
use crate::store::Store;
use crate::{Error, Position};

use file::{Snapshot, Unusable};

/// How often the file is written, within a quarter more or less, if something was revoked meanwhile.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Reads and writes of the disk.
const BUFFER: usize = 1 << 18;

/// Writes the file.
pub(crate) struct Snapshots {
    path: PathBuf,
    replica: Arc<Replica>,
    /// One writer at a time. Within: the newest entry of the log that the file has.
    written: Mutex<Option<Position>>,
}

/// A replica that has the log to its head, and up to where it has it from the file, if there is one that is good.
pub(crate) async fn restore(
    file: Option<&Path>,
    store: &dyn Store,
    limit: usize,
) -> Result<(Replica, Option<Position>), Error> {
    if let Some(path) = file
        && let Some(replica) = load(path, store, limit).await
    {
        let from_file = replica.newest().map(|entry| entry.position());
        match catch_up(store, &replica).await {
            Ok(()) => return Ok((replica, from_file)),
            // The memory may just suffice for the log and not for this. No file is a reason not to start.
            Err(error) => {
                tracing::warn!(target: "signoff", %error, "the snapshot is not used: reading the whole log");
            }
        }
    }
    let replica = Replica::with_limit(limit);
    catch_up(store, &replica).await?;
    Ok((replica, None))
}

/// The replica of the file, if it is good for this log. It knows the log up to some position.
async fn load(path: &Path, store: &dyn Store, limit: usize) -> Option<Replica> {
    match try_load(path, store, limit).await {
        Ok(replica) => {
            tracing::info!(target: "signoff", revocations = replica.len(), "the snapshot is good");
            return Some(replica);
        }
        Err(Unusable::Missing) => {
            tracing::info!(target: "signoff", path = %path.display(), "no snapshot yet: reading the whole log");
        }
        Err(reason) => {
            let path = path.display();
            tracing::warn!(target: "signoff", %path, %reason, "the snapshot is not used: reading the whole log");
        }
    }
    None
}

/// Forgets the file of a store that went back. It would be found out, but why leave it to that.
pub(crate) async fn forget(path: &Path) {
    let owned = path.to_owned();
    match blocking(move || fs::remove_file(owned)).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(target: "signoff", path = %path.display(), %error, "the snapshot was not removed");
        }
        _ => {}
    }
}

async fn try_load(path: &Path, store: &dyn Store, limit: usize) -> Result<Replica, Unusable> {
    let path = path.to_owned();
    let snapshot = blocking(move || Ok(open(&path))).await??;
    let header = snapshot.header;
    // Nothing of the rest is looked at before the log has said that it is the same one.
    let read = store.log_after(header.after, header.count).await.map_err(Unusable::Unconfirmed)?;
    let recent = read.page.entries;
    if !header.knows(&recent) {
        return Err(Unusable::Stale);
    }
    blocking(move || Ok(snapshot.load(&recent, limit))).await?
}

fn open(path: &Path) -> Result<Snapshot<BufReader<File>>, Unusable> {
    // A pipe would never end.
    if !fs::metadata(path)?.is_file() {
        return Err(Unusable::Unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
    }
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o022 != 0 {
            return Err(Unusable::Exposed);
        }
    }
    Snapshot::open(BufReader::with_capacity(BUFFER, file))
}

/// On a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    // It panicked, or the runtime is ending.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

impl Snapshots {
    /// For a file that has the log up to `written`.
    pub(crate) fn new(path: PathBuf, replica: Arc<Replica>, written: Option<Position>) -> Arc<Self> {
        Arc::new(Self { path, replica, written: Mutex::new(written) })
    }

    /// Writes every so often until the result is dropped.
    pub(crate) fn start(self: &Arc<Self>) -> Tender {
        Tender::new(Some(tokio::spawn(tend(Arc::downgrade(self)))))
    }

    /// Writes the file if something was revoked since the last time. What fails is tried again the next time, and costs the
    /// next start some time until then.
    pub(crate) async fn write(self: &Arc<Self>) {
        let snapshots = Arc::clone(self);
        if let Err(error) = blocking(move || snapshots.write_now()).await {
            tracing::warn!(target: "signoff", path = %self.path.display(), %error, "the snapshot was not written");
        }
    }

    fn write_now(&self) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(|poison| poison.into_inner());
        if self.replica.newest().map(|entry| entry.position()) == *written {
            return Ok(());
        }
        // None when the log went back: then nothing here is worth keeping.
        let Some(dump) = self.replica.dump() else { return Ok(()) };
        let newest = dump.recent().last().map(Revocation::position);
        beside::write(&self.path, Existing::Replaced, |file| {
            let mut buffered = BufWriter::with_capacity(BUFFER, file);
            file::write(dump, &mut buffered)?;
            buffered.flush()
        })?;
        *written = newest;
        Ok(())
    }
}

async fn tend(snapshots: Weak<Snapshots>) {
    loop {
        tokio::time::sleep(scattered(EVERY)).await;
        let Some(snapshots) = snapshots.upgrade() else { return };
        snapshots.write().await;
    }
}
