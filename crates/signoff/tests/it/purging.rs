//! The task that purges by itself: when it does, how it goes on after failures, and when it ends. What may be purged at
//! all is tested in `times`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signoff::store::Purged;
use signoff::test_util::{FailingStore, Fault, ManualClock};
use signoff::time::{Clock, Timestamp};
use signoff::{Cause, Delivery, KeySet, MemoryStore, Position, Settings, Signoff, Store};

use crate::bank::{Bank, key, secs, settings, start};

const EVERY: Duration = Duration::from_secs(60);
/// The longest that a period can be: a quarter more, and a moment.
const SURELY: Duration = Duration::from_secs(76);

fn every(period: Option<Duration>) -> Settings {
    let mut settings = settings(Delivery::Jwt);
    settings.purge_every = period;
    settings
}

/// A bank where so many people have logged out, three days ago.
async fn long_ago(store: impl Store, period: Option<Duration>, people: u32) -> Bank {
    let bank = Bank::open_on(store, every(period)).await;
    let mut tokens = Vec::new();
    for n in 0..people {
        tokens.push(bank.log_in(&n.to_string()).await.token);
    }
    for token in tokens {
        let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    }
    bank.clock.advance(secs(3 * 24 * 3600));
    bank
}

async fn left(store: &dyn Store) -> usize {
    store.log_after(Position::ZERO, 20_000).await.unwrap().page.entries.len()
}

// The clock of the runtime moves when everything waits; the bank's own stands still.
#[tokio::test(start_paused = true)]
async fn what_is_over_is_deleted_by_itself_to_the_last_batch() {
    let store = Arc::new(MemoryStore::new());
    let bank = long_ago(Arc::clone(&store), Some(EVERY), 2_500).await;
    assert_eq!(left(&*store).await, 2_500);
    tokio::time::sleep(EVERY * 3 / 4 - secs(1)).await;
    assert_eq!(left(&*store).await, 2_500, "not before its time");
    tokio::time::sleep(SURELY).await;
    assert_eq!(left(&*store).await, 0);
    assert_eq!(bank.signoff.purge().await.unwrap(), Purged::default(), "nothing is left, of sessions neither");

    // And again.
    let token = bank.log_in("late").await.token;
    let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    bank.clock.advance(secs(3 * 24 * 3600));
    tokio::time::sleep(SURELY).await;
    assert_eq!(left(&*store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn between_batches_it_rests() {
    let store = Arc::new(MemoryStore::new());
    let _bank = long_ago(Arc::clone(&store), Some(EVERY), 2_500).await;
    let mut seen = Vec::new();
    tokio::time::sleep(EVERY * 3 / 4 - secs(1)).await;
    for _ in 0..secs(34).as_millis() / 20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let left = left(&*store).await;
        if seen.last() != Some(&left) {
            seen.push(left);
        }
    }
    assert_eq!(seen, [2_500, 1_500, 500, 0], "others come in between");
}

/// On a store that answers within five milliseconds.
#[tokio::test(start_paused = true)]
async fn it_disturbs_one_logout_in_a_hundred_and_keeps_up_all_the_same() {
    let store = Arc::new(MemoryStore::new());
    let failing = FailingStore::new(Arc::clone(&store));
    let switch = failing.switch();
    let _bank = long_ago(failing, Some(EVERY), 12_000).await;
    tokio::spawn(async move {
        loop {
            switch.fail(0, u64::MAX, Fault::Late);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let second = || tokio::time::sleep(secs(1));
    while left(&*store).await == 12_000 {
        second().await;
    }
    let mut deleted = Vec::new();
    loop {
        let before = left(&*store).await;
        second().await;
        deleted.push(before - left(&*store).await);
        if left(&*store).await == 0 {
            break;
        }
    }
    // A few slices of 25 a second, until it should have been done: then twice as many.
    assert!(deleted[..55].iter().all(|deleted| (25..=150).contains(deleted)), "{deleted:?}");
    assert!((70..110).contains(&deleted.len()), "{} s instead of two minutes: {deleted:?}", deleted.len());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_without_a_period_or_before_its_time() {
    let store = Arc::new(MemoryStore::new());
    let _bank = long_ago(Arc::clone(&store), None, 3).await;
    tokio::time::sleep(100 * SURELY).await;
    assert_eq!(left(&*store).await, 3);

    // The wall clock alone has jumped: what it calls three days ago was now.
    let store = Arc::new(MemoryStore::new());
    let bank = Bank::open_on(Arc::clone(&store), every(Some(EVERY))).await;
    let token = bank.log_in("alice").await.token;
    let _ = bank.signoff.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    bank.clock.step(Some(start().saturating_add(secs(3 * 24 * 3600))));
    tokio::time::sleep(100 * SURELY).await;
    assert_eq!(left(&*store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_is_purged_when_it_is_back() {
    for fault in [Fault::AnswerLost, Fault::Refuse, Fault::Hang] {
        let store = Arc::new(MemoryStore::new());
        let failing = FailingStore::new(Arc::clone(&store));
        let switch = failing.switch();
        let _bank = long_ago(failing, Some(EVERY), 1_500).await;
        switch.fail(0, u64::MAX, fault);
        let before = switch.calls();
        tokio::time::sleep(SURELY * 10).await;
        let tried = switch.calls() - before;
        assert!((5..60).contains(&tried), "{fault:?}: {tried} times, neither once nor without a pause");
        switch.heal();
        tokio::time::sleep(SURELY + secs(60)).await;
        assert_eq!(left(&*store).await, 0, "{fault:?}");
    }
}

/// Something that panics in the middle of a purge.
#[derive(Debug)]
struct Broken(ManualClock, AtomicBool);

impl Clock for Broken {
    fn wall(&self) -> Option<Timestamp> {
        assert!(!self.1.load(Ordering::SeqCst), "made to panic");
        self.0.wall()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_does_not_end_it() {
    let store = Arc::new(MemoryStore::new());
    long_ago(Arc::clone(&store), None, 5).await.signoff.close().await;
    let clock = Arc::new(Broken(ManualClock::new(start()), AtomicBool::new(false)));
    let keys = KeySet::new(key());
    let clock_of = Arc::clone(&clock);
    let _signoff = Signoff::open_with_clock(Arc::clone(&store), keys, every(Some(EVERY)), clock_of).await.unwrap();
    clock.0.advance(secs(3 * 24 * 3600));
    clock.1.store(true, Ordering::SeqCst);
    tokio::time::sleep(SURELY * 3).await;
    assert_eq!(left(&*store).await, 5);
    clock.1.store(false, Ordering::SeqCst);
    tokio::time::sleep(SURELY).await;
    assert_eq!(left(&*store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_last_clone() {
    for close in [true, false] {
        let store = Arc::new(MemoryStore::new());
        let failing = FailingStore::new(Arc::clone(&store));
        let switch = failing.switch();
        let Bank { signoff, .. } = long_ago(failing, Some(EVERY), 3).await;
        let clone = signoff.clone();
        drop(signoff);
        // In the middle of a purge, which hangs.
        switch.fail(0, u64::MAX, Fault::Hang);
        let before = switch.calls();
        tokio::time::sleep(SURELY).await;
        assert_eq!(switch.calls(), before + 1);
        if close {
            clone.close().await;
        } else {
            drop(clone);
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(Arc::strong_count(&store), 1, "nobody holds the store any more");
        switch.heal();
        tokio::time::sleep(SURELY * 10).await;
        assert_eq!(left(&*store).await, 3);
    }
}
