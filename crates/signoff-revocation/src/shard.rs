//! A few thousand entries behind one pointer: readers search it, one writer at a time adds to it.
//!
//! A shard only ever gains: entries stay where they are, cutoffs and expiries rise. Whatever makes room, drops or splits
//! builds another shard, unseen, and puts it in this one's place.

use std::sync::Arc;

use crate::fault::{Fault, seeded};
use crate::hash::{Print, REST_BITS};
use crate::line::{LANES, Line, WORDS};
use crate::position::Cutoff;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::tick::{Horizon, TICK_BITS, Tick};

const _: () = assert!(REST_BITS + TICK_BITS == 64, "a slot word holds the rest of a hash and a tick");

/// Lines of slots, or of cutoffs, per line of tags.
const SPAN: usize = LANES / WORDS;
/// A shard is rebuilt when this many of its lanes are taken.
const FULL: usize = LANES * 3 / 4;

/// What is kept of a revoked scope, beside its print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) cutoff: Cutoff,
    pub(crate) expires: Tick,
}

impl Entry {
    /// Both together: the larger cutoff, and the later expiry.
    pub(crate) fn merge(self, other: Self) -> Self {
        if seeded(Fault::Merge) {
            return other;
        }
        Self { cutoff: self.cutoff.merge(other.cutoff), expires: self.expires.max(other.expires) }
    }
}

/// A hash table of lines: `lines` of tags, then their slots, then (if wide) their cutoffs, then the ledger.
///
/// An entry stands in a lane of its home line or, when that was full, of the next line that was not; every line that it
/// was sent on from says so. A slot holds the rest of the hash and the expiry, so that a shard can be rebuilt without ids.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// Invariant: a tag is stored (Release) after its slot and cutoff, and stays as it is; of a slot only the expiry
    /// changes, and it rises, as cutoffs do. Invariant: a line that an entry was sent on from has spilled before the
    /// entry's tag is stored. Invariant: one lane in four is empty, so every search ends.
    table: Arc<[Line]>,
    lines: u32,
    /// How many low bits of the rest are the same for all of its entries.
    pub(crate) depth: u8,
    wide: bool,
}

impl Shard {
    pub(crate) fn empty(depth: u8, wide: bool) -> Self {
        Self { table: Arc::new([]), lines: 0, depth, wide }
    }

    /// An empty shard with room for `count` entries, unless memory is short.
    pub(crate) fn with_room(count: usize, depth: u8, wide: bool) -> Option<Self> {
        let Some(total) = Self::total_for(count, wide) else { return Some(Self::empty(depth, wide)) };
        // The allocation below would abort the process; this one says no. Another thread may come in between, and an
        // abort is safe as well.
        Vec::<Line>::new().try_reserve_exact(total + 1).ok()?;
        let table = (0..total).map(|_| Line::new()).collect();
        Some(Self { table, lines: u32::try_from(Self::lines_for(count)).ok()?, depth, wide })
    }

    /// What [`Self::with_room`] would take of the heap.
    pub(crate) fn bytes_for(count: usize, wide: bool) -> u64 {
        bytes(Self::total_for(count, wide).unwrap_or(0))
    }

    const fn lines_for(count: usize) -> usize {
        count.div_ceil(FULL)
    }

    /// All lines, the ledger included.
    fn total_for(count: usize, wide: bool) -> Option<usize> {
        (count > 0).then(|| Self::lines_for(count) * (1 + SPAN * if wide { 2 } else { 1 }) + 1)
    }

    /// What this shard takes of the heap.
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.table.len())
    }

    /// Whether the scope may be here. No false no; a false yes is what [`Self::cutoff`] then finds out.
    #[inline]
    pub(crate) fn calls_for_a_look(&self, print: Print) -> bool {
        // An empty shard has no line 0.
        self.table.get(print.home(self.lines)).is_some_and(|line| line.calls_for_a_look(print.tag))
    }

    pub(crate) fn cutoff(&self, print: Print) -> Option<Cutoff> {
        let place = self.find(print)?;
        Some(if self.wide { self.cutoff_of(place) } else { Cutoff::ABSOLUTE })
    }

    #[cold]
    fn find(&self, print: Print) -> Option<Place> {
        let mut index = print.home(self.lines);
        for _ in 0..self.lines {
            let line = &self.table[index];
            for lane in line.lanes_with(print.tag) {
                // Pairs with the release of `publish`: whoever has read the tag reads the slot and the cutoff behind it.
                fence(Ordering::Acquire);
                let place = Place { index, lane };
                if self.slot(place).load(Ordering::Relaxed) >> TICK_BITS == print.rest {
                    return Some(place);
                }
            }
            if !line.has_spilled() {
                return None;
            }
            index = self.after(index);
        }
        None
    }

    /// Raises the entry if it is here. Only for the one writer.
    pub(crate) fn raise(&self, print: Print, entry: Entry) -> bool {
        let found = if self.calls_for_a_look(print) { self.find(print) } else { None };
        let Some(place) = found else { return false };
        let entry = self.entry(place).merge(entry);
        self.slot(place).store(print.rest << TICK_BITS | entry.expires.bits(), Ordering::Release);
        if self.wide {
            self.cutoff_word(place).store(entry.cutoff.bits(), Ordering::Release);
        }
        true
    }

    /// How many more entries there is room for.
    pub(crate) fn room(&self) -> usize {
        (self.lines as usize * FULL).saturating_sub(self.len())
    }

    /// Adds an entry that is not here, when there is room. Only for the one writer.
    pub(crate) fn add(&self, print: Print, entry: Entry) {
        self.place(print, entry);
        self.ledger(COUNT).store(self.len() as u64 + 1, Ordering::Relaxed);
        if entry.expires < self.earliest() {
            self.ledger(EARLIEST).store(!entry.expires.bits(), Ordering::Relaxed);
        }
    }

    fn place(&self, print: Print, entry: Entry) {
        let mut index = print.home(self.lines);
        // Ends, for there is room.
        while let line = &self.table[index]
            && !self.place_in(line, index, print, entry)
        {
            if !seeded(Fault::Spill) {
                line.spill();
            }
            index = self.after(index);
        }
    }

    fn place_in(&self, line: &Line, index: usize, print: Print, entry: Entry) -> bool {
        let Some(lane) = line.lanes_with(0).next() else { return false };
        let place = Place { index, lane };
        if self.wide {
            self.cutoff_word(place).store(entry.cutoff.bits(), Ordering::Relaxed);
        }
        self.slot(place).store(print.rest << TICK_BITS | entry.expires.bits(), Ordering::Relaxed);
        // Last, for the tag is what makes readers look at the rest.
        line.publish(lane, print.tag);
        true
    }

    pub(crate) const fn is_wide(&self) -> bool {
        self.wide
    }

    pub(crate) fn len(&self) -> usize {
        if self.lines == 0 { 0 } else { self.ledger(COUNT).load(Ordering::Relaxed) as usize }
    }

    /// No entry expires before this.
    pub(crate) fn earliest(&self) -> Tick {
        if self.lines == 0 { Tick::NEVER } else { Tick::from_bits(!self.ledger(EARLIEST).load(Ordering::Relaxed)) }
    }

    /// Copies into `into` the entries of this shard that the horizon has not passed. Only for the one writer of both.
    pub(crate) fn copy(&self, horizon: Option<Horizon>, region: u8, into: &[Self]) {
        for (print, entry) in self.entries(region) {
            if horizon.is_none_or(|horizon| !horizon.passed(entry.expires))
                && let Some(shard) = into.get(print.rest as usize >> self.depth & (into.len() - 1))
            {
                shard.add(print, entry);
            }
        }
    }

    /// How many of its entries the horizon has not passed, by the lowest bit in which their hashes differ.
    pub(crate) fn count(&self, horizon: Option<Horizon>) -> [usize; 2] {
        let mut counts = [0; 2];
        for (print, entry) in self.entries(0) {
            if horizon.is_none_or(|horizon| !horizon.passed(entry.expires)) {
                counts[print.rest as usize >> self.depth & 1] += 1;
            }
        }
        counts
    }

    /// Every entry. Only for the one writer.
    fn entries(&self, region: u8) -> impl Iterator<Item = (Print, Entry)> {
        self.entries_after(region, || {})
    }

    /// Every entry that was inserted before, and perhaps some more. For anybody.
    pub(crate) fn published(&self, region: u8) -> impl Iterator<Item = (Print, Entry)> {
        // As in `find`: whoever has read the tag reads the slot and the cutoff behind it.
        self.entries_after(region, || fence(Ordering::Acquire))
    }

    /// With something to do between the reading of a tag and of what belongs to it.
    fn entries_after(&self, region: u8, between: impl Fn()) -> impl Iterator<Item = (Print, Entry)> {
        let lanes = if seeded(Fault::Growth) { LANES - 1 } else { LANES };
        let places = (0..self.lines as usize).flat_map(move |index| (0..lanes).map(move |lane| Place { index, lane }));
        places.filter_map(move |place| {
            let tag = self.table[place.index].tag(place.lane);
            if tag == 0 {
                return None;
            }
            between();
            let rest = self.slot(place).load(Ordering::Relaxed) >> TICK_BITS;
            Some((Print { region, tag, rest }, self.entry(place)))
        })
    }

    fn entry(&self, place: Place) -> Entry {
        let cutoff = if self.wide { self.cutoff_of(place) } else { Cutoff::ABSOLUTE };
        Entry { cutoff, expires: Tick::from_bits(self.slot(place).load(Ordering::Relaxed)) }
    }

    const fn after(&self, index: usize) -> usize {
        if index + 1 == self.lines as usize { 0 } else { index + 1 }
    }

    fn slot(&self, place: Place) -> &AtomicU64 {
        self.word(self.lines as usize, place)
    }

    fn cutoff_word(&self, place: Place) -> &AtomicU64 {
        self.word(self.lines as usize * (1 + SPAN), place)
    }

    fn cutoff_of(&self, place: Place) -> Cutoff {
        Cutoff::from_bits(self.cutoff_word(place).load(Ordering::Relaxed))
    }

    fn word(&self, start: usize, place: Place) -> &AtomicU64 {
        &self.table[start + place.index * SPAN + place.lane / WORDS].0[place.lane % WORDS]
    }

    /// A word of the line that only writers read.
    fn ledger(&self, word: usize) -> &AtomicU64 {
        &self.table[self.table.len() - 1].0[word]
    }
}

/// What so many lines take. The counts of the `Arc` stand before them and take as much as one, by alignment.
const fn bytes(lines: usize) -> u64 {
    (lines as u64 + 1) * size_of::<Line>() as u64
}

/// How many entries there are.
const COUNT: usize = 0;
/// The complement of the earliest expiry, so that a new ledger says "never".
const EARLIEST: usize = 1;

/// Where an entry stands.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    lane: usize,
}
