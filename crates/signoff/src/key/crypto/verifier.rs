//! The half of a key that verifies. It answers yes or no and never says why: there is nothing more specific to tell.

use std::fmt;

use jsonwebtoken::Algorithm as Scheme;
use jsonwebtoken::crypto::JwtVerifier;
use jsonwebtoken::signature;

use super::backend::signature::ED25519;
use super::backend::{PublicKey, hmac};
use super::{Unusable, ecdsa, hmac as hmac_scheme, rsa};

/// A public key or a secret, with its algorithm.
pub(in crate::key) struct Verifier {
    scheme: Scheme,
    /// The one length that a signature of this key has.
    length: usize,
    key: Key,
}

enum Key {
    Public { key: PublicKey, material: Material },
    Secret(Box<hmac::Key>),
}

/// What a JWK of a public key is made of.
#[derive(PartialEq, Eq)]
pub(in crate::key) enum Material {
    /// The two coordinates of a point, equally long, side by side.
    Ec(Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl Verifier {
    /// An Ed25519 key of 32 bytes, or the uncompressed point of an EC key: 0x04 and two coordinates of fixed length
    /// (RFC 7518, section 6.2.1.2). Under a point that is not on the curve nothing verifies.
    pub(in crate::key) fn from_point(scheme: Scheme, point: &[u8]) -> Result<Self, Unusable> {
        if let Some(curve) = ecdsa(scheme) {
            let refuse = Unusable("not a public key of the curve that goes with the algorithm");
            let Some((0x04, coordinates)) = point.split_first() else { return Err(refuse) };
            let length = 2 * curve.coordinate;
            if coordinates.len() != length {
                return Err(refuse);
            }
            let material = Material::Ec(coordinates.to_vec());
            let key = PublicKey::from_point(curve.verifying, point)?;
            return Ok(Self { scheme, length, key: Key::Public { key, material } });
        }
        if scheme != Scheme::EdDSA || point.len() != 32 {
            return Err(Unusable("not an Ed25519 public key"));
        }
        let key = PublicKey::from_point(&ED25519, point)?;
        Ok(Self { scheme, length: 64, key: Key::Public { key, material: Material::Ed25519(point.to_vec()) } })
    }

    /// The modulus and the exponent of an RSA key, both big-endian without leading zeros (RFC 7518, section 6.3.1).
    pub(in crate::key) fn from_rsa(scheme: Scheme, n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        let (_, parameters) = rsa(scheme).ok_or(Unusable("an RSA key needs an RSA algorithm"))?;
        // Less than 2048 bits must not be used (RFC 7518, sections 3.3 and 3.5).
        let leading = n.first().map_or(8, |byte| byte.leading_zeros() as usize);
        if leading == 8 || !(2048..=8192).contains(&(n.len() * 8 - leading)) {
            return Err(Unusable("an RSA modulus has 2048 to 8192 bits and no leading zeros"));
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        // 33 bits are the most that the backends take; 65537 has 17.
        let fits =
            e.first().is_some_and(|&byte| byte != 0) && (e.len() <= 4 || (e.len() == 5 && e.first() == Some(&1)));
        if !is_odd(n) || !is_odd(e) || !fits || *e == [1] {
            return Err(Unusable("an RSA key has an odd modulus and an odd exponent from 3 to 33 bits"));
        }
        let key = PublicKey::from_rsa(parameters, n, e)?;
        let material = Material::Rsa { n: n.to_vec(), e: e.to_vec() };
        Ok(Self { scheme, length: n.len(), key: Key::Public { key, material } })
    }

    pub(super) fn from_hmac(scheme: Scheme, key: Box<hmac::Key>) -> Result<Self, Unusable> {
        let (_, length) = hmac_scheme(scheme).ok_or(Unusable("only an HMAC algorithm takes a secret"))?;
        Ok(Self { scheme, length, key: Key::Secret(key) })
    }

    /// The parts of a public key; `None` for a secret.
    pub(in crate::key) fn material(&self) -> Option<&Material> {
        match &self.key {
            Key::Public { material, .. } => Some(material),
            Key::Secret(_) => None,
        }
    }

    pub(in crate::key) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // Before the cryptography: no truncated tags, no DER, no appended bytes.
        if signature.len() != self.length {
            return false;
        }
        match &self.key {
            Key::Public { key, .. } => key.verifies(message, signature),
            // Compares in constant time.
            Key::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        if self.verifies(message, signature) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Scheme {
        self.scheme
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}
