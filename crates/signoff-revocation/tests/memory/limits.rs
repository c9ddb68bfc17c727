//! The set at its limit and at the end of the heap: it says so, and whatever it said yes to stays.

use signoff_revocation::{ApplyError, Full, LogPage, Revocation, ScopeKind, Verdict};

use super::*;

pub(crate) fn a_limit_is_kept_and_loses_nothing() {
    const LIMIT: usize = 4 << 20;
    let start = HEAP.allocated();
    let set = RevocationSet::with_limit(LIMIT);
    // One in two expires early.
    let expiry = |n: u64| granules(1 + n as u32 % 2);
    let mut inserted = 0;
    while insert(&set, inserted, expiry(inserted)).is_ok() {
        inserted += 1;
        assert!(set.bytes() <= LIMIT, "{} bytes", set.bytes());
    }
    assert!(inserted > 150_000, "full with {inserted} tokens");
    let used = HEAP.allocated().saturating_sub(start);
    assert!(used <= LIMIT + 30_000, "{used} bytes of the heap");
    assert_eq!(insert(&set, inserted, expiry(inserted)), Err(Full), "nothing has changed");
    assert!(!is_dead(&set, inserted), "what was refused is not in force");
    assert_eq!(set.len(), inserted as usize);
    assert!((0..inserted).all(|n| is_dead(&set, n)));
    // To raise what is there takes no room.
    for n in 0..inserted {
        assert_eq!(insert(&set, n, expiry(n)), Ok(()));
    }

    // Others of its parts may still have room. When nearly none has, a purge has to work all the same.
    let mut more = 0;
    for n in inserted..inserted + 50_000 {
        more += usize::from(insert(&set, n, granules(1)).is_ok());
        assert!(set.bytes() <= LIMIT, "{} bytes", set.bytes());
    }
    let ids: Vec<_> = (900_000_000..900_200_000).map(id).collect();
    let bulk = || ids.iter().map(|id| (Scope::Token(id), Cutoff::ABSOLUTE, granules(1)));
    assert_eq!(set.load(bulk()), Err(Full));
    assert!(set.bytes() <= LIMIT, "{} bytes", set.bytes());
    let before = set.len();
    let dropped = set.purge(granules(1));
    assert_eq!(set.len(), inserted as usize / 2);
    assert_eq!(before - dropped, set.len());
    assert!(dropped >= inserted as usize / 2 + more);
    assert!(set.bytes() < LIMIT * 2 / 3, "{} bytes", set.bytes());
    assert!((0..inserted).all(|n| is_dead(&set, n) == (n % 2 == 1)));
    for n in inserted..inserted + 50_000 {
        assert_eq!(insert(&set, n, granules(1)), Ok(()));
    }
}

pub(crate) fn a_heap_that_is_used_up_loses_nothing() {
    const BEFORE: u64 = 500_000;
    /// More than a root takes, and less than a shard: with so many entries any shard takes some 70 KB, and to grow
    /// one takes more.
    const LEFT: usize = 40_000;
    let set = RevocationSet::new();
    for n in 0..BEFORE {
        insert(&set, n, Timestamp::MAX).unwrap();
    }
    let ids: Vec<_> = (900_000_000..900_010_000).map(id).collect();
    HEAP.set_limit(HEAP.allocated() + LEFT).unwrap();
    // Nothing below may allocate more than is left, or the process ends.
    let mut inserted = BEFORE;
    let refused = loop {
        match insert(&set, inserted, Timestamp::MAX) {
            Ok(()) => inserted += 1,
            Err(full) => break full,
        }
    };
    let again = insert(&set, inserted, Timestamp::MAX);
    let in_bulk = set.load(ids.iter().map(|id| (Scope::Token(id), Cutoff::ABSOLUTE, Timestamp::MAX)));
    let alive = (0..inserted).find(|n| !is_dead(&set, *n));
    let intruder = is_dead(&set, inserted);
    let purged = set.purge(granules(1));
    // Too little even for a root: whatever has to publish one says so.
    HEAP.set_limit(HEAP.allocated() + 2_000).unwrap();
    let client = set.insert(Scope::Client("app"), Cutoff::ABSOLUTE, Timestamp::MAX);
    let purged_to_the_end = set.purge(granules(1));
    HEAP.set_limit(usize::MAX).unwrap();

    assert_eq!((client, purged_to_the_end), (Err(Full), 0));
    assert_eq!(set.cutoff(Scope::Client("app")), None);
    assert_eq!((refused, again, in_bulk), (Full, Err(Full), Err(Full)));
    assert_eq!((alive, intruder, purged), (None, false, 0));
    assert_eq!(insert(&set, inserted, Timestamp::MAX), Ok(()));
    assert!((0..=inserted).all(|n| is_dead(&set, n)));
}

pub(crate) fn a_replica_without_room_is_not_ready() {
    const PAGE: u64 = 1_000;
    let replica = Replica::with_limit(1 << 20);
    let mut reader = replica.reader();
    let pos = |position| Position::new(position).unwrap();
    let entry = |n| Revocation::new(Scope::Session(&id(n)), pos(n), granules(5));
    let page = |after: u64, through| LogPage {
        after: pos(after),
        entries: (after + 1..=through).map(entry).collect(),
        through: pos(through),
    };
    let mut verdict = |n| {
        let answers = [id(n)].map(|id| {
            let scopes = [Scope::Session(&id)];
            (replica.verdict(&scopes, pos(n)), reader.verdict(&scopes, pos(n)))
        });
        assert_eq!(answers[0].0, answers[0].1);
        answers[0].0
    };
    let mut applied = 0;
    let error = loop {
        match replica.apply(&page(applied, applied + PAGE)) {
            Ok(position) => applied = position.get(),
            Err(error) => break error,
        }
    };
    assert!(applied > 30_000, "full after {applied} entries");
    assert_eq!(error, ApplyError::Full { applied: pos(applied) });
    assert_eq!(replica.applied(), pos(applied));
    assert_eq!([verdict(1), verdict(999_999_999)], [Verdict::Unready; 2], "what it lacks, it cannot know");
    assert_eq!(replica.apply(&page(applied, applied + PAGE)), Err(error));

    // A page that does not reach as far makes nothing better, even though it is applied.
    assert_eq!(replica.apply(&page(applied, applied)), Ok(pos(applied)));
    let short = LogPage { after: pos(applied), entries: vec![], through: pos(applied + PAGE - 1) };
    assert_eq!(replica.apply(&short), Ok(pos(applied + PAGE - 1)));
    assert_eq!(verdict(1), Verdict::Unready);

    assert!(replica.purge(granules(5)) >= applied as usize);
    assert_eq!(verdict(1), Verdict::Unready, "room alone does not bring what is missing");
    assert_eq!(replica.apply(&page(applied, applied + PAGE)), Ok(pos(applied + PAGE)));
    assert_eq!(verdict(applied + PAGE), Verdict::Dead(ScopeKind::Session));
    assert_eq!(verdict(applied + PAGE + 1), Verdict::Alive);
}
