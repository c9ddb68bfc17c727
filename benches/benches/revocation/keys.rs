//! What is stored: ids and texts made from numbers, so that nobody has to read them from memory.

use signoff_benches::random::{mix, scale};
use signoff_revocation::{Cutoff, RevocationSet, Scope, Timestamp};

/// The id with this number, random for all that a hash table can tell.
pub(crate) const fn id(number: u64) -> [u8; 16] {
    let (low, high) = (mix(number ^ 0x5157), mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15)));
    (low as u128 | (high as u128) << 64).to_le_bytes()
}

/// When the entry of this number goes in: ten a second.
pub(crate) fn insertion(number: u64) -> Timestamp {
    let micros = i64::try_from(number).ok().and_then(|number| number.checked_mul(100_000));
    micros.and_then(|micros| Timestamp::from_micros(1_800_000_000_000_000 + micros)).unwrap_or(Timestamp::MAX)
}

/// When it expires: within a day, as what is left of a token's life is random.
pub(crate) fn expiry(number: u64) -> Timestamp {
    insertion(number + scale(mix(number), 10 * 24 * 60 * 60))
}

/// A set with the first `live` sessions cut off.
pub(crate) fn sessions(live: u64) -> RevocationSet {
    let set = RevocationSet::new();
    (0..live).for_each(|number| cut_off(&set, number));
    set
}

/// Cuts the session of this number off.
pub(crate) fn cut_off(set: &RevocationSet, number: u64) {
    set.insert(Scope::Session(&id(number)), Cutoff::ABSOLUTE, expiry(number)).expect("there is room");
}

/// A text, made without allocating: `user-` and sixteen digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject([u8; 21]);

impl Subject {
    /// The subject with this number.
    pub(crate) fn new(number: u64) -> Self {
        let mut text = *b"user-................";
        let digits = mix(number);
        for (place, digit) in text[5..].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(digits >> (4 * place)) as usize % 16];
        }
        Self(text)
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits are text")
    }
}
