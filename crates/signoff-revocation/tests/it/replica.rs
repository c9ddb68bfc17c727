//! The replica's rules: in order, complete, never back.

use std::sync::atomic::{AtomicBool, Ordering};

use signoff_revocation::{ApplyError, LogPage, Position, Replica, Revocation, Scope, ScopeKind, Timestamp, Verdict};

fn pos(position: u64) -> Position {
    Position::new(position).unwrap()
}

fn session(id: &[u8], position: u64) -> Revocation {
    Revocation::new(Scope::Session(id), pos(position), Timestamp::MAX)
}

fn page(after: u64, entries: Vec<Revocation>, through: u64) -> LogPage {
    LogPage { after: pos(after), entries, through: pos(through) }
}

#[test]
fn nothing_is_alive_before_the_first_page() {
    let replica = Replica::new();
    assert_eq!(replica.verdict(&[], Position::MAX), Verdict::Unready);
    replica.apply(&page(0, vec![], 0)).unwrap();
    assert_eq!(replica.verdict(&[], Position::ZERO), Verdict::Alive);
}

#[test]
fn a_gap_revokes_early_but_does_not_count_as_complete() {
    let replica = Replica::new();
    replica.apply(&page(0, vec![], 10)).unwrap();
    let gap = replica.apply(&page(20, vec![session(b"late", 30)], 30));
    assert_eq!(gap, Err(ApplyError::Gap { applied: pos(10) }));
    assert_eq!(replica.applied(), pos(10));
    assert_eq!(replica.verdict(&[Scope::Session(b"late")], pos(30)), Verdict::Dead(ScopeKind::Session));
    assert_eq!(replica.apply(&page(10, vec![session(b"early", 20), session(b"late", 30)], 40)), Ok(pos(40)));
    assert_eq!(replica.apply(&page(0, vec![session(b"early", 20)], 20)), Ok(pos(40)), "an old page changes nothing");
}

#[test]
fn a_gap_does_not_make_an_unloaded_replica_ready() {
    let replica = Replica::new();
    assert!(replica.apply(&page(20, vec![session(b"x", 30)], 30)).is_err());
    assert_eq!(replica.verdict(&[], Position::MAX), Verdict::Unready);
}

#[test]
fn disorder_is_refused_whole() {
    let replica = Replica::new();
    replica.apply(&page(0, vec![], 0)).unwrap();
    for entries in [vec![session(b"a", 5), session(b"b", 5)], vec![session(b"a", 0)], vec![session(b"a", 11)]] {
        assert_eq!(replica.apply(&page(0, entries, 10)), Err(ApplyError::Disordered));
    }
    assert!(replica.is_empty());
}

#[test]
fn a_store_that_went_back_is_distrusted_for_good() {
    let replica = Replica::new();
    replica.apply(&page(0, vec![], 50)).unwrap();
    let back = replica.apply(&page(50, vec![], 40));
    assert_eq!(back, Err(ApplyError::WentBack { applied: pos(50), head: pos(40) }));
    assert_eq!(replica.applied(), pos(50));
    assert_eq!(replica.verdict(&[], Position::MAX), Verdict::Unready);
    replica.apply(&page(50, vec![], 60)).unwrap();
    assert_eq!(replica.verdict(&[], Position::MAX), Verdict::Unready);
}

#[test]
fn once_seen_dead_always_dead_while_others_write_and_purge() {
    const SESSIONS: u64 = 20_000;
    let replica = Replica::new();
    replica.apply(&page(0, vec![], 0)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let mut checks = 0u64;
                    while !done.load(Ordering::Relaxed) {
                        // What the applied position promises must be visible to a verdict that starts afterwards.
                        let applied = replica.applied().get();
                        for n in [1, applied / 2, applied].into_iter().filter(|n| (1..=applied).contains(n)) {
                            let verdict = replica.verdict(&[Scope::Session(&n.to_be_bytes())], Position::MAX);
                            assert_eq!(verdict, Verdict::Dead(ScopeKind::Session), "session {n} of {applied}");
                            checks += 1;
                        }
                    }
                    checks
                })
            })
            .collect();
        for n in 1..=SESSIONS {
            replica.apply(&page(n - 1, vec![session(&n.to_be_bytes(), n)], n)).unwrap();
            if n % 1_000 == 0 {
                assert_eq!(replica.purge(Timestamp::from_micros(1).unwrap()), 0);
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    assert_eq!(replica.len() as u64, SESSIONS);
}
