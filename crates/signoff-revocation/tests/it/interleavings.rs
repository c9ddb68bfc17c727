//! Every interleaving of a writer and a reader, by loom: `RUSTFLAGS="--cfg signoff_loom" cargo test --test it`.

use loom::sync::Arc;
use loom::thread;
use signoff_revocation::{Cutoff, LogPage, Position, Replica, Revocation, RevocationSet, Scope, Timestamp, Verdict};

fn pos(position: u64) -> Position {
    Position::new(position).unwrap()
}

#[test]
fn what_is_reported_as_applied_is_visible() {
    loom::model(|| {
        let replica = Arc::new(Replica::new());
        let writer = {
            let replica = Arc::clone(&replica);
            thread::spawn(move || {
                let entry = Revocation::new(Scope::Session(b"s"), pos(7), Timestamp::MAX);
                replica.apply(&LogPage { after: Position::ZERO, entries: vec![entry], through: pos(7) }).unwrap();
            })
        };
        if replica.applied() >= pos(7) {
            // Applied is stored before the state becomes ready, so `Unready` is possible here; `Alive` is not.
            assert_ne!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Alive);
        }
        // The first page makes the replica ready only after its entries are in force.
        assert_ne!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Alive);
        writer.join().unwrap();
        assert!(matches!(replica.verdict(&[Scope::Session(b"s")], Position::MAX), Verdict::Dead(_)));
    });
}

#[test]
fn the_applied_position_never_goes_back() {
    loom::model(|| {
        let replica = Arc::new(Replica::new());
        let writers: Vec<_> = [3, 5]
            .map(|through| {
                let replica = Arc::clone(&replica);
                thread::spawn(move || {
                    let page = LogPage { after: Position::ZERO, entries: vec![], through: pos(through) };
                    assert!(replica.apply(&page).unwrap() >= pos(through));
                })
            })
            .into();
        let first = replica.applied();
        assert!(replica.applied() >= first);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(replica.applied(), pos(5));
    });
}

#[test]
fn cutoffs_of_two_writers_merge_by_the_maximum() {
    loom::model(|| {
        let set = Arc::new(RevocationSet::new());
        let writers: Vec<_> = [3, 5]
            .map(|cutoff| {
                let set = Arc::clone(&set);
                thread::spawn(move || set.insert(Scope::Subject("a"), Cutoff::at(pos(cutoff)), Timestamp::MAX))
            })
            .into();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(set.cutoff(Scope::Subject("a")), Some(Cutoff::at(pos(5))));
    });
}
