//! Ten million sessions, beside ten thousand; on MariaDB half a million, as many as its cache holds here: it reads past
//! that of the system.
//!
//! Claims: how many times as long the p50 of loading, of noting a use and of logging out takes; the worst of the three.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use signoff::store::{SessionKey, Touch};
use signoff::time::{Clock, SystemClock, Timestamp};
use signoff::{Cause, Scope, Signoff, Store};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, now, remark};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::{Database, Place};
use crate::rows::Rows;
use crate::service::{nanos_at, on_a_worker, open};

const EACH: u64 = 50;

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<(), Failure> {
    let full = if matches!(database, Database::MariaDb(_)) { 500_000 } else { 10_000_000 };
    let (few, many) = (10_000, length.pick(full, 100_000) as u64);
    let small = Table::new(runtime, database, few)?;
    let large = Table::new(runtime, database, many)?;
    let measured = interleave(
        &format!("{}: p50 of {EACH}, one at a time", database.name()),
        Unit::Nanoseconds,
        length.pick(31, 5),
        [
            Contestant::new(&format!("load, {many} sessions"), || large.round(runtime, Verb::Load)),
            Contestant::new(&format!("load, {few} sessions"), || small.round(runtime, Verb::Load)),
            Contestant::new(&format!("touch, {many} sessions"), || large.round(runtime, Verb::Touch)),
            Contestant::new(&format!("touch, {few} sessions"), || small.round(runtime, Verb::Touch)),
            Contestant::new(&format!("logout, {many} sessions"), || large.round(runtime, Verb::LogOut)),
            Contestant::new(&format!("logout, {few} sessions"), || small.round(runtime, Verb::LogOut)),
        ],
    );
    let pairs = measured.as_chunks::<2>().0;
    let worst = pairs.iter().max_by(|[a, b], [c, d]| a.over(b).total_cmp(&c.over(d)));
    if let Some([large, small]) = worst {
        claim(&format!("large-table-{}", database.name()), large, small);
    }
    for table in [small, large] {
        runtime.block_on(table.signoff.close());
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Verb {
    Load,
    LogOut,
    Touch,
}

/// A service on a table of some size. What of it is in memory is for the database and the system to say.
struct Table {
    _place: Place,
    store: Arc<dyn Store>,
    signoff: Signoff,
    rows: Arc<Rows>,
    next: AtomicU64,
}

async fn fill(database: &Database, count: u64) -> Result<(Place, Rows), Failure> {
    let now = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
    let rows = Rows::new(count, now + 30 * 3_600_000_000);
    let place = database.place()?;
    place.prepare().await?;
    let sizes = rows.sessions(&place).await?;
    remark(format_args!(
        "{}: bytes on the disk for each of {count}: session {:.0}, its opaque token {:.0}, the record of its login {:.0}",
        database.name(),
        sizes.session,
        sizes.token,
        sizes.record
    ));
    Ok((place, rows))
}

impl Table {
    fn new(runtime: &Runtime, database: &Database, count: u64) -> Result<Self, Failure> {
        runtime.block_on(async {
            let (place, rows) = fill(database, count).await?;
            place.warm()?;
            let store: Arc<dyn Store> = Arc::from(place.store().await?);
            let signoff = open(Arc::clone(&store)).await?;
            Ok(Self { _place: place, store, signoff, rows: Arc::new(rows), next: AtomicU64::new(0) })
        })
    }

    /// Every call is about another session.
    fn round(&self, runtime: &Runtime, verb: Verb) -> f64 {
        let first = self.next.fetch_add(EACH, Ordering::Relaxed);
        let (store, signoff, rows) = (Arc::clone(&self.store), self.signoff.clone(), Arc::clone(&self.rows));
        on_a_worker(runtime, async move {
            let mut taken = Vec::new();
            for number in first..first + EACH {
                let id = rows.id(number);
                let at = SystemClock::new().wall().expect("the clock is readable");
                let start = now();
                let done = match verb {
                    Verb::Load => store.load_session(SessionKey::Id(&id), at).await.is_ok_and(|found| found.is_some()),
                    Verb::LogOut => {
                        let ended = signoff.revoke(Scope::Session(id.as_bytes()), Cause::logout()).await;
                        ended.is_ok_and(|ended| ended.destroyed == 1)
                    }
                    Verb::Touch => {
                        let touched = store.touch_sessions(&[Touch { id, idle_expires_at: Timestamp::MAX }], at).await;
                        touched.is_ok_and(|found| matches!(found[..], [Some(_)]))
                    }
                };
                taken.push(now() - start);
                assert!(done, "each session is there once");
            }
            nanos_at(&taken, 0.5)
        })
    }
}
