//! More than a million entries, so that the shards of all regions split, and merge when the entries expire.

use signoff_revocation::{Cutoff, Reader, RevocationSet, Scope};

use crate::{granules, pos};

/// Shards hold 8,192 entries at most and there are 128 regions for tokens and as many for subjects, so from 1,048,576
/// tokens on some must have split; here it is all of them, by far.
const TOKENS: u64 = 1_400_000;
/// Inserted one by one, which splits otherwise than a bulk load does.
const LATER: u64 = 100_000;
const SUBJECTS: u64 = 100_000;

fn id(n: u64) -> [u8; 16] {
    // Not consecutive, as random ids are not.
    u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes()
}

/// Half expire first, then three in ten, which leaves shards that are just too large to merge. When one more in ten
/// expires, the first shard of each pair becomes small enough to merge while the second has still to be purged.
fn expiry(n: u64) -> u64 {
    match n % 10 {
        0..5 => 1,
        5..8 => 2,
        8 => 3,
        _ => 4,
    }
}

#[test]
fn shards_split_and_merge_without_loss() {
    let set = RevocationSet::new();
    let empty = set.bytes();
    let mut reader = set.reader();
    let ids: Vec<_> = (0..TOKENS).map(id).collect();
    let names: Vec<_> = (0..SUBJECTS).map(|n| n.to_string()).collect();
    let token = |n: usize| (Scope::Token(&ids[n]), Cutoff::ABSOLUTE, granules(expiry(n as u64)));
    let subject = |n: usize| (Scope::Subject(&names[n]), Cutoff::at(pos(n as u64 + 1)), granules(expiry(n as u64)));

    let in_bulk = ids.len() - LATER as usize;
    set.load((0..in_bulk).map(token)).unwrap();
    set.load((0..names.len()).map(subject)).unwrap();
    for (scope, cutoff, expires_at) in (in_bulk..ids.len()).map(token) {
        set.insert(scope, cutoff, expires_at).unwrap();
    }
    // Between two purges everything that has not expired is there, and nothing else.
    for horizon in 0..=4 {
        let dropped: usize = match horizon {
            0 => 0,
            // Once in parts and otherwise at once.
            2 => (0..RevocationSet::PARTS).map(|_| set.purge_part(granules(horizon))).sum(),
            _ => set.purge(granules(horizon)),
        };
        let of = |count: u64, gone: bool| (0..count).filter(|n| (expiry(*n) <= horizon) == gone).count();
        let before = |n: u64| horizon > 0 && expiry(n) == horizon;
        assert_eq!(dropped, (0..TOKENS).chain(0..SUBJECTS).filter(|n| before(*n)).count(), "horizon {horizon}");
        assert_eq!(set.len(), of(TOKENS, false) + of(SUBJECTS, false), "horizon {horizon}");
        for (n, id) in ids.iter().enumerate() {
            check(Scope::Token(id), Cutoff::ABSOLUTE, n, horizon, &set, &mut reader);
        }
        for (n, name) in names.iter().enumerate() {
            check(Scope::Subject(name), Cutoff::at(pos(n as u64 + 1)), n, horizon, &set, &mut reader);
        }
        // At least an eighth of the memory is not needed for the entries; at most three quarters are wasted.
        let least = 8 * of(TOKENS, false) + 16 * of(SUBJECTS, false);
        assert!((least..empty + 4 * least).contains(&(set.bytes() - empty)), "{} bytes, {least}", set.bytes());
    }
}

fn check(scope: Scope<'_>, cutoff: Cutoff, n: usize, horizon: u64, set: &RevocationSet, reader: &mut Reader<'_>) {
    let expect = (expiry(n as u64) > horizon).then_some(cutoff);
    assert_eq!(reader.cutoff(scope), expect, "{scope:?} at horizon {horizon}");
    // The other way is the same but for the handle.
    if n.is_multiple_of(7) {
        assert_eq!(set.cutoff(scope), expect, "{scope:?} at horizon {horizon}");
    }
}
