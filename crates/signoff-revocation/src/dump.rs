//! All that a replica keeps, as bytes, and the way back. It knows no file, and guards against mistakes rather than damage:
//! whoever keeps the bytes adds a checksum.

mod load;

use std::collections::VecDeque;
use std::fmt;

use crate::hash::Print;
use crate::scope::Revocation;
use crate::set::RevocationSet;
use crate::shard::{Entry, Shard};
use crate::table::{REGIONS, is_wide};
use crate::tick::TICK_BITS;

pub use load::{DumpError, DumpLoader};

/// The parts of a replica, one after the other; see [`Replica::dump`](crate::Replica::dump).
///
/// Each part is some bytes, for a [`DumpLoader`], in this order. What they say is nobody else's business, and another
/// version of this crate may refuse them. Among them is the key of the hashes; who knows it can choose ids that collide
/// with others, which then count as revoked.
///
/// While it runs, nobody waits for it; it keeps what it is about to say of one part of the set in memory.
pub struct Dump<'a> {
    set: &'a RevocationSet,
    recent: Vec<Revocation>,
    /// Parts that are ready.
    ready: VecDeque<Vec<u8>>,
    /// Regions that are still to be looked at.
    regions: std::ops::Range<usize>,
}

impl<'a> Dump<'a> {
    /// How many entries [`Dump::recent`] has at the most.
    pub const RECENT: usize = 64;
    /// No part is longer, in bytes, except for the name of a client or a key that is.
    pub const LARGEST_PART: usize = 1 << 16;

    /// Of a set that has all entries of the log up to the last of `recent`.
    pub(crate) fn new(set: &'a RevocationSet, recent: Vec<Revocation>) -> Self {
        let few = set.few();
        let mut ready = VecDeque::from([[&[KEYS], &*set.keys_to_bytes()].concat()]);
        ready.extend(few.entries().map(|(scope, entry)| {
            let expires = (entry.expires.bits() as u32).to_le_bytes();
            [&[NAME, scope.kind().code()], &expires[..], &entry.cutoff.bits().to_le_bytes(), scope.id()].concat()
        }));
        // Behind the names: where it is said, no name is added to those that are compared whole.
        ready.extend(few.crowded().map(|kind| vec![CROWDED, kind.code()]));
        Self { set, recent, ready, regions: 0..REGIONS }
    }

    /// The newest entries of the log that are in the dump, in a row, the last one last: all that the log has from the first
    /// of them to the last. What the log has before the first of them is in the dump as well; of what comes after the
    /// last, some may be.
    ///
    /// For whoever has to find out whether a log is the one that the dump is a copy of: a log that has these very entries
    /// at these very positions.
    pub fn recent(&self) -> &[Revocation] {
        &self.recent
    }
}

impl Iterator for Dump<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while self.ready.is_empty() {
            let region = self.regions.next()? as u8;
            // One version of the region: entries move between shards from one to the next.
            let shards = self.set.published(region);
            // A shard that stands in several places is met at the first.
            let once = shards.iter().enumerate().filter(|(n, shard)| n >> shard.depth == 0);
            let entries = once.flat_map(|(_, shard): (_, &Shard)| shard.published(region));
            for (print, entry) in entries {
                if self.ready.back().is_none_or(|part| part.len() + RECORD > Self::LARGEST_PART) {
                    self.ready.push_back(vec![ENTRIES, region]);
                }
                if let Some(part) = self.ready.back_mut() {
                    write_entry(part, print, entry);
                }
            }
        }
        self.ready.pop_front()
    }
}

impl fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dump")
    }
}

/// What begins a part.
const KEYS: u8 = 1;
const NAME: u8 = 2;
const CROWDED: u8 = 3;
const ENTRIES: u8 = 4;

/// The most that an entry takes.
const RECORD: usize = 18;

/// The tag, the slot as it is in a shard, and the cutoff if the region has any.
fn write_entry(part: &mut Vec<u8>, print: Print, entry: Entry) {
    part.extend_from_slice(&print.tag.to_le_bytes());
    part.extend_from_slice(&(print.rest << TICK_BITS | entry.expires.bits()).to_le_bytes());
    if is_wide(print.region) {
        part.extend_from_slice(&entry.cutoff.bits().to_le_bytes());
    }
}
