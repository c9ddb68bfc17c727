//! All structures side by side: what a check takes, and how many fit into a second.
//!
//! It claims nothing: each structure is gone before the next is built, so no two are measured within moments.

use std::fs;

use signoff_benches::loops::{BATCH, in_a_row, isolated};
use signoff_benches::{Length, median, remark, save_path};
use signoff_test_servers::Failure;

use crate::keys::sessions;
use crate::lookups::{ids, nothing, ours, random_line};
use crate::structures::{Visit, sizes, visit_all};

/// Measures; the table becomes a file when `--save` says where.
pub(crate) fn run(length: Length) -> Result<(), Failure> {
    remark(format_args!(
        "\nall structures, with foldhash, except evmap (SipHash) and ours\n  {:<36} {:>10} {:>14} {:>15}",
        "structure", "entries", "isolated (ns)", "in a row (M/s)"
    ));
    let mut lines = "structure\tentries\tisolated_ns\tlookups_per_second\n".to_owned();
    for &entries in sizes(length) {
        let mut watch = Watch { entries, lines };
        let set = sessions(entries);
        watch.time("signoff", ours(&set));
        watch.time("nothing", nothing);
        watch.time("random line read", random_line(set.bytes()));
        drop(set);
        visit_all(entries, &mut watch);
        lines = watch.lines;
    }
    if let Some(path) = save_path() {
        fs::write(path, lines)?;
    }
    Ok(())
}

struct Watch {
    entries: u64,
    lines: String,
}

impl Watch {
    fn time(&mut self, name: &str, mut look_up: impl FnMut(&[u8; 16]) -> bool) {
        let entries = self.entries;
        let alone = rounds(isolated(BATCH, ids(entries, 0), &mut look_up));
        let in_a_row = rounds(in_a_row(ids(entries, 1), &mut look_up));
        remark(format_args!("  {name:<36} {entries:>10} {alone:>14.1} {:>15.2}", in_a_row / 1e6));
        self.lines += &format!("{name}\t{entries}\t{alone:.1}\t{in_a_row:.0}\n");
    }
}

impl Visit for Watch {
    fn visit<L: FnMut(&[u8; 16]) -> bool>(&mut self, name: &str, build: impl FnOnce() -> L) {
        self.time(name, build());
    }
}

/// The median of rounds, after one to warm up.
fn rounds(mut round: impl FnMut() -> f64) -> f64 {
    round();
    median((0..21).map(|_| round()).collect())
}
