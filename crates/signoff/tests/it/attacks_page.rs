//! `docs/attacks.md` names tests that exist, so that it cannot promise what nobody tries any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A page with fewer rows was cut off, and says less than it did.
const ENOUGH: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of all tables, without their heads.
fn rows(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack |"))
}

/// What stands between backticks and looks like a test: a path and a name.
fn tests(row: &str) -> impl Iterator<Item = (&str, &str)> {
    row.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once(".rs::"))
}

/// Whether a source has a test of this name that is not ignored.
fn is_tried(path: &str, name: &str, source: &str) -> bool {
    // These are run by others: stores by a suite, the end of the heap one after the other, what must not compile as
    // documentation.
    let run_by_others =
        ["src/conformance/", "tests/memory/", "src/proofs", "web-suite/src/"].iter().any(|part| path.contains(part));
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    let defines = |line: &str| {
        let line = line.strip_prefix("//! ").filter(|_| run_by_others).unwrap_or(line);
        let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")))
    };
    let Some(at) = lines.iter().position(|line| defines(line)) else { return false };
    let above = || lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    // One in every browser, by a macro that lists them.
    let in_browsers =
        lines.iter().skip_while(|line| !line.starts_with("in_every_browser! {")).take_while(|line| **line != "}");
    let in_browsers = in_browsers.skip(1).any(|line| *line == name);
    let is_test = in_browsers || above().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    (is_test || run_by_others) && !above().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = std::fs::read_to_string(root().join("docs/attacks.md")).unwrap();
    let mut missing = BTreeSet::new();
    for row in rows(&page) {
        for (path, name) in tests(row) {
            let beside = ["fuzz/", "web-suite/"].iter().any(|folder| path.starts_with(folder));
            let below = if beside { root() } else { root().join("crates") };
            let source = std::fs::read_to_string(below.join(format!("{path}.rs"))).unwrap_or_default();
            let exists = is_tried(path, name, &source);
            if !exists {
                missing.insert(format!("{path}.rs::{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/attacks.md names tests that do not exist: {missing:#?}");
}

#[test]
fn every_row_names_a_test() {
    let page = std::fs::read_to_string(root().join("docs/attacks.md")).unwrap();
    for row in rows(&page) {
        assert!(tests(row).next().is_some(), "{row}");
    }
    assert!(rows(&page).count() >= ENOUGH, "{} rows", rows(&page).count());
}
