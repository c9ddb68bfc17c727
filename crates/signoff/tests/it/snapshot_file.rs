//! The file that makes a restart quick: used when it is a copy of this very log, and for nothing else.
//!
//! Whether it was used can be seen: these stores have lost the beginning of their log behind the library's back, so whoever
//! reads the log from its beginning does not know of the first logout, and whoever goes on where the file ends does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use signoff::test_util::ManualClock;
use signoff::{Cause, Delivery, ErrorKind, Issued, KeySet, MemoryStore, Position, Rejection, Scope, Signoff, Store};
use tempfile::TempDir;

use crate::bank::{Bank, key, secs, settings, start, subject};

/// How many of the newest entries have to be in the log, as they were.
const RECENT: usize = 64;
/// Longer than the period can be.
const SURELY: std::time::Duration = secs(751);

/// A service that has been closed, its file, and whom it logged out.
struct Closed {
    folder: TempDir,
    store: Arc<MemoryStore>,
    dead: Vec<Issued>,
    alive: Issued,
}

impl Closed {
    /// So many people log out, the file is written, and `later` more log out of whom it does not know.
    async fn after(logouts: usize, later: usize) -> Self {
        let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::new()));
        let bank = open(Arc::clone(&store), Some(&folder.path().join(NAME))).await;
        let mut closed = Self { folder, store: Arc::clone(&store), dead: Vec::new(), alive: bank.log_in("bob").await };
        closed.log_out(&bank, logouts).await;
        bank.signoff.close().await;
        let bank = open(store, None).await;
        closed.log_out(&bank, later).await;
        bank.signoff.close().await;
        closed
    }

    async fn log_out(&mut self, bank: &Bank, people: usize) {
        for n in 0..people {
            let issued = bank.log_in(&n.to_string()).await;
            let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
            self.dead.push(issued);
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// A store with another log, and nothing else.
    fn with_log(&self, change: impl FnOnce(&mut Vec<Value>)) -> MemoryStore {
        let mut document: Value = serde_json::from_slice(&self.store.to_snapshot().unwrap()).unwrap();
        for table in ["sessions", "tokens", "audit"] {
            document[table] = Value::Array(Vec::new());
        }
        change(document["log"].as_array_mut().unwrap());
        MemoryStore::from_snapshot(&serde_json::to_vec(&document).unwrap()).unwrap()
    }

    /// The store without the first entry of its log.
    fn torn(&self) -> MemoryStore {
        self.with_log(|log| drop(log.remove(0)))
    }

    /// Everybody is dead or alive as they should be, but for the first, of whom only the file knows.
    async fn expect(&self, store: impl Store, file: Used, what: &str) {
        let bank = open(store, Some(&self.file())).await;
        let verdict = |issued: &Issued| bank.signoff.verify(issued.token.expose()).err();
        let expect = if file == Used::Yes { Some(Rejection::Revoked) } else { None };
        assert_eq!(verdict(&self.dead[0]), expect, "{what}: whether the file is used");
        for (n, dead) in self.dead.iter().enumerate().skip(1) {
            assert_eq!(verdict(dead), Some(Rejection::Revoked), "{what}: {n}");
        }
        assert_eq!(verdict(&self.alive), None, "{what}");
        // Dropped, so that the file stays as it is.
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Used {
    No,
    Yes,
}

const NAME: &str = "revocations";

async fn open(store: impl Store, file: Option<&Path>) -> Bank {
    let mut settings = settings(Delivery::Jwt);
    settings.snapshot = file.map(Path::to_owned);
    Bank::open_on(store, settings).await
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_restart_goes_on_where_the_file_ends() {
    for later in [0, 1, 3, RECENT + 9] {
        let closed = Closed::after(RECENT + 6, later).await;
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&closed.file().metadata().unwrap().permissions()) & 0o777,
            0o600
        );
        closed.expect(closed.torn(), Used::Yes, "a good file").await;
    }
    // Few logouts: all of them have to be in the log.
    let closed = Closed::after(3, 1).await;
    closed.expect(Arc::clone(&closed.store), Used::Yes, "of whichever it has them, the first is dead").await;
}

/// Everything that can be revoked, through a file.
#[tokio::test]
async fn wide_revocations_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join(NAME), Arc::new(MemoryStore::new()));
    let bank = open(Arc::clone(&store), Some(&file)).await;
    let [alice, carol, bob] = [bank.log_in("alice").await, bank.log_in("carol").await, bank.log_in("bob").await];
    let _ = bank.signoff.revoke(Scope::Subject("alice"), Cause::logout()).await.unwrap();
    let _ = bank.signoff.revoke(Scope::Client("https://bank.example/api"), Cause::logout()).await.unwrap();
    let again = bank.log_in("carol").await;
    for n in 0..40 {
        let _ = bank.signoff.revoke(Scope::Client(&format!("client-{n}")), Cause::logout()).await.unwrap();
    }
    for n in 0..RECENT {
        let _ = bank.signoff.revoke(Scope::Subject(&format!("other-{n}")), Cause::logout()).await.unwrap();
    }
    bank.signoff.close().await;
    // Without any of them.
    let mut document: Value = serde_json::from_slice(&store.to_snapshot().unwrap()).unwrap();
    document["log"].as_array_mut().unwrap().drain(..42);
    let store = MemoryStore::from_snapshot(&serde_json::to_vec(&document).unwrap()).unwrap();
    let bank = open(store, Some(&file)).await;
    for issued in [&alice, &carol, &bob] {
        assert_eq!(bank.signoff.verify(issued.token.expose()).err(), Some(Rejection::Revoked));
    }
    assert!(bank.signoff.verify(again.token.expose()).is_ok(), "it was minted afterwards");
}

#[tokio::test]
async fn a_file_of_another_log_is_not_used() {
    let closed = Closed::after(RECENT + 6, 2).await;
    let known = closed.dead.len() - 2;
    let recent = known - RECENT..known;
    closed.expect(closed.torn(), Used::Yes, "as it was").await;
    closed.expect(closed.with_log(|log| drop(log.drain(..6))), Used::Yes, "purged before the recent ones").await;

    // One that was purged kills nothing any more, or so it is hoped: then nothing else is missing either.
    for purged in [recent.start, recent.start + 30, recent.end - 1] {
        let store = closed.with_log(|log| {
            log.remove(purged);
            log.remove(0);
        });
        let bank = open(store, Some(&closed.file())).await;
        assert!(bank.signoff.verify(closed.dead[0].token.expose()).is_ok(), "{purged}");
    }
    for changed in [recent.start, recent.end - 1] {
        let store = closed.with_log(|log| {
            log[changed][3] = (log[changed][3].as_i64().unwrap() + 1).into();
            log.remove(0);
        });
        closed.expect(store, Used::No, "another expiry").await;
        let store = closed.with_log(|log| {
            log[changed][1] = 1.into();
            log.remove(0);
        });
        let bank = open(store, Some(&closed.file())).await;
        assert!(bank.signoff.verify(closed.dead[0].token.expose()).is_ok(), "another kind");
    }
    // A log that went back, by all that the file does not have in common with it.
    for left in [0, 1, known - 1] {
        let store = closed.with_log(|log| {
            log.truncate(left);
            log.drain(..1.min(left));
        });
        let bank = open(store, Some(&closed.file())).await;
        assert!(bank.signoff.verify(closed.dead[0].token.expose()).is_ok(), "{left} left");
    }
    closed.expect(closed.torn(), Used::Yes, "as it was").await;
}

/// Two copies of a database whose clocks stand still hand out the same positions. Even where their newest entries are the
/// same, what came before need not be.
#[tokio::test]
async fn a_file_of_a_copy_that_went_its_own_way_is_not_used() {
    let closed = Closed::after(RECENT + 6, 0).await;
    let bank = open(Arc::clone(&closed.store), None).await;
    let [here, there, both] = [bank.log_in("here").await, bank.log_in("there").await, bank.log_in("both").await];
    bank.signoff.close().await;
    let copies = [here, there].map(|first| (first, MemoryStore::from_snapshot(&closed.store.to_snapshot().unwrap())));
    let mut stores = Vec::new();
    for (first, copy) in copies {
        let copy = Arc::new(copy.unwrap());
        // Neither begins with a file of the other; the one that is there in the end is that of the second.
        fs::remove_file(closed.file()).unwrap();
        let bank = open(Arc::clone(&copy), Some(&closed.file())).await;
        for token in [&first.token, &both.token] {
            let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
        }
        bank.signoff.close().await;
        stores.push((first, copy));
    }
    let newest = async |store: &MemoryStore| {
        let entries = store.log_after(Position::ZERO, 1_000).await.unwrap().page.entries;
        entries.last().unwrap().clone()
    };
    assert_eq!(newest(&stores[0].1).await, newest(&stores[1].1).await, "or this test tries nothing");
    for (first, store) in stores {
        let bank = open(store, Some(&closed.file())).await;
        assert_eq!(bank.signoff.verify(first.token.expose()).err(), Some(Rejection::Revoked));
        assert_eq!(bank.signoff.verify(both.token.expose()).err(), Some(Rejection::Revoked));
    }
}

#[tokio::test]
async fn no_damage_is_believed() {
    let closed = Closed::after(RECENT + 1, 1).await;
    let good = fs::read(closed.file()).unwrap();
    let expect = async |bytes: &[u8], used, what: &str| {
        fs::write(closed.file(), bytes).unwrap();
        closed.expect(closed.torn(), used, what).await;
    };
    expect(&good, Used::Yes, "whole").await;
    // Every byte, and every length, is tried where the file is read (`snapshot/file/tests.rs`).
    for byte in (0..64).chain((64..good.len()).step_by(23)) {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        expect(&bad, Used::No, &format!("byte {byte}")).await;
    }
    for length in (0..64).chain((64..good.len()).step_by(23)) {
        expect(&good[..length], Used::No, &format!("{length} bytes")).await;
    }
    expect(&[&good[..], &[0]].concat(), Used::No, "one byte more").await;
    expect(&[&good[..], &good[..]].concat(), Used::No, "twice").await;
    expect(&[&[0xff; 64][..], &good[..]].concat(), Used::No, "behind something else").await;
    let mut version = good.clone();
    version[8] += 1;
    expect(&version, Used::No, "another version").await;
    expect(&good, Used::Yes, "whole again").await;
}

/// Parts that are whole, but not where they belong.
#[tokio::test]
async fn parts_are_not_exchanged() {
    let closed = Closed::after(RECENT + 6, 0).await;
    let good = fs::read(closed.file()).unwrap();
    let mut frames = Vec::new();
    let mut at = 12;
    while at < good.len() {
        let length = u32::from_le_bytes(good[at..at + 4].try_into().unwrap()) as usize;
        frames.push(&good[at..at + length + 8]);
        at += length + 8;
    }
    assert!(frames.len() > 20, "{}", frames.len());
    for n in 0..frames.len() {
        let without: Vec<_> = frames.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, frame)| *frame).collect();
        let mut twice = frames.clone();
        twice.insert(n, frames[n]);
        let mut swapped = frames.clone();
        swapped.swap(n, (n + 1) % frames.len());
        for (frames, what) in [(without, "without"), (twice, "twice"), (swapped, "swapped")] {
            fs::write(closed.file(), [&good[..12], &frames.concat()].concat()).unwrap();
            closed.expect(closed.torn(), Used::No, &format!("{what} {n}")).await;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_of_ours_is_no_reason_not_to_start() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let closed = Closed::after(RECENT + 6, 1).await;
    let (file, aside) = (closed.file(), closed.folder.path().join("aside"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    closed.expect(closed.torn(), Used::No, "others can write to it").await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    closed.expect(closed.torn(), Used::Yes, "nobody can write to it").await;
    fs::rename(&file, &aside).unwrap();
    closed.expect(closed.torn(), Used::No, "none").await;
    symlink(&aside, &file).unwrap();
    closed.expect(closed.torn(), Used::Yes, "a link").await;
    fs::remove_file(&file).unwrap();
    symlink(&file, &file).unwrap();
    closed.expect(closed.torn(), Used::No, "a link to itself").await;
    fs::remove_file(&file).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
    closed.expect(closed.torn(), Used::No, "a socket").await;
    drop(socket);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    closed.expect(closed.torn(), Used::No, "a folder").await;

    // Nor not to log out, and to close.
    let bank = open(MemoryStore::new(), Some(&file)).await;
    let token = bank.log_in("alice").await.token;
    let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    bank.signoff.close().await;
    assert_eq!(files(closed.folder.path()), ["aside", NAME], "what could not be put into place is gone");
    let bank = open(MemoryStore::new(), Some(&closed.folder.path().join("none/at/all"))).await;
    let token = bank.log_in("alice").await.token;
    let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    bank.signoff.close().await;
}

#[tokio::test]
async fn what_a_crash_left_is_not_used_and_is_cleared_away() {
    let mut closed = Closed::after(RECENT + 6, 0).await;
    let beside = |name: &str| closed.folder.path().join(name);
    let left = [format!("{NAME}.0123456789ab.new"), format!("{NAME}.ba9876543210.new")];
    let strangers = [format!("{NAME}.old.new"), format!("{NAME}.0123456789ab"), "x.0123456789ab.new".to_owned()];
    // Half of a file, as a crash leaves it.
    let whole = fs::read(closed.file()).unwrap();
    for name in left.iter().chain(&strangers) {
        fs::write(beside(name), &whole[..whole.len() / 2]).unwrap();
    }
    // Another process is writing this one.
    let written = fs::File::create(beside(&left[1])).unwrap();
    written.try_lock().unwrap();
    closed.expect(closed.torn(), Used::Yes, "the file is the old one").await;

    let bank = open(Arc::clone(&closed.store), Some(&closed.file())).await;
    closed.log_out(&bank, 1).await;
    bank.signoff.close().await;
    let mut expect = [&strangers[..], &left[1..], &[NAME.to_owned()]].concat();
    expect.sort();
    assert_eq!(files(closed.folder.path()), expect);
    closed.expect(closed.torn(), Used::Yes, "and now the new one").await;
}

#[tokio::test]
async fn after_a_restore_there_is_no_file() {
    let closed = Closed::after(RECENT + 6, 0).await;
    let mut settings = settings(Delivery::Jwt);
    settings.snapshot = Some(closed.file());
    let restored = Signoff::open_after_restore_with_clock(
        closed.torn(),
        KeySet::new(key()),
        settings,
        &[],
        Cause::logout(),
        Arc::new(ManualClock::new(start())),
    );
    let restored = restored.await.unwrap();
    assert!(files(closed.folder.path()).is_empty());
    for issued in closed.dead.iter().chain([&closed.alive]) {
        assert_eq!(restored.verify(issued.token.expose()).err(), Some(Rejection::Revoked));
    }
    restored.close().await;
    assert_eq!(files(closed.folder.path()), [NAME], "a new one");
}

#[tokio::test]
async fn the_limit_of_memory_holds_for_the_file_too() {
    let closed = Closed::after(RECENT + 6, 0).await;
    let open = async |bytes, file: Option<PathBuf>| {
        let mut settings = settings(Delivery::Jwt);
        (settings.revocation_bytes, settings.snapshot) = (bytes, file);
        let clock = Arc::new(ManualClock::new(start()));
        let signoff = Signoff::open_with_clock(closed.torn(), KeySet::new(key()), settings, clock).await;
        signoff.map(|signoff| signoff.verify(closed.dead[0].token.expose()).is_err()).map_err(|error| error.kind())
    };
    // For a set without any entry there is room.
    assert_eq!(open(60_000, None).await, Err(ErrorKind::Unavailable));
    assert_eq!(open(60_000, Some(closed.file())).await, Err(ErrorKind::Unavailable));
    assert_eq!(open(200_000, Some(closed.file())).await, Ok(true));
}

// The clock of the runtime moves when everything waits.
#[tokio::test(start_paused = true)]
async fn it_is_written_every_so_often_if_something_changed() {
    let mut closed = Closed::after(RECENT, 0).await;
    fs::remove_file(closed.file()).unwrap();
    let bank = open(Arc::clone(&closed.store), Some(&closed.file())).await;
    tokio::time::sleep(secs(449)).await;
    assert!(files(closed.folder.path()).is_empty(), "not before its time");
    tokio::time::sleep(SURELY).await;
    let first = fs::read(closed.file()).unwrap();
    fs::remove_file(closed.file()).unwrap();
    let _ = bank.log_in("carol").await;
    tokio::time::sleep(2 * SURELY).await;
    assert!(files(closed.folder.path()).is_empty(), "nothing was revoked");
    closed.log_out(&bank, 1).await;
    tokio::time::sleep(SURELY).await;
    assert_ne!(fs::read(closed.file()).unwrap(), first);
    closed.expect(closed.torn(), Used::Yes, "while the other one is still open").await;

    fs::remove_file(closed.file()).unwrap();
    closed.log_out(&bank, 1).await;
    let clone = bank.signoff.clone();
    drop(bank);
    tokio::time::sleep(SURELY).await;
    assert_eq!(files(closed.folder.path()), [NAME]);
    fs::remove_file(closed.file()).unwrap();
    let _ = clone.revoke(Scope::Subject(subject("dave").as_str()), Cause::logout()).await.unwrap();
    drop(clone);
    tokio::time::sleep(10 * SURELY).await;
    assert!(files(closed.folder.path()).is_empty(), "it ends with the last clone");
}

/// One path for two services is a mistake, and a harmless one: the file is always one of theirs, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_share_a_path_do_no_harm() {
    for _ in 0..20 {
        let [a, b] = [Closed::after(RECENT + 1, 0).await, Closed::after(RECENT + 2, 0).await];
        let file = a.file();
        let banks = [open(Arc::clone(&a.store), Some(&file)).await, open(Arc::clone(&b.store), Some(&file)).await];
        for (bank, issued) in banks.iter().zip([&a.alive, &b.alive]) {
            let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        }
        let [first, second] = banks.map(|bank| tokio::spawn(bank.signoff.close()));
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(files(a.folder.path()), [NAME]);
        let mut used = 0;
        for closed in [&a, &b] {
            let bank = open(closed.torn(), Some(&file)).await;
            used += usize::from(bank.signoff.verify(closed.dead[0].token.expose()).is_err());
            for dead in closed.dead[1..].iter().chain([&closed.alive]) {
                assert_eq!(bank.signoff.verify(dead.token.expose()).err(), Some(Rejection::Revoked));
            }
        }
        assert_eq!(used, 1, "it is the file of one of them");
    }
}
