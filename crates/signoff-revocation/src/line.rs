//! A cache line of tags: which of 32 lanes may hold an entry, answered with one branch.

use crate::sync::{AtomicU64, Ordering};

/// Words per line. The model checkers pay for every atomic, so theirs are shorter.
pub(crate) const WORDS: usize = if cfg!(any(signoff_loom, signoff_shuttle)) { 2 } else { 8 };
/// Lanes per line, of 16 bits each.
pub(crate) const LANES: usize = 4 * WORDS;

const EVERY_LANE: u64 = 0x0001_0001_0001_0001;
const TOP_BITS: u64 = 0x8000 * EVERY_LANE;
const LOW_BITS: u64 = 0x7fff * EVERY_LANE;
/// The top bit of the last lane: entries that belong here stand in a later line.
const SPILLED: u64 = 1 << 63;

/// One cache line. Tag lines hold 15-bit tags, 0 for an empty lane; other lines hold plain words.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) [AtomicU64; WORDS]);

impl Line {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Whether a lane holds this tag, or the search has to go on in the next line. Exact: no carry crosses lanes.
    ///
    /// The loads order nothing. Whoever inserted before this check began is seen all the same, since what made that
    /// known orders them; whoever finds a tag fences before it reads the slot.
    #[inline]
    pub(crate) fn calls_for_a_look(&self, tag: u16) -> bool {
        let pattern = u64::from(tag) * EVERY_LANE;
        let mut differs = TOP_BITS;
        for word in &self.0[..WORDS - 1] {
            // A lane without top bit that equals the tag gives 0x7fff; any other has its top bit set.
            differs &= (word.load(Ordering::Relaxed) ^ pattern).wrapping_add(LOW_BITS);
        }
        let last = self.0[WORDS - 1].load(Ordering::Relaxed);
        // The only top bit in use is the very last; its carry leaves the word, and it counts as a match itself.
        differs &= (last ^ pattern).wrapping_add(LOW_BITS) & !last;
        differs != TOP_BITS
    }

    /// The tag in a lane, 0 when it is empty.
    pub(crate) fn tag(&self, lane: usize) -> u16 {
        (self.0[lane / 4].load(Ordering::Relaxed) >> (16 * (lane % 4))) as u16 & 0x7fff
    }

    /// The lanes that hold this tag, 0 for the empty ones.
    pub(crate) fn lanes_with(&self, tag: u16) -> impl Iterator<Item = usize> {
        let pattern = u64::from(tag) * EVERY_LANE;
        self.0.iter().enumerate().flat_map(move |(n, word)| {
            let mut equal = !((word.load(Ordering::Relaxed) & LOW_BITS) ^ pattern).wrapping_add(LOW_BITS) & TOP_BITS;
            std::iter::from_fn(move || {
                let lane = 4 * n + equal.trailing_zeros() as usize / 16;
                (equal != 0).then(|| {
                    equal &= equal - 1;
                    lane
                })
            })
        })
    }

    /// Makes an entry visible whose slot is written. Only for the one writer of the shard.
    pub(crate) fn publish(&self, lane: usize, tag: u16) {
        let word = &self.0[lane / 4];
        let tags = word.load(Ordering::Relaxed) | u64::from(tag) << (16 * (lane % 4));
        word.store(tags, Ordering::Release);
    }

    pub(crate) fn has_spilled(&self) -> bool {
        self.0[WORDS - 1].load(Ordering::Relaxed) & SPILLED != 0
    }

    /// Sends searches on to the next line. Only for the one writer of the shard.
    pub(crate) fn spill(&self) {
        let word = &self.0[WORDS - 1];
        word.store(word.load(Ordering::Relaxed) | SPILLED, Ordering::Release);
    }
}

#[cfg(all(test, not(any(signoff_loom, signoff_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_is_exact_in_every_lane() {
        // Tags next to each other and at both ends are where a carry between lanes would show.
        let tags = [1, 2, 3, 0x3fff, 0x4000, 0x4001, 0x7ffd, 0x7ffe, 0x7fff];
        for (lane, held, neighbour) in (0..LANES).flat_map(|lane| {
            tags.into_iter().flat_map(move |held| [0, 1, 0x7fff].map(|neighbour| (lane, held, neighbour)))
        }) {
            let line = Line::new();
            line.publish(lane, held);
            line.publish((lane + 1) % LANES, neighbour);
            for asked in tags {
                let expect: Vec<_> = (0..LANES).filter(|lane| line.tag(*lane) == asked).collect();
                assert_eq!(line.lanes_with(asked).collect::<Vec<_>>(), expect);
                assert_eq!(
                    line.calls_for_a_look(asked),
                    !expect.is_empty(),
                    "{held:x} in {lane}, {neighbour:x}, asked {asked:x}"
                );
            }
        }
    }

    #[test]
    fn a_line_that_spilled_always_calls_for_a_look() {
        for held in 0..=0x7fff {
            let line = Line::new();
            line.publish(LANES - 1, held);
            line.spill();
            assert_eq!(line.tag(LANES - 1), held);
            assert_eq!(line.lanes_with(held).last(), Some(LANES - 1));
            for asked in [1, 2, 0x7ffe, 0x7fff, held.max(1)] {
                assert!(line.calls_for_a_look(asked), "{held:x}, asked for {asked:x}");
            }
        }
    }
}
