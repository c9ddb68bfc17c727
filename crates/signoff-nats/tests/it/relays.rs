//! Nodes behind relays that are reached by brokers: what holds, and what ends when something fails.

use std::sync::Arc;
use std::time::Duration;

use signoff::relay::{Relay, RelayKey, RelaySettings};
use signoff::store::Store;
use signoff::time::{Clock, SystemClock};
use signoff::{Cause, ErrorKind, Login, MemoryStore, Rejection, Signoff, Subject};

use crate::broker::{Broker, Served};
use crate::fleet::{FLOOR, Fleet, LEASE, WOKEN};

/// Short, where something ends with leases.
pub(crate) const SHORT: Duration = Duration::from_secs(3);
pub(crate) const ONE: &str = "bank.relay.one";
pub(crate) const TWO: &str = "bank.relay.two";

pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let clock = SystemClock::new();
    let began = clock.elapsed();
    while !is_so().await {
        assert!(clock.elapsed() - began < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn log_in(node: &Signoff) -> String {
    node.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap().token.expose().to_owned()
}

/// How long a logout took, of a session that all accepted until then, and refuse now.
async fn log_out(what: &str, on: &Signoff, nodes: &[&Signoff], token: &str) -> Duration {
    for node in nodes {
        until("good", async || node.verify(token).is_ok()).await;
    }
    let clock = SystemClock::new();
    let began = clock.elapsed();
    until("out", async || on.log_out(&[token], Cause::logout()).await.is_ok()).await;
    let took = clock.elapsed() - began;
    for node in nodes {
        assert!(node.verify(token).is_err(), "{what}: dead is dead");
    }
    took
}

async fn two_relays(broker: &Broker, fleet: &Fleet) -> [Served; 2] {
    [
        broker.serve(fleet.relay(broker.hints()).await, ONE).await,
        broker.serve(fleet.relay(broker.hints()).await, TWO).await,
    ]
}

async fn behind_both(broker: &Broker, fleet: &Fleet) -> Signoff {
    fleet.join_behind(vec![broker.link(ONE), broker.link(TWO)], broker.hints()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_behind_a_relay_is_in_force_behind_all_at_once() {
    for broker in Broker::each() {
        let (what, fleet) = (format!("{broker:?}"), Fleet::new());
        let [one, two] = two_relays(&broker, &fleet).await;
        let (a, b) = (behind_both(&broker, &fleet).await, behind_both(&broker, &fleet).await);
        let c = fleet.join_behind(vec![broker.link(TWO), broker.link(ONE)], broker.hints()).await;
        assert_eq!((one.nodes(), two.nodes()), (2, 1), "{what}");
        let nodes = [&a, &b, &c];
        let mut taken = Vec::new();
        for n in 0..20 {
            let token = log_in(nodes[n % 3]).await;
            taken.push(log_out(&what, nodes[(n + 1) % 3], &nodes, &token).await);
        }
        taken.sort_unstable();
        assert!(taken[10] < WOKEN * 2, "{what}: a quarter of {LEASE:?} is far away: {taken:?}");
        for node in nodes {
            let metrics = node.node_metrics().unwrap();
            assert_eq!((metrics.waited_out, metrics.joined, metrics.expelled), (0, 1, 0), "{what}: {metrics:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_relay_that_is_gone_go_to_the_next() {
    for broker in Broker::each() {
        let (what, fleet) = (format!("{broker:?}"), Fleet::with(SHORT));
        let [one, two] = two_relays(&broker, &fleet).await;
        let (a, b) = (behind_both(&broker, &fleet).await, behind_both(&broker, &fleet).await);
        drop(one);
        for node in [&a, &b] {
            until("moved", async || node.node_metrics().unwrap().joined == 2 && node.may_answer()).await;
        }
        assert_eq!(two.nodes(), 2, "{what}");
        for _ in 0..3 {
            let token = log_in(&a).await;
            log_out(&what, &b, &[&a, &b], &token).await;
        }
        // And back, when the other one is closed in order.
        let one = broker.serve(fleet.relay(broker.hints()).await, ONE).await;
        two.close().await;
        for node in [&a, &b] {
            until("moved", async || node.node_metrics().unwrap().joined >= 3 && node.may_answer()).await;
        }
        assert_eq!(one.nodes(), 2, "{what}");
        let token = log_in(&b).await;
        log_out(&what, &a, &[&a, &b], &token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_nodes_refuse_and_with_it_they_answer_again() {
    for broker in Broker::each() {
        let (what, fleet) = (format!("{broker:?}"), Fleet::with(SHORT));
        let [_one, _two] = two_relays(&broker, &fleet).await;
        let (a, b) = (behind_both(&broker, &fleet).await, behind_both(&broker, &fleet).await);
        let direct = fleet.join(broker.hints()).await;
        let mut dead = Vec::new();
        for round in 0..2 {
            let (token, live) = (log_in(&direct).await, log_in(&direct).await);
            for node in [&a, &b] {
                until("good", async || node.verify(&token).is_ok()).await;
            }
            broker.crash();
            // It waits until nobody can accept it any more.
            log_out(&what, &direct, &[&a, &b], &token).await;
            dead.push(token);
            until("stale", async || [&a, &b].iter().all(|node| node.verify(&live).err() == Some(Rejection::Stale)))
                .await;
            tokio::time::sleep(SHORT / 2).await;
            assert!(!a.may_answer() && !b.may_answer() && direct.verify(&live).is_ok(), "{what}, round {round}");
            broker.start_again();
            until("back", async || {
                // At every moment.
                for token in &dead {
                    assert!(a.verify(token).is_err() && b.verify(token).is_err(), "{what}, round {round}");
                }
                a.verify(&live).is_ok() && b.verify(&live).is_ok()
            })
            .await;
            log_out(&what, &a, &[&a, &b, &direct], &live).await;
            dead.push(live);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_is_ready_when_its_nodes_can_reach_it() {
    for broker in Broker::each() {
        let fleet = Fleet::with(SHORT);
        let relay = fleet.relay(broker.hints()).await;
        broker.crash();
        let served = broker.begin_to_serve(relay, ONE);
        for _ in 0..3 {
            let waited = tokio::time::timeout(SHORT / 4, served.ready()).await;
            assert!(waited.is_err(), "{broker:?}: nobody can reach it");
            broker.start_again();
            served.ready().await;
            let node = fleet.join_behind(vec![broker.link(ONE)], broker.hints()).await;
            assert!(node.may_answer());
            drop(node);
            broker.crash();
            // It is heard of when the connection breaks.
            until("away", async || tokio::time::timeout(SHORT / 100, served.ready()).await.is_err()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_a_crowd_gets_the_right_answer() {
    for broker in Broker::each() {
        let store = MemoryStore::shared(LEASE);
        let key = || RelayKey::new(&[9; 32]).unwrap();
        let relay = Relay::open(store.another(), key(), RelaySettings::default()).await.unwrap();
        let served = broker.serve(relay, ONE).await;
        let links = vec![broker.link(ONE)];
        let behind = Arc::new(signoff::relay::Relayed::new(store.another(), key(), links).unwrap());
        for _ in 0..3 {
            // Each would notice another's answer: `Relayed` refuses it.
            let asking = (0..200).map(|n: u64| {
                let behind = Arc::clone(&behind);
                tokio::spawn(async move {
                    if n.is_multiple_of(2) {
                        behind.nodes().unwrap().behind(signoff::Position::MAX).await.map(|rows| rows.len())
                    } else {
                        behind.log_after(signoff::Position::ZERO, 10).await.map(|read| read.page.entries.len() + 1)
                    }
                })
            });
            for asked in asking.collect::<Vec<_>>() {
                let answer = asked.await.unwrap();
                assert!(answer.is_ok(), "{broker:?}: {answer:?}");
            }
        }
        served.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_where_nobody_is_hears_of_it_in_time() {
    for broker in Broker::each() {
        let (link, clock) = (broker.link("bank.relay.nobody"), SystemClock::new());
        for is_there in [true, true, true, false, false, true] {
            if is_there != broker.is_there() {
                if is_there { broker.start_again() } else { broker.crash() }
            }
            let began = clock.elapsed();
            let error = link.ask(b"hello".to_vec()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(clock.elapsed() - began < FLOOR, "{broker:?}");
        }
        assert!(!format!("{link:?}").contains("127.0.0.1"), "{link:?}");
    }
}
