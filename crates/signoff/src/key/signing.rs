//! The key that signs, and the doors through which one comes in. It stores nothing: see `file`.

use std::fmt;

use jsonwebtoken::crypto::JwtSigner;
use zeroize::Zeroizing;

use super::crypto::{self, Signature, Signer};
use super::{Algorithm, VerifyingKey, jwk, pem};
use crate::{Error, ErrorKind};

/// A key that signs, with the public half that verifies.
///
/// RSA has doors of its own, [`SigningKey::from_rsa_pkcs8`] and [`SigningKey::from_rsa_pkcs8_pem`]; the general ones
/// refuse it. RSA keys are there to verify what others sign: PKCS#1 v1.5 signatures are disallowed for new systems
/// (OWASP ASVS 5.0, appendix C), and signing with RSA takes tens of times as long as with Ed25519.
pub struct SigningKey {
    signer: Signer,
    verifying: VerifyingKey,
    /// A tag, then what [`SigningKey::from_document`] makes the key of.
    document: Zeroizing<Vec<u8>>,
}

// The tags of documents. A store holds them: never use one for something else.
const JWK: u8 = b'J';
const PKCS8: u8 = b'P';
const SECRET: u8 = b'S';

const RSA_DOOR: Error = Error::new(
    ErrorKind::Misuse,
    "an RSA key signs only when it came through SigningKey::from_rsa_pkcs8 or from_rsa_pkcs8_pem",
);

impl SigningKey {
    /// A new Ed25519 key that lives as long as the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the operating system gives no random numbers.
    pub fn generate() -> Result<Self, Error> {
        Self::generate_for(Algorithm::EdDsa)
    }

    /// A new key that lives as long as the process, for any algorithm but the RSA ones.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: RSA keys are not generated here.
    /// * [`ErrorKind::Unavailable`]: the operating system gives no random numbers.
    pub fn generate_for(algorithm: Algorithm) -> Result<Self, Error> {
        Self::from_generated(algorithm, &crypto::generate(algorithm)?)
    }

    /// What [`crypto::generate`] made: a secret or PKCS#8.
    pub(super) fn from_generated(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, Error> {
        if algorithm.is_symmetric() { Self::from_secret(algorithm, bytes) } else { Self::from_pkcs8(algorithm, bytes) }
    }

    /// A private key as PKCS#8 in DER (RFC 5958), for [`Algorithm::EdDsa`], [`Algorithm::Es256`] and
    /// [`Algorithm::Es384`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the document is not a private key of that algorithm, or the algorithm is an RSA one.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Error> {
        if algorithm.is_rsa() { Err(RSA_DOOR) } else { Self::from_any_pkcs8(algorithm, der) }
    }

    /// As [`SigningKey::from_pkcs8`], from the text between `-----BEGIN PRIVATE KEY-----` and its end (RFC 7468).
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_pkcs8`], and [`ErrorKind::Misuse`] when the text is anything but one such block.
    pub fn from_pkcs8_pem(algorithm: Algorithm, pem: &str) -> Result<Self, Error> {
        Self::from_pkcs8(algorithm, &pem::pkcs8(pem)?)
    }

    /// An RSA private key as PKCS#8 in DER, for [`Algorithm::Ps256`] and [`Algorithm::Rs256`]: for partners that verify
    /// nothing else. Prefer [`Algorithm::Ps256`]; the type says why.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the document is not an RSA key with two primes and 2048 to 4096 bits, or the
    /// algorithm is not an RSA one.
    pub fn from_rsa_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Error> {
        if algorithm.is_rsa() {
            Self::from_any_pkcs8(algorithm, der)
        } else {
            Err(Error::new(ErrorKind::Misuse, "this door is for RSA algorithms: use SigningKey::from_pkcs8"))
        }
    }

    /// As [`SigningKey::from_rsa_pkcs8`], from the text between `-----BEGIN PRIVATE KEY-----` and its end (RFC 7468).
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_rsa_pkcs8`], and [`ErrorKind::Misuse`] when the text is anything but one such block.
    pub fn from_rsa_pkcs8_pem(algorithm: Algorithm, pem: &str) -> Result<Self, Error> {
        Self::from_rsa_pkcs8(algorithm, &pem::pkcs8(pem)?)
    }

    fn from_any_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Error> {
        let signer = Signer::from_pkcs8(algorithm.jsonwebtoken(), der)?;
        Self::assemble(algorithm, signer, None, PKCS8, der)
    }

    /// A private key as a JWK (RFC 7517) in JSON: `OKP` with Ed25519, `EC` with P-256 or P-384, or `oct`.
    ///
    /// `alg` binds the key to its algorithm. Without it the curve does; `oct` needs it. `use` must be `sig` and
    /// `key_ops` must contain `sign`, where they are present. The name of the key is its `kid`, or else as
    /// [`SigningKey::kid`] says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is not such a key: among others a member that occurs twice, a public key, an RSA
    /// key, halves that do not belong together.
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        jwk::signing_key(json)
    }

    /// A shared secret for [`Algorithm::Hs256`], [`Algorithm::Hs384`] or [`Algorithm::Hs512`], at least as long as the
    /// output of the hash: 32, 48 or 64 bytes (RFC 7518, section 3.2).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is shorter, or when the algorithm takes no secret.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        let signer = Signer::from_secret(algorithm.jsonwebtoken(), secret)?;
        Self::assemble(algorithm, signer, Some(jwk::secret_kid(secret)), SECRET, secret)
    }

    pub(super) fn from_parsed_jwk(
        algorithm: Algorithm,
        signer: Signer,
        kid: Option<String>,
        json: &str,
    ) -> Result<Self, Error> {
        Self::assemble(algorithm, signer, kid, JWK, json.as_bytes())
    }

    fn assemble(
        algorithm: Algorithm,
        signer: Signer,
        kid: Option<String>,
        tag: u8,
        document: &[u8],
    ) -> Result<Self, Error> {
        let verifier = signer.verifier()?;
        let kid = kid.unwrap_or_else(|| jwk::thumbprint(verifier.material()));
        // Room for all of it from the start: a vector that grows leaves copies behind that nobody overwrites.
        let mut tagged = Zeroizing::new(Vec::with_capacity(1 + document.len()));
        tagged.push(tag);
        tagged.extend_from_slice(document);
        Ok(Self { signer, verifying: VerifyingKey::assemble(algorithm, kid, verifier), document: tagged })
    }

    /// The algorithm that this key is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The name of the key: what its JWK says, or its thumbprint (RFC 7638), or a keyed hash when it is a secret.
    pub fn kid(&self) -> &str {
        self.verifying.kid()
    }

    /// The half that verifies.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The signer behind jsonwebtoken's trait, for code that is built on that.
    pub fn jwt_signer(&self) -> &dyn JwtSigner {
        &self.signer
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        let signature = self.signer.sign(message);
        signature.map_err(|error| Error::new(ErrorKind::Internal, "signing failed").with_source(error))
    }

    /// The private part in a form that [`SigningKey::from_document`] reads. It belongs sealed into a store.
    pub(crate) fn document(&self) -> &[u8] {
        &self.document
    }

    /// The key that [`SigningKey::document`] came from. RSA keys too: they came through their door before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] when it is no such document of a key of this algorithm.
    pub(crate) fn from_document(algorithm: Algorithm, document: &[u8]) -> Result<Self, Error> {
        const REFUSED: Error = Error::new(ErrorKind::Data, "a stored key is not a key of its algorithm");
        let key = match document.split_first() {
            Some((&JWK, json)) => Self::from_jwk(str::from_utf8(json).map_err(|_| REFUSED)?),
            Some((&PKCS8, der)) => Self::from_any_pkcs8(algorithm, der),
            Some((&SECRET, secret)) => Self::from_secret(algorithm, secret),
            _ => Err(REFUSED),
        };
        let key = key.map_err(|error| REFUSED.with_source(error))?;
        if key.algorithm() == algorithm { Ok(key) } else { Err(REFUSED) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {:?}, private part redacted)", self.algorithm().name(), self.kid())
    }
}
