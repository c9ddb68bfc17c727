//! A store of one's own in sixty lines: one file that every change writes anew, whole or not at all. It runs the suite.

use std::path::{Path, PathBuf};
use std::{fs, io};

use signoff::audit::AuditEvent;
use signoff::store::*;
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, Position, Session, SessionId, Subject, TokenHash, Update};

/// Everything is in memory and in the file; a change is in both, or in neither.
#[derive(Debug)]
struct FileStore(Seat, PathBuf, tokio::sync::Mutex<MemoryStore>);

impl FileStore {
    fn open(path: &Path) -> Result<Self, Error> {
        let kept = match fs::read(path) {
            Ok(snapshot) => MemoryStore::from_snapshot(&snapshot)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => MemoryStore::new(),
            Err(error) => return Err(Error::new(ErrorKind::Unavailable, "no such file").with_source(error)),
        };
        Ok(Self(Seat::new(), path.to_owned(), kept.into()))
    }

    fn save(&self, snapshot: &[u8]) -> Result<(), Error> {
        let (beside, folder) = (self.1.with_extension("new"), self.1.parent().unwrap_or_else(|| Path::new(".")));
        let saved = fs::write(&beside, snapshot)
            .and_then(|()| fs::File::open(&beside)?.sync_all())
            .and_then(|()| fs::rename(&beside, &self.1))
            .and_then(|()| fs::File::open(folder)?.sync_all());
        saved.map_err(|error| Error::new(ErrorKind::Unavailable, "the file is not written").with_source(error))
    }
}

macro_rules! store {
    ($($how:ident $verb:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl Store for FileStore {
            fn seat(&self) -> &Seat {
                &self.0
            }
            $(async fn $verb(&self, $($name: $type),*) -> Result<$answer, Error> {
                store!($how self, $verb($($name),*))
            })*
        }
    };
    (read $self:ident, $verb:ident($($name:ident),*)) => { $self.2.lock().await.$verb($($name),*).await };
    (write $self:ident, $verb:ident($($name:ident),*)) => {{
        let mut kept = $self.2.lock().await;
        let changed = MemoryStore::from_snapshot(&kept.to_snapshot()?)?;
        let answer = changed.$verb($($name),*).await?;
        $self.save(&changed.to_snapshot()?)?;
        *kept = changed;
        Ok(answer)
    }};
}

store! {
    write agree(terms: Terms) -> Terms;
    write create_sessions(batch: &[NewSession], now: Timestamp) -> CreatedSessions;
    read load_session(key: SessionKey<'_>, now: Timestamp) -> Option<Session>;
    read find_by_token(token: &TokenHash) -> Option<Session>;
    read find_by_family(family: &TokenHash) -> Option<Session>;
    read list_sessions(of: &Subject, after: Option<&SessionId>, limit: u32, now: Timestamp) -> Vec<Session>;
    write update_session(id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Update;
    write touch_sessions(batch: &[Touch], now: Timestamp) -> Vec<Option<Session>>;
    write sign_off(batch: &[SignOff], now: Timestamp) -> SignedOff;
    write exchange(batch: &[Exchange], now: Timestamp) -> Exchanged;
    read intents(of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Vec<Intent>;
    write postpone(postponed: &[Postponed]) -> Vec<bool>;
    write settle(settled: &[Settled]) -> ();
    read log_after(after: Position, limit: u32) -> LogRead;
    write record(event: &AuditEvent) -> ();
    read audit_trail(subject: &Subject, limit: u32) -> Vec<AuditEvent>;
    write purge(horizon: Timestamp, limit: u32) -> Purged;
    read load_key_ring() -> Option<StoredKeyRing>;
    write save_key_ring(expected: u64, document: &str) -> bool;
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut number = 0;
    let empty = async || {
        number += 1;
        FileStore::open(&folder.path().join(format!("{number}.json"))).expect("a new file")
    };
    signoff::conformance::run(empty).await;
}
