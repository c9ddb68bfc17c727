//! All shards behind one pointer: which shard a scope belongs to, and how shards are replaced when they fill up or age.

use std::fmt;
use std::sync::Arc;

use crate::few::Few;
use crate::hash::{Print, REGIONS_PER_WIDTH};
use crate::scope::{Scope, ScopeKind};
use crate::set::Full;
use crate::shard::{Entry, Shard};
use crate::sync::{Cached, Mutex, MutexGuard, Swap, TALLY, Tally, lock};
use crate::tick::Horizon;

/// Narrow and wide ones.
pub(crate) const REGIONS: usize = 2 * REGIONS_PER_WIDTH;
/// A shard with more entries than this is split: to rebuild one must take well under a millisecond.
const LARGEST: usize = if cfg!(any(signoff_loom, signoff_shuttle)) { 8 } else { 8_192 };
/// Two shards with fewer entries than this together become one.
const SMALLEST: usize = LARGEST / 4;
/// After so many entries a bulk load lets other writers in.
const A_WHILE: usize = 1_024;
/// The two counts of an `Arc`.
const ARC: usize = 16;
/// Shards are split so often at the most, which takes more entries than any machine holds. Whatever hashes do, a region has
/// a list of shards that can be copied.
const DEEPEST: u8 = 16;

/// What readers see: one version of everything. Published whole, never changed but for the gains of its shards.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// Per region a power of two of shards; a shard of small depth stands in several places.
    regions: [Arc<[Shard]>; REGIONS],
    pub(crate) few: Few,
}

impl Root {
    #[inline]
    pub(crate) fn shard(&self, print: Print) -> Option<&Shard> {
        let region = &self.regions[usize::from(print.region)];
        region.get(print.rest as usize & region.len().wrapping_sub(1))
    }
}

/// The tables, and what their writers share.
pub(crate) struct Table {
    /// Invariant: leads to every entry whose insert has returned and which no purge has dropped. A root is published
    /// (Release) after all that it leads to is written.
    root: Swap<Root>,
    /// One writer at a time per region. Readers never come here.
    writers: Box<[Writer]>,
    /// Taken for the moment in which a root is replaced; always after the writer's lock. Within: the roots that were
    /// replaced and may still be in use. Invariant: a root that readers may hold is here or published, so no reader is
    /// ever the last to let go of one.
    replaced: Mutex<Vec<Arc<Root>>>,
    bytes: Tally,
    limit: u64,
}

/// On a line of its own, or writers of different regions would slow each other.
#[repr(align(64))]
struct Writer {
    /// Invariant: while nobody holds the lock, these are the shards of the region in the published root; and only who
    /// holds it writes to them.
    shards: Mutex<Arc<[Shard]>>,
    entries: Tally,
}

/// Whether an insert rebuilt a shard, which takes a while.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    None,
    Rebuilt,
}

impl Table {
    pub(crate) fn new(limit: u64) -> Self {
        let regions = std::array::from_fn(|n| Arc::new([Shard::empty(0, is_wide(n as u8))]) as Arc<[Shard]>);
        let writer = |shards| Writer { shards: Mutex::new(Arc::clone(shards)), entries: Tally::new(0) };
        Self {
            writers: regions.iter().map(writer).collect(),
            root: Swap::new(Arc::new(Root { regions, few: Few::default() })),
            replaced: Mutex::new(Vec::new()),
            bytes: Tally::new(REGIONS as u64 * Shard::empty(0, false).bytes()),
            limit,
        }
    }

    #[inline]
    pub(crate) fn root(&self) -> impl std::ops::Deref<Target = Arc<Root>> {
        self.root.load()
    }

    pub(crate) fn cached(&self) -> Cached<'_, Root> {
        self.root.cached()
    }

    /// Adds or raises an entry.
    pub(crate) fn insert(&self, print: Print, entry: Entry) -> Result<(), Full> {
        let mut shards = self.turn(print.region);
        let inserted = self.insert_in_turn(&mut shards, print, entry, 0);
        drop(shards);
        if inserted != Ok(Growth::None) {
            self.free_replaced();
        }
        inserted.map(drop)
    }

    /// Adds or raises the entries of one region, and leaves the vector empty.
    ///
    /// Entries before one that finds no room are in force.
    pub(crate) fn insert_all(&self, region: u8, entries: &mut Vec<(Print, Entry)>) -> Result<(), Full> {
        let mut shards = self.turn(region);
        // Shard by shard: what is touched together then fits the processor's caches.
        let place = |print: Print| print.rest as usize & (shards.len() - 1);
        entries.sort_unstable_by_key(|(print, _)| place(*print));
        let mask = shards.len() - 1;
        for together in entries.chunk_by(|(a, _), (b, _)| (a.rest ^ b.rest) as usize & mask == 0) {
            for (n, (print, entry)) in together.iter().enumerate() {
                let growth = self.insert_in_turn(&mut shards, *print, *entry, together.len() - n - 1)?;
                // Let others in before the next rebuild, and now and then without one.
                if growth == Growth::Rebuilt || n % A_WHILE == A_WHILE - 1 {
                    drop(shards);
                    self.free_replaced();
                    shards = self.turn(region);
                }
            }
        }
        drop(shards);
        entries.clear();
        Ok(())
    }

    /// Adds or raises one of the few scopes that are compared whole. Says `false` when it is to be hashed instead, which
    /// readers then know.
    pub(crate) fn insert_few(&self, scope: Scope<'_>, entry: Entry) -> Result<bool, Full> {
        // For the list as for the root: a name takes its bytes and some, once more for each that is there.
        room_to_publish(self.root.load().few.bytes() as usize + scope.id().len())?;
        let mut fits = false;
        self.publish(|root| fits = root.few.insert(scope, entry));
        self.free_replaced();
        Ok(fits)
    }

    /// The same for entries of which most are not there yet, as of a dump: shards are made at their final size at once.
    pub(crate) fn fill(&self, region: u8, entries: &mut Vec<(Print, Entry)>) -> Result<(), Full> {
        let mut shards = self.turn(region);
        if shards.iter().all(|shard| shard.len() == 0) {
            self.make_room(&mut shards, region, entries)?;
        }
        for (print, entry) in &*entries {
            self.insert_in_turn(&mut shards, *print, *entry, 0)?;
        }
        drop(shards);
        self.free_replaced();
        entries.clear();
        Ok(())
    }

    /// Replaces the shards of an empty region by some with room for these entries.
    fn make_room(&self, shards: &mut Arc<[Shard]>, region: u8, entries: &[(Print, Entry)]) -> Result<(), Full> {
        // Hashes fill shards alike, so three quarters on average leave each below the largest size.
        let depth = (0..DEEPEST).find(|depth| entries.len() >> depth <= LARGEST / 4 * 3).unwrap_or(DEEPEST);
        let mut counts = vec![0; 1 << depth];
        for (print, _) in entries {
            counts[print.rest as usize & ((1 << depth) - 1)] += 1;
        }
        let (wide, mut into) = (is_wide(region), Vec::with_capacity(counts.len()));
        for count in counts {
            match self.shard_with_room(with_some_slack(count, region), depth, wide, self.limit) {
                Ok(shard) => into.push(shard),
                Err(full) => {
                    into.iter().for_each(|shard| self.give_back(shard));
                    return Err(full);
                }
            }
        }
        self.replace(shards, region, 0, 0, &into)
    }

    /// Readers look for this kind of scope among the hashed ones as well, from now on. Says `false` of a kind that is always
    /// hashed or never.
    pub(crate) fn crowd(&self, kind: ScopeKind) -> Result<bool, Full> {
        room_to_publish(0)?;
        let mut known = false;
        self.publish(|root| known = root.few.crowd(kind));
        self.free_replaced();
        Ok(known)
    }

    /// The shards of a region as they are now: every entry of the region whose insert has returned is in one of them.
    pub(crate) fn published(&self, region: u8) -> Arc<[Shard]> {
        Arc::clone(&self.root.load().regions[usize::from(region)])
    }

    /// `expected` more are about to come to the same shard.
    fn insert_in_turn(
        &self,
        shards: &mut Arc<[Shard]>,
        print: Print,
        entry: Entry,
        expected: usize,
    ) -> Result<Growth, Full> {
        let mut growth = Growth::None;
        loop {
            let shard = &shards[print.rest as usize & (shards.len() - 1)];
            if shard.raise(print, entry) {
                return Ok(growth);
            }
            if shard.room() > 0 {
                shard.add(print, entry);
                self.count(print.region, 1);
                return Ok(growth);
            }
            self.grow(shards, print, expected)?;
            growth = Growth::Rebuilt;
        }
    }

    /// Puts a larger shard, or two, in the place of one that is full.
    fn grow(&self, shards: &mut Arc<[Shard]>, print: Print, expected: usize) -> Result<(), Full> {
        let index = print.rest as usize & (shards.len() - 1);
        let shard = shards[index].clone();
        let wanted = shard.len() + expected + 1;
        let into = if wanted <= LARGEST || shard.depth >= DEEPEST {
            vec![self.shard_with_room(with_slack(wanted, print.region), shard.depth, shard.is_wide(), self.limit)?]
        } else {
            let counts = shard.count(None);
            // One more in either, whichever the entry at hand belongs to.
            let room = |count| with_slack(count + 1 + expected / 2, print.region);
            let low = self.shard_with_room(room(counts[0]), shard.depth + 1, shard.is_wide(), self.limit)?;
            let high = self.shard_with_room(room(counts[1]), shard.depth + 1, shard.is_wide(), self.limit);
            let Ok(high) = high else {
                self.give_back(&low);
                return Err(Full);
            };
            vec![low, high]
        };
        shard.copy(None, print.region, &into);
        self.replace(shards, print.region, index, shard.depth, &into)
    }

    /// A shard that is not used after all, or no more, counts no longer.
    fn give_back(&self, shard: &Shard) {
        self.bytes.fetch_sub(shard.bytes(), TALLY);
    }

    /// An empty shard whose bytes are accounted for, within the limit.
    fn shard_with_room(&self, count: usize, depth: u8, wide: bool, limit: u64) -> Result<Shard, Full> {
        let bytes = Shard::bytes_for(count, wide);
        self.bytes.fetch_add(bytes, TALLY);
        let fits = self.bytes() <= limit;
        let shard = if fits { Shard::with_room(count, depth, wide) } else { None };
        if shard.is_none() {
            self.bytes.fetch_sub(bytes, TALLY);
        }
        shard.ok_or(Full)
    }

    /// Drops what the horizon has passed of the few scopes that are compared whole.
    pub(crate) fn purge_few(&self, horizon: Horizon) -> usize {
        let mut dropped = 0;
        let few = &self.root.load().few;
        if few.len() > few.without(horizon).len() && room_to_publish(few.bytes() as usize).is_ok() {
            self.publish(|root| {
                let few = root.few.without(horizon);
                dropped = root.few.len() - few.len();
                root.few = few;
            });
            self.free_replaced();
        }
        dropped
    }

    /// Drops from a region what the horizon has passed and says how many that were.
    ///
    /// Where memory is too short to rebuild a shard, it is left as it is.
    pub(crate) fn purge(&self, region: u8, horizon: Horizon) -> usize {
        let mut dropped = 0;
        for index in 0.. {
            // A turn per shard, so that other writers wait for one rebuild at most.
            let mut shards = self.turn(region);
            let Some(shard) = shards.get(index).cloned() else { break };
            // A shard that stands in several places is met at the first.
            if index >> shard.depth == 0 {
                dropped += self.purge_shard(&mut shards, region, index, &shard, horizon);
            }
            drop((shards, shard));
            self.free_replaced();
        }
        // Only then, or a merge would carry what has expired past the loop.
        for index in 0.. {
            let mut shards = self.turn(region);
            let Some(shard) = shards.get(index) else { break };
            if index >> shard.depth == 0 {
                self.merge(&mut shards, region, index);
            }
        }
        self.free_replaced();
        dropped
    }

    fn purge_shard(
        &self,
        shards: &mut Arc<[Shard]>,
        region: u8,
        index: usize,
        shard: &Shard,
        horizon: Horizon,
    ) -> usize {
        if !horizon.passed(shard.earliest()) {
            return 0;
        }
        let remaining: usize = shard.count(Some(horizon)).iter().sum();
        let room = with_slack(remaining, region);
        // Beyond the limit for the moment, or a full set could not be emptied.
        let Ok(smaller) = self.shard_with_room(room, shard.depth, shard.is_wide(), u64::MAX) else { return 0 };
        shard.copy(Some(horizon), region, std::slice::from_ref(&smaller));
        if self.replace(shards, region, index, shard.depth, &[smaller]).is_err() {
            return 0;
        }
        let dropped = shard.len() - remaining;
        self.count(region, -(dropped as i64));
        dropped
    }

    /// Makes one shard of this one and its sibling when both have become small.
    fn merge(&self, shards: &mut Arc<[Shard]>, region: u8, index: usize) {
        let Some(shard) = shards.get(index).filter(|shard| shard.depth > 0).cloned() else { return };
        let depth = shard.depth - 1;
        let sibling = shards.get(index ^ 1 << depth).filter(|sibling| sibling.depth == shard.depth).cloned();
        let Some(sibling) = sibling.filter(|sibling| shard.len() + sibling.len() < SMALLEST) else { return };
        let room = with_slack(shard.len() + sibling.len(), region);
        let Ok(merged) = self.shard_with_room(room, depth, shard.is_wide(), u64::MAX) else { return };
        for half in [shard, sibling] {
            half.copy(None, region, std::slice::from_ref(&merged));
        }
        // Without memory they stay as they are, which is as good.
        let _ = self.replace(shards, region, index, depth, &[merged]);
    }

    /// Publishes shards of which `into` stands wherever the low `depth` bits are those of `index`, or gives `into` back.
    fn replace(
        &self,
        shards: &mut Arc<[Shard]>,
        region: u8,
        index: usize,
        depth: u8,
        into: &[Shard],
    ) -> Result<(), Full> {
        let old = Arc::clone(shards);
        if room_to_publish(2 * size_of_val(&*old)).is_err() {
            into.iter().for_each(|shard| self.give_back(shard));
            return Err(Full);
        }
        let stale = |at: usize| (at ^ index) & ((1 << depth) - 1) == 0;
        let at = |at| if stale(at) { &into[at >> depth & (into.len() - 1)] } else { &old[at & (old.len() - 1)] };
        // As many as the deepest shard needs.
        let length = old.len().max(into.len() << depth);
        let deepest = (0..length).map(|n| at(n).depth).max().unwrap_or(0);
        *shards = (0..1 << deepest).map(|n| at(n).clone()).collect();
        self.publish(|root| root.regions[usize::from(region)] = Arc::clone(shards));
        // A shard that stands in several places is met at the first.
        let gone = old.iter().enumerate().filter(|(n, shard)| stale(*n) && n >> shard.depth == 0);
        gone.for_each(|(_, shard)| self.give_back(shard));
        Ok(())
    }

    fn publish(&self, change: impl FnOnce(&mut Root)) {
        let mut replaced = lock(&self.replaced);
        let mut root = Root::clone(&self.root.load());
        change(&mut root);
        replaced.push(self.root.swap(Arc::new(root)));
    }

    /// Frees the roots that nobody uses any more. Left to the last who uses one, that would be a reader, who has no time,
    /// and with a lock held, others would wait for it.
    fn free_replaced(&self) {
        let unused: Vec<_> = lock(&self.replaced).extract_if(.., |root| Arc::strong_count(root) == 1).collect();
        drop(unused);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        let hashed: u64 = self.writers.iter().map(|writer| writer.entries.load(TALLY)).sum();
        hashed as usize + self.root.load().few.len()
    }

    /// What the tables take of the heap. Tables that readers still hold although they were replaced are not counted.
    pub(crate) fn bytes(&self) -> u64 {
        let fixed = size_of::<Root>() + ARC + size_of_val(&*self.writers) + REGIONS * (size_of::<Shard>() + ARC);
        self.bytes.load(TALLY) + self.root.load().few.bytes() + fixed as u64
    }

    /// The caller's turn with a region, and its shards.
    fn turn(&self, region: u8) -> MutexGuard<'_, Arc<[Shard]>> {
        lock(&self.writers[usize::from(region)].shards)
    }

    /// Only for whose turn it is: no other thread writes this count, and a locked instruction would wait for all stores.
    fn count(&self, region: u8, by: i64) {
        let entries = &self.writers[usize::from(region)].entries;
        entries.store(entries.load(TALLY).wrapping_add_signed(by), TALLY);
    }
}

/// Whether the entries of a region have cutoffs of their own.
pub(crate) const fn is_wide(region: u8) -> bool {
    region as usize >= REGIONS_PER_WIDTH
}

/// A fifth to two fifths more than `count`, by region. Shards fill alike, so they would all grow at once; like this,
/// memory per entry is nearly the same at every size, and so is the work of an insert.
const fn with_slack(count: usize, region: u8) -> usize {
    count + count * (REGIONS_PER_WIDTH + region as usize % REGIONS_PER_WIDTH) / (5 * REGIONS_PER_WIDTH)
}

/// Up to three tenths more than `count`, by region: what shards that have grown by themselves have left, on average.
const fn with_some_slack(count: usize, region: u8) -> usize {
    count + count * 3 * (region as usize % REGIONS_PER_WIDTH) / (10 * REGIONS_PER_WIDTH)
}

/// Whether there is memory for a root, and so much beside it. What allocates them would abort the process; another
/// thread may still come in between, and an abort is safe as well.
fn room_to_publish(beside: usize) -> Result<(), Full> {
    Vec::<u8>::new().try_reserve_exact(size_of::<Root>() + beside + 1_024).map_err(|_| Full)
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("entries", &self.len()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
