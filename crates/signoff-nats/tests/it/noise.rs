//! Messages that nobody of us sent. All that they can do is to wake.

use std::sync::Arc;
use std::time::Duration;

use signoff::time::{Clock, SystemClock};

use crate::broker::{Broker, TOPIC};
use crate::fleet::{Fleet, WOKEN, are_woken, cycles, log_out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_forged_and_doubled_messages_wakes_and_no_more() {
    for broker in Broker::each() {
        let fleet = Fleet::new();
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        are_woken(&format!("{broker:?}"), &a, &b).await;
        let clock = SystemClock::new();
        let (before, began) = (cycles(&a), clock.elapsed());
        for what in ["", "logout alice", "?", "??", "\0\u{1}{\"position\":18446744073709551615}"] {
            tokio::task::block_in_place(|| broker.shout(TOPIC, what, 1_000));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (woken, took) = (cycles(&a) - before, clock.elapsed() - began);
        // At least two milliseconds lie between two cycles, however many want one.
        let most = u64::try_from(took.as_millis()).unwrap() / 2 + 2;
        assert!(woken >= 1 && woken <= most, "{broker:?}: {woken} cycles in {took:?}");
        log_out(&a, &b).await;
        let metrics = [a, b].map(|node| node.node_metrics().unwrap());
        assert!(metrics.iter().all(|of| of.failures == 0 && of.fenced == 0 && of.expelled == 0), "{metrics:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logouts_go_on_in_a_crowd() {
    for broker in Broker::each() {
        let fleet = Fleet::new();
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        are_woken(&format!("{broker:?}"), &a, &b).await;
        let broker = Arc::new(broker);
        let crowd = tokio::task::spawn_blocking({
            let broker = Arc::clone(&broker);
            move || (0..400).for_each(|_| broker.shout(TOPIC, "", 100))
        });
        let mut taken = Vec::new();
        while !crowd.is_finished() {
            taken.push(log_out(&a, &b).await);
        }
        crowd.await.unwrap();
        taken.sort_unstable();
        let median = taken[taken.len() / 2];
        // The crowd and two nodes share two cores, but a quarter of a lease is far away.
        assert!(median < WOKEN * 2, "{broker:?}: {median:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_meant_for_others_wakes_nobody() {
    for broker in Broker::each() {
        let fleet = Fleet::new();
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        are_woken(&format!("{broker:?}"), &a, &b).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = cycles(&b);
        for topic in ["shop.logouts", "bank", "bank.logouts2", "bank.logouts.eu"] {
            tokio::task::block_in_place(|| broker.shout(topic, "", 100));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        // One may be due.
        assert!(cycles(&b) - before <= 1, "{broker:?}");
        for _ in 0..5 {
            tokio::task::block_in_place(|| broker.shout(TOPIC, "", 1));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(cycles(&b) - before >= 4, "{broker:?}: or the above would mean nothing");
    }
}
