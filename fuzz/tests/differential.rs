//! The page on differences says what the code says.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use signoff_fuzz::{Strictness, Tally};

#[test]
fn the_page_lists_every_class() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differential.md");
    let page = fs::read_to_string(page).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), Strictness::ALL.len());
    for (class, row) in Strictness::ALL.iter().zip(rows) {
        let expect = format!("| `{class:?}` | {} | `{:?}` |", class.sentence(), class.rejection());
        assert!(row.starts_with(&expect), "{row}\nshould begin with\n{expect}");
    }
}

#[test]
fn a_few_tokens() {
    let tally = Tally::of(7, 0..2_000);
    assert!(tally.failures.is_empty(), "{tally:?}");
    assert_eq!(tally.tokens, 2_000);
    assert!(tally.accepted > 400, "{tally:?}");
}

#[test]
fn a_seed_leads_to_the_same_tokens() {
    let counts = |tally: Tally| (tally.accepted, tally.respelled, tally.both_refuse, tally.stricter);
    assert_eq!(counts(Tally::of(3, 0..500)), counts(Tally::of(3, (0..500).rev())));
}
