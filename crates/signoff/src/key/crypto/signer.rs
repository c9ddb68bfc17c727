//! The private half of a key. It reads bytes and signs; it does not know how keys are named or stored.

use std::fmt;

use jsonwebtoken::Algorithm as Scheme;
use jsonwebtoken::crypto::JwtSigner;
use jsonwebtoken::signature;

use super::backend::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use super::backend::{self, hmac};
use super::{Unusable, Verifier, ecdsa, hmac as hmac_scheme, rsa};

const NOT_PKCS8: Unusable = Unusable("not a PKCS#8 private key of this algorithm");

/// A private key, parsed, with its algorithm.
pub(in crate::key) struct Signer {
    scheme: Scheme,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    // In a box because with aws-lc-rs it is more than a kilobyte.
    Hmac(Box<hmac::Key>),
    Rsa { pair: Box<RsaKeyPair>, padding: &'static dyn RsaEncoding, public: RsaPublicKeyComponents<Vec<u8>> },
}

impl Signer {
    /// A PKCS#8 document in DER (RFC 5958).
    pub(in crate::key) fn from_pkcs8(scheme: Scheme, der: &[u8]) -> Result<Self, Unusable> {
        if let Some(curve) = ecdsa(scheme) {
            let pair = backend::ecdsa_from_pkcs8(curve.signing, der).ok_or(NOT_PKCS8)?;
            return Ok(Self { scheme, pair: Pair::Ecdsa(pair) });
        }
        if scheme == Scheme::EdDSA {
            // "Maybe unchecked": the document may leave out the public key (RFC 8410), and then there is nothing to
            // compare with.
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| NOT_PKCS8)?;
            return Ok(Self { scheme, pair: Pair::Ed25519(pair) });
        }
        if rsa(scheme).is_some() {
            return Self::from_rsa_pair(scheme, RsaKeyPair::from_pkcs8(der).map_err(|_| NOT_RSA)?);
        }
        Err(Unusable("the key of an HMAC algorithm is a secret, not a PKCS#8 document"))
    }

    /// An RSA key in DER without the wrapping of PKCS#8 (RFC 8017, appendix A.1.2).
    pub(in crate::key) fn from_pkcs1(scheme: Scheme, der: &[u8]) -> Result<Self, Unusable> {
        Self::from_rsa_pair(scheme, RsaKeyPair::from_der(der).map_err(|_| NOT_RSA)?)
    }

    /// The private and the public part of an Ed25519 key, 32 bytes each (RFC 8037, section 2).
    pub(in crate::key) fn from_seed(seed: &[u8], public: &[u8]) -> Result<Self, Unusable> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public);
        let pair = pair.map_err(|_| Unusable("the private and the public part are not one Ed25519 key"))?;
        Ok(Self { scheme: Scheme::EdDSA, pair: Pair::Ed25519(pair) })
    }

    /// The scalar and the uncompressed point of an EC key.
    pub(in crate::key) fn from_scalar(scheme: Scheme, d: &[u8], point: &[u8]) -> Result<Self, Unusable> {
        let refuse = Unusable("the private and the public part are not one key of this curve");
        let curve = ecdsa(scheme).ok_or(refuse)?;
        let pair = backend::ecdsa_from_parts(curve.signing, d, point).ok_or(refuse)?;
        Ok(Self { scheme, pair: Pair::Ecdsa(pair) })
    }

    /// A shared secret, at least as long as the output of the hash (RFC 7518, section 3.2).
    pub(in crate::key) fn from_secret(scheme: Scheme, secret: &[u8]) -> Result<Self, Unusable> {
        let (hash, least) = hmac_scheme(scheme).ok_or(Unusable("only an HMAC algorithm takes a secret"))?;
        if secret.len() < least {
            return Err(Unusable("an HMAC secret needs at least 32 bytes for HS256, 48 for HS384, 64 for HS512"));
        }
        Ok(Self { scheme, pair: Pair::Hmac(Box::new(hmac::Key::new(hash, secret))) })
    }

    fn from_rsa_pair(scheme: Scheme, pair: RsaKeyPair) -> Result<Self, Unusable> {
        let (padding, _) = rsa(scheme).ok_or(NOT_RSA)?;
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let signer = Self { scheme, pair: Pair::Rsa { pair: Box::new(pair), padding, public } };
        // The bounds of a public key hold for the private one, and nobody shall sign what nobody verifies.
        signer.verifier()?;
        Ok(signer)
    }

    /// The half that verifies.
    pub(in crate::key) fn verifier(&self) -> Result<Verifier, Unusable> {
        match &self.pair {
            Pair::Ecdsa(pair) => Verifier::from_point(self.scheme, pair.public_key().as_ref()),
            Pair::Ed25519(pair) => Verifier::from_point(self.scheme, pair.public_key().as_ref()),
            Pair::Hmac(key) => Verifier::from_hmac(self.scheme, key.clone()),
            Pair::Rsa { public, .. } => Verifier::from_rsa(self.scheme, &public.n, &public.e),
        }
    }

    /// Signs without an allocation, RSA excepted.
    pub(in crate::key) fn sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&backend::rng(), message).map_err(|_| signature::Error::new())?;
                Signature::copy(signature.as_ref())
            }
            Pair::Ed25519(pair) => Signature::copy(pair.sign(message).as_ref()),
            Pair::Hmac(key) => Signature::copy(hmac::sign(key, message).as_ref()),
            Pair::Rsa { pair, padding, public } => {
                let mut signature = Signature { bytes: [0; MAX_SIGNATURE], length: public.n.len() };
                let room = signature.bytes.get_mut(..public.n.len()).ok_or_else(signature::Error::new)?;
                let signed = pair.sign(*padding, &backend::rng(), message, room);
                signed.map_err(|_| signature::Error::new())?;
                Ok(signature)
            }
        }
    }
}

const NOT_RSA: Unusable = Unusable("not an RSA private key of 2048 bits or more in PKCS#8");

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.sign(message)?.as_ref().to_vec())
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> Scheme {
        self.scheme
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(redacted)")
    }
}

/// As long as the largest modulus: 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// A signature on the stack.
pub(crate) struct Signature {
    bytes: [u8; MAX_SIGNATURE],
    // Invariant: at most MAX_SIGNATURE.
    length: usize,
}

impl Signature {
    fn copy(signature: &[u8]) -> Result<Self, signature::Error> {
        let mut bytes = [0; MAX_SIGNATURE];
        bytes.get_mut(..signature.len()).ok_or_else(signature::Error::new)?.copy_from_slice(signature);
        Ok(Self { bytes, length: signature.len() })
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
