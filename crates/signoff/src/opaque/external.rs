//! Credentials that another session layer made. They are only hashed here; that nobody can guess them is that layer's care.

use std::fmt;

use super::{Peppers, TokenHash};
use crate::{Error, ErrorKind};

/// The secret by which another layer names a session to a browser: the value of its cookie.
///
/// The store keeps a hash of it under a domain of its own, so it is never taken for a token of ours, nor for the same bytes
/// of another kind.
#[derive(Clone, Copy)]
pub struct External<'a> {
    kind: &'static str,
    secret: &'a [u8],
}

impl<'a> External<'a> {
    /// A secret of at least 16 bytes, all of them random, and the name of the layer that made it, without a colon.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the secret is shorter, or the name empty or with a colon.
    pub fn new(kind: &'static str, secret: &'a [u8]) -> Result<Self, Error> {
        if secret.len() < 16 {
            return Err(Error::new(ErrorKind::Misuse, "a credential that can be guessed: at least 16 random bytes"));
        }
        if kind.is_empty() || kind.contains(':') {
            return Err(Error::new(ErrorKind::Misuse, "the kind of a credential has a name without a colon"));
        }
        Ok(Self { kind, secret })
    }

    /// The hash with the current pepper.
    pub(crate) fn hash(self, peppers: &Peppers) -> TokenHash {
        peppers.hasher().hash_of_external(self.kind, self.secret)
    }

    /// What a store may have it under: the hash with the current pepper first, then those with older ones.
    pub(crate) fn hashes(self, peppers: &Peppers) -> impl Iterator<Item = TokenHash> {
        let older = peppers.older_hashers();
        let older = older.map(move |hasher| hasher.hash_of_external(self.kind, self.secret));
        std::iter::once(self.hash(peppers)).chain(older)
    }
}

impl fmt::Debug for External<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "External({}, redacted)", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opaque::{Kind, Opaque, Pepper, generate};

    #[test]
    fn hashes_differ_by_kind_by_secret_and_from_those_of_tokens() {
        let none = Peppers::none();
        let (token, hash) = generate(Kind::Session, &none).unwrap();
        let body = &token.expose().as_bytes()[..47];
        let hashed = |kind, secret| External::new(kind, secret).unwrap().hash(&none);
        assert_ne!(hashed("tower-sessions", body), hash);
        assert_ne!(hashed("tower-sessions", body), hashed("tower-session", body));
        assert_ne!(hashed("a", b"bbbbbbbbbbbbbbbbb"), hashed("ab", b"bbbbbbbbbbbbbbbb"));
        assert_ne!(hashed("a", b"bbbbbbbbbbbbbbbb"), hashed("a", b"bbbbbbbbbbbbbbbc"));
        assert!(Opaque::parse(Kind::Session, token.expose()).is_ok());
    }

    #[test]
    fn what_can_be_guessed_is_misuse() {
        for (kind, secret) in [("a", &[0; 15][..]), ("", &[0; 16]), ("a:", &[0; 16]), ("a", &[])] {
            assert_eq!(External::new(kind, secret).unwrap_err().kind(), ErrorKind::Misuse);
        }
        let secret = External::new("a", b"0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "External(a, redacted)");
    }

    #[test]
    fn older_peppers_are_looked_for_too() {
        let old = Peppers::new(Pepper::new(1, &[1; 32]).unwrap());
        let new = Peppers::new(Pepper::new(2, &[2; 32]).unwrap()).with_older(Pepper::new(1, &[1; 32]).unwrap());
        let external = External::new("a", &[7; 16]).unwrap();
        let hashes: Vec<_> = external.hashes(&new).collect();
        assert_eq!(hashes, [external.hash(&new), external.hash(&old)]);
        assert_ne!(hashes[0], hashes[1]);
    }
}
