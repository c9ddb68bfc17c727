//! What else a revoked id may be kept in, each as a closure that owns the structure and looks an id up.
//!
//! They keep ids only, where ours also keeps the kind of the scope and when the entry expires.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::thread;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use left_right::Absorb;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use signoff_benches::Length;

use crate::keys::id;

/// The sizes at which all of them are measured.
pub(crate) fn sizes(length: Length) -> &'static [u64] {
    match length {
        Length::Full => &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        Length::Quick => &[100_000],
    }
}

/// Whoever wants to see all of them.
pub(crate) trait Visit {
    /// Builds one and does what there is to do with it, until it is dropped.
    fn visit<L: FnMut(&[u8; 16]) -> bool>(&mut self, name: &str, build: impl FnOnce() -> L);
}

/// Shows them one after the other, for the large ones do not fit into memory together.
pub(crate) fn visit_all(entries: u64, visitor: &mut impl Visit) {
    visitor.visit("arc-swap + hashbrown", || arc_swap(entries));
    visitor.visit("left-right 0.11", || left_right(entries));
    visitor.visit("std RwLock<HashMap>", || rw_lock(entries));
    visitor.visit("dashmap 6", || dashmap(entries));
    visitor.visit("papaya 0.2", || papaya(entries));
    visitor.visit("scc 3 HashIndex", || scc(entries));
    visitor.visit("quick_cache 0.7", || quick_cache(entries));
    visitor.visit("moka 0.12", || moka(entries));
    visitor.visit("evmap 11", || evmap(entries));
}

/// A map that is replaced as a whole: the fastest lookups there are, but every insert copies everything.
pub(crate) fn arc_swap(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let mut set = hashbrown::HashSet::with_hasher(RandomState::default());
    set.extend((0..live).map(id));
    let set = ArcSwap::new(Arc::new(set));
    move |id| set.load().contains(id)
}

fn dashmap(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let map = dashmap::DashMap::with_hasher(RandomState::default());
    for number in 0..live {
        map.insert(id(number), ());
    }
    move |id| map.contains_key(id)
}

/// It hashes with SipHash: another hasher takes unsafe code.
fn evmap(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let (mut write, read) = evmap::new();
    for number in 0..live {
        write.insert(id(number), ());
    }
    // The second copy of its table is made when the second publication needs it.
    write.publish().publish();
    move |id| {
        // Without its writer the map is gone.
        let _ = &write;
        read.contains_key(id)
    }
}

fn left_right(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    #[derive(Clone)]
    struct Set(hashbrown::HashSet<[u8; 16], RandomState>);

    impl Absorb<[u8; 16]> for Set {
        fn absorb_first(&mut self, id: &mut [u8; 16], _other: &Self) {
            self.0.insert(*id);
        }

        fn sync_with(&mut self, first: &Self) {
            self.0.clone_from(&first.0);
        }
    }

    let (mut write, read) = left_right::new_from_empty(Set(hashbrown::HashSet::default()));
    for number in 0..live {
        write.append(id(number));
    }
    // The second copy is made when the second publication needs it.
    write.publish().publish();
    move |id| {
        // Without its writer the set is gone.
        let _ = &write;
        read.enter().is_some_and(|set| set.0.contains(id))
    }
}

pub(crate) fn moka(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let cache = moka::sync::Cache::builder().max_capacity(2 * live).initial_capacity(live as usize);
    let cache = cache.build_with_hasher(RandomState::default());
    // Two at once, because this takes longer than all the rest of a quick run.
    thread::scope(|scope| {
        for half in 0..2 {
            let cache = &cache;
            scope.spawn(move || (0..live).skip(half).step_by(2).for_each(|number| cache.insert(id(number), ())));
        }
    });
    cache.run_pending_tasks();
    assert_eq!(cache.entry_count(), live);
    move |id| cache.get(id).is_some()
}

fn papaya(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let set = papaya::HashSet::with_hasher(RandomState::default());
    for number in 0..live {
        set.pin().insert(id(number));
    }
    move |id| set.pin().contains(id)
}

fn quick_cache(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    // Its shards do not fill evenly; with this much more room none of them evicts.
    let room = live + live / 8 + 1_000;
    let (weighter, hasher) = (UnitWeighter, RandomState::default());
    let cache = Cache::with(room as usize, room, weighter, hasher, DefaultLifecycle::default());
    (0..live).for_each(|number| cache.insert(id(number), ()));
    assert_eq!(cache.len() as u64, live);
    move |id| cache.get(id).is_some()
}

fn rw_lock(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let map = RwLock::new(HashMap::with_hasher(RandomState::default()));
    map.write().expect("nobody panics").extend((0..live).map(|number| (id(number), ())));
    move |id| map.read().expect("nobody panics").contains_key(id)
}

fn scc(live: u64) -> impl FnMut(&[u8; 16]) -> bool {
    let index = scc::HashIndex::with_hasher(RandomState::default());
    (0..live).for_each(|number| index.insert_sync(id(number), ()).expect("numbers differ"));
    move |id| index.contains(id)
}
