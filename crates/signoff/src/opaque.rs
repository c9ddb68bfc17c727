//! Opaque tokens: a kind, 256 random bits, a checksum. They mean nothing; the store knows what they open.

mod external;
mod generation;
mod hash;

use std::fmt;

use zeroize::Zeroizing;

use crate::{Error, Rejection, Secret, secret};

pub use external::External;
pub(crate) use generation::first;
pub use hash::{Pepper, Peppers, TokenHash};

/// What an opaque token is for. A token of one kind is refused where another is expected, before anybody asks the store,
/// and its hash is another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// `soa_`: opens what an access token opens.
    Access,
    /// `sor_`: is exchanged for new tokens (RFC 6749, section 1.5). See [`refresh`](crate::refresh).
    Refresh,
    /// `sos_`: names a session to a browser, in a cookie.
    Session,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Access, Self::Refresh, Self::Session];

    /// What its tokens begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "soa_",
            Self::Refresh => "sor_",
            Self::Session => "sos_",
        }
    }

    /// The kind that a text claims to be; [`Opaque::parse`] finds out whether it is one.
    pub(crate) fn claimed(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| token.starts_with(kind.prefix()))
    }
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: usize = 4;
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;
/// The length of an opaque token in bytes.
const LENGTH: usize = PREFIX + RANDOM + CHECKSUM;

/// The random digits that all refresh tokens of a login have in common: 125 bits.
const FAMILY: usize = 21;

/// Prefix and random digits: what is hashed.
type Body = [u8; PREFIX + RANDOM];
/// Prefix and first digits: what names a family of refresh tokens.
type Locator = [u8; PREFIX + FAMILY];
/// The last digits, which are not.
pub(crate) type Checksum = [u8; CHECKSUM];

/// A token whose shape and checksum are right. It proves nothing, and only its hash may be kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opaque<'a> {
    kind: Kind,
    body: &'a Body,
    checksum: &'a Checksum,
}

impl<'a> Opaque<'a> {
    /// Junk, and every kind but this one, is refused before anybody asks the store.
    ///
    /// The checksum is for scanners of leaked secrets and for cheap refusal; it protects nothing.
    ///
    /// # Errors
    ///
    /// [`Rejection::WrongType`] for a token of another kind, else [`Rejection::Malformed`].
    pub fn parse(kind: Kind, token: &'a str) -> Result<Self, Rejection> {
        let opaque = Self::unchecked(token).ok_or(Rejection::Malformed)?;
        let (_, random) = opaque.body.split_at(PREFIX);
        if !random.iter().all(u8::is_ascii_alphanumeric) || checksum(random) != *opaque.checksum {
            return Err(Rejection::Malformed);
        }
        if opaque.kind != kind {
            return Err(Rejection::WrongType);
        }
        Ok(opaque)
    }

    /// A text of the right length that claims to be of some kind: good enough to look for it in memory, where only those
    /// are that were checked.
    pub(crate) fn unchecked(token: &'a str) -> Option<Self> {
        let kind = Kind::claimed(token)?;
        let (body, checksum) = token.as_bytes().split_first_chunk()?;
        Some(Self { kind, body, checksum: checksum.try_into().ok()? })
    }

    /// The last digits, which are not hashed.
    pub(crate) const fn checksum(&self) -> Checksum {
        *self.checksum
    }

    /// What its kind is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What a store may have it under: the hash with the current pepper first, then those with older ones.
    pub fn hashes(self, peppers: &Peppers) -> impl Iterator<Item = TokenHash> {
        [self.hash(peppers)].into_iter().chain(self.older_hashes(peppers))
    }

    /// The hash with the current pepper.
    pub(crate) fn hash(&self, peppers: &Peppers) -> TokenHash {
        peppers.hasher().hash(self.body)
    }

    /// The hashes with older peppers.
    pub(crate) fn older_hashes(self, peppers: &Peppers) -> impl Iterator<Item = TokenHash> {
        peppers.older_hashers().map(|hasher| hasher.hash(self.body))
    }
}

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({:?}, redacted)", self.kind)
    }
}

/// A new token, and the hash that a store keeps of it.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the operating system gives no random numbers.
///
/// ```
/// use signoff::opaque::{Kind, Opaque, Peppers, generate};
///
/// let (token, hash) = generate(Kind::Refresh, &Peppers::none())?;
/// assert_eq!(token.expose().len(), 53); // sor_ + 43 digits + 6 digits
/// let presented = Opaque::parse(Kind::Refresh, token.expose())?;
/// assert_eq!(presented.hashes(&Peppers::none()).next(), Some(hash));
/// assert!(Opaque::parse(Kind::Access, token.expose()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate(kind: Kind, peppers: &Peppers) -> Result<(Secret, TokenHash), Error> {
    let body = draw(kind)?;
    Ok((spell(&body), peppers.hasher().hash(&body)))
}

fn draw(kind: Kind) -> Result<Zeroizing<Body>, Error> {
    let random = Zeroizing::new(secret::random()?);
    let mut body: Zeroizing<Body> = Zeroizing::new([b'0'; PREFIX + RANDOM]);
    let (prefix, digits) = body.split_at_mut(PREFIX);
    prefix.copy_from_slice(kind.prefix().as_bytes());
    in_base62(&random, digits);
    Ok(body)
}

/// The token with its checksum.
fn spell(body: &Body) -> Secret {
    let mut token = Vec::with_capacity(LENGTH);
    token.extend_from_slice(body);
    token.extend_from_slice(&checksum(&body[PREFIX..]));
    // It is ASCII, so it stays where it is.
    Secret::new(String::from_utf8(token).unwrap_or_default())
}

/// Writes 256 random bits as 43 digits: the bits are a fraction below one, and each multiplication moves digits over its
/// point. 62^43 is more than 2^256, so no two fractions have the same digits, and no randomness is lost.
fn in_base62(random: &[u8; 32], digits: &mut [u8]) {
    let mut fraction = Zeroizing::new([0_u64; 4]);
    for (limb, bytes) in fraction.iter_mut().zip(random.as_chunks().0) {
        *limb = u64::from_le_bytes(*bytes);
    }
    // 62^10 is the largest power below 2^64.
    for digits in digits.chunks_mut(10) {
        let (scale, mut whole) = (62_u64.pow(digits.len() as u32), 0);
        for limb in fraction.iter_mut() {
            let product = u128::from(*limb) * u128::from(scale) + whole;
            *limb = product as u64;
            whole = product >> 64;
        }
        let mut whole = whole as u64;
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(whole % 62) as usize];
            whole /= 62;
        }
    }
}

/// CRC32 in base62, most significant digit first, padded with zeros.
fn checksum(random: &[u8]) -> Checksum {
    let mut crc = crc32fast::hash(random);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(crc % 62) as usize];
        crc /= 62;
    }
    digits
}

#[cfg(test)]
mod tests;
