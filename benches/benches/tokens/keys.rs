//! The keys of the bench, and the bare signatures: what no library that verifies tokens can be faster than.

use std::error::Error;

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};

/// The secret for HS256.
pub(crate) const SECRET: [u8; 32] = *b"an example secret of 32 bytes...";
/// RFC 5958 around an Ed25519 seed of 32 bytes.
pub(crate) const ED25519_PKCS8: [u8; 48] = {
    let mut der = [7; 48];
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let mut place = 0;
    while place < head.len() {
        der[place] = head[place];
        place += 1;
    }
    der
};
/// See the README beside it.
pub(crate) const P256_PKCS8: &[u8] = include_bytes!("testdata/ec.pk8");
/// See the README beside it.
pub(crate) const RSA_PKCS8: &[u8] = include_bytes!("testdata/rsa.pk8");

/// How tokens are signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    Hs256,
    EdDsa,
    Es256,
    Rs256,
}

impl Scheme {
    /// The name in the header `alg`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The same for jsonwebtoken.
    pub(crate) const fn jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// A key pair of ring, parsed once.
pub(crate) enum Pair {
    Hs256(hmac::Key),
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl Pair {
    /// The key of the bench for this scheme.
    pub(crate) fn new(scheme: Scheme) -> Result<Self, Box<dyn Error>> {
        let refused = |error: ring::error::KeyRejected| error.to_string();
        Ok(match scheme {
            Scheme::Hs256 => Self::Hs256(hmac::Key::new(hmac::HMAC_SHA256, &SECRET)),
            Scheme::EdDsa => Self::EdDsa(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&ED25519_PKCS8).map_err(refused)?),
            Scheme::Es256 => {
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Self::Es256(EcdsaKeyPair::from_pkcs8(algorithm, P256_PKCS8, &rng()).map_err(refused)?)
            }
            Scheme::Rs256 => Self::Rs256(Box::new(RsaKeyPair::from_pkcs8(RSA_PKCS8).map_err(refused)?)),
        })
    }

    /// Replaces what is in `into` with the signature of a message, without allocating every time.
    pub(crate) fn sign(&self, message: &[u8], into: &mut Vec<u8>) {
        into.clear();
        match self {
            Self::Hs256(key) => into.extend_from_slice(hmac::sign(key, message).as_ref()),
            Self::EdDsa(pair) => into.extend_from_slice(pair.sign(message).as_ref()),
            Self::Es256(pair) => {
                into.extend_from_slice(pair.sign(&rng(), message).expect("ring signs").as_ref());
            }
            Self::Rs256(pair) => {
                into.resize(pair.public().modulus_len(), 0);
                pair.sign(&RSA_PKCS1_SHA256, &rng(), message, into).expect("ring signs");
            }
        }
    }

    /// The public key as all libraries here read it: raw, an uncompressed point, or PKCS#1. Empty for a secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        match self {
            Self::Hs256(_) => Vec::new(),
            Self::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rs256(pair) => pair.public().as_ref().to_vec(),
        }
    }

    /// Whether the bare signature is good.
    pub(crate) fn verifier(&self) -> impl Fn(&[u8], &[u8]) -> bool {
        let key = match self {
            Self::Hs256(key) => Ok(key.clone()),
            Self::EdDsa(_) => Err(&ED25519 as &dyn signature::VerificationAlgorithm),
            Self::Es256(_) => Err(&ECDSA_P256_SHA256_FIXED as _),
            Self::Rs256(_) => Err(&RSA_PKCS1_2048_8192_SHA256 as _),
        };
        let key = key.map_err(|algorithm| UnparsedPublicKey::new(algorithm, self.public()));
        move |message, signature| match &key {
            Ok(secret) => hmac::verify(secret, message, signature).is_ok(),
            Err(public) => public.verify(message, signature).is_ok(),
        }
    }
}

/// The operating system's random numbers, for the schemes that draw some.
#[expect(clippy::disallowed_methods, reason = "a bench of ring needs ring's own generator")]
pub(crate) fn rng() -> SystemRandom {
    SystemRandom::new()
}
