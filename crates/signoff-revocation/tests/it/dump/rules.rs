//! What a dump promises, rule by rule.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use signoff_revocation::{
    Dump, DumpError, DumpLoader, LogPage, Position, Replica, Revocation, Scope, ScopeKind, Timestamp, Verdict,
};

use super::{load, page};
use crate::{granules, pos};

/// With some of every kind, and clients enough that one is hashed.
fn small() -> Replica {
    let replica = Replica::new();
    for burst in [(0, 0, 3, 9), (1, 5, 3, 9), (2, 0, 3, 9), (3, 0, 18, 9), (4, 0, 2, 9), (5, 0, 1, 9)] {
        replica.apply(&page(replica.applied(), burst)).unwrap();
    }
    replica
}

#[test]
fn the_recent_entries_are_those_of_the_log() {
    let replica = Replica::new();
    assert!(replica.dump().is_none() && replica.newest().is_none(), "there is nothing to keep");
    replica.apply(&LogPage { after: Position::ZERO, entries: vec![], through: pos(7) }).unwrap();
    assert!(replica.dump().is_none(), "births alone are nothing to keep");
    let mut log = Vec::new();
    for (n, count) in [1, 2, 63, 1, 64, 65, 500, 3, 1].into_iter().enumerate() {
        let page = page(replica.applied(), (n % 5, 0, count, 1));
        replica.apply(&page).unwrap();
        log.extend(page.entries.iter().cloned());
        let expect = &log[log.len().saturating_sub(Dump::RECENT)..];
        assert_eq!(replica.dump().unwrap().recent(), expect);
        assert_eq!(replica.newest().as_ref(), log.last());
        // What is applied again, whole or in part, is no news.
        replica.apply(&page).unwrap();
        let half = LogPage { entries: page.entries[..page.entries.len() / 2].to_vec(), ..page };
        replica.apply(&half).unwrap();
        assert_eq!(replica.dump().unwrap().recent(), expect);
    }
}

#[test]
fn what_came_too_early_is_not_among_the_recent_ones() {
    let replica = Replica::new();
    replica.apply(&page(Position::ZERO, (0, 0, 5, 1))).unwrap();
    let gap = page(pos(20), (0, 100, 5, 1));
    assert!(replica.apply(&gap).is_err());
    assert_eq!(
        replica.newest().map(|entry| entry.position()),
        Some(pos(5)),
        "a dump says nothing of what it would lack entries before"
    );
    let loaded = load(&replica, usize::MAX).unwrap();
    assert_eq!((loaded.applied(), loaded.len()), (pos(5), 10), "what it has more is in force");
}

#[test]
fn a_replica_that_distrusts_itself_has_no_dump() {
    let replica = small();
    assert!(replica.dump().is_some());
    replica.distrust();
    assert!(replica.dump().is_none());
}

#[test]
fn a_limit_holds_and_half_a_dump_is_none() {
    let replica = Replica::new();
    replica.apply(&page(Position::ZERO, (0, 0, 5_000, 1))).unwrap();
    let loaded = load(&replica, usize::MAX).unwrap();
    assert!(loaded.bytes() <= replica.bytes() + replica.bytes() / 4, "{} and {}", loaded.bytes(), replica.bytes());
    let small = load(&replica, 120_000);
    assert_eq!(small.unwrap_err(), DumpError::Full);
    assert!(load(&replica, loaded.bytes() + 1_000).is_ok());

    let parts: Vec<_> = replica.dump().unwrap().collect();
    let refused = |parts: &[Vec<u8>]| {
        let mut loader = DumpLoader::new(usize::MAX);
        let taken = parts.iter().try_for_each(|part| loader.part(part));
        assert!(taken.is_ok() || loader.part(&parts[0]).is_err(), "what was refused stays so");
        taken.and_then(|()| loader.finish(&[])).err()
    };
    assert_eq!(refused(&[]), Some(DumpError::Damaged));
    assert_eq!(refused(&parts[1..]), Some(DumpError::Damaged), "without keys");
    assert_eq!(refused(&[&parts[..1], &parts[..1]].concat()), Some(DumpError::Damaged), "keys twice");
    let backwards: Vec<_> = parts[..1].iter().chain(parts[1..].iter().rev()).cloned().collect();
    assert_eq!(refused(&backwards), Some(DumpError::Damaged));
    let cut: Vec<_> = parts.iter().map(|part| part[..part.len() - 1].to_vec()).collect();
    assert_eq!(refused(&cut), Some(DumpError::Damaged));
    // The ids' keys are mostly carried away, and everything at once is not hashed: these are the keys of texts.
    for byte in (133..213).chain(229..parts[0].len()) {
        let mut other = parts.clone();
        other[0][byte] ^= 0x40;
        assert_eq!(refused(&other), Some(DumpError::Damaged), "keys that hash otherwise, at {byte}");
    }
}

/// Whatever is applied before a dump begins is in it, however many write meanwhile.
#[test]
fn a_dump_beside_writers_has_what_it_says() {
    let replica = Replica::new();
    replica.apply(&page(Position::ZERO, (0, 0, 5_000, 5))).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..400 {
                let burst = ((n % 3) as usize, n * 97, 100, 5 + u64::from(n % 4));
                replica.apply(&page(replica.applied(), burst)).unwrap();
                if n % 50 == 0 {
                    replica.purge(granules(1));
                }
            }
        });
        let mut dumps = 0;
        while !writer.is_finished() || dumps == 0 {
            let dump = replica.dump().unwrap();
            let through = dump.recent().last().unwrap().position();
            let loaded = load_dump(dump);
            loaded.apply(&LogPage { after: through, entries: vec![], through }).unwrap();
            // The same bursts, as far as the dump says that it goes.
            let mut after = pos(5_000);
            let mut seen = BTreeSet::new();
            for n in 0..400 {
                let page = page(after, ((n % 3) as usize, n * 97, 100, 5));
                after = page.through;
                if page.through > through {
                    break;
                }
                seen.extend(
                    page.entries.iter().map(|entry| (entry.scope().kind().code(), entry.scope().id().to_vec())),
                );
            }
            for (code, id) in seen {
                let scope = Scope::from_parts(ScopeKind::from_code(code).unwrap(), &id).unwrap();
                assert!(matches!(loaded.verdict(&[scope], Position::ZERO), Verdict::Dead(_)), "{scope:?}");
            }
            dumps += 1;
        }
    });
}

fn load_dump(dump: Dump<'_>) -> Replica {
    let recent = dump.recent().to_vec();
    let mut loader = DumpLoader::new(usize::MAX);
    for part in dump {
        loader.part(&part).unwrap();
    }
    loader.finish(&recent).unwrap()
}

/// The year 2112 and later is one time to a dump, too.
#[test]
fn what_never_expires_never_expires() {
    let replica = Replica::new();
    let entries = vec![Revocation::new(Scope::Key("leaked"), pos(1), Timestamp::MAX)];
    replica.apply(&LogPage { after: Position::ZERO, entries, through: pos(1) }).unwrap();
    let loaded = load(&replica, usize::MAX).unwrap();
    assert_eq!(loaded.purge(Timestamp::MAX), 0);
    loaded.apply(&LogPage { after: pos(1), entries: vec![], through: pos(1) }).unwrap();
    assert_eq!(loaded.verdict(&[Scope::Key("leaked")], Position::MAX), Verdict::Dead(ScopeKind::Key));
}

/// So many that the shards of all regions have split.
#[test]
fn a_large_dump_is_whole() {
    const TOKENS: u64 = 1_400_000;
    let id = |n: u64| u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes();
    let replica = Replica::new();
    while replica.applied().get() < TOKENS {
        let after = replica.applied();
        let through = pos(after.get() + 50_000);
        let entry = |n: u64| Revocation::new(Scope::Token(&id(n)), pos(n), granules(1 + n % 2));
        let entries = (after.get() + 1..=through.get()).map(entry).collect();
        replica.apply(&LogPage { after, entries, through }).unwrap();
    }
    let loaded = load(&replica, replica.bytes() + replica.bytes() / 8).unwrap();
    loaded.apply(&LogPage { after: pos(TOKENS), entries: vec![], through: pos(TOKENS) }).unwrap();
    let dead = |n: u64| loaded.verdict(&[Scope::Token(&id(n))], Position::MAX) == Verdict::Dead(ScopeKind::Token);
    assert_eq!(loaded.len() as u64, TOKENS);
    assert!((1..=TOKENS).all(dead));
    assert!((TOKENS + 1..TOKENS + 100_000).all(|n| !dead(n)));
    assert_eq!(loaded.purge(granules(1)) as u64, TOKENS / 2);
    assert!((1..=TOKENS).all(|n| dead(n) == (n % 2 == 1)));
}

proptest! {
    #[test]
    fn no_bytes_panic(parts in vec(vec(any::<u8>(), 0..60), 0..6), first in any::<bool>(), kinds in vec(0..6u8, 6)) {
        let replica = small();
        let mut loader = DumpLoader::new(usize::MAX);
        if first {
            loader.part(&replica.dump().unwrap().next().unwrap()).unwrap();
        }
        for (mut part, kind) in parts.into_iter().zip(kinds) {
            if let Some(byte) = part.first_mut() {
                *byte = kind;
            }
            let _ = loader.part(&part);
        }
        let _ = loader.finish(&[]).map(|replica| replica.verdict(&[Scope::Client("a")], Position::ZERO));
    }
}
