//! One writer and one reader of the hashed scopes, in all interleavings.

use super::*;

#[test]
fn an_insert_is_seen_by_whoever_was_told() {
    every("insert, check", || {
        // A shard with room, so that the entry goes into a table that readers search already.
        let (set, race) = (set_with(&["old".into()]), Race::new());
        let writer = race.thread(&set, |set, race| {
            revoke(set, token("new"));
            race.tell();
        });
        race.turn();
        let told = race.is_told();
        let seen = is_dead(&set, token("new"));
        assert!(seen || !told, "inserted, and not seen");
        assert!(is_dead(&set, token("old")) && !is_dead(&set, token("nobody")));
        race.turn();
        assert!(is_dead(&set, token("new")) || !seen, "the dead revived");
        writer.join().unwrap();
        assert!(is_dead(&set, token("new")));
    });
}

#[test]
fn a_wide_entry_is_whole_when_it_is_seen() {
    every("wide insert, check", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        set.insert(Scope::Subject("old"), Cutoff::at(pos(3)), Timestamp::MAX).unwrap();
        let writer = race.thread(&set, |set, race| {
            set.insert(Scope::Subject("new"), Cutoff::at(pos(5)), Timestamp::MAX).unwrap();
            race.tell();
        });
        race.turn();
        let told = race.is_told();
        let seen = set.cutoff(Scope::Subject("new"));
        // The cutoff stands in another line than the tag that leads to it: never half of an entry.
        assert!(seen == Some(Cutoff::at(pos(5))) || seen.is_none() && !told, "{seen:?}");
        race.turn();
        assert!(seen.is_none() || set.cutoff(Scope::Subject("new")) == seen);
        assert_eq!(set.cutoff(Scope::Subject("old")), Some(Cutoff::at(pos(3))));
        writer.join().unwrap();
    });
}

#[test]
fn a_cutoff_only_rises() {
    every("raise, check", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        set.insert(Scope::Subject("a"), Cutoff::at(pos(3)), Timestamp::MAX).unwrap();
        let writer = race.thread(&set, |set, race| {
            set.insert(Scope::Subject("a"), Cutoff::at(pos(5)), Timestamp::MAX).unwrap();
            race.tell();
            set.insert(Scope::Subject("a"), Cutoff::at(pos(4)), Timestamp::MAX).unwrap();
        });
        race.turn();
        let told = race.is_told();
        let seen = [(); 2].map(|()| {
            race.turn();
            set.cutoff(Scope::Subject("a"))
        });
        assert!(seen[0] == Some(Cutoff::at(pos(3))) || seen[0] == Some(Cutoff::at(pos(5))), "{seen:?}");
        assert!(seen[1] >= seen[0] && seen[1] <= Some(Cutoff::at(pos(5))), "{seen:?}");
        assert!(!told || seen[0] == Some(Cutoff::at(pos(5))));
        writer.join().unwrap();
        assert_eq!(set.cutoff(Scope::Subject("a")), Some(Cutoff::at(pos(5))));
    });
}

#[test]
fn growth_loses_nothing_and_its_cause_is_seen() {
    let (names, _) = crowded_line();
    every("insert that grows, check", move || {
        // The seventh does not fit into one line.
        inserts_unnoticed(&set_with(&names[..6]), &names[5], &names[6]);
    });
}

#[test]
fn a_split_loses_nothing_and_its_cause_is_seen() {
    let (first, second) = crowded_line();
    every("insert that splits, check", move || {
        // Twelve fill two lines, and the thirteenth makes two shards. The first line is full to its last lane.
        let set = set_with(first[..8].iter().chain(&second));
        inserts_unnoticed(&set, &first[7], &first[8]);
        assert_eq!(set.len(), 13);
    });
}

#[test]
fn an_entry_that_went_on_to_the_next_line_is_found() {
    let (first, _) = crowded_line();
    every("insert that spills, check", move || {
        inserts_unnoticed(&set_with(&first[..8]), &first[7], &first[8]);
    });
}

/// A writer inserts `new` while this thread checks, directly and through a handle that is older.
fn inserts_unnoticed(set: &Arc<RevocationSet>, old: &str, new: &str) {
    let race = Race::new();
    let mut reader = set.reader();
    let name = new.to_owned();
    let writer = race.thread(set, move |set, race| {
        revoke(set, token(&name));
        race.tell();
    });
    race.turn();
    assert!(is_dead_for(&mut reader, token(old)), "lost to a reader");
    let told = race.is_told();
    let seen = is_dead_for(&mut reader, token(new));
    assert!(seen || !told, "inserted, and not seen");
    race.turn();
    assert!(is_dead(set, token(old)), "lost");
    assert!(is_dead(set, token(new)) || !seen, "the dead revived");
    writer.join().unwrap();
    for scope in [old, new].map(token) {
        assert!(is_dead(set, scope) && is_dead_for(&mut reader, scope));
    }
    assert!(!is_dead(set, token("nobody")));
}

/// A set with one entry that the next purge drops and one that it must not.
fn early_and_late() -> Arc<RevocationSet> {
    let set = RevocationSet::new();
    set.insert(token("early"), Cutoff::ABSOLUTE, granules(1)).unwrap();
    set.insert(token("late"), Cutoff::ABSOLUTE, granules(2)).unwrap();
    Arc::new(set)
}

#[test]
fn a_purge_spares_what_has_not_expired() {
    every("purge, check", || {
        let (set, race) = (early_and_late(), Race::new());
        let mut reader = set.reader();
        let writer = race.thread(&set, |set, _| assert_eq!(set.purge(granules(1)), 1));
        race.turn();
        assert!(is_dead_for(&mut reader, token("late")), "forgotten too early, for a reader");
        let gone = !is_dead(&set, token("early"));
        assert!(is_dead(&set, token("late")), "forgotten too early");
        race.turn();
        assert!(!gone || !is_dead(&set, token("early")), "what was forgotten came back");
        writer.join().unwrap();
        assert!(!is_dead(&set, token("early")) && !is_dead_for(&mut reader, token("early")));
        assert!(is_dead(&set, token("late")) && is_dead_for(&mut reader, token("late")));
    });
}

#[test]
fn what_is_inserted_after_a_purge_is_seen() {
    every("purge and insert, check", || {
        let (set, race) = (early_and_late(), Race::new());
        let writer = race.thread(&set, |set, race| {
            set.purge(granules(1));
            revoke(set, token("new"));
            race.tell();
        });
        race.turn();
        let seen = is_dead(&set, token("new"));
        if race.is_told() {
            assert!(is_dead(&set, token("new")) && !is_dead(&set, token("early")));
        }
        race.turn();
        assert!(!seen || is_dead(&set, token("new")), "the dead revived");
        assert!(is_dead(&set, token("late")));
        writer.join().unwrap();
    });
}

/// All but one entry of two shards expire, so the purge makes one shard of them.
#[test]
fn a_merge_loses_nothing() {
    let (first, second) = crowded_line();
    every("purge that merges, check", move || {
        let race = Race::new();
        let set = set_with(&first[8..]);
        for name in first[..8].iter().chain(&second) {
            set.insert(token(name), Cutoff::ABSOLUTE, granules(1)).unwrap();
        }
        let mut reader = set.reader();
        let writer = race.thread(&set, |set, _| {
            set.purge(granules(1));
        });
        race.turn();
        assert!(is_dead_for(&mut reader, token(&first[8])), "lost to a reader");
        race.turn();
        assert!(is_dead(&set, token(&first[8])), "lost");
        writer.join().unwrap();
        assert!(is_dead(&set, token(&first[8])) && is_dead_for(&mut reader, token(&first[8])));
        assert_eq!(set.len(), 1);
        assert!(!first[..8].iter().chain(&second).any(|name| is_dead(&set, token(name))));
    });
}

#[test]
fn two_writers_raise_one_scope() {
    every("raise, raise", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        // Each has the larger part of something.
        let writers = [(3, 2), (5, 1)].map(|(cutoff, expiry)| {
            race.thread(&set, move |set, _| {
                set.insert(Scope::Subject("a"), Cutoff::at(pos(cutoff)), granules(expiry)).unwrap();
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(set.purge(granules(1)), 0);
        assert_eq!(set.cutoff(Scope::Subject("a")), Some(Cutoff::at(pos(5))));
        assert_eq!(set.purge(granules(2)), 1);
    });
}
