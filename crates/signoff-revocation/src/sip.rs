//! SipHash-1-3 (Aumasson and Bernstein, 2012), a pseudo-random function of short texts. The standard library has it as
//! well, but neither gives out its keys nor promises that hashes stay as they are, and a [`Dump`](crate::Dump) outlives the
//! program that made it.

/// The hash of `bytes` under a key. It never changes.
#[inline]
pub(crate) fn hash(key: [u64; 2], bytes: &[u8]) -> u64 {
    sip::<1, 3>(key, bytes)
}

#[inline]
fn sip<const EACH: usize, const LAST: usize>([k0, k1]: [u64; 2], bytes: &[u8]) -> u64 {
    // "somepseudorandomlygeneratedbytes"
    let mut state = State(
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    );
    let (words, rest) = bytes.as_chunks();
    for word in words {
        state.absorb::<EACH>(u64::from_le_bytes(*word));
    }
    state.absorb::<EACH>((bytes.len() as u64) << 56 | at_most_seven(rest));
    state.2 ^= 0xff;
    for _ in 0..LAST {
        state.round();
    }
    state.0 ^ state.1 ^ state.2 ^ state.3
}

struct State(u64, u64, u64, u64);

impl State {
    #[inline]
    fn absorb<const ROUNDS: usize>(&mut self, word: u64) {
        self.3 ^= word;
        for _ in 0..ROUNDS {
            self.round();
        }
        self.0 ^= word;
    }

    #[inline]
    fn round(&mut self) {
        let Self(v0, v1, v2, v3) = self;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }
}

/// The bytes as a number, little-endian. (A copy into eight bytes would be a call.)
#[inline]
fn at_most_seven(bytes: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    if let Some(four) = bytes.first_chunk() {
        number = u64::from(u32::from_le_bytes(*four));
        at = 4;
    }
    if let Some(two) = bytes[at..].first_chunk() {
        number |= u64::from(u16::from_le_bytes(*two)) << (8 * at);
        at += 2;
    }
    if let Some(one) = bytes.get(at) {
        number |= u64::from(*one) << (8 * at);
    }
    number
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    /// The standard library's are 2-4 with a key and 1-3 without one. So the key and the rounds are both held against it.
    #[test]
    fn it_is_siphash() {
        let bytes: Vec<_> = (0..=255).cycle().map(|n: u8| n.wrapping_mul(167)).take(300).collect();
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        for length in 0..bytes.len() {
            let bytes = &bytes[..length];
            #[expect(deprecated, reason = "it is the one that takes a key")]
            let mut keyed = std::hash::SipHasher::new_with_keys(key[0], key[1]);
            keyed.write(bytes);
            assert_eq!(sip::<2, 4>(key, bytes), keyed.finish(), "{length}");
            let mut plain = DefaultHasher::new();
            plain.write(bytes);
            assert_eq!(hash([0, 0], bytes), plain.finish(), "{length}");
        }
    }

    /// A dump would be worthless, and dangerous, if these changed.
    #[test]
    fn it_stays_as_it_is() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(hash(key, b""), 0xabac_0158_050f_c4dc);
        assert_eq!(hash(key, b"alice"), 0xcbfb_4a03_5000_f64a);
    }
}
