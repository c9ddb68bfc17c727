//! Opaque tokens: a kind, 256 random bits, a checksum. They mean nothing; the store knows what they open.

use std::fmt;

use ring::digest;
use zeroize::Zeroizing;

use crate::{Error, Rejection, Secret, secret};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "soa_";
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;
/// The length of an opaque token in bytes.
pub(crate) const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

/// What the store keeps of an opaque token: SHA-256 under a domain of its own.
///
/// A token has 256 random bits, so a plain hash is enough to make a stolen database useless; a slow one would only slow
/// us down.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    // Whoever can write to the database could use a hash from a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(redacted)")
    }
}

/// A new token: `soa_`, 43 base62 digits (256 random bits), 6 base62 digits of CRC32.
pub(crate) fn generate() -> Result<Secret, Error> {
    let mut token = Zeroizing::new(String::with_capacity(LENGTH));
    token.push_str(PREFIX);
    while token.len() < PREFIX.len() + RANDOM {
        let bytes = Zeroizing::new(secret::random::<64>()?);
        // 248 is the largest multiple of 62 that a byte holds; what lies above would make some digits likelier.
        let missing = PREFIX.len() + RANDOM - token.len();
        let digits = bytes.iter().filter(|byte| **byte < 248).map(|byte| DIGITS[usize::from(byte % 62)]);
        token.extend(digits.take(missing).map(char::from));
    }
    let checksum = checksum(&token.as_bytes()[PREFIX.len()..]);
    token.extend(checksum.map(char::from));
    Ok(Secret::new(token.as_str()))
}

/// Whether a text claims to be an opaque token; [`parse`] finds out whether it is one.
pub(crate) fn looks_opaque(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The hash of a token whose shape and checksum are right. Junk is refused before anybody asks the store.
///
/// The checksum is for scanners of leaked secrets and for cheap refusal; it protects nothing.
pub(crate) fn parse(token: &str) -> Result<TokenHash, Rejection> {
    let body = token.strip_prefix(PREFIX).ok_or(Rejection::Malformed)?.as_bytes();
    if body.len() != RANDOM + CHECKSUM || !body.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Rejection::Malformed);
    }
    let (random, claimed) = body.split_at(RANDOM);
    if checksum(random) != claimed {
        return Err(Rejection::Malformed);
    }
    Ok(hash(token))
}

fn hash(token: &str) -> TokenHash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"signoff access token ");
    context.update(token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    TokenHash(bytes)
}

/// CRC32 in base62, most significant digit first, padded with zeros.
fn checksum(random: &[u8]) -> [u8; CHECKSUM] {
    let mut crc = crc32fast::hash(random) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[crc % 62];
        crc /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_scanners_know() {
        assert_eq!(&checksum(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
    }

    #[test]
    fn tokens_have_one_spelling() {
        let token = generate().unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 53);
        assert!(parse(text).is_ok());
        assert_ne!(text, generate().unwrap().expose());
        for n in 0..text.len() {
            let mut changed = text.to_owned().into_bytes();
            changed[n] = if changed[n] == b'x' { b'y' } else { b'x' };
            assert!(parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {n}");
        }
        for bad in [
            "",
            "soa_",
            &text[..52],
            &format!("{text}0"),
            &format!(" {text}"),
            &format!("{text}\n"),
            &text.to_lowercase(),
            &text.replace("soa_", "sor_"),
            &format!("soa_{}", "é".repeat(24)),
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
