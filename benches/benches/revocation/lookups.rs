//! What is looked up, in ours, in nothing, and in plain memory. All contestants draw the same ids in the same order.

use signoff_revocation::{RevocationSet, Scope};

use signoff_benches::random::{mix, scale};

use crate::keys::id;

/// Draws numbers of which one in a hundred is below `live`. Whoever asks the same structure as somebody else draws
/// another `series`, for what has been asked for lately is in the caches. The argument is a zero that the number has to
/// wait for.
pub(crate) fn numbers(live: u64, series: u64) -> impl FnMut(u64) -> u64 {
    let mut count = series << 40;
    move |zero| {
        count += 1 + zero;
        scale(mix(count), 100 * live)
    }
}

/// Draws ids to look up: those of [`numbers`].
pub(crate) fn ids(live: u64, series: u64) -> impl FnMut(u64) -> [u8; 16] {
    let mut draw = numbers(live, series);
    move |zero| id(draw(zero))
}

/// Ours, through a reader's handle.
pub(crate) fn ours(set: &RevocationSet) -> impl FnMut(&[u8; 16]) -> bool {
    let mut reader = set.reader();
    move |id| reader.cutoff(Scope::Session(id)).is_some()
}

/// No structure: one word of a random cache line among as many as `bytes` hold. Nothing can be faster that has to go
/// to memory.
pub(crate) fn random_line(bytes: usize) -> impl FnMut(&[u8; 16]) -> bool {
    #[repr(align(64))]
    struct Line([u64; 8]);

    // Zeros would all be the one page of zeros that the kernel has.
    let lines: Vec<_> = (1..=bytes.div_ceil(64) as u64).map(|word| Line([word; 8])).collect();
    move |id| {
        let (place, word) = id.split_at(8);
        let place = scale(u64::from_le_bytes(place.try_into().unwrap_or_default()), lines.len() as u64);
        lines[place as usize].0[usize::from(word[0] % 8)] == 0
    }
}

/// The lookup that does nothing.
pub(crate) fn nothing(id: &[u8; 16]) -> bool {
    id[0] != 0
}
