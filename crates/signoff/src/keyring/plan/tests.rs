//! The plan on names and times alone: single cases, and what holds after any history.

use std::cell::Cell;
use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Times in seconds after some moment.
fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000 + i64::try_from(secs).unwrap()).unwrap()
}

fn rotation() -> Rotation {
    Rotation::default().checked().unwrap()
}

/// Plans with keys that are called `k0`, `k1` and so on.
#[derive(Default)]
struct Maker(Cell<u64>);

impl Maker {
    fn plan(&self, entries: &[Entry], now: Timestamp, revoked: &[&str]) -> Vec<Entry> {
        self.plan_for(HOUR, entries, now, revoked)
    }

    fn plan_for(&self, retention: u64, entries: &[Entry], now: Timestamp, revoked: &[&str]) -> Vec<Entry> {
        let rotation = rotation();
        let rules = Rules { rotation: &rotation, retention: Duration::from_secs(retention), now };
        let make = |signs_from| {
            let kid = format!("k{}", self.0.replace(self.0.get() + 1));
            Ok(Entry {
                kid,
                algorithm: rotation.algorithm,
                created_at: now,
                signs_from,
                verifies_for: Duration::ZERO,
                verifies_until: None,
            })
        };
        plan(entries.to_vec(), rules, |kid| revoked.contains(&kid), make).unwrap()
    }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.kid.as_str()).collect()
}

fn signer(entries: &[Entry], now: Timestamp) -> &str {
    &signing(entries, now).unwrap().kid
}

#[test]
fn a_key_lives_by_the_clock() {
    let maker = Maker::default();
    let ring = maker.plan(&[], at(0), &[]);
    assert_eq!((names(&ring), ring[0].signs_from), (vec!["k0"], at(0)), "a new ring signs at once");
    assert_eq!(next_change(&ring, &rotation(), at(0)), Some(at(89 * DAY)));
    assert_eq!(maker.plan(&ring, at(89 * DAY - 1), &[]), ring);

    let ring = maker.plan(&ring, at(89 * DAY), &[]);
    assert_eq!(names(&ring), ["k0", "k1"]);
    assert_eq!((ring[1].signs_from, ring[1].verifies_until), (at(90 * DAY), None));
    assert_eq!(ring[0].verifies_until, Some(at(90 * DAY + HOUR)));
    assert_eq!(maker.plan(&ring, at(89 * DAY + 5), &[]), ring, "one successor is enough");
    assert_eq!(next_change(&ring, &rotation(), at(89 * DAY)), Some(at(90 * DAY)));
    assert_eq!(signer(&ring, at(90 * DAY - 1)), "k0");
    assert_eq!(signer(&ring, at(90 * DAY)), "k1");
    assert_eq!(next_change(&ring, &rotation(), at(90 * DAY)), Some(at(90 * DAY + HOUR)));

    assert_eq!(maker.plan(&ring, at(90 * DAY + HOUR - 1), &[]), ring);
    assert_eq!(names(&maker.plan(&ring, at(90 * DAY + HOUR), &[])), ["k1"]);
}

#[test]
fn a_service_that_slept_publishes_before_it_signs() {
    let maker = Maker::default();
    let ring = maker.plan(&[], at(0), &[]);
    let ring = maker.plan(&ring, at(400 * DAY), &[]);
    assert_eq!(signer(&ring, at(400 * DAY)), "k0", "overdue, but nobody knows the next one yet");
    assert_eq!(signer(&ring, at(401 * DAY)), "k1");
}

#[test]
fn a_clock_that_is_behind_signs_with_the_first_key() {
    let maker = Maker::default();
    let ring = maker.plan(&[], at(300), &[]);
    assert_eq!(signer(&ring, at(0)), "k0");
    assert_eq!(maker.plan(&ring, at(0), &[]), ring);
}

#[test]
fn a_revoked_key_is_replaced_in_its_place() {
    let maker = Maker::default();
    let alone = maker.plan(&[], at(0), &[]);
    let now = at(50 * DAY);
    let ring = maker.plan(&alone, now, &["k0"]);
    assert_eq!(names(&ring), ["k1"]);
    assert_eq!((ring[0].signs_from, ring[0].created_at), (at(0), now));
    assert_eq!(signer(&ring, at(50 * DAY - 300)), "k1", "also for a node whose clock is behind");
    assert_eq!(next_change(&ring, &rotation(), now), Some(at(139 * DAY)), "the new key has the whole period");

    // With a key in waiting, that one.
    let two = maker.plan(&alone, at(89 * DAY), &[]);
    let now = at(89 * DAY + 600);
    let ring = maker.plan(&two, now, &["k0"]);
    assert_eq!((names(&ring), signer(&ring, now)), (vec!["k2"], "k2"));
    assert_eq!(ring[0].verifies_until, None);

    // A revoked key in waiting is made anew, and the signing one is kept for longer.
    let ring = maker.plan(&two, now, &["k2"]);
    assert_eq!((names(&ring), signer(&ring, now)), (vec!["k0", "k3"], "k0"));
    assert_eq!(ring[1].signs_from, now.saturating_add(Duration::from_secs(DAY)));
    assert_eq!(ring[0].verifies_until, Some(ring[1].signs_from.saturating_add(Duration::from_secs(HOUR))));
    assert_eq!(names(&maker.plan(&ring, now, &["k0", "k3"])), ["k4"]);
}

#[test]
fn a_key_for_later_does_not_stop_the_rotation() {
    let maker = Maker::default();
    let mut ring = maker.plan(&[], at(0), &[]);
    ring.push(Entry { kid: "later".into(), signs_from: at(4_000 * DAY), ..ring[0].clone() });
    let ring = maker.plan(&ring, at(1), &[]);
    assert_eq!(names(&ring), ["k0", "later"]);
    let ring = maker.plan(&ring, at(89 * DAY), &[]);
    assert_eq!(names(&ring), ["k0", "k1", "later"]);
    assert_eq!(ring[0].verifies_until, Some(at(90 * DAY + HOUR)), "superseded by the sooner one");
}

#[test]
fn what_was_promised_is_kept_and_what_is_needed_is_added() {
    let maker = Maker::default();
    let until = |ring: &[Entry]| ring[0].verifies_until.unwrap();
    // Tokens lived for long until shortly before the rotation.
    let ring = maker.plan_for(5 * HOUR, &[], at(0), &[]);
    let ring = maker.plan_for(HOUR, &ring, at(89 * DAY), &[]);
    assert_eq!(until(&ring), at(90 * DAY + 5 * HOUR));
    // They live longer still, from before the new key signs until the last node has noticed that it does.
    let straggle = 360;
    for late in [89 * DAY + 1, 90 * DAY, 90 * DAY + straggle - 1] {
        let ring = maker.plan_for(7 * HOUR, &ring, at(late), &[]);
        assert_eq!(until(&ring), at(90 * DAY + 7 * HOUR));
    }
    let ring = maker.plan_for(7 * HOUR, &ring, at(90 * DAY + straggle), &[]);
    assert_eq!(until(&ring), at(90 * DAY + 5 * HOUR), "it signs nothing any more");
    assert_eq!(ring[1].verifies_for, Duration::from_secs(7 * HOUR));
}

#[test]
fn a_key_from_before_only_verifies() {
    let maker = Maker::default();
    let mut ring = maker.plan(&[], at(100), &[]);
    ring.push(Entry { kid: "old".into(), signs_from: at(0), ..ring[0].clone() });
    let ring = maker.plan(&ring, at(DAY), &[]);
    assert_eq!((names(&ring), signer(&ring, at(DAY))), (vec!["old", "k0"], "k0"));
    assert_eq!(ring[0].verifies_until, Some(at(DAY + HOUR)));
    assert_eq!(names(&maker.plan(&ring, at(DAY + HOUR), &[])), ["k0"]);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Revoke(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..100 * DAY).prop_map(Step::Pass),
        6 => (0..2 * DAY).prop_map(Step::Pass),
        3 => (0..2 * HOUR).prop_map(Step::Pass),
        2 => (0..4_usize).prop_map(Step::Revoke),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    /// Whatever happens: one key signs, it was published for long enough unless one was revoked, nothing revoked is
    /// left, no key goes before its time, and planning twice changes nothing.
    #[test]
    fn invariants(steps in steps()) {
        let maker = Maker::default();
        let mut now = 0;
        let mut ring = maker.plan(&[], at(0), &[]);
        let mut revoked: HashSet<String> = HashSet::new();
        for step in steps {
            let before = ring.clone();
            match step {
                Step::Pass(secs) => now += secs,
                Step::Revoke(which) => { revoked.insert(before[which % before.len()].kid.clone()); }
            }
            let revoked: Vec<_> = revoked.iter().map(String::as_str).collect();
            ring = maker.plan(&before, at(now), &revoked);
            prop_assert_eq!(&maker.plan(&ring, at(now), &revoked), &ring);
            prop_assert!(ring.len() <= 3);

            let signing = signing(&ring, at(now)).unwrap();
            prop_assert!(signing.signs_from <= at(now));
            let was_known = before.iter().any(|entry| entry.kid == signing.kid);
            prop_assert!(was_known || revoked.contains(&signer(&before, at(now))));
            prop_assert_eq!(ring.last().unwrap().verifies_until, None);
            prop_assert!(ring.iter().all(|entry| !revoked.contains(&entry.kid.as_str())));
            for pair in ring.windows(2) {
                let until = pair[0].verifies_until.unwrap();
                let promised = pair[1].signs_from.saturating_add(Duration::from_secs(HOUR));
                let took_a_place = pair[1].created_at > pair[1].signs_from;
                prop_assert!(until >= promised || took_a_place);
            }
            for entry in before.iter().filter(|entry| ring.iter().all(|kept| kept.kid != entry.kid)) {
                let over = entry.verifies_until.is_some_and(|until| until <= at(now));
                prop_assert!(over || revoked.contains(&entry.kid.as_str()), "{:?} went too soon", entry);
            }
            prop_assert!(next_change(&ring, &rotation(), at(now)).is_some_and(|next| next > at(now)));
        }
    }
}
