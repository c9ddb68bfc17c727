//! Opaque tokens: accepted is exactly `soa_`, 43 base62 digits and their checksum, computed here once more.

use signoff::{Rejection, Unverified};

use crate::service::service;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 43;
const LENGTH: usize = 53;

/// Presents a text as it is, or, after an odd first byte, the token whose random part the input chooses.
pub fn opaque(data: &[u8]) {
    let Some((way, rest)) = data.split_first() else { return };
    if way % 2 == 0 {
        let text = String::from_utf8_lossy(rest);
        // Without this, a fuzzer would spend its time on texts that do not claim to be opaque.
        for text in [text.as_ref(), &format!("soa_{text}")] {
            if text.starts_with("soa_") {
                assert_eq!(accepts(text), is_opaque(text), "{text:?}");
            }
        }
    } else {
        let random: [u8; RANDOM] =
            std::array::from_fn(|n| DIGITS[usize::from(rest.get(n).copied().unwrap_or(0)) % DIGITS.len()]);
        let token = complete(std::str::from_utf8(&random).unwrap());
        assert!(accepts(&token), "{token}");
        check_neighbours(&token, rest.get(RANDOM..).unwrap_or_default());
    }
}

/// The token with this random part.
pub fn complete(random: &str) -> String {
    format!("soa_{random}{}", checksum(random.as_bytes()))
}

fn accepts(text: &str) -> bool {
    let parsed = Unverified::parse(text).map(|_| ());
    assert_eq!(Unverified::parse(text).map(|_| ()), parsed, "parsing depends on something else than the text");
    // Nothing is in memory, so a good token is one that would have to be loaded.
    let verified = service().signoff.verify(text).map(|_| ()).unwrap_err();
    assert_eq!(verified, parsed.err().unwrap_or(Rejection::Unloaded));
    parsed.is_ok()
}

fn is_opaque(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| DIGITS.contains(&byte));
    text.len() == LENGTH
        && text.get(..4) == Some("soa_")
        && text.get(4..).is_some_and(digits)
        && text.get(4..4 + RANDOM).map(str::as_bytes).map(checksum).as_deref() == text.get(4 + RANDOM..)
}

/// No change of one character goes unnoticed, and no two neighbours change places: the checksum finds every change
/// within 32 bits that follow one another.
fn check_neighbours(token: &str, choices: &[u8]) {
    let refused = |changed: &[u8]| {
        let Ok(changed) = std::str::from_utf8(changed) else { return };
        // With the prefix of a refresh token it is one, for what the checksum knows; that logs out at most.
        let is_refresh = changed.strip_prefix("sor_").is_some_and(|rest| token.ends_with(rest));
        assert!(changed == token || is_refresh || Unverified::parse(changed).is_err(), "{token} and {changed}");
    };
    for at in 0..LENGTH {
        let mut changed = token.as_bytes().to_vec();
        let choice = choices.get(at % choices.len().max(1)).copied().unwrap_or(b'x');
        changed[at] = choice;
        refused(&changed);
        changed[at] = DIGITS[usize::from(choice) % DIGITS.len()];
        refused(&changed);
        // A swap across the border changes the random part and the checksum at once, which may fit by chance.
        if at > 4 && at != 4 + RANDOM {
            let mut swapped = token.as_bytes().to_vec();
            swapped.swap(at - 1, at);
            refused(&swapped);
        }
        refused(&token.as_bytes()[..at]);
    }
    refused(&[token.as_bytes(), choices].concat());
    refused(&[choices, token.as_bytes()].concat());
}

/// CRC-32 (IEEE 802.3) one bit at a time, in base62 with leading zeros.
fn checksum(random: &[u8]) -> String {
    let mut crc = !0u32;
    for byte in random {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = u64::from(!crc);
    let mut text = String::new();
    for power in [916_132_832, 14_776_336, 238_328, 3_844, 62, 1] {
        text.push(char::from(DIGITS[usize::try_from(rest / power).unwrap()]));
        rest %= power;
    }
    text
}
