//! Secrets, and the one door to the operating system's random numbers.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

/// A text that opens doors: a token.
///
/// It has one exit, [`Secret::expose`], that a reviewer can search for. It prints as `Secret(redacted)`, cannot be
/// serialised or cloned, and is overwritten when dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes charge of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. It belongs in a cookie, an `Authorization` header or a token response, never in a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// `N` bytes from the operating system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = rng().fill(&mut bytes);
    filled.map_err(|_| Error::new(ErrorKind::Unavailable, "the operating system gives no random numbers"))?;
    Ok(bytes)
}

/// The generator itself, for the signature schemes that draw their own numbers.
#[expect(clippy::disallowed_methods, reason = "this file owns the random numbers")]
pub(crate) fn rng() -> SystemRandom {
    SystemRandom::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("soa_verysecret");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(secret.expose(), "soa_verysecret");
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
    }
}
