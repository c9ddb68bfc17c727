//! The set itself against a `BTreeMap`: equal answers to every question after any sequence of operations.
//!
//! In the ordinary build shards grow and shrink here. In shuttle's build they hold eight entries, so that the same
//! sequences split and merge them all the time; with a single thread, for the threads are the matter of `schedules`.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use signoff_revocation::{Cutoff, Position, Reader, RevocationSet, Scope, ScopeKind};

use crate::{config, granules, pos};

/// Ids of tokens, sessions and subjects are chosen from so many. Clients and keys are fewer, but too many for the list.
const IDS: u32 = if cfg!(signoff_shuttle) { 24 } else { 400 };
const NAMES: u32 = if cfg!(signoff_shuttle) { 3 } else { 20 };
/// How many entries a bulk load and a burst bring at most. A burst fills lines to the last lane, and over.
const BULK: u32 = if cfg!(signoff_shuttle) { 12 } else { 500 };
const BURST: u32 = if cfg!(signoff_shuttle) { 40 } else { 20_000 };
/// Expiries are counted in granules up to this, and horizons a little beyond.
const END: u64 = 12;

#[derive(Clone, Debug)]
enum Op {
    Insert(Entry),
    /// Entries with consecutive ids and varied cutoffs and expiries, one by one or in bulk.
    Many {
        first: Entry,
        count: u32,
        bulk: bool,
    },
    Cutoff(Name),
    DeadBy(Vec<Name>, u64),
    Purge(u64),
    /// In parts, with a look at one of the scopes in between.
    PurgeInParts(u64, Name),
}

type Name = (ScopeKind, u32);

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Name,
    cutoff: u64,
    expiry: u64,
}

fn name() -> impl Strategy<Value = Name> {
    // Narrow kinds, wide kinds and both lists, and now and then everything at once.
    let kind = prop_oneof![12 => 0..3usize, 4 => 3..5usize, 1 => Just(5usize)];
    (kind, 0..IDS).prop_map(|(kind, id)| bounded(ScopeKind::ALL[kind], id))
}

fn bounded(kind: ScopeKind, id: u32) -> Name {
    match kind {
        ScopeKind::Client | ScopeKind::Key => (kind, id % NAMES),
        ScopeKind::Everything => (kind, 0),
        _ => (kind, id),
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    (name(), 1..40u64, 0..=END).prop_map(|(name, cutoff, expiry)| Entry { name, cutoff, expiry })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        300 => entry().prop_map(Op::Insert),
        20 => (entry(), 1..BULK, any::<bool>()).prop_map(|(first, count, bulk)| Op::Many { first, count, bulk }),
        2 => (entry(), BURST / 4..BURST, any::<bool>()).prop_map(|(first, count, bulk)| Op::Many { first, count, bulk }),
        250 => name().prop_map(Op::Cutoff),
        350 => (vec(name(), 0..=6), 0..42u64).prop_map(|(names, at)| Op::DeadBy(names, at)),
        40 => (0..=END + 1).prop_map(Op::Purge),
        36 => (0..=END + 1, name()).prop_map(|(horizon, name)| Op::PurgeInParts(horizon, name)),
    ]
}

/// Half of the ids take 16 bytes, which are hashed otherwise than the rest.
fn id((kind, id): Name) -> String {
    // The small world hashes texts of all kinds alike, so there the kind has to be part of the text.
    let id = if cfg!(signoff_shuttle) { 10 * id + u32::from(kind.code()) } else { id };
    match kind {
        ScopeKind::Everything => String::new(),
        _ if (id / 10).is_multiple_of(2) => format!("{id:016}"),
        _ => id.to_string(),
    }
}

fn scope((kind, _): Name, id: &str) -> Scope<'_> {
    Scope::from_parts(kind, id.as_bytes()).unwrap()
}

/// The cutoff (`None` stands for the absolute one) and the expiry of every scope.
#[derive(Default)]
struct Model(BTreeMap<(u8, u32), (Option<u64>, u64)>);

impl Model {
    fn insert(&mut self, Entry { name, cutoff, expiry }: Entry) {
        let absolute = matches!(name.0, ScopeKind::Token | ScopeKind::Session | ScopeKind::Key);
        let cutoff = if absolute { None } else { Some(cutoff) };
        let known = self.0.entry((name.0.code(), name.1)).or_insert((cutoff, expiry));
        *known = (known.0.max(cutoff), known.1.max(expiry));
    }

    fn get(&self, name: Name) -> Option<(Option<u64>, u64)> {
        self.0.get(&(name.0.code(), name.1)).copied()
    }

    fn cutoff(&self, name: Name) -> Option<Cutoff> {
        self.get(name).map(|(cutoff, _)| cutoff.map_or(Cutoff::ABSOLUTE, |cutoff| Cutoff::at(pos(cutoff))))
    }

    fn dead_by(&self, names: &[Name], at: u64) -> Option<ScopeKind> {
        let all = names.iter().copied().chain([(ScopeKind::Everything, 0)]);
        let kills = |name: &Name| self.get(*name).is_some_and(|(cutoff, _)| cutoff.is_none_or(|cutoff| at < cutoff));
        all.into_iter().find(kills).map(|(kind, _)| kind)
    }

    fn purge(&mut self, horizon: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, (_, expiry)| *expiry > horizon);
        before - self.0.len()
    }
}

fn run(ops: &[Op]) {
    let set = RevocationSet::new();
    // Made before everything else, and used to the end.
    let mut reader = set.reader();
    let mut model = Model::default();
    for op in ops {
        apply(op, &set, &mut reader, &mut model);
        assert_eq!(set.len(), model.0.len());
        assert_eq!(set.is_empty(), model.0.is_empty());
    }
    for (code, number) in model.0.keys() {
        check_cutoff((ScopeKind::from_code(*code).unwrap(), *number), &set, &mut reader, &model);
    }
    assert_eq!(set.purge(granules(END)), model.purge(END));
    assert!(set.is_empty());
}

fn apply(op: &Op, set: &RevocationSet, reader: &mut Reader<'_>, model: &mut Model) {
    match op {
        Op::Insert(entry) => {
            let id = id(entry.name);
            set.insert(scope(entry.name, &id), Cutoff::at(pos(entry.cutoff)), granules(entry.expiry)).unwrap();
            model.insert(*entry);
            check_cutoff(entry.name, set, reader, model);
        }
        Op::Many { first, count, bulk } => {
            let varied = |n: u32| Entry {
                name: bounded(first.name.0, first.name.1 + n),
                cutoff: (first.cutoff + u64::from(n) * 7) % 40,
                expiry: (first.expiry + u64::from(n) * 5) % (END + 1),
            };
            let entries: Vec<_> = (0..*count).map(varied).map(|entry| (entry, id(entry.name))).collect();
            let parts = entries
                .iter()
                .map(|(entry, id)| (scope(entry.name, id), Cutoff::at(pos(entry.cutoff)), granules(entry.expiry)));
            if *bulk {
                set.load(parts).unwrap();
            } else {
                parts.into_iter().for_each(|(scope, cutoff, expiry)| set.insert(scope, cutoff, expiry).unwrap());
            }
            entries.iter().for_each(|(entry, _)| model.insert(*entry));
            entries.iter().for_each(|(entry, _)| check_cutoff(entry.name, set, reader, model));
        }
        Op::Cutoff(name) => check_cutoff(*name, set, reader, model),
        Op::DeadBy(names, at) => {
            let ids: Vec<_> = names.iter().copied().map(id).collect();
            let scopes: Vec<_> = names.iter().zip(&ids).map(|(name, id)| scope(*name, id)).collect();
            let expect = model.dead_by(names, *at);
            assert_eq!(set.dead_by(&scopes, pos(*at)), expect);
            assert_eq!(reader.dead_by(&scopes, pos(*at)), expect);
            check_hashed(&scopes, pos(*at), set, expect);
        }
        Op::Purge(horizon) => assert_eq!(set.purge(granules(*horizon)), model.purge(*horizon)),
        Op::PurgeInParts(horizon, name) => {
            let spared = model.get(*name).is_none_or(|(_, expiry)| expiry > *horizon);
            let part = |_| {
                let dropped = set.purge_part(granules(*horizon));
                if spared {
                    check_cutoff(*name, set, reader, model);
                }
                dropped
            };
            let dropped: usize = (0..RevocationSet::PARTS).map(part).sum();
            assert_eq!(dropped, model.purge(*horizon));
        }
    }
}

/// Hashed ahead or not, the verdict is the same; which of several killers is named may differ.
fn check_hashed(scopes: &[Scope<'_>], at: Position, set: &RevocationSet, expect: Option<ScopeKind>) {
    let hashed: Vec<_> = scopes.iter().filter_map(|scope| set.fingerprint(*scope)).collect();
    let mut named = scopes.iter().copied().filter(|scope| set.fingerprint(*scope).is_none()).collect::<Vec<_>>();
    // As many as there may be; a name more often than once is harmless, and everything goes without saying.
    named.resize(3.max(named.len()), Scope::Everything);
    let killer = named.chunks(3).fold(None, |killer, few| {
        let few = || std::array::from_fn::<_, 3, _>(|n| few.get(n).copied().unwrap_or(Scope::Everything));
        killer.or_else(|| set.dead_by_hashed(&hashed, few, at))
    });
    assert_eq!(killer.is_some(), expect.is_some(), "{scopes:?}");
    assert!(killer.is_none_or(|kind| {
        let killed = |scope: &&Scope<'_>| set.cutoff(**scope).is_some_and(|cutoff| cutoff.kills(at));
        kind == ScopeKind::Everything || scopes.iter().filter(killed).any(|scope| scope.kind() == kind)
    }));
}

fn check_cutoff(name: Name, set: &RevocationSet, reader: &mut Reader<'_>, model: &Model) {
    let id = id(name);
    let expect = model.cutoff(name);
    assert_eq!(set.cutoff(scope(name, &id)), expect, "{name:?}");
    assert_eq!(reader.cutoff(scope(name, &id)), expect, "{name:?}");
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn the_set_equals_the_model(ops in vec(op(), 100)) {
        #[cfg(not(signoff_shuttle))]
        run(&ops);
        #[cfg(signoff_shuttle)]
        crate::schedules::once(move || run(&ops));
    }
}

/// What cannot be looked up must not count as alive. (The model checkers' sets all have the same keys.)
#[cfg(not(signoff_shuttle))]
#[test]
fn a_fingerprint_of_another_set_counts_as_revoked() {
    let (set, other) = (RevocationSet::new(), RevocationSet::new());
    let scope = Scope::Token(&[7; 16]);
    let dead = |set: &RevocationSet, by: &RevocationSet| {
        set.dead_by_hashed(&[by.fingerprint(scope).unwrap()], || [Scope::Client("app")], Position::ZERO)
    };
    assert_eq!((dead(&set, &set), dead(&set, &other)), (None, Some(ScopeKind::Token)));
    other.insert(scope, Cutoff::ABSOLUTE, granules(1)).unwrap();
    assert_eq!((dead(&other, &other), dead(&set, &set)), (Some(ScopeKind::Token), None));
}
