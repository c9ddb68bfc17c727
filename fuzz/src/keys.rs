//! The keys of the service, with which the harness signs by itself: it does not ask signoff to sign what signoff shall
//! judge.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::hmac;
use ring::signature::Ed25519KeyPair;
use signoff::{Algorithm, SigningKey};

pub(crate) const SECRET: [u8; 32] = [7; 32];
pub(crate) const OTHER_SECRET: [u8; 32] = [8; 32];
const SEED: [u8; 32] = [9; 32];
/// The key of RFC 7515, appendix A.3: the private number, and the two coordinates of the point.
const P256: [&str; 3] = [
    "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
];

/// Which key of the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    EdDsa,
    Es256,
    Hs256,
}

impl Key {
    pub(crate) const ALL: [Self; 3] = [Self::Hs256, Self::EdDsa, Self::Es256];

    pub(crate) const fn alg(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }

    /// The `kid` that signoff gives to it.
    pub(crate) fn kid(self) -> &'static str {
        static KIDS: OnceLock<[String; 3]> = OnceLock::new();
        let kids = KIDS.get_or_init(|| Self::ALL.map(|key| key.signing_key().kid().to_owned()));
        &kids[Self::ALL.iter().position(|key| *key == self).unwrap()]
    }

    pub(crate) fn signing_key(self) -> SigningKey {
        match self {
            Self::EdDsa => SigningKey::from_pkcs8(Algorithm::EdDsa, &ed25519_pkcs8()).unwrap(),
            Self::Es256 => SigningKey::from_pkcs8(Algorithm::Es256, &p256_pkcs8()).unwrap(),
            Self::Hs256 => hs256(&SECRET),
        }
    }

    pub(crate) fn decoding_key(self) -> DecodingKey {
        match self {
            Self::EdDsa => DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(self.public())).unwrap(),
            Self::Es256 => DecodingKey::from_ec_components(P256[1], P256[2]).unwrap(),
            Self::Hs256 => DecodingKey::from_secret(&SECRET),
        }
    }

    /// What everybody knows of the key. Of a secret there is nothing.
    pub(crate) fn public(self) -> Vec<u8> {
        match self {
            Self::EdDsa => ring::signature::KeyPair::public_key(ed25519()).as_ref().to_vec(),
            Self::Es256 => [vec![4], p256(1), p256(2)].concat(),
            Self::Hs256 => Vec::new(),
        }
    }

    /// Signs, always in the same way: a seed must lead to the same tokens again. That is why ring does not sign for
    /// ES256, whose signatures it hedges with random numbers.
    pub(crate) fn sign(self, input: &[u8]) -> String {
        match self {
            Self::EdDsa => URL_SAFE_NO_PAD.encode(ed25519().sign(input)),
            Self::Es256 => {
                static PRIVATE: OnceLock<EncodingKey> = OnceLock::new();
                let key = PRIVATE.get_or_init(|| EncodingKey::from_ec_der(&p256_pkcs8()));
                jsonwebtoken::crypto::sign(input, key, self.alg()).unwrap()
            }
            Self::Hs256 => tag(hmac::HMAC_SHA256, &SECRET, input),
        }
    }
}

/// The signing key of a secret.
pub(crate) fn hs256(secret: &[u8]) -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, secret).unwrap()
}

/// An HMAC as the third part of a token.
pub(crate) fn tag(hash: hmac::Algorithm, secret: &[u8], input: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hash, secret), input))
}

fn ed25519() -> &'static Ed25519KeyPair {
    static PAIR: OnceLock<Ed25519KeyPair> = OnceLock::new();
    PAIR.get_or_init(|| Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap())
}

fn p256(part: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(P256[part]).unwrap()
}

/// PKCS#8 for Ed25519 (RFC 8410, section 7): all but the seed is always the same.
fn ed25519_pkcs8() -> Vec<u8> {
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    [head.as_slice(), &SEED].concat()
}

/// PKCS#8 for P-256 (RFC 5958 around RFC 5915): all but the numbers is always the same.
fn p256_pkcs8() -> Vec<u8> {
    let head = [
        0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 3, 1, 7, 4, 0x6d, 0x30, 0x6b, 2, 1, 1, 4, 0x20,
    ];
    let middle = [0xa1, 0x44, 3, 0x42, 0];
    [head.to_vec(), p256(0), middle.to_vec(), Key::Es256.public()].concat()
}
