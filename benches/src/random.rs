//! Random numbers that are the same in every run, and cost next to nothing.

/// A random number brought below `bound` without a division.
pub const fn scale(random: u64, bound: u64) -> u64 {
    ((random as u128 * bound as u128) >> 64) as u64
}

/// The finaliser of SplitMix64: a bijection that leaves no pattern.
pub const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Puts values into an order that this number decides.
pub fn shuffle<T>(values: &mut [T], number: u64) {
    for place in (1..values.len()).rev() {
        let other = scale(mix(number << 8 ^ place as u64), place as u64 + 1);
        values.swap(place, other as usize);
    }
}
