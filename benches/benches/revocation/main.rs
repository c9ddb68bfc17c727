//! "Is it revoked?", asked of a set of ten million entries, of other structures, and of Redis over loopback.
//!
//! The claims are in `checks`, `rates`, `threads` and `verdict`, and `peers` prints a table of everybody. With `--save`
//! and a path, the table becomes a file that the example `plot` draws.

use signoff_benches::{Length, remark};
use signoff_test_servers::Failure;

mod checks;
mod keys;
mod lookups;
mod peers;
mod rates;
mod redis_server;
mod structures;
mod threads;
mod verdict;

/// The size of the set that most claims are about.
const LARGE: u64 = 10_000_000;

fn main() -> Result<(), Failure> {
    let length = Length::from_args();
    remark(format_args!(
        "Lookups of random 16-byte ids, 99 % misses, ours through a Reader. The id of an isolated check needs \
         a reading of\nthe clock, which waits for the check before, so that no two overlap. Both are included and shown as \
         \"nothing\";\nthe claims over a map, moka and Redis are net of it. Checks in a row wait for nothing."
    ));
    let large = rates::run(length);
    checks::small(length)?;
    verdict::run(length);
    checks::large(length, &large);
    // Last of the large set, because it changes it.
    threads::run(length, &large);
    drop(large);
    peers::run(length)
}
