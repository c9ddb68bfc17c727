//! Logouts of 256 callers at once.
//!
//! Claims: how many times as many group commit does as a transaction for each, written by hand in its best shape with the
//! pool that suits it best; with the lock of the head row, which the guarantee needs, and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use signoff::Cause;
use signoff::time::{Clock, SystemClock};
use signoff_benches::{Contestant, Length, Unit, claim, interleave_all, now, remark};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::{Database, Place};
use crate::hand::{Hand, Head};
use crate::rows::Rows;
use crate::service::{AT_ONCE, CALLERS, crowd, deal, log_in, open};

/// What a base may choose from.
pub(crate) const POOLS: [u32; 4] = [1, 2, 4, 16];

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<(), Failure> {
    let (rounds, each) = (length.pick(5, 3), length.pick(40, 4));
    let place = database.place()?;
    let signoff = runtime.block_on(async { open(place.store().await?).await })?;
    let start = now();
    let mut tokens = runtime.block_on(log_in(&signoff, (rounds + 1) * CALLERS * each))?;
    let rate = tokens.len() as f64 / (now() - start).as_secs_f64();
    remark(format_args!("{}: logins, {AT_ONCE} callers at once: {rate:.0}/s", database.name()));

    let by_hand = ByHand::new(length, runtime, database)?;
    let mut heads = vec![(Head::Locked, "the head row locked")];
    // SQLite has one writer at a time, so it has no other order.
    if !matches!(database, Database::Sqlite) {
        heads.push((Head::Unordered, "no head row"));
    }
    let mut bases = Vec::new();
    for (head, name) in &heads {
        let pool = best(database, name, |pool| by_hand.round(pool, *head))?;
        bases.push((pool, *head, format!("one transaction each, {name}, {pool} connections")));
    }
    let mut contestants = vec![Contestant::new("group commit, the default settings", || {
        let tokens = tokens.split_off(tokens.len() - CALLERS * each);
        for token in &tokens {
            signoff.verify(token.access.expose()).expect("nobody logs out who has not been there");
        }
        let callers = deal(tokens, each);
        let work = |tokens: Vec<_>| {
            let signoff = signoff.clone();
            async move {
                for token in tokens {
                    let token: crate::service::Tokens = token;
                    let receipt = signoff.log_out(&[token.access.expose()], Cause::logout()).await?;
                    assert_eq!(receipt.destroyed(), 1);
                }
                Ok(())
            }
        };
        runtime.block_on(crowd(callers, each, work)).expect("logouts succeed")
    })];
    for (pool, head, name) in &bases {
        contestants.push(Contestant::new(name, || by_hand.round(*pool, *head).expect("logouts succeed")));
    }
    let title = format!("{}: logouts, {CALLERS} callers at once", database.name());
    let measured = interleave_all(&title, Unit::PerSecond, rounds, contestants);
    for (base, middle) in measured[1..].iter().zip(["", "-unordered"]) {
        claim(&format!("logout-256{middle}-{}", database.name()), &measured[0], base);
    }
    runtime.block_on(signoff.close());
    Ok(())
}

/// Tries every pool once.
pub(crate) fn best(
    database: &Database,
    what: &str,
    round: impl Fn(u32) -> Result<f64, Failure>,
) -> Result<u32, Failure> {
    let mut tried = Vec::new();
    for pool in POOLS {
        tried.push((round(pool)?, pool));
    }
    let rates: Vec<_> = tried.iter().map(|(rate, pool)| format!("{pool}: {rate:.0}/s")).collect();
    remark(format_args!("{}: {what}, by connections: {}", database.name(), rates.join(", ")));
    let best = tried.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(best.map_or(1, |(_, pool)| pool))
}

/// The base: sessions enough for all rounds, in a database of their own.
struct ByHand<'a> {
    runtime: &'a Runtime,
    place: Place,
    rows: Arc<Rows>,
    each: usize,
    next: AtomicU64,
}

impl<'a> ByHand<'a> {
    fn new(length: Length, runtime: &'a Runtime, database: &Database) -> Result<Self, Failure> {
        let each = length.pick(10, 2);
        let rounds = 2 * (POOLS.len() + length.pick(5, 3) + 1);
        let now = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
        let rows = Arc::new(Rows::new((rounds * CALLERS * each) as u64, now + 30 * 3_600_000_000));
        let place = database.place()?;
        runtime.block_on(async {
            place.prepare().await?;
            rows.sessions(&place).await?;
            Hand::prepare(&place).await
        })?;
        Ok(Self { runtime, place, rows, each, next: AtomicU64::new(0) })
    }

    /// Logouts per second, with a pool of this size.
    fn round(&self, pool: u32, head: Head) -> Result<f64, Failure> {
        self.runtime.block_on(async {
            let hand = Hand::open(&self.place, pool).await?;
            let first = self.next.fetch_add((CALLERS * self.each) as u64, Ordering::Relaxed);
            let callers = (0..CALLERS as u64).map(|caller| first + caller * self.each as u64).collect();
            let each = self.each as u64;
            let rate = crowd(callers, self.each, |from: u64| {
                let (hand, rows) = (hand.clone(), Arc::clone(&self.rows));
                async move {
                    for number in from..from + each {
                        let at = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
                        // Below every position that a clock gives.
                        let position = 1 + number as i64;
                        hand.log_out(rows.nth(number), at, position, head).await?;
                    }
                    Ok(())
                }
            });
            let rate = rate.await?;
            hand.close().await;
            Ok(rate)
        })
    }
}
