//! Logouts while a million sessions that are over are deleted.
//!
//! Claims: how many times as long the p99 of a logout is as while nothing is deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use signoff::time::{Clock, SystemClock, Timestamp};
use signoff::{Cause, Scope, Signoff};
use signoff_benches::{Contestant, Length, Series, Unit, claim, interleave, now, remark};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::{Database, Place};
use crate::rows::Rows;
use crate::service::{nanos_at, on_a_worker, open_at};

/// The system's clock, by which two hours have passed since the start: before that nothing is deleted.
#[derive(Debug, Default)]
struct Later(SystemClock, AtomicBool);

impl Clock for Later {
    fn wall(&self) -> Option<Timestamp> {
        self.0.wall()
    }

    fn elapsed(&self) -> Duration {
        let passed = if self.1.load(Ordering::Relaxed) { Duration::from_secs(7_200) } else { Duration::ZERO };
        self.0.elapsed() + passed
    }
}

/// Measures: ours and the base.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<[Series; 2], Failure> {
    let (rounds, each, over) = (length.pick(11, 3), length.pick(1_000, 300), length.pick(1_000_000, 50_000) as u64);
    let (place, signoff, rows) = runtime.block_on(prepare(database, over, (2 * (rounds + 1) * each) as u64))?;
    let (rows, next, deleted) = (Arc::new(rows), AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let round = |purging: bool| {
        let first = next.fetch_add(each as u64, Ordering::Relaxed);
        let (signoff, rows, deleted) = (signoff.clone(), Arc::clone(&rows), Arc::clone(&deleted));
        on_a_worker(runtime, async move {
            let stop = Arc::new(AtomicBool::new(!purging));
            let purge = tokio::spawn({
                let (stop, signoff) = (Arc::clone(&stop), signoff.clone());
                async move {
                    while !stop.load(Ordering::Relaxed) {
                        let purged = signoff.purge().await.expect("a purge succeeds");
                        deleted.fetch_add(purged.sessions, Ordering::Relaxed);
                    }
                }
            });
            let mut taken = Vec::with_capacity(each);
            for number in first..first + each as u64 {
                let start = now();
                let ended = signoff.revoke(Scope::Session(rows.id(number).as_bytes()), Cause::logout()).await;
                taken.push(now() - start);
                assert!(ended.is_ok_and(|ended| ended.destroyed == 1), "a logout succeeds");
            }
            stop.store(true, Ordering::Relaxed);
            purge.await.expect("no panics");
            nanos_at(&taken, 0.99)
        })
    };
    let measured = interleave(
        &format!("{}: p99 of {each} logouts, one at a time", database.name()),
        Unit::Nanoseconds,
        rounds,
        [
            Contestant::new("while sessions that are over are deleted", || round(true)),
            Contestant::new("while nothing is deleted", || round(false)),
        ],
    );
    remark(format_args!("{}: {} of {over} were deleted", database.name(), deleted.load(Ordering::Relaxed)));
    claim(&format!("purge-p99-{}", database.name()), &measured[0], &measured[1]);
    runtime.block_on(signoff.close());
    drop(place);
    Ok(measured)
}

/// A database with so many sessions that ended two days ago, and so many that live.
async fn prepare(database: &Database, over: u64, live: u64) -> Result<(Place, Signoff, Rows), Failure> {
    let now = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
    let place = database.place()?;
    place.prepare().await?;
    let day = 24 * 3_600_000_000;
    Rows::new(over, now - 2 * day).sessions(&place).await?;
    // Another count, so other ids.
    let rows = Rows::new(live + live % 2 + 1, now + day);
    rows.sessions(&place).await?;
    let clock = Arc::new(Later::default());
    let signoff = open_at(place.store().await?, Arc::clone(&clock) as Arc<dyn Clock>).await?;
    clock.1.store(true, Ordering::Relaxed);
    Ok((place, signoff, rows))
}
