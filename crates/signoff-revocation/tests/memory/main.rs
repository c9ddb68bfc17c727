//! What the set takes of the heap, as the allocator saw it, and what happens when there is no more of it.
//!
//! All in one test, because the allocator counts for the whole process and tests run side by side.

#![forbid(unsafe_code)]
// The model checkers' small world is not what is measured here.
#![cfg(not(any(signoff_loom, signoff_shuttle)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod limits;

use std::alloc::System;
use std::thread;

use cap::Cap;
use signoff_revocation::{Cutoff, LogPage, Position, Replica, RevocationSet, Scope, Timestamp};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn memory() {
    checks_do_not_allocate();
    for tokens in [100_000, 1_000_000] {
        what_it_says_it_takes_is_what_it_takes(tokens, false);
        what_it_says_it_takes_is_what_it_takes(tokens, true);
    }
    limits::a_limit_is_kept_and_loses_nothing();
    limits::a_heap_that_is_used_up_loses_nothing();
    limits::a_replica_without_room_is_not_ready();
}

/// Unlike any other, and no more evenly spread than random ones.
fn id(n: u64) -> [u8; 16] {
    u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes()
}

fn granules(count: u32) -> Timestamp {
    Timestamp::MIN.saturating_add(RevocationSet::GRANULE * count)
}

fn insert(set: &RevocationSet, n: u64, expires_at: Timestamp) -> Result<(), signoff_revocation::Full> {
    set.insert(Scope::Token(&id(n)), Cutoff::ABSOLUTE, expires_at)
}

fn is_dead(set: &RevocationSet, n: u64) -> bool {
    set.cutoff(Scope::Token(&id(n))).is_some()
}

fn checks_do_not_allocate() {
    let set = RevocationSet::new();
    let replica = Replica::new();
    replica.apply(&LogPage { after: Position::ZERO, entries: vec![], through: Position::ZERO }).unwrap();
    for n in 0..50_000 {
        insert(&set, n, Timestamp::MAX).unwrap();
    }
    let at = Cutoff::at(Position::new(100).unwrap());
    let names: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    for name in &names[..30] {
        // More clients and keys than are kept in the list.
        for scope in [Scope::Subject(name), Scope::Client(name), Scope::Key(name), Scope::Session(name.as_bytes())] {
            set.insert(scope, at, Timestamp::MAX).unwrap();
        }
    }
    thread::scope(|threads| {
        threads.spawn(|| {
            let ids: Vec<_> = (49_000..51_000).map(id).collect();
            let mut reader = set.reader();
            let mut replicas_reader = replica.reader();
            let mut check = |id: &[u8; 16], name: &String, born: u64| {
                let scopes = [
                    Scope::Token(id),
                    Scope::Session(name.as_bytes()),
                    Scope::Subject(name),
                    Scope::Client(name),
                    Scope::Key(name),
                    Scope::Everything,
                ];
                let born = Position::new(born).unwrap();
                let mut found = 0;
                for scope in scopes {
                    found += usize::from(set.cutoff(scope).is_some()) + usize::from(reader.cutoff(scope).is_some());
                }
                for some in [&scopes[..0], &scopes[..1], &scopes[1..2], &scopes[2..4], &scopes] {
                    found += usize::from(set.dead_by(some, born).is_some());
                    found += usize::from(reader.dead_by(some, born).is_some());
                    found += usize::from(replica.verdict(some, born) == replicas_reader.verdict(some, born));
                }
                found
            };
            // The first check of a thread makes arc-swap register that thread, once and for all.
            let before = HEAP.total_allocated();
            check(&ids[0], &names[0], 0);
            assert!(HEAP.total_allocated() - before <= 1_024, "{}", HEAP.total_allocated() - before);
            let before = HEAP.total_allocated();
            let mut found = 0;
            for (n, id) in ids.iter().enumerate() {
                // Hits and misses of every kind, before and behind the cutoff.
                found += check(id, &names[n % names.len()], n as u64 % 200);
            }
            assert_eq!(HEAP.total_allocated() - before, 0, "a check allocated");
            assert!(found > 10 * ids.len());
        });
    });
}

/// Up to three per cent of it; and when everything has expired, it gives it back.
fn what_it_says_it_takes_is_what_it_takes(tokens: u64, in_bulk: bool) {
    let start = HEAP.allocated();
    // Saturating, for the thread that runs the tests may free a little of its own meanwhile.
    let used = || HEAP.allocated().saturating_sub(start);
    let set = RevocationSet::new();
    let empty = used();
    let subjects = tokens / 10;
    if in_bulk {
        let ids: Vec<_> = (0..tokens).map(id).collect();
        set.load(ids.iter().map(|id| (Scope::Token(id), Cutoff::ABSOLUTE, granules(7)))).unwrap();
    } else {
        for n in 0..tokens {
            insert(&set, n, granules(7)).unwrap();
        }
    }
    for n in 0..subjects {
        let at = Cutoff::at(Position::new(n).unwrap());
        set.insert(Scope::Subject(&n.to_string()), at, granules(8)).unwrap();
    }
    for n in 0..20 {
        set.insert(Scope::Client(&format!("client {n}")), Cutoff::ABSOLUTE, granules(8)).unwrap();
    }
    assert_agree(set.bytes(), used());
    // What `with_limit` tells users to reckon with.
    assert!(set.bytes() as u64 <= 18 * tokens + 32 * subjects + 100_000, "{} bytes", set.bytes());
    assert_eq!(set.purge(granules(7)), tokens as usize);
    assert_agree(set.bytes(), used());
    assert_eq!(set.purge(granules(8)), subjects as usize + 20);
    assert!(set.is_empty());
    assert!(used() < empty + 100_000 && set.bytes() < 100_000, "{} bytes, {}", set.bytes(), used());
    drop(set);
    assert!(used() < 1_000, "{} bytes leaked", used());
}

fn assert_agree(said: usize, measured: usize) {
    assert!(said.abs_diff(measured) * 100 <= measured * 3, "said {said}, measured {measured}");
}
