//! Keys: each is bound to one algorithm, is parsed once, and never prints its private part.

mod crypto;
mod file;
mod jwk;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::jwk::JwkSet;

use crate::{Error, ErrorKind};
use crypto::{RingSigner, RingVerifier};

/// The signature algorithms that tokens may use: a closed set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8037). The default: fast, deterministic, small.
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4), for partners that lack Ed25519.
    Es256,
    /// HMAC with SHA-256 (RFC 7518, section 3.2), for one service that verifies only its own tokens.
    Hs256,
}

impl Algorithm {
    /// The name in the header `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Hs256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    const fn jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// A key that signs, with the public half that verifies.
pub struct SigningKey {
    algorithm: Algorithm,
    signer: Arc<dyn JwtSigner + Send + Sync>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A new Ed25519 key that lives as long as the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the operating system gives no random numbers.
    pub fn generate() -> Result<Self, Error> {
        Self::from_pkcs8(Algorithm::EdDsa, &crypto::generate_pkcs8(Algorithm::EdDsa)?)
    }

    /// A private key as PKCS#8 in DER (RFC 5958), for [`Algorithm::EdDsa`] and [`Algorithm::Es256`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the document is not a private key of that algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Error> {
        let (signer, verifier) = RingSigner::from_pkcs8(algorithm, der)?;
        let kid = jwk::thumbprint(&verifier);
        Ok(Self::assemble(algorithm, signer, verifier, kid))
    }

    /// A shared secret for [`Algorithm::Hs256`]: at least 32 bytes, as long as the hash (RFC 7518, section 3.2).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is shorter, or when the algorithm takes no secret.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        if algorithm != Algorithm::Hs256 {
            return Err(Error::new(ErrorKind::Misuse, "only an HMAC algorithm takes a secret"));
        }
        let (signer, verifier) = RingSigner::from_secret(secret)?;
        let kid = jwk::secret_kid(secret);
        Ok(Self::assemble(Algorithm::Hs256, signer, verifier, kid))
    }

    fn assemble(algorithm: Algorithm, signer: RingSigner, verifier: RingVerifier, kid: String) -> Self {
        let mut header = String::new();
        crate::b64::encode(
            format!(r#"{{"alg":"{}","typ":"at+jwt","kid":"{kid}"}}"#, algorithm.name()).as_bytes(),
            &mut header,
        );
        let verifying =
            VerifyingKey { algorithm, header: header.into(), kid: kid.into(), verifier: Arc::new(verifier) };
        Self { algorithm, signer: Arc::new(signer), verifying }
    }

    /// The algorithm that this key is bound to.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key: its thumbprint (RFC 7638), or a keyed hash when it is a secret.
    pub fn kid(&self) -> &str {
        self.verifying.kid()
    }

    /// The half that verifies.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.signer.try_sign(message);
        signature.map_err(|error| Error::new(ErrorKind::Internal, "signing failed").with_source(error))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {}, private part redacted)", self.algorithm.name(), self.kid())
    }
}

/// A key that verifies. For HS256 it is the secret itself.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Arc<str>,
    header: Arc<str>,
    verifier: Arc<RingVerifier>,
}

impl VerifyingKey {
    /// The algorithm that this key is bound to.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The verifier behind jsonwebtoken's trait, for code that is built on that.
    pub fn jwt_verifier(&self) -> &dyn JwtVerifier {
        &*self.verifier
    }

    /// Says only yes or no: there is nothing more specific to tell.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verifies(message, signature)
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
    }
    pub(crate) fn is_symmetric(&self) -> bool {
        self.algorithm == Algorithm::Hs256
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm.name(), self.kid)
    }
}

/// The key that signs now, and those whose tokens may still be about.
#[derive(Debug)]
pub struct KeySet {
    signing: SigningKey,
    verifying: HashMap<Arc<str>, VerifyingKey>,
}

impl KeySet {
    /// A set with one key, which signs and verifies.
    pub fn new(signing: SigningKey) -> Self {
        let key = signing.verifying_key().clone();
        Self { signing, verifying: HashMap::from([(Arc::clone(&key.kid), key)]) }
    }

    /// Also accepts what `key` signed: for a key that was replaced. Keep it until the last token that it signed has
    /// expired, leeway included.
    #[must_use]
    pub fn with_retired(mut self, key: VerifyingKey) -> Self {
        self.verifying.insert(Arc::clone(&key.kid), key);
        self
    }

    /// The key that signs now.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.get(kid)
    }

    pub(crate) fn find_by_header(&self, header: &str) -> Option<&VerifyingKey> {
        self.verifying.values().find(|key| &*key.header == header)
    }
    pub(crate) fn holds(&self, key: &VerifyingKey) -> bool {
        self.verifying.values().any(|other| Arc::ptr_eq(&other.verifier, &key.verifier))
    }

    /// The public keys as a JWK set (RFC 7517). Secrets are left out.
    pub fn jwks(&self) -> JwkSet {
        let mut keys: Vec<_> = self.verifying.values().filter_map(jwk::public_jwk).collect();
        keys.sort_by(|a, b| a.common.key_id.cmp(&b.common.key_id));
        JwkSet { keys }
    }
}

#[cfg(test)]
mod tests;
