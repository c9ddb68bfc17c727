//! What an entry weighs: in ours while it grows, and in other structures.
//!
//! Claims: bytes of the heap per entry at the worst size, expiry included, and the peak of the heap over what it holds
//! once it has grown. It is a bench of its own because it counts what is allocated, and counting slows the lookups of
//! those that allocate, as moka does.

use std::alloc::System;
use std::error::Error;
use std::fmt;
use std::fs;

use cap::Cap;
use signoff_benches::{Length, Series, Unit, claim, remark, save_path};
use signoff_revocation::{Cutoff, Position, RevocationSet, Scope};

mod keys;
mod structures;

use keys::{Subject, cut_off, expiry, sessions};
use structures::{Visit, sizes, visit_all};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const LARGE: u64 = 10_000_000;
/// How many entries go in between two looks at the heap.
const STEP: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    // The first growth is the first of the process, so the heap's highest mark is its own.
    let growth = Growth::new(LARGE, cut_off);
    remark(format_args!("{growth} (sessions)"));
    let [peak, held] = growth.peak;
    claim(
        "bytes-peak",
        &Series::new("highest mark of the heap", Unit::Bytes, vec![peak]),
        &Series::new("heap at the same moment", Unit::Bytes, vec![held]),
    );
    claim_worst("bytes-token-1e7", &growth, 18.0);
    drop(growth);

    let growth = Growth::new(length.pick(LARGE as usize, 2_000_000) as u64, |set, number| {
        let cutoff = Position::new(number).map_or(Cutoff::ABSOLUTE, Cutoff::at);
        set.insert(Scope::Subject(Subject::new(number).as_str()), cutoff, expiry(number)).expect("there is room");
    });
    remark(format_args!("{growth} (subjects)"));
    claim_worst("bytes-wide-1e7", &growth, 32.0);
    drop(growth);

    table(length)
}

/// A set that grew from nothing, and what was seen meanwhile.
struct Growth {
    set: RevocationSet,
    entries: u64,
    /// The least and the most bytes per entry in the second half, through which a table doubles.
    each: [f64; 2],
    /// The highest mark of the heap and what it held soon after, where the one was most of the other.
    peak: [f64; 2],
}

impl Growth {
    fn new(entries: u64, insert: impl Fn(&RevocationSet, u64)) -> Self {
        let (before, mut mark) = (HEAP.allocated(), HEAP.max_allocated());
        let set = RevocationSet::new();
        let (mut each, mut peak) = ([f64::INFINITY, 0.0], [0.0, f64::INFINITY]);
        for count in 1..=entries {
            insert(&set, count - 1);
            if count % STEP != 0 {
                continue;
            }
            let held = (HEAP.allocated() - before) as f64;
            if 2 * count >= entries {
                let bytes = held / count as f64;
                each = [bytes.min(each[0]), bytes.max(each[1])];
            }
            // What stays below the highest mark so far was worse in proportion when the mark was made.
            if HEAP.max_allocated() > mark && 10 * count >= entries {
                mark = HEAP.max_allocated();
                let now = [(mark - before) as f64, held];
                peak = if now[0] / now[1] > peak[0] / peak[1] { now } else { peak };
            }
        }
        Self { set, entries, each, peak }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, each: [least, most], .. } = self;
        let own = self.set.bytes() as f64 / *entries as f64;
        write!(f, "\n{entries} inserts: {least:.2} to {most:.2} bytes of the heap per entry in the second half; ")?;
        write!(f, "RevocationSet::bytes\nsays {own:.2} at the end")
    }
}

fn claim_worst(id: &str, growth: &Growth, target: f64) {
    let worst = Series::new("heap per entry", Unit::Bytes, vec![growth.each[1]]);
    claim(id, &worst, &worst.target("target", target));
}

/// All structures side by side; it becomes a file when `--save` says where.
fn table(length: Length) -> Result<(), Box<dyn Error>> {
    remark(format_args!("\nbytes of the heap per entry; all but ours keep ids only"));
    let mut lines = "structure\tentries\tbytes_per_entry\n".to_owned();
    for &entries in sizes(length) {
        let mut scales = Scales { entries, lines };
        scales.weigh("signoff", || sessions(entries));
        visit_all(entries, &mut scales);
        lines = scales.lines;
    }
    if let Some(path) = save_path() {
        fs::write(path, lines)?;
    }
    Ok(())
}

struct Scales {
    entries: u64,
    lines: String,
}

impl Scales {
    fn weigh<T>(&mut self, name: &str, build: impl FnOnce() -> T) {
        let before = HEAP.allocated();
        let _built = build();
        let (entries, bytes) = (self.entries, (HEAP.allocated() - before) as f64 / self.entries as f64);
        remark(format_args!("  {name:<36} {entries:>10} {bytes:>10.2}"));
        self.lines += &format!("{name}\t{entries}\t{bytes:.2}\n");
    }
}

impl Visit for Scales {
    fn visit<L: FnMut(&[u8; 16]) -> bool>(&mut self, name: &str, build: impl FnOnce() -> L) {
        self.weigh(name, build);
    }
}
