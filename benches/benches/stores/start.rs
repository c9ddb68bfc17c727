//! Starting with a million live revocations.
//!
//! Claims: how long it takes to open the store and to load them all, over four seconds.

use signoff::time::{Clock, SystemClock};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, now, remark};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::Database;
use crate::rows::Rows;
use crate::service::open;

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<(), Failure> {
    let count = length.pick(1_000_000, 100_000) as u64;
    let target = 4e9 * count as f64 / 1e6;
    let place = database.place()?;
    let time = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
    let rows = Rows::new(count, time + 30 * 3_600_000_000);
    let each = runtime.block_on(async {
        place.prepare().await?;
        rows.revocations(&place).await
    })?;
    remark(format_args!("{}: {each:.0} bytes on the disk for each of {count} revocations", database.name()));
    let before = resident();
    let mut most = before;
    let [ours] = interleave(
        &format!("{}: start with {count} live revocations", database.name()),
        Unit::Nanoseconds,
        length.pick(5, 3),
        [Contestant::new("open the store, open Signoff", || {
            runtime
                .block_on(async {
                    let start = now();
                    let signoff = open(place.store().await?).await?;
                    let taken = now() - start;
                    most = most.max(resident());
                    signoff.close().await;
                    Ok::<_, Failure>(taken.as_secs_f64() * 1e9)
                })
                .expect("it opens")
        })],
    );
    remark(format_args!(
        "{}: the process grew by {:.0} MB, {:.0} bytes for each",
        database.name(),
        most.saturating_sub(before) as f64 / 1e6,
        most.saturating_sub(before) as f64 / count as f64
    ));
    if !matches!(database, Database::MariaDb(_)) {
        claim(&format!("start-1e6-{}", database.name()), &ours, &ours.target("4 s for a million", target));
    }
    Ok(())
}

/// The most memory that this process has had, in bytes, as Linux counts it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1_024
}
