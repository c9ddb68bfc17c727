//! What hints are for, and what is left without them.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::fleet::{FLOOR, Fleet, are_woken, cycles, log_out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_on_one_node_is_in_force_on_the_other_at_once() {
    for broker in Broker::each() {
        let fleet = Fleet::new();
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        are_woken(&format!("{broker:?}"), &a, &b).await;
        let [a, b] = [a, b].map(|node| node.node_metrics().unwrap());
        assert_eq!((a.waited_out, b.waited_out, a.failures, b.failures), (0, 0, 0, 0), "{a:?} {b:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_one_process_may_share_the_connection() {
    for broker in Broker::each() {
        let (fleet, hints) = (Fleet::new(), broker.hints());
        let (a, b) = (fleet.join(Arc::clone(&hints)).await, fleet.join(Arc::clone(&hints)).await);
        // All three must hear of each logout.
        let _c = fleet.join(hints).await;
        are_woken(&format!("{broker:?}"), &a, &b).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_logouts_take_longer_and_nothing_else() {
    for broker in Broker::each() {
        broker.crash();
        let fleet = Fleet::new();
        // Nobody needs it to begin.
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        for round in 0..2 {
            for _ in 0..2 {
                let took = log_out(&a, &b).await;
                assert!(took < FLOOR, "{broker:?}, round {round}: {took:?}");
            }
            broker.start_again();
            are_woken(&format!("{broker:?}, round {round}"), &a, &b).await;
            broker.crash();
        }
        let [a, b] = [a, b].map(|node| node.node_metrics().unwrap());
        assert_eq!((a.waited_out, b.waited_out, a.fenced, b.fenced), (0, 0, 0, 0), "{a:?} {b:?}");
        // Without the broker nobody runs in circles: a cycle for each logout and hint, and a few for the time.
        assert!(a.renewals < 800 && b.renewals < 800, "{a:?} {b:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_the_store_nothing() {
    for broker in Broker::each() {
        let fleet = Fleet::new();
        let (a, b) = (fleet.join(broker.hints()).await, fleet.join(broker.hints()).await);
        are_woken(&format!("{broker:?}"), &a, &b).await;
        broker.crash();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = cycles(&a);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let done = cycles(&a) - before;
        assert!(done <= 4, "{broker:?}: {done} cycles in three seconds, where two are due");
    }
}
