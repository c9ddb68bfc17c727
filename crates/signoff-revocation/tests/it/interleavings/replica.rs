//! A page that is applied, and verdicts meanwhile.

use signoff_revocation::{LogPage, Replica, Revocation, Verdict};

use super::*;

#[test]
fn what_is_reported_as_applied_is_visible() {
    every("page, verdict", || {
        let (replica, race) = (Arc::new(Replica::new()), Race::new());
        let writer = {
            let (replica, race) = (Arc::clone(&replica), race.clone());
            loom::thread::spawn(move || {
                let entry = Revocation::new(Scope::Session(b"s"), pos(7), Timestamp::MAX);
                replica.apply(&LogPage { after: Position::ZERO, entries: vec![entry], through: pos(7) }).unwrap();
                race.turn();
            })
        };
        race.turn();
        if replica.applied() >= pos(7) {
            // Applied is stored before the state becomes ready, so `Unready` is possible here; `Alive` is not.
            assert_ne!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Alive);
        }
        race.turn();
        // The first page makes the replica ready only after its entries are in force.
        assert_ne!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Alive);
        writer.join().unwrap();
        assert!(matches!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Dead(_)));
    });
}

#[test]
fn the_applied_position_never_goes_back() {
    every("two pages", || {
        let replica = Arc::new(Replica::new());
        let writers = [3, 5].map(|through| {
            let replica = Arc::clone(&replica);
            loom::thread::spawn(move || {
                let page = LogPage { after: Position::ZERO, entries: vec![], through: pos(through) };
                assert!(replica.apply(&page).unwrap() >= pos(through));
            })
        });
        let first = replica.applied();
        assert!(replica.applied() >= first);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(replica.applied(), pos(5));
    });
}

/// A replica that is ready already: what the next page revokes is dead for whoever saw its position, also through a
/// handle that is older than the page.
#[test]
fn a_later_page_is_visible_to_an_older_handle() {
    every("second page, verdict of an older handle", || {
        let replica = Arc::new(Replica::new());
        replica.apply(&LogPage { after: Position::ZERO, entries: vec![], through: pos(1) }).unwrap();
        let race = Race::new();
        let writer = {
            let (replica, race) = (Arc::clone(&replica), race.clone());
            loom::thread::spawn(move || {
                race.turn();
                let entry = Revocation::new(Scope::Subject("a"), pos(7), Timestamp::MAX);
                replica.apply(&LogPage { after: pos(1), entries: vec![entry], through: pos(7) }).unwrap();
                race.turn();
            })
        };
        let mut reader = replica.reader();
        let mut born_at = |at| {
            race.turn();
            reader.verdict(&[Scope::Subject("a")], pos(at))
        };
        race.turn();
        let applied = replica.applied() >= pos(7);
        let seen = born_at(6);
        assert!(!applied || seen == Verdict::Dead(ScopeKind::Subject));
        assert!(born_at(6) == Verdict::Dead(ScopeKind::Subject) || seen == Verdict::Alive);
        assert_eq!(born_at(7), Verdict::Alive);
        writer.join().unwrap();
    });
}

/// A dump first says how far it goes, and then what there is. The other way round it would lack what it says.
#[test]
fn a_dump_has_what_it_says() {
    every("second page, dump", || {
        let (replica, race) = (Arc::new(Replica::new()), Race::new());
        let page = |after, id: &[u8], through| {
            let entries = vec![Revocation::new(Scope::Session(id), pos(through), Timestamp::MAX)];
            LogPage { after: pos(after), entries, through: pos(through) }
        };
        replica.apply(&page(0, b"first", 3)).unwrap();
        let writer = {
            let (replica, race, page) = (Arc::clone(&replica), race.clone(), page(3, b"second", 7));
            loom::thread::spawn(move || {
                race.turn();
                replica.apply(&page).unwrap();
                race.turn();
            })
        };
        race.turn();
        let dump = replica.dump().unwrap();
        let says = dump.recent().len();
        race.turn();
        // The keys come first; all entries are in one part, ten bytes each behind its kind and its region.
        let has = dump.map(|part| part.len()).nth(1).map_or(0, |length| (length - 2) / 10);
        assert!((1..=2).contains(&says) && has >= says, "{has} of {says}");
        writer.join().unwrap();
    });
}
