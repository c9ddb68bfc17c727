//! Three threads. Where every interleaving is too many, those with few interruptions.

use super::*;

#[test]
fn whoever_is_told_of_a_death_sees_it() {
    every("insert, check, check by hearsay", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        let writer = race.thread(&set, |set, _| revoke(set, token("new")));
        let witness = race.thread(&set, |set, race| {
            if is_dead(set, token("new")) {
                race.tell();
            }
        });
        race.turn();
        // This thread knows nothing of the writer, only of the witness.
        if race.is_told() {
            assert!(is_dead(&set, token("new")), "the dead revived");
        }
        writer.join().unwrap();
        witness.join().unwrap();
    });
}

#[test]
fn growth_and_purge_meet_a_reader() {
    let (names, _) = crowded_line();
    most("growth, purge, check", 3, move || {
        let (set, race) = (set_with(&names[..5]), Race::new());
        set.insert(token("early"), Cutoff::ABSOLUTE, granules(1)).unwrap();
        set.insert(Scope::Subject("a"), Cutoff::at(pos(3)), granules(1)).unwrap();
        let mut reader = set.reader();
        let new = names[5].clone();
        let writer = race.thread(&set, move |set, race| {
            // Grows the shard, unless the purge has made room before.
            revoke(set, token(&new));
            race.tell();
            assert!(is_dead(set, token(&new)), "the writer's own");
        });
        let purger = race.thread(&set, |set, _| assert_eq!(set.purge(granules(1)), 2));
        race.turn();
        assert!(is_dead_for(&mut reader, token(&names[0])));
        let told = race.is_told();
        let seen = is_dead_for(&mut reader, token(&names[5]));
        assert!(seen || !told, "inserted, and not seen");
        race.turn();
        assert!(is_dead(&set, token(&names[5])) || !seen, "the dead revived");
        assert!(is_dead(&set, token(&names[4])));
        writer.join().unwrap();
        purger.join().unwrap();
        assert!(names[..6].iter().all(|name| is_dead(&set, token(name))));
        assert!(!is_dead(&set, token("early")));
        assert_eq!(set.len(), 6);
    });
}

#[test]
fn two_writers_and_a_reader() {
    most("raise, raise, check", 3, || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        let writers = [(3, "b"), (5, "c")].map(|(cutoff, token_of_its_own)| {
            race.thread(&set, move |set, _| {
                set.insert(Scope::Subject("a"), Cutoff::at(pos(cutoff)), Timestamp::MAX).unwrap();
                revoke(set, token(token_of_its_own));
            })
        });
        let mut reader = set.reader();
        race.turn();
        let seen = [(); 2].map(|()| reader.cutoff(Scope::Subject("a")));
        assert!(seen.is_sorted() && seen[1] <= Some(Cutoff::at(pos(5))), "{seen:?}");
        let dead = is_dead(&set, token("b"));
        race.turn();
        assert!(!dead || is_dead_for(&mut reader, token("b")), "the dead revived");
        assert!(!dead || set.cutoff(Scope::Subject("a")).is_some(), "a later insert without the earlier one");
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(set.cutoff(Scope::Subject("a")), Some(Cutoff::at(pos(5))));
        assert!(is_dead(&set, token("b")) && is_dead(&set, token("c")));
        assert_eq!(set.len(), 3);
    });
}
