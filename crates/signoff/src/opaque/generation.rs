//! Refresh tokens: which family one belongs to, and how its successor is made and kept. It asks no store.

use zeroize::Zeroizing;

use super::hash::Hasher;
use super::{Body, FAMILY, Kind, Locator, Opaque, PREFIX, Peppers, TokenHash, draw, spell};
use crate::seal::{self, Sealed, SealingKey};
use crate::store::{NewFamily, SealedSuccessor};
use crate::{Error, ErrorKind, Secret};

/// A refresh token, as one generation of its family: all tokens that follow from one login by rotation.
///
/// The first 21 digits are the *locator*, which they all share; the other 22, 131 random bits, are this generation's
/// own. A store has one row for the family, under the hash of the locator, so it recognises every older generation for
/// as long as the session exists, and keeps nothing of it.
///
/// That the locator is the same in all is safe. It opens nothing: the row is found by it, and then the whole token must
/// be the current one, or the one before. It is no public name either, for 125 random bits are not guessed; whoever
/// knows one has seen a token of the family. All that they can do with it is to present some other token of that family,
/// which ends the session: a nuisance for its owner, and the right answer to a token in the wrong hands.
pub(crate) struct Generation<'a> {
    body: &'a Body,
    hasher: Hasher<'a>,
}

/// The next generation, and the hash that a store keeps of it.
pub(crate) struct Successor {
    pub(crate) token: Secret,
    pub(crate) hash: TokenHash,
    pub(crate) sealed: SealedSuccessor,
}

/// The first refresh token of a session, and what a store keeps of it.
pub(crate) fn first(peppers: &Peppers) -> Result<(Secret, NewFamily), Error> {
    let body = draw(Kind::Refresh)?;
    let generation = Generation { body: &body, hasher: peppers.hasher() };
    Ok((spell(&body), NewFamily { family: generation.family(), token: generation.hash() }))
}

impl<'a> Opaque<'a> {
    /// What a store may have a refresh token under: as hashed with the current pepper first, then with older ones. A family
    /// stays with the pepper that it was born with, so one of these is right for both its row and its tokens.
    pub(crate) fn generations(self, peppers: &'a Peppers) -> impl Iterator<Item = Generation<'a>> {
        let hashers = std::iter::once(peppers.hasher()).chain(peppers.older_hashers());
        hashers.map(move |hasher| Generation { body: self.body, hasher })
    }
}

impl Generation<'_> {
    /// The hash of the family.
    pub(crate) fn family(&self) -> TokenHash {
        self.hasher.hash_of_family(self.locator())
    }

    /// The hash of this token.
    pub(crate) fn hash(&self) -> TokenHash {
        self.hasher.hash(self.body)
    }

    /// Makes the next generation, and seals it so that it opens with this token only. With a pepper, not even with this
    /// token does a stolen database open it.
    pub(crate) fn succeed(&self) -> Result<Successor, Error> {
        let mut body = draw(Kind::Refresh)?;
        body[..PREFIX + FAMILY].copy_from_slice(self.locator());
        let hash = self.hasher.hash(&body);
        let sealed = self.key()?.seal(&self.bound_to(), &body[PREFIX + FAMILY..])?;
        let sealed = SealedSuccessor::new([sealed.nonce.as_slice(), &sealed.bytes].concat());
        Ok(Successor { token: spell(&body), hash, sealed })
    }

    /// The successor that was sealed, which must have this hash.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] unless it was sealed with this very token and nobody touched it since.
    pub(crate) fn open(&self, sealed: &SealedSuccessor, hash: &TokenHash) -> Result<Secret, Error> {
        let damaged = || Error::new(ErrorKind::Data, "the sealed successor of a refresh token does not open");
        let (nonce, bytes) = sealed.as_bytes().split_first_chunk().ok_or_else(damaged)?;
        let sealed = Sealed { nonce: *nonce, bytes: bytes.to_vec() };
        let secret = self.key()?.open(&self.bound_to(), sealed).ok_or_else(damaged)?;
        let mut body = Zeroizing::new(*self.body);
        let (_, place) = body.split_at_mut(PREFIX + FAMILY);
        if secret.len() != place.len() {
            return Err(damaged());
        }
        place.copy_from_slice(&secret);
        if self.hasher.hash(&body) != *hash {
            return Err(damaged());
        }
        Ok(spell(&body))
    }

    fn key(&self) -> Result<SealingKey, Error> {
        SealingKey::derive(&seal::root(b"signoff refresh token", &self.hasher.seed(self.body)))
    }

    /// A sealed successor opens in the row of its family and for its predecessor, nowhere else.
    fn bound_to(&self) -> [u8; 64] {
        let mut public = [0; 64];
        let (family, token) = public.split_at_mut(32);
        family.copy_from_slice(self.family().as_bytes());
        token.copy_from_slice(self.hash().as_bytes());
        public
    }

    fn locator(&self) -> &Locator {
        // A body is longer than a locator, so there always is one.
        self.body.first_chunk().unwrap_or(&[0; PREFIX + FAMILY])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opaque::{Pepper, generate};

    fn generation<'a>(token: &'a Secret, peppers: &'a Peppers) -> Generation<'a> {
        let opaque = Opaque::parse(Kind::Refresh, token.expose()).unwrap();
        opaque.generations(peppers).next().unwrap()
    }

    fn peppered(id: u8) -> Peppers {
        Peppers::new(Pepper::new(id, &[id; 32]).unwrap())
    }

    #[test]
    fn generations_share_the_locator_and_nothing_else() {
        for peppers in [Peppers::none(), peppered(1)] {
            let (first, hash) = generate(Kind::Refresh, &peppers).unwrap();
            let mut tokens = vec![first];
            for n in 0..20 {
                let this = generation(&tokens[n], &peppers);
                let next = this.succeed().unwrap();
                assert_eq!(next.hash, generation(&next.token, &peppers).hash());
                tokens.push(next.token);
            }
            assert_eq!(generation(&tokens[0], &peppers).hash(), hash);
            for (n, one) in tokens.iter().enumerate() {
                for other in &tokens[..n] {
                    assert_eq!(one.expose()[..25], other.expose()[..25]);
                    assert_ne!(one.expose()[25..47], other.expose()[25..47]);
                }
                assert_eq!(generation(one, &peppers).family(), generation(&tokens[0], &peppers).family());
            }
            let (stranger, _) = generate(Kind::Refresh, &peppers).unwrap();
            assert_ne!(generation(&stranger, &peppers).family(), generation(&tokens[0], &peppers).family());
        }
    }

    #[test]
    fn the_hash_of_a_family_is_no_tokens() {
        let peppers = Peppers::none();
        let (token, hash) = generate(Kind::Refresh, &peppers).unwrap();
        assert_ne!(generation(&token, &peppers).family(), hash);
        assert_ne!(generation(&token, &peppers).family(), generation(&token, &peppered(1)).family());
    }

    #[test]
    fn a_sealed_successor_opens_with_its_predecessor_only() {
        let peppers = peppered(1);
        let (token, _) = generate(Kind::Refresh, &peppers).unwrap();
        let this = generation(&token, &peppers);
        let next = this.succeed().unwrap();
        assert_eq!(this.open(&next.sealed, &next.hash).unwrap().expose(), next.token.expose());

        // Another token of the same family, one of another family, and the same one without the pepper.
        let sibling = this.succeed().unwrap().token;
        let (stranger, _) = generate(Kind::Refresh, &peppers).unwrap();
        for (token, peppers) in [(&sibling, &peppers), (&stranger, &peppers), (&token, &Peppers::none())] {
            let refused = generation(token, peppers).open(&next.sealed, &next.hash).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Data);
        }
        assert!(this.open(&next.sealed, &this.hash()).is_err(), "it is not the successor that the store names");
        let bytes = next.sealed.as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(this.open(&SealedSuccessor::new(changed), &next.hash).is_err(), "byte {at}");
            assert!(this.open(&SealedSuccessor::new(bytes[..at].to_vec()), &next.hash).is_err(), "cut at {at}");
        }
        assert!(!bytes.windows(22).any(|window| window == &next.token.expose().as_bytes()[25..47]));
        assert_eq!(bytes.len(), 50);
    }

    #[test]
    fn a_family_keeps_its_pepper() {
        let (token, hash) = generate(Kind::Refresh, &peppered(1)).unwrap();
        let rotated = Peppers::new(Pepper::new(2, &[2; 32]).unwrap()).with_older(Pepper::new(1, &[1; 32]).unwrap());
        let opaque = Opaque::parse(Kind::Refresh, token.expose()).unwrap();
        let old = opaque.generations(&rotated).find(|generation| generation.hash() == hash).unwrap();
        assert_eq!(old.succeed().unwrap().hash.as_bytes()[0], 1);
    }
}
