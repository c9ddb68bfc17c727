//! Keys as JWKs (RFC 7517), and the names of keys. Only public keys are ever written.

mod import;
mod members;

pub(super) use import::{signing_key, verifying_key};

use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, RSAKeyParameters, RSAKeyType,
};

use super::VerifyingKey;
use super::crypto::{Material, hmac_sha256, sha256};
use crate::b64;

/// The JWK thumbprint (RFC 7638): SHA-256 over the required members in lexicographic order, without white space.
pub(super) fn thumbprint(material: Option<&Material>) -> String {
    let json = match material {
        Some(Material::Ec(coordinates)) => {
            let (curve, x, y) = point(coordinates);
            let crv = if curve == EllipticCurve::P384 { "P-384" } else { "P-256" };
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        Some(Material::Ed25519(x)) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64::text(x)),
        Some(Material::Rsa { n, e }) => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64::text(e), b64::text(n)),
        // A secret has no public form; its name comes from `secret_kid`.
        None => String::new(),
    };
    b64::text(sha256(json.as_bytes()).as_ref())
}

/// A name for a secret that says nothing about it: a keyed hash, cut to 128 bits.
pub(super) fn secret_kid(secret: &[u8]) -> String {
    let tag = hmac_sha256(secret, b"signoff kid");
    b64::text(tag.as_ref().get(..16).unwrap_or_default())
}

/// The public JWK of a key; `None` for a secret, which is never published.
pub(super) fn public(key: &VerifyingKey) -> Option<Jwk> {
    let algorithm = match key.material()? {
        Material::Ec(coordinates) => {
            let (curve, x, y) = point(coordinates);
            let key_type = EllipticCurveKeyType::EC;
            AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters { key_type, curve, x, y })
        }
        Material::Ed25519(x) => AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: b64::text(x),
        }),
        Material::Rsa { n, e } => {
            AlgorithmParameters::RSA(RSAKeyParameters { key_type: RSAKeyType::RSA, n: b64::text(n), e: b64::text(e) })
        }
    };
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(key.algorithm().jsonwebtoken().into()),
        key_id: Some(key.kid().to_owned()),
        ..Default::default()
    };
    Some(Jwk { common, algorithm })
}

/// The curve, which the length tells, and both coordinates of a point in base64url.
fn point(coordinates: &[u8]) -> (EllipticCurve, String, String) {
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let curve = if x.len() == 48 { EllipticCurve::P384 } else { EllipticCurve::P256 };
    (curve, b64::text(x), b64::text(y))
}
