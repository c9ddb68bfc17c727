//! Clients and keys, of which the small world keeps one in its list; further ones are hashed.

use super::*;

#[test]
fn a_cutoff_in_the_list_only_rises() {
    every("raise of a client, check", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        let writer = race.thread(&set, |set, race| {
            set.insert(Scope::Client("a"), Cutoff::at(pos(3)), Timestamp::MAX).unwrap();
            set.insert(Scope::Client("a"), Cutoff::at(pos(5)), Timestamp::MAX).unwrap();
            race.tell();
            set.insert(Scope::Client("a"), Cutoff::at(pos(4)), Timestamp::MAX).unwrap();
        });
        let mut reader = set.reader();
        race.turn();
        let told = race.is_told();
        let seen = [(); 3].map(|()| {
            race.turn();
            reader.cutoff(Scope::Client("a"))
        });
        assert!(seen.is_sorted() && seen[2] <= Some(Cutoff::at(pos(5))), "{seen:?}");
        assert!(!told || seen[0] == Some(Cutoff::at(pos(5))), "{seen:?}");
        writer.join().unwrap();
        assert_eq!(set.cutoff(Scope::Client("a")), Some(Cutoff::at(pos(5))));
    });
}

#[test]
fn a_client_too_many_is_found_by_its_hash() {
    every("client that crowds, check", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        revoke(&set, Scope::Client("a"));
        let mut reader = set.reader();
        let writer = race.thread(&set, |set, race| {
            revoke(set, Scope::Client("b"));
            race.tell();
        });
        race.turn();
        let told = race.is_told();
        let seen = is_dead_for(&mut reader, Scope::Client("b"));
        assert!(seen || !told, "inserted, and not seen");
        assert!(is_dead(&set, Scope::Client("a")) && is_dead_for(&mut reader, Scope::Client("a")));
        race.turn();
        assert!(is_dead(&set, Scope::Client("b")) || !seen, "the dead revived");
        assert!(!is_dead(&set, Scope::Client("nobody")) && !is_dead(&set, Scope::Key("b")));
        writer.join().unwrap();
        assert!(is_dead_for(&mut reader, Scope::Client("b")));
    });
}

#[test]
fn two_writers_crowd_the_list() {
    every("client, client", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        let writers = ["a", "b"].map(|name| {
            race.thread(&set, move |set, _| {
                revoke(set, Scope::Client(name));
                assert!(is_dead(set, Scope::Client(name)));
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(is_dead(&set, Scope::Client("a")) && is_dead(&set, Scope::Client("b")));
        assert_eq!(set.len(), 2);
    });
}

#[test]
fn a_purge_of_the_list_spares_what_has_not_expired() {
    every("purge of the list, check", || {
        let (set, race) = (Arc::new(RevocationSet::new()), Race::new());
        set.insert(Scope::Everything, Cutoff::at(pos(5)), granules(1)).unwrap();
        set.insert(Scope::Key("late"), Cutoff::ABSOLUTE, granules(2)).unwrap();
        let writer = race.thread(&set, |set, _| {
            assert_eq!(set.purge(granules(1)), 1);
            // Raised to live on, in the list that the purge has left.
            set.insert(Scope::Key("late"), Cutoff::ABSOLUTE, granules(9)).unwrap();
            set.insert(Scope::Key("late"), Cutoff::ABSOLUTE, granules(3)).unwrap();
        });
        race.turn();
        let everything = set.dead_by(&[], pos(4));
        assert!(is_dead(&set, Scope::Key("late")), "forgotten too early");
        race.turn();
        assert!(everything.is_some() || set.dead_by(&[], pos(4)).is_none(), "what was forgotten came back");
        writer.join().unwrap();
        assert_eq!(set.dead_by(&[], pos(4)), None);
        assert_eq!(set.purge(granules(8)), 0);
        assert!(is_dead(&set, Scope::Key("late")));
    });
}
