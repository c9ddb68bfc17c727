//! Public keys as JWKs, and the names of keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse,
};
use ring::{digest, hmac};

use super::crypto::RingVerifier;
use super::{Algorithm, VerifyingKey};

/// The JWK thumbprint (RFC 7638): SHA-256 over the required members in lexicographic order, without white space.
pub(super) fn thumbprint(verifier: &RingVerifier) -> String {
    let json = match verifier.public_bytes() {
        Some((Algorithm::EdDsa, x)) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(x)),
        Some((_, point)) => {
            let (x, y) = coordinates(point);
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, base64url(x), base64url(y))
        }
        // A secret has no public form; its name comes from `secret_kid`.
        None => String::new(),
    };
    base64url(digest::digest(&digest::SHA256, json.as_bytes()).as_ref())
}

/// A name for a secret that says nothing about it: a keyed hash, cut to 128 bits.
pub(super) fn secret_kid(secret: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"signoff kid");
    base64url(&tag.as_ref()[..16])
}

/// The public JWK of a key; `None` for a secret, which is never published.
pub(super) fn public_jwk(key: &VerifyingKey) -> Option<Jwk> {
    let (algorithm, bytes) = key.verifier.public_bytes()?;
    let (key_algorithm, parameters) = if algorithm == Algorithm::EdDsa {
        let parameters = OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: base64url(bytes),
        };
        (KeyAlgorithm::EdDSA, AlgorithmParameters::OctetKeyPair(parameters))
    } else {
        let (x, y) = coordinates(bytes);
        let parameters = EllipticCurveKeyParameters {
            key_type: EllipticCurveKeyType::EC,
            curve: EllipticCurve::P256,
            x: base64url(x),
            y: base64url(y),
        };
        (KeyAlgorithm::ES256, AlgorithmParameters::EllipticCurve(parameters))
    };
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(key_algorithm),
        key_id: Some(key.kid().to_owned()),
        ..Default::default()
    };
    Some(Jwk { common, algorithm: parameters })
}

/// The coordinates of an uncompressed P-256 point: 0x04, 32 bytes of x, 32 bytes of y.
fn coordinates(point: &[u8]) -> (&[u8], &[u8]) {
    point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default()
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
