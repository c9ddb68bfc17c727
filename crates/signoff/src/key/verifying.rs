//! The key that verifies, cheap to clone. It looks at signatures, not at claims.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::crypto::JwtVerifier;

use super::crypto::{Material, Verifier};
use super::{Algorithm, jwk};
use crate::{Error, b64};

/// A key that verifies: the public half of a [`SigningKey`](super::SigningKey), or the public key of somebody else. For
/// an HMAC algorithm it is the secret itself.
///
/// Clones share one key.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    kid: String,
    header: String,
    verifier: Verifier,
}

impl VerifyingKey {
    /// A public key as a JWK (RFC 7517) in JSON: `OKP` with Ed25519, `EC` with P-256 or P-384, or `RSA`.
    ///
    /// `alg` binds the key to its algorithm. Without it the curve does; an RSA key needs it, or
    /// [`VerifyingKey::from_jwk_as`]. `use` must be `sig` and `key_ops` must contain `verify`, where they are present.
    /// The name of the key is its `kid`, or else its thumbprint (RFC 7638). Unknown members are ignored.
    ///
    /// Lengths and encodings are checked here, exactly. Whether a point is on its curve may show only later: under one
    /// that is not, no signature verifies.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) when it is not such a key: among others a member that occurs
    /// twice, a private key or a secret, an RSA modulus below 2048 bits, a `kid` of more than 256 bytes.
    ///
    /// ```
    /// use signoff::{Algorithm, VerifyingKey};
    ///
    /// let key = VerifyingKey::from_jwk(
    ///     r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!(key.algorithm(), Algorithm::EdDsa);
    /// assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    /// # Ok::<(), signoff::Error>(())
    /// ```
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        jwk::verifying_key(None, json)
    }

    /// As [`VerifyingKey::from_jwk`], for a JWK that does not say its algorithm, or not reliably: some providers leave
    /// `alg` out.
    ///
    /// # Errors
    ///
    /// As [`VerifyingKey::from_jwk`], and when the JWK names another algorithm.
    pub fn from_jwk_as(algorithm: Algorithm, json: &str) -> Result<Self, Error> {
        jwk::verifying_key(Some(algorithm), json)
    }

    pub(super) fn assemble(algorithm: Algorithm, kid: String, verifier: Verifier) -> Self {
        // As a JSON string: the kid of a foreign key may hold anything but control characters.
        let quoted = serde_json::Value::from(kid.as_str());
        let header = format!(r#"{{"alg":"{}","typ":"at+jwt","kid":{quoted}}}"#, algorithm.name());
        Self(Arc::new(Inner { algorithm, kid, header: b64::text(header.as_bytes()), verifier }))
    }

    /// The algorithm that this key is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The verifier behind jsonwebtoken's trait, for code that is built on that.
    pub fn jwt_verifier(&self) -> &dyn JwtVerifier {
        &self.0.verifier
    }

    /// The header of every token that we mint with this key, in base64url.
    pub(crate) fn header(&self) -> &str {
        &self.0.header
    }

    /// Whether both have the same name and the same public key. Secrets are never equal, because they are not compared.
    pub(super) fn is_equal(&self, other: &Self) -> bool {
        let material = self.material();
        self.kid() == other.kid()
            && self.algorithm() == other.algorithm()
            && material.is_some()
            && material == other.material()
    }

    /// Whether both are clones of one key.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_symmetric(&self) -> bool {
        self.0.algorithm.is_symmetric()
    }

    /// Says only yes or no: there is nothing more specific to tell.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verifier.verifies(message, signature)
    }

    pub(super) fn material(&self) -> Option<&Material> {
        self.0.verifier.material()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {:?})", self.0.algorithm.name(), self.0.kid)
    }
}
