//! Replays, on stable, everything that fuzzing once found worth keeping.

#![forbid(unsafe_code)]

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A corpus with fewer files was lost on the way here, and replaying it would prove nothing.
const ENOUGH: usize = 20;

#[test]
fn compact_jws() {
    replay("compact_jws", signoff_fuzz::compact_jws);
}

#[test]
fn cookie_header() {
    replay("cookie_header", signoff_fuzz::cookie_header);
}

#[test]
fn dump() {
    replay("dump", signoff_fuzz::dump);
}

#[test]
fn opaque() {
    replay("opaque", signoff_fuzz::opaque);
}

#[test]
fn revocation_model() {
    replay("revocation_model", signoff_fuzz::revocation_model);
}

fn replay(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = files(&root.join("corpus").join(name)).unwrap_or_else(|| panic!("no corpus for {name}"));
    assert!(corpus.len() >= ENOUGH, "the corpus for {name} has only {} files", corpus.len());
    // Only a target that once failed has a folder of regressions.
    let regressions = files(&root.join("regressions").join(name)).unwrap_or_default();
    for path in corpus.iter().chain(&regressions) {
        let input = fs::read(path).unwrap();
        let held = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(held.is_ok(), "{name} fails on {}", path.display());
    }
    // Written past the capture of the test harness: a count that nobody sees does not help to notice that it shrank.
    let counts = format!("{name}: {} of the corpus, {} regressions\n", corpus.len(), regressions.len());
    std::io::stderr().write_all(counts.as_bytes()).unwrap();
}

/// The files of a folder in a fixed order; `None` when there is no such folder.
fn files(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}
