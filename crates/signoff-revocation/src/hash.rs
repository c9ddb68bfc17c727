//! Keyed hashes of scopes, and how a hash is spread over regions, shards, lines and lanes.

use std::fmt;
use std::hash::BuildHasher;
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
use std::hash::RandomState;
#[cfg(any(signoff_loom, signoff_shuttle))]
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::scope::{Scope, ScopeKind};
use crate::sip;

/// How many bits choose the region.
const REGION_BITS: u32 = 7;
/// Regions of either width. The model checkers pay for each lock, so they get one.
pub(crate) const REGIONS_PER_WIDTH: usize = if cfg!(any(signoff_loom, signoff_shuttle)) { 1 } else { 1 << REGION_BITS };
/// How many bits of a hash stand in the slot word; those that choose shard and line are among them.
pub(crate) const REST_BITS: u32 = 39;
const TAG_BITS: u32 = 15;
const TAG_SHIFT: u32 = 64 - REGION_BITS - REST_BITS - TAG_BITS;
const REST_SHIFT: u32 = TAG_SHIFT + TAG_BITS;

/// The secret that hashes are keyed with, drawn from the system's randomness per set.
///
/// Ids of 16 bytes take the strongly universal family of Dietzfelbinger (multiply-add-shift, 1996, section 3), here
/// `(k0 + k1 * low + k2 * high mod 2^128) >> 64`: any two ids that were chosen without knowing the key collide with a
/// probability of at most 2^-64. Everything else, of any length and anybody's choice, takes SipHash-1-3, a pseudo-random
/// function.
pub(crate) struct Keys {
    /// Tells sets apart: a hash of one set means nothing in another.
    id: u32,
    kinds: [u128; ScopeKind::ALL.len()],
    low: u128,
    high: u128,
    texts: [[u64; 2]; ScopeKind::ALL.len()],
}

#[cfg(not(any(signoff_loom, signoff_shuttle)))]
type Seed = RandomState;
// The model checkers replay schedules, so for them hashes have to be the same each time.
#[cfg(any(signoff_loom, signoff_shuttle))]
type Seed = BuildHasherDefault<DefaultHasher>;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    pub(crate) fn new() -> Self {
        // The standard library draws its keys from the system; SipHash stretches one of them.
        let seed = Seed::default();
        let word = |n: usize| u128::from(seed.hash_one((n, 0))) | u128::from(seed.hash_one((n, 1))) << 64;
        // Nor do the model checkers' texts have a key, so that their tests can choose texts by hash.
        let text = |n: usize| [0, 1].map(|half| seed.hash_one(("text", n, half)));
        let texts =
            if cfg!(any(signoff_loom, signoff_shuttle)) { Default::default() } else { std::array::from_fn(text) };
        let kinds = std::array::from_fn(|n| word(n + 2));
        Self { id: seed.hash_one("id") as u32, kinds, low: word(0), high: word(1), texts }
    }

    /// All of it, for a dump.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_le_bytes().to_vec();
        for word in self.kinds.iter().chain([&self.low, &self.high]) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for half in self.texts.as_flattened() {
            bytes.extend_from_slice(&half.to_le_bytes());
        }
        bytes.extend_from_slice(&self.sample().to_le_bytes());
        bytes
    }

    /// `None` when these are no keys, or keys of a program that hashes otherwise.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut keys = Self { id: 0, kinds: Default::default(), low: 0, high: 0, texts: Default::default() };
        keys.id = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?);
        for word in keys.kinds.iter_mut().chain([&mut keys.low, &mut keys.high]) {
            *word = u128::from_le_bytes(*bytes.split_off(..16)?.first_chunk()?);
        }
        for half in keys.texts.as_flattened_mut() {
            *half = u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?);
        }
        (bytes == keys.sample().to_le_bytes()).then_some(keys)
    }

    /// What some scopes hash to. A program that hashed them otherwise would not find what this one revoked.
    fn sample(&self) -> u64 {
        let (id, text) = ([0x5a; 16], "as good as any other");
        let ids =
            [Scope::Token(&id), Scope::Session(&id), Scope::Token(text.as_bytes()), Scope::Session(text.as_bytes())];
        let texts = [Scope::Subject(text), Scope::Client(text), Scope::Key(text)];
        ids.into_iter().chain(texts).fold(0, |sum: u64, scope| {
            let Print { region, tag, rest } = self.print(scope);
            sum.rotate_left(9) ^ (u64::from(region) << 56 | u64::from(tag) << 40 | rest)
        })
    }

    /// The fingerprint of a scope; `None` for those that are compared by name.
    pub(crate) fn fingerprint(&self, scope: Scope<'_>) -> Option<Fingerprint> {
        let kind = scope.kind();
        (!kind.is_few()).then(|| Fingerprint { hash: self.hash(scope), set: self.id, kind })
    }

    /// Whether the fingerprint was taken with these keys.
    #[inline]
    pub(crate) const fn took(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.set == self.id
    }

    #[inline]
    pub(crate) fn print(&self, scope: Scope<'_>) -> Print {
        Print::new(self.hash(scope), !scope.kind().is_absolute())
    }

    #[inline]
    fn hash(&self, scope: Scope<'_>) -> u64 {
        match scope {
            Scope::Session(id) | Scope::Token(id) if let Ok(id) = <[u8; 16]>::try_from(id) => {
                self.pair(scope.kind(), id)
            }
            _ => self.text(scope),
        }
    }

    #[inline]
    fn pair(&self, kind: ScopeKind, id: [u8; 16]) -> u64 {
        let id = u128::from_le_bytes(id);
        let low = self.low.wrapping_mul(id & u128::from(u64::MAX));
        let high = self.high.wrapping_mul(id >> 64);
        (self.kinds[kind as usize - 1].wrapping_add(low).wrapping_add(high) >> 64) as u64
    }

    #[inline]
    fn text(&self, scope: Scope<'_>) -> u64 {
        sip::hash(self.texts[scope.kind() as usize - 1], scope.id())
    }
}

/// A token, a session or a subject, hashed ahead for one set: for whoever asks about the same scope often.
///
/// See [`RevocationSet::fingerprint`](crate::RevocationSet::fingerprint). It means nothing to another set, where it counts
/// as revoked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    hash: u64,
    set: u32,
    kind: ScopeKind,
}

impl Fingerprint {
    pub(crate) const fn kind(&self) -> ScopeKind {
        self.kind
    }

    #[inline]
    pub(crate) fn print(&self) -> Print {
        Print::new(self.hash, !self.kind.is_absolute())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:?})", self.kind)
    }
}

/// What is left of a scope: 61 bits of its hash.
///
/// Two scopes with one print are one entry, so a scope of `n` others is taken for revoked with a probability of
/// `n / 2^61` when it is not: about 4 in 10^12 with ten million entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Print {
    /// Which region, narrow ones before wide ones.
    pub(crate) region: u8,
    /// Never 0, which means an empty lane.
    pub(crate) tag: u16,
    /// The low bits choose the shard, the high ones the line.
    pub(crate) rest: u64,
}

impl Print {
    #[inline]
    pub(crate) fn new(hash: u64, wide: bool) -> Self {
        let region = (hash >> (TAG_SHIFT + TAG_BITS + REST_BITS)) as u8 % REGIONS_PER_WIDTH as u8;
        let tag = (hash >> TAG_SHIFT) as u16 & ((1 << TAG_BITS) - 1);
        Self {
            region: region + if wide { REGIONS_PER_WIDTH as u8 } else { 0 },
            tag: tag + u16::from(tag == 0),
            rest: (hash >> REST_SHIFT) & ((1 << REST_BITS) - 1),
        }
    }

    /// Whether a scope can have it.
    pub(crate) const fn is_sound(self) -> bool {
        self.tag > 0 && self.tag < 1 << TAG_BITS && self.rest < 1 << REST_BITS
    }

    /// The line where its search begins, of so many.
    #[inline]
    pub(crate) fn home(self, lines: u32) -> usize {
        // The upper 32 bits, scaled (Lemire, 2019): no division, and lines need not be a power of two.
        (((self.rest >> (REST_BITS - 32)) * u64::from(lines)) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_ids_are_told_apart() {
        let keys = Keys::new();
        let id = [7; 16];
        let prints = [
            keys.print(Scope::Token(&id)),
            keys.print(Scope::Session(&id)),
            keys.print(Scope::Session(&id[1..])),
            keys.print(Scope::Subject("a")),
            keys.print(Scope::Client("a")),
            keys.print(Scope::Key("a")),
        ];
        for (n, print) in prints.iter().enumerate() {
            assert!(!prints[..n].contains(print), "{n}");
            assert_ne!(print.tag, 0);
        }
        assert_eq!(keys.print(Scope::Token(&id)), prints[0]);
        assert_ne!(Keys::new().print(Scope::Token(&id)), prints[0], "each set has a key of its own");
    }

    #[test]
    fn keys_survive_a_dump() {
        let keys = Keys::new();
        let mut bytes = keys.to_bytes();
        let again = Keys::from_bytes(&bytes).unwrap();
        for scope in [Scope::Token(&[7; 16]), Scope::Session(b"odd"), Scope::Subject("a"), Scope::Key("b")] {
            assert_eq!(keys.print(scope), again.print(scope));
        }
        assert!(keys.fingerprint(Scope::Subject("a")).is_some_and(|print| again.took(&print)));
        assert!(Keys::from_bytes(&bytes[1..]).is_none());
        bytes.push(0);
        assert!(Keys::from_bytes(&bytes).is_none());
    }

    /// Dumps are refused when these change, so that is all that happens. Of the texts' hashes `sip` says that they stay.
    #[cfg(not(any(signoff_loom, signoff_shuttle)))]
    #[test]
    fn hashes_stay_as_they_are() {
        let word = |n: usize| 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128.wrapping_mul(n as u128);
        let texts = std::array::from_fn(|n| [n as u64, 7]);
        let keys = Keys { id: 1, kinds: std::array::from_fn(|n| word(n + 3)), low: word(1), high: word(2), texts };
        assert_eq!(keys.sample(), 0x7a0d_18e2_7c24_7e35);
    }

    #[test]
    fn a_hash_is_spread_without_overlap() {
        let all = Print::new(u64::MAX, true);
        assert_eq!((all.region, all.tag, all.rest), (255, 0x7fff, (1 << 39) - 1));
        assert_eq!(Print::new(0, false), Print { region: 0, tag: 1, rest: 0 });
        for bit in TAG_SHIFT..64 {
            let print = Print::new(1 << bit, false);
            let parts = u32::from(print.region != 0)
                + u32::from(print.tag > 1 || bit == TAG_SHIFT)
                + u32::from(print.rest != 0);
            assert_eq!(parts, 1, "bit {bit}");
        }
        assert_eq!(all.home(10), 9);
        assert_eq!(Print::new(1 << 63, false).home(0), 0);
    }

    #[test]
    fn prints_of_counted_ids_are_even() {
        let keys = Keys::new();
        let mut regions = [0u32; 128];
        for n in 0..128_000u128 {
            regions[usize::from(keys.print(Scope::Token(&n.to_le_bytes())).region)] += 1;
        }
        // A thousand each; an affine map of a counter is more even than chance, and never far from it.
        assert!(regions.iter().all(|count| (500..2_000).contains(count)), "{regions:?}");
    }
}
