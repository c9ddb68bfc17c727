//! Our cryptography as a provider for the rest of an application that uses jsonwebtoken. We never install it.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result, new_error};
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::{Algorithm as Scheme, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

use super::crypto::{self, Material, Signer, Unusable, Verifier};

/// A [`CryptoProvider`] of jsonwebtoken for all its algorithms, computed by the library that computes our signatures.
///
/// signoff itself does not need it: its keys never ask jsonwebtoken for a provider. It is for an application that also
/// calls `jsonwebtoken::encode` or `decode` and wants one cryptographic library instead of two. The choice is the
/// application's, once per process, before the first such call:
///
/// ```
/// use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     signoff::key::PROVIDER.install_default().map_err(|_| "another provider is installed")?;
///
///     let secret = [7; 32];
///     let claims = serde_json::json!({ "sub": "alice", "exp": 4_102_444_800_u64 });
///     let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&secret))?;
///     let key = DecodingKey::from_secret(&secret);
///     let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &Validation::default())?;
///     assert_eq!(read.claims["sub"], "alice");
///     Ok(())
/// }
/// ```
///
/// Its keys have the bounds of ours: an HMAC secret is at least as long as the output of its hash, and an RSA modulus
/// has 2048 to 8192 bits (RFC 7518, sections 3.2 and 3.3).
pub static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |der| rsa_parts(&rsa_signer(Scheme::RS256, der)?.verifier()),
        rsa_pub_components_from_public_key: |der| rsa_parts(&rsa_verifier(Scheme::RS256, der)),
        ec_pub_components_from_private_key: ec_parts,
        ed_pub_components_from_private_key: ed_part,
        compute_digest: |bytes, hash| match hash {
            ThumbprintHash::SHA256 => Ok(crypto::sha256(bytes).as_ref().to_vec()),
            ThumbprintHash::SHA384 => Ok(crypto::sha384(bytes).as_ref().to_vec()),
            ThumbprintHash::SHA512 => Ok(crypto::sha512(bytes).as_ref().to_vec()),
            _ => Err(new_error(ErrorKind::UnsupportedAlgorithm)),
        },
    },
};

fn signer(scheme: &Scheme, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    let bytes = key.as_bytes();
    let signer = match family(*scheme, key.family())? {
        AlgorithmFamily::Hmac => Signer::from_secret(*scheme, bytes).map_err(unusable)?,
        AlgorithmFamily::Rsa => rsa_signer(*scheme, bytes)?,
        _ => Signer::from_pkcs8(*scheme, bytes).map_err(unusable)?,
    };
    Ok(Box::new(signer))
}

fn verifier(scheme: &Scheme, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let verifier = match (family(*scheme, key.family())?, key.kind()) {
        (AlgorithmFamily::Hmac, _) => {
            Signer::from_secret(*scheme, key.try_get_as_bytes()?).and_then(|signer| signer.verifier())
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => Verifier::from_rsa(*scheme, n, e),
        (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => rsa_verifier(*scheme, der),
        _ => Verifier::from_point(*scheme, key.try_get_as_bytes()?),
    };
    Ok(Box::new(verifier.map_err(unusable)?))
}

/// jsonwebtoken leaves it to the provider to compare the key with the algorithm. Without this a public key would do as
/// an HMAC secret (RFC 8725, section 2.1).
fn family(scheme: Scheme, family: AlgorithmFamily) -> Result<AlgorithmFamily> {
    if scheme.family() == family { Ok(family) } else { Err(new_error(ErrorKind::InvalidKeyFormat)) }
}

/// jsonwebtoken takes the wrapping of PKCS#8 off when it reads PEM, and leaves it on what is DER already.
fn rsa_signer(scheme: Scheme, der: &[u8]) -> Result<Signer> {
    Signer::from_pkcs1(scheme, der).or_else(|_| Signer::from_pkcs8(scheme, der)).map_err(unusable)
}

/// A public key in DER (RFC 8017, appendix A.1.1).
fn rsa_verifier(scheme: Scheme, der: &[u8]) -> std::result::Result<Verifier, Unusable> {
    let refuse = Unusable("not an RSA public key in DER");
    let (body, rest) = element(0x30, der).ok_or(refuse)?;
    let (n, body) = element(0x02, body).ok_or(refuse)?;
    let (e, body) = element(0x02, body).ok_or(refuse)?;
    if !rest.is_empty() || !body.is_empty() {
        return Err(refuse);
    }
    // An integer in DER has a zero before a leading bit that is set, for it has a sign.
    let [n, e] = [n, e].map(|integer| integer.strip_prefix(&[0]).unwrap_or(integer));
    Verifier::from_rsa(scheme, n, e)
}

/// The contents of the element of this tag at the start of `der`, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    // The shortest form of the length, as DER demands; 64 KiB are plenty.
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [length @ ..=0x7f, rest @ ..] => (usize::from(*length), rest),
        [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn rsa_parts(verifier: &std::result::Result<Verifier, Unusable>) -> Result<(Vec<u8>, Vec<u8>)> {
    match verifier.as_ref().map(Verifier::material) {
        Ok(Some(Material::Rsa { n, e })) => Ok((n.clone(), e.clone())),
        _ => Err(new_error(ErrorKind::InvalidRsaKey("not an RSA key that we use".to_owned()))),
    }
}

fn ec_parts(der: &[u8], scheme: Scheme) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>)> {
    let verifier = Signer::from_pkcs8(scheme, der).and_then(|signer| signer.verifier());
    match (scheme, verifier.as_ref().map(Verifier::material)) {
        (Scheme::ES256 | Scheme::ES384, Ok(Some(Material::Ec(coordinates)))) => {
            let curve = if scheme == Scheme::ES256 { EllipticCurve::P256 } else { EllipticCurve::P384 };
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Ok((curve, x.to_vec(), y.to_vec()))
        }
        _ => Err(new_error(ErrorKind::InvalidEcdsaKey)),
    }
}

fn ed_part(der: &[u8], curve: &EllipticCurve) -> Result<Vec<u8>> {
    let verifier = Signer::from_pkcs8(Scheme::EdDSA, der).and_then(|signer| signer.verifier());
    match (curve, verifier.as_ref().map(Verifier::material)) {
        (EllipticCurve::Ed25519, Ok(Some(Material::Ed25519(x)))) => Ok(x.clone()),
        _ => Err(new_error(ErrorKind::InvalidEddsaKey)),
    }
}

fn unusable(unusable: Unusable) -> Error {
    new_error(ErrorKind::Provider(unusable.0.to_owned()))
}
