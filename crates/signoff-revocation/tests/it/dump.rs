//! A dump and the way back: the loaded replica gives the same verdicts, about everything, from then on.
//!
//! In shuttle's build shards hold eight entries, so that a few dozen take several of them.

#[cfg(not(signoff_shuttle))]
mod rules;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use signoff_revocation::{
    Dump, DumpError, DumpLoader, LogPage, Position, Replica, Revocation, Scope, ScopeKind, Verdict,
};

use crate::{config, granules, pos};

/// Ids of tokens, sessions and subjects are chosen from so many. Clients and keys are fewer, but too many for the list.
const IDS: u32 = if cfg!(signoff_shuttle) { 90 } else { 5_000 };
const NAMES: u32 = if cfg!(signoff_shuttle) { 4 } else { 20 };
/// The most that a burst brings.
const BURST: u32 = if cfg!(signoff_shuttle) { 90 } else { 4_000 };

fn load(replica: &Replica, limit: usize) -> Result<Replica, DumpError> {
    let dump = replica.dump().unwrap();
    let recent = dump.recent().to_vec();
    let mut loader = DumpLoader::new(limit);
    for part in dump {
        assert!(part.len() <= Dump::LARGEST_PART);
        loader.part(&part)?;
    }
    loader.finish(&recent)
}

/// Half of the ids take 16 bytes, which are hashed otherwise than the rest.
fn id(kind: ScopeKind, id: u32) -> String {
    // The small world hashes texts of all kinds alike, so there the kind has to be part of the text.
    let id = if cfg!(signoff_shuttle) { 10 * id + u32::from(kind.code()) } else { id };
    match kind {
        ScopeKind::Everything => String::new(),
        _ if id.is_multiple_of(2) => format!("{id:016}"),
        _ => id.to_string(),
    }
}

/// A kind, the first id, how many, and when they expire.
type Burst = (usize, u32, u32, u64);

fn page(after: Position, (kind, first, count, expiry): Burst) -> LogPage {
    let kind = ScopeKind::ALL[kind];
    // Few enough that names come back with another cutoff and expiry.
    let wrap = if matches!(kind, ScopeKind::Client | ScopeKind::Key) { NAMES } else { IDS };
    let entry = |n: u32| {
        let id = id(kind, (first + n) % wrap);
        let position = pos(after.get() + 1 + u64::from(n));
        Revocation::new(Scope::from_parts(kind, id.as_bytes()).unwrap(), position, granules(expiry + u64::from(n) % 3))
    };
    LogPage { after, entries: (0..count).map(entry).collect(), through: pos(after.get() + u64::from(count)) }
}

/// Equal answers for every scope that may have been revoked, and some that cannot have been.
fn assert_alike(a: &Replica, b: &Replica) {
    assert_eq!((a.applied(), a.len(), a.newest()), (b.applied(), b.len(), b.newest()));
    let at = [0, a.applied().get() / 2, a.applied().get()].map(pos);
    for kind in ScopeKind::ALL {
        let most = if kind == ScopeKind::Everything { 1 } else { IDS + 50 };
        for n in 0..most {
            let id = id(kind, n);
            let scopes = [Scope::from_parts(kind, id.as_bytes()).unwrap()];
            for at in at {
                assert_eq!(a.verdict(&scopes, at), b.verdict(&scopes, at), "{scopes:?} at {at:?}");
            }
            if let Some(print) = a.fingerprint(scopes[0]) {
                let hashed = |replica: &Replica| replica.verdict_hashed(&[print], || [Scope::Client("none")], at[1]);
                assert_eq!(hashed(a), hashed(b));
            }
        }
    }
}

fn burst() -> impl Strategy<Value = Burst> {
    let count = prop_oneof![6 => 1..30u32, 2 => 60..70u32, 1 => BURST / 2..BURST];
    let kind = prop_oneof![12 => 0..3usize, 8 => 3..5usize, 1 => Just(5usize)];
    (kind, 0..IDS, count, 1..12u64)
}

fn round_trip(before: &[(Burst, bool)], after: &[Burst]) {
    let replica = Replica::new();
    for (burst, purged) in before {
        replica.apply(&page(replica.applied(), *burst)).unwrap();
        if *purged {
            replica.purge(granules(3));
        }
    }
    let loaded = load(&replica, usize::MAX).unwrap();
    assert_eq!(loaded.verdict(&[], Position::MAX), Verdict::Unready, "nothing is known of what came since");
    // Births, which no dump knows of.
    let births = LogPage { after: replica.applied(), entries: vec![], through: pos(replica.applied().get() + 10) };
    for replica in [&replica, &loaded] {
        replica.apply(&births).unwrap();
    }
    assert_alike(&replica, &loaded);
    for burst in after {
        let page = page(replica.applied(), *burst);
        replica.apply(&page).unwrap();
        loaded.apply(&page).unwrap();
    }
    assert_alike(&replica, &loaded);
    assert_eq!(replica.purge(granules(7)), loaded.purge(granules(7)));
    assert_alike(&replica, &loaded);
    // And once more, of the loaded one.
    let again = load(&loaded, usize::MAX).unwrap();
    again.apply(&LogPage { after: again.applied(), entries: vec![], through: loaded.applied() }).unwrap();
    assert_alike(&replica, &again);
}

proptest! {
    #![proptest_config(Config { cases: config(60).cases.min(500), ..config(60) })]

    #[test]
    fn what_is_loaded_answers_alike(before in vec((burst(), any::<bool>()), 1..12), after in vec(burst(), 0..4)) {
        #[cfg(not(signoff_shuttle))]
        round_trip(&before, &after);
        #[cfg(signoff_shuttle)]
        crate::schedules::once(move || round_trip(&before, &after));
    }
}
