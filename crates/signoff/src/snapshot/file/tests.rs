use signoff_revocation::{LogPage, Scope, ScopeKind, Timestamp, Verdict};

use super::*;

fn pos(position: u64) -> Position {
    Position::new(position).unwrap()
}

/// A replica with so many entries, some of them wide.
fn replica(count: u64) -> Replica {
    let replica = Replica::new();
    let entry = |n: u64| {
        let (id, name) = ([n as u8; 16], n.to_string());
        let scope = match n % 5 {
            0 => Scope::Subject(&name),
            1 => Scope::Client(&name),
            _ => Scope::Session(&id),
        };
        Revocation::new(scope, pos(n), Timestamp::from_secs(2_000_000_000).unwrap())
    };
    let page = LogPage { after: Position::ZERO, entries: (1..=count).map(entry).collect(), through: pos(count) };
    replica.apply(&page).unwrap();
    replica
}

fn written(replica: &Replica) -> (Vec<u8>, Vec<Revocation>) {
    let dump = replica.dump().unwrap();
    let recent = dump.recent().to_vec();
    let mut bytes = Vec::new();
    write(dump, &mut bytes).unwrap();
    (bytes, recent)
}

fn read(bytes: &[u8], recent: &[Revocation], limit: usize) -> Result<Replica, Unusable> {
    let snapshot = Snapshot::open(bytes)?;
    if !snapshot.header.knows(recent) {
        return Err(Unusable::Stale);
    }
    snapshot.load(recent, limit)
}

#[test]
fn what_was_written_is_read() {
    for count in [1, 2, 63, 64, 65, 200] {
        let (bytes, recent) = written(&replica(count));
        let header = Snapshot::open(&*bytes).unwrap().header;
        assert_eq!((header.count as usize, header.after), (recent.len(), pos(count - recent.len() as u64)));
        let again = read(&bytes, &recent, usize::MAX).unwrap();
        assert_eq!((again.len() as u64, again.applied()), (count, pos(count)));
        again.apply(&LogPage { after: pos(count), entries: vec![], through: pos(count) }).unwrap();
        let id = [count as u8; 16];
        let dead = again.verdict(&[Scope::Session(&id)], Position::MAX) == Verdict::Dead(ScopeKind::Session);
        assert_eq!(dead, count % 5 > 1);
        assert!(matches!(read(&bytes, &recent, 1_000), Err(Unusable::Full)));
        assert!(matches!(read(&bytes, &recent[1..], usize::MAX), Err(Unusable::Stale)));
    }
}

#[test]
fn every_byte_counts() {
    let (good, recent) = written(&replica(70));
    assert!(read(&good, &recent, usize::MAX).is_ok());
    // Every bit of what is read first, and one of each byte behind it.
    for bit in (0..8 * good.len()).filter(|bit| *bit < 8 * 300 || bit % 8 == bit / 8 % 8) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let reason = read(&bad, &recent, usize::MAX).unwrap_err();
        let expect = if (64..96).contains(&bit) {
            matches!(reason, Unusable::OtherVersion)
        } else {
            matches!(reason, Unusable::Damaged)
        };
        assert!(expect, "{bit}: {reason}");
    }
    for length in 0..good.len() {
        assert!(matches!(read(&good[..length], &recent, usize::MAX), Err(Unusable::Damaged)), "{length}");
    }
    assert!(matches!(read(&[&good[..], &[0]].concat(), &recent, usize::MAX), Err(Unusable::Damaged)));
}

/// No length is believed before the bytes are there.
#[test]
fn lengths_are_bounded() {
    let (good, recent) = written(&replica(70));
    for length in [LONGEST, LONGEST + 1, u32::MAX] {
        let mut bad = good[..12].to_vec();
        bad.extend_from_slice(&length.to_le_bytes());
        assert!(matches!(read(&bad, &recent, usize::MAX), Err(Unusable::Damaged)));
    }
}

/// Whatever an entry says is part of what the log has to have.
#[test]
fn recent_entries_are_compared_whole() {
    let (_, recent) = written(&replica(70));
    let header = Header::of(&recent);
    assert!(header.knows(&recent));
    assert_eq!(Header::from_bytes(&header.to_bytes()), Some(header));
    let until = recent[0].expires_at();
    for n in [0, recent.len() - 1] {
        let (scope, position) = (recent[n].scope(), recent[n].position());
        let later = Timestamp::from_micros(until.as_micros() + 1).unwrap();
        let others = [
            Revocation::new(scope, position.following().unwrap(), until),
            Revocation::new(scope, position, later),
            Revocation::new(Scope::Token(scope.id()), position, until),
            Revocation::new(Scope::Session(b"another"), position, until),
        ];
        for other in others {
            let mut changed = recent.clone();
            changed[n] = other;
            assert!(!header.knows(&changed));
        }
    }
    assert!(!header.knows(&[]) && !header.knows(&recent[1..]) && !header.knows(&recent[..recent.len() - 1]));
    for (count, sane) in [(0_u32, false), (1, true), (64, true), (65, false), (u32::MAX, false)] {
        let bytes = Header { count, ..header }.to_bytes();
        assert_eq!(Header::from_bytes(&bytes).is_some(), sane, "{count}");
    }
    let far = Header { after: Position::MAX, ..header }.to_bytes();
    assert!(Header::from_bytes(&far).is_some() && Header::from_bytes(&far[1..]).is_none());
    assert!(Header::from_bytes(&[&[0xff; 8][..], &header.to_bytes()[8..]].concat()).is_none());
}
