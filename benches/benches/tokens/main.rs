//! Tokens: what verifying and minting take, beside what else one could use, and beside the bare signature.
//!
//! The claims are in `verify`, `seen`, `mint` and `opaque`; how much is allocated is another bench's, `allocations`, for
//! counting slows those who allocate. With `--save` and a path, the tables become a file that the example `plot` draws.

use std::error::Error;
use std::fs;

use signoff_benches::{Length, save_path};

mod backends;
mod caches;
mod claims;
mod keys;
mod mint;
mod opaque;
mod ours;
mod peers;
mod seen;
mod simple;
mod table;
mod verify;

use table::Table;

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    backends::install();
    let mut table = Table::new();
    verify::run(length, &runtime, &mut table)?;
    seen::run(length, &runtime, &mut table)?;
    mint::run(length, &runtime, &mut table)?;
    opaque::run(length, &runtime)?;
    caches::run(length);
    if let Some(path) = save_path() {
        fs::write(path, table.into_text())?;
    }
    Ok(())
}
