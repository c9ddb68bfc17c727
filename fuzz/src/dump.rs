//! Dumps of replicas: no bytes make the loader panic, and what it accepts it can give out and take again.

use signoff_revocation::{DumpLoader, LogPage, Position, Replica, Revocation, Scope, Timestamp, Verdict};

use crate::cursor::Cursor;

/// Reads the input as parts. After an odd first byte the first part is a good one, without which no other is accepted.
pub fn dump(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let mut loader = DumpLoader::new(1 << 24);
    let mut accepted = true;
    if cursor.byte() % 2 == 1 {
        let keys = fresh().dump().and_then(|mut dump| dump.next()).unwrap();
        loader.part(&keys).unwrap();
    }
    while !cursor.is_empty() {
        let length = usize::from(cursor.byte());
        let part: Vec<_> = (0..length).map(|_| cursor.byte()).collect();
        let taken = loader.part(&part).is_ok();
        assert!(accepted || !taken, "a loader that refused a part took another one");
        accepted &= taken;
    }
    let loaded = loader.finish(&[last()]);
    assert!(accepted || loaded.is_err(), "a replica without a part");
    if let Ok(loaded) = loaded {
        assert_eq!(loaded.verdict(&[], Position::MAX), Verdict::Unready);
        let again = reload(&loaded);
        assert_eq!((again.len(), again.applied()), (loaded.len(), loaded.applied()));
        assert_eq!(parts(&again), parts(&loaded));
    }
}

/// A replica with one entry.
fn fresh() -> Replica {
    let replica = Replica::new();
    let through = last().position();
    replica.apply(&LogPage { after: Position::ZERO, entries: vec![last()], through }).unwrap();
    replica
}

fn last() -> Revocation {
    Revocation::new(Scope::Token(&[7; 16]), Position::new(7).unwrap(), Timestamp::MAX)
}

fn reload(replica: &Replica) -> Replica {
    let mut loader = DumpLoader::new(usize::MAX);
    for part in replica.dump().unwrap() {
        loader.part(&part).unwrap();
    }
    loader.finish(&[last()]).unwrap()
}

/// All entries in an order that does not depend on where they stand.
fn parts(replica: &Replica) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for part in replica.dump().unwrap() {
        match part.split_first_chunk() {
            // Records of regions without and with cutoffs.
            Some(([4, region], rest)) => {
                let size = if *region < 128 { 10 } else { 18 };
                records.extend(rest.chunks(size).map(|record| [&[*region], record].concat()));
            }
            _ => records.push(part),
        }
    }
    records.sort();
    records
}
