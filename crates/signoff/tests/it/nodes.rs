//! Nodes that share a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use signoff::store::{Hints, Nodes as _, Store as _};
use signoff::test_util::{FailingStore, Fault, Switch};
use signoff::time::{Clock, SystemClock};
use signoff::{
    Algorithm, Cause, Denied, ErrorKind, KeySet, Login, MemoryStore, Reach, Rejection, Scope, Settings, SigningKey,
    Signoff, Subject,
};

const LEASE: Duration = Duration::from_millis(800);
/// `H` and `W` of it.
const HOLDER: Duration = Duration::from_millis(700);
const OBSERVER: Duration = Duration::from_millis(900);

struct Fleet {
    store: MemoryStore,
    key: Vec<u8>,
}

struct Node {
    signoff: Signoff,
    switch: Switch,
}

impl Fleet {
    fn new() -> Self {
        Self { store: MemoryStore::shared(LEASE), key: (0..32).collect() }
    }

    async fn join(&self, reach: Reach) -> Node {
        self.join_with(reach, None).await
    }

    async fn join_with(&self, reach: Reach, hints: Option<Arc<dyn Hints>>) -> Node {
        self.join_by(reach, hints, Arc::new(SystemClock::new())).await
    }

    async fn join_by(&self, reach: Reach, hints: Option<Arc<dyn Hints>>, clock: Arc<dyn Clock>) -> Node {
        let store = FailingStore::new(self.store.another());
        let switch = store.switch();
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        (settings.reach, settings.hints) = (reach, hints);
        let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &self.key).unwrap());
        Node { signoff: Signoff::open_with_clock(store, keys, settings, clock).await.unwrap(), switch }
    }
}

impl Node {
    async fn log_in(&self) -> String {
        let login = Login::new(Subject::new("alice").unwrap());
        self.signoff.log_in(login).await.unwrap().token.expose().to_owned()
    }

    fn cut_off(&self) {
        self.switch.fail(0, u64::MAX, Fault::Hang);
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_on_one_node_is_in_force_on_all_when_it_returns() {
    let fleet = Fleet::new();
    let (a, b, c) =
        (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await, fleet.join(Reach::Local).await);
    for _ in 0..50 {
        let token = a.log_in().await;
        for node in [&a, &b, &c] {
            assert!(node.signoff.verify(&token).is_ok());
        }
        let _ = within(OBSERVER / 2, b.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
        for node in [&a, &b, &c] {
            assert_eq!(node.signoff.verify(&token).unwrap_err(), Rejection::Revoked);
        }
    }
    assert_eq!(a.signoff.nodes().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_refuses_before_the_logout_returns() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await);
    let (token, other) = (a.log_in().await, a.log_in().await);
    assert!(b.signoff.verify(&token).is_ok());
    b.cut_off();
    let clock = SystemClock::new();
    let began = clock.elapsed();
    let _ = within(OBSERVER * 2, a.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
    let took = clock.elapsed() - began;
    assert!(took >= HOLDER / 2 && took <= OBSERVER + Duration::from_millis(300), "{took:?}");
    for token in [&token, &other] {
        assert_eq!(b.signoff.verify(token).unwrap_err(), Rejection::Stale, "it cannot know");
    }
    assert!(a.signoff.verify(&other).is_ok());
    // Its row is gone, so nobody waits for it any more.
    let _ = within(OBSERVER / 2, a.signoff.log_out(&[&a.log_in().await], Cause::logout())).await.unwrap();
    assert_eq!(a.signoff.nodes().await.unwrap().len(), 1);

    b.switch.heal();
    let back = async {
        while !b.signoff.may_answer() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(LEASE, back).await;
    assert_eq!(b.signoff.verify(&token).unwrap_err(), Rejection::Revoked);
    assert!(b.signoff.verify(&other).is_ok());
    assert_eq!(a.signoff.nodes().await.unwrap().len(), 2);

    let [a, b] = [a, b].map(|node| node.signoff.node_metrics().unwrap());
    assert_eq!((a.joined, a.expelled, a.expels, a.fenced), (1, 0, 1, 0), "{a:?}");
    assert_eq!((a.waits, a.waited_out), (2, 1), "{a:?}");
    assert_eq!((b.joined, b.expelled, b.expels, b.fenced), (2, 1, 0, 1), "{b:?}");
    assert!(b.failures > 0 && b.renewals > 0 && b.lease_left > Duration::ZERO && b.log_age < HOLDER, "{b:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_shows_who_lags_and_who_is_silent() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Local).await, fleet.join(Reach::Local).await);
    let listed = async || {
        let mut nodes = a.signoff.nodes().await.unwrap();
        nodes.sort_by_key(|node| !node.is_self);
        (nodes[0].clone(), nodes[1].clone())
    };
    assert!(listed().await.1.unchanged_for.is_zero(), "it was never looked at before");
    b.cut_off();
    tokio::time::sleep(HOLDER / 2).await;
    let token = a.log_in().await;
    let _ = a.signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    let (_, silent) = listed().await;
    assert!(silent.unchanged_for >= HOLDER / 4 && silent.lacks == 1 && silent.lag < LEASE, "{silent:?}");
    let caught_up = async { while listed().await.0.lacks > 0 {} };
    within(HOLDER, caught_up).await;
    let (own, silent) = listed().await;
    assert!(own.unchanged_for < HOLDER && own.lag.is_zero() && silent.lag > Duration::ZERO, "{own:?} {silent:?}");
    assert!(MemoryStore::new().nodes().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_logout_does_not_wait_and_the_others_follow() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Local).await, fleet.join(Reach::Everywhere).await);
    let token = a.log_in().await;
    b.cut_off();
    let _ = within(HOLDER / 4, a.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
    assert_eq!(a.signoff.verify(&token).unwrap_err(), Rejection::Revoked);
    tokio::time::sleep(LEASE).await;
    assert_eq!(b.signoff.verify(&token).unwrap_err(), Rejection::Stale);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_gone_already_is_waited_for_as_well() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Local).await, fleet.join(Reach::Everywhere).await);
    let c = fleet.join(Reach::Everywhere).await;
    let token = a.log_in().await;
    c.cut_off();
    // Destroyed by somebody who does not wait.
    let _ = a.signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    let _ = within(OBSERVER * 2, b.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
    assert_eq!(c.signoff.verify(&token).unwrap_err(), Rejection::Stale, "else it would say yes");
}

/// Wakes nobody, and counts who asks.
#[derive(Debug, Default)]
struct Mute(AtomicU64);

#[async_trait::async_trait]
impl Hints for Mute {
    async fn announce(&self) -> Result<(), signoff::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn heard(&self) -> Result<(), signoff::Error> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_are_all_lost_cost_a_quarter_of_a_lease_and_nothing_else() {
    let (fleet, mute) = (Fleet::new(), Arc::new(Mute::default()));
    let hints = Some(Arc::<Mute>::clone(&mute) as Arc<dyn Hints>);
    let a = fleet.join_with(Reach::Everywhere, hints.clone()).await;
    let b = fleet.join_with(Reach::Everywhere, hints).await;
    for _ in 0..5 {
        let token = a.log_in().await;
        assert!(b.signoff.verify(&token).is_ok());
        let _ = within(OBSERVER - HOLDER / 4, a.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
        assert_eq!(b.signoff.verify(&token).unwrap_err(), Rejection::Revoked);
    }
    let metrics = a.signoff.node_metrics().unwrap();
    assert_eq!((metrics.waits, metrics.waited_out), (5, 0), "{metrics:?}");
    assert!(mute.0.load(Ordering::SeqCst) >= 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_out_reaches_all_nodes() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await);
    let token = b.log_in().await;
    a.signoff.revoke(Scope::Everything, Cause::logout()).await.unwrap();
    assert_eq!(b.signoff.verify(&token).unwrap_err(), Rejection::Revoked);
    assert!(a.signoff.verify(&b.log_in().await).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_lease_reads_through_if_asked_to() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Local).await, fleet.join(Reach::Everywhere).await);
    let (token, dead) = (a.log_in().await, a.log_in().await);
    b.cut_off();
    let _ = a.signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
    tokio::time::sleep(LEASE).await;
    assert_eq!(b.signoff.verify(&token).unwrap_err(), Rejection::Stale);
    assert!(matches!(b.signoff.authenticate(&token).await, Err(Denied::Rejected(Rejection::Stale))));
    // The cycle hangs in a call that began before; what is asked now is answered.
    b.switch.heal();
    if !b.signoff.may_answer() {
        assert!(matches!(b.signoff.read_through(&dead).await, Err(Denied::Rejected(Rejection::Revoked))));
        assert!(b.signoff.read_through(&token).await.is_ok());
    }
    b.switch.fail(0, u64::MAX, Fault::Refuse);
    tokio::time::sleep(LEASE).await;
    let failed = b.signoff.read_through(&token).await;
    assert!(matches!(failed, Err(Denied::Failed(error)) if error.kind() == ErrorKind::Unavailable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_is_not_waited_for_and_answers_nothing() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await);
    let token = a.log_in().await;
    b.signoff.close().await;
    let _ = within(HOLDER / 4, a.signoff.log_out(&[&token], Cause::logout())).await.unwrap();
    assert_eq!(a.signoff.nodes().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expelled_node_stops_and_joins_under_another_id() {
    let fleet = Fleet::new();
    let a = fleet.join(Reach::Everywhere).await;
    let before = a.signoff.nodes().await.unwrap();
    fleet.store.leave(&before[0].id).await.unwrap();
    let back = async {
        loop {
            let now = a.signoff.nodes().await.unwrap();
            if now.iter().any(|node| node.is_self && node.id != before[0].id) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(LEASE, back).await;
    assert!(a.signoff.may_answer());
    drop(Arc::new(a));
}

/// Until the node says of a good token that it cannot know.
async fn becomes_stale(node: &Node, token: &str) {
    let stale = async {
        while node.signoff.verify(token).err() != Some(Rejection::Stale) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(LEASE, stale).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_went_back_is_not_believed() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await);
    let first = a.log_in().await;
    let _ = a.signoff.log_out(&[&first], Cause::logout()).await.unwrap();
    let (backup, token, other) = (fleet.store.to_snapshot().unwrap(), a.log_in().await, a.log_in().await);
    let _ = a.signoff.log_out(&[&token], Cause::logout()).await.unwrap();

    fleet.store.go_back(&backup).unwrap();
    for node in [&a, &b] {
        assert!(node.signoff.verify(&token).is_err());
        becomes_stale(node, &other).await;
        let failed = node.signoff.log_in(Login::new(Subject::new("bob").unwrap())).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Data, "{failed}");
    }
    // For good: what they know and what the store knows are two things.
    tokio::time::sleep(LEASE).await;
    assert!(!a.signoff.may_answer() || a.signoff.verify(&other).err() == Some(Rejection::Stale));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_went_back_and_on_is_not_believed() {
    let fleet = Fleet::new();
    let (a, b) = (fleet.join(Reach::Everywhere).await, fleet.join(Reach::Everywhere).await);
    let first = a.log_in().await;
    let _ = a.signoff.log_out(&[&first], Cause::logout()).await.unwrap();
    let (backup, token, other) = (fleet.store.to_snapshot().unwrap(), a.log_in().await, a.log_in().await);
    let _ = a.signoff.log_out(&[&token], Cause::logout()).await.unwrap();

    // Two primaries: this one went another way, and is further now. Its head tells nothing.
    let elsewhere = Fleet { store: MemoryStore::shared(LEASE), key: fleet.key.clone() };
    elsewhere.store.go_back(&backup).unwrap();
    let c = elsewhere.join(Reach::Local).await;
    let third = c.log_in().await;
    let _ = c.signoff.log_out(&[&third], Cause::logout()).await.unwrap();
    fleet.store.go_back(&elsewhere.store.to_snapshot().unwrap()).unwrap();
    for node in [&a, &b] {
        assert!(node.signoff.verify(&token).is_err());
        becomes_stale(node, &other).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_was_purged_is_not_missed() {
    let clock = signoff::time::ManualClock::new(signoff::time::Timestamp::from_secs(1_800_000_000).unwrap());
    let fleet = Fleet::new();
    let a = fleet.join_by(Reach::Everywhere, None, Arc::new(clock.clone())).await;
    let token = a.log_in().await;
    let _ = a.signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    let step = async |by: Duration| {
        // In small steps, or every lease would be over at once.
        for _ in 0..by.as_secs() / 14_400 {
            clock.advance(Duration::from_secs(14_400));
            tokio::time::sleep(HOLDER / 8).await;
        }
    };
    step(Duration::from_secs(4 * 86_400)).await;
    let purged = async {
        while a.signoff.purge().await.unwrap().revocations == 0 {
            clock.advance(Duration::from_secs(3_600));
            tokio::time::sleep(HOLDER / 8).await;
        }
    };
    within(10 * LEASE, purged).await;
    let renewals = a.signoff.node_metrics().unwrap().renewals;
    let goes_on = async {
        while a.signoff.node_metrics().unwrap().renewals < renewals + 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(3 * LEASE, goes_on).await;
    assert!(a.signoff.verify(&a.log_in().await).is_ok());
}
