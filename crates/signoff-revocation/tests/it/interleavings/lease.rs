//! A lease that is granted or ended, and checks meanwhile: deadline first, replica second.

use std::time::Duration;

use signoff_revocation::{Lease, LeaseTerms, LogPage, Replica, Revocation, Verdict};

use super::*;

const NOW: Duration = Duration::from_secs(7);

fn terms() -> LeaseTerms {
    LeaseTerms::new(Duration::from_secs(2)).unwrap()
}

/// A replica that is ready already, so that it says `Alive` to whoever sees it as it was before the next page.
fn ready() -> Arc<Replica> {
    let replica = Replica::new();
    replica.apply(&LogPage { after: Position::ZERO, entries: vec![], through: pos(1) }).unwrap();
    Arc::new(replica)
}

fn apply_the_next_page(replica: &Replica) {
    let entry = Revocation::new(Scope::Session(b"s"), pos(7), Timestamp::MAX);
    replica.apply(&LogPage { after: pos(1), entries: vec![entry], through: pos(7) }).unwrap();
}

/// One cycle of a node against one check, with these three steps of the cycle.
fn cycle_against_a_check(name: &str, cycle: fn(&Replica, &Lease)) {
    every(name, move || {
        let (replica, lease, race) = (ready(), Arc::new(Lease::new()), Race::new());
        let node = {
            let (replica, lease, race) = (Arc::clone(&replica), Arc::clone(&lease), race.clone());
            loom::thread::spawn(move || {
                race.turn();
                cycle(&replica, &lease);
                race.turn();
            })
        };
        race.turn();
        if lease.holds(NOW) {
            let verdict = replica.verdict(&[Scope::Session(b"s")], Position::MAX);
            assert_ne!(verdict, Verdict::Alive, "a lease was seen before the page that it stands for");
        }
        node.join().unwrap();
        assert!(lease.holds(NOW));
    });
}

#[test]
fn whoever_sees_the_lease_sees_the_page() {
    cycle_against_a_check("page and grant, check", |replica, lease| {
        let permit = lease.begin(NOW);
        apply_the_next_page(replica);
        assert!(lease.grant(permit, &terms()));
    });
}

/// That the model above is able to notice: the same with the grant before the page.
#[test]
#[should_panic(expected = "a lease was seen before the page that it stands for")]
fn a_grant_before_the_page_is_noticed() {
    cycle_against_a_check("grant and page, check", |replica, lease| {
        let permit = lease.begin(NOW);
        assert!(lease.grant(permit, &terms()));
        apply_the_next_page(replica);
    });
}

/// A lease that was held already is renewed: whoever checks later than the first deadline saw the second, so the page.
#[test]
fn a_renewed_lease_shows_the_next_page() {
    every("page and second grant, check after the first deadline", || {
        let (replica, lease, race) = (ready(), Arc::new(Lease::new()), Race::new());
        let permit = lease.begin(NOW);
        assert!(lease.grant(permit, &terms()));
        let later = NOW + terms().holder();
        let node = {
            let (replica, lease, race) = (Arc::clone(&replica), Arc::clone(&lease), race.clone());
            loom::thread::spawn(move || {
                let permit = lease.begin(later);
                race.turn();
                apply_the_next_page(&replica);
                assert!(lease.grant(permit, &terms()));
                race.turn();
            })
        };
        race.turn();
        if lease.holds(later) {
            assert_ne!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Alive);
        }
        node.join().unwrap();
    });
}

/// A node that leaves while a cycle is under way: once the lease was ended, nothing of that cycle brings it back.
#[test]
fn a_stop_wins_against_a_grant() {
    every("grant, stop", || {
        let lease = Arc::new(Lease::new());
        let permit = lease.begin(NOW);
        let cycle = {
            let lease = Arc::clone(&lease);
            loom::thread::spawn(move || lease.grant(permit, &terms()))
        };
        lease.stop();
        assert!(!lease.holds(NOW));
        cycle.join().unwrap();
        assert!(!lease.holds(NOW));
    });
}
