//! Changes of a text byte by byte, without a thought for what it means.

use super::prng::Prng;

/// What a reader of JSON looks for, and what it must not take for it.
const PIECES: [&[u8]; 44] = [
    b"\"",
    b"\\",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"0",
    b"1",
    b"9",
    b"-",
    b"+",
    b".",
    b"e",
    b"E",
    b"\\u0041",
    b"\\\"",
    b"\\\\",
    b"\",\"",
    b"\":\"",
    b",,",
    b"{}",
    b"[]",
    b"null",
    b"\0",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\x80",
    b"/**/",
    b"#",
    b"'",
    b"\"sub\":\"bob\",",
    b",\"sub\":\"bob\"",
    b"=",
];

/// One change of a JSON text.
pub(super) fn mutate(text: &mut Vec<u8>, prng: &mut Prng) {
    let at = prng.below(text.len() + 1);
    let piece = prng.pick(&PIECES).to_vec();
    match prng.below(14) {
        0 if at < text.len() => text[at] ^= 1 << prng.below(8),
        1 if at < text.len() => text[at] = prng.number() as u8,
        2 if at < text.len() => drop(text.remove(at)),
        3 => drop(text.splice(at..at, piece)),
        4 => drop(text.splice(at..text.len().min(at + 1), piece)),
        5 => text.truncate(at),
        6 => text.extend(piece),
        7 => drop(text.splice(0..0, piece)),
        8 => {
            let end = text.len().min(at + 1 + prng.below(40));
            let slice = text[at..end].to_vec();
            text.splice(at..at, slice);
        }
        9 => {
            let end = text.len().min(at + 1 + prng.below(8));
            text.drain(at..end);
        }
        10 => drop(text.splice(
            text.len() - text.len().min(1)..,
            [b",}".as_slice(), b"", b"}}", b"} x"][prng.below(4)].iter().copied(),
        )),
        11 => white_space(text, prng, &[b" ", b"\t", b"\n", b"\r", b"  "]),
        12 => white_space(text, prng, &[b"\x0b", b"\x0c", b"\0", b"\xc2\xa0", b",", b"//", b"\xef\xbb\xbf"]),
        _ if prng.one_in(8) => {
            let units = String::from_utf8_lossy(text).into_owned();
            *text = units
                .encode_utf16()
                .flat_map(|unit| if at.is_multiple_of(2) { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect();
        }
        _ => structural(text, prng),
    }
}

/// Something between two tokens of the JSON, or at least near a place where there might be two.
fn white_space(text: &mut Vec<u8>, prng: &mut Prng, spaces: &[&[u8]]) {
    let places: Vec<_> = (0..text.len()).filter(|at| b"{}[]:,".contains(&text[*at])).collect();
    if let Some(at) = places.get(prng.below(places.len())) {
        let at = at + prng.below(2);
        text.splice(at..at, prng.pick(spaces).iter().copied());
    }
}

/// A structural character taken away, doubled, or replaced by another.
fn structural(text: &mut Vec<u8>, prng: &mut Prng) {
    let places: Vec<_> = (0..text.len()).filter(|at| b"{}[]:,\"".contains(&text[*at])).collect();
    let Some(at) = places.get(prng.below(places.len())).copied() else { return };
    match prng.below(3) {
        0 => drop(text.remove(at)),
        1 => text.insert(at, text[at]),
        _ => text[at] = b"{}[]:,\";="[prng.below(9)],
    }
}
