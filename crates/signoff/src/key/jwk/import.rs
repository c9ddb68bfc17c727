//! Keys from JWKs (RFC 7517, RFC 7518 section 6, RFC 8037). It fetches none, and looks at no certificate in them.

use super::members::{Members, refuse};
use crate::Error;
use crate::key::crypto::{Signer, Verifier};
use crate::key::{Algorithm, SigningKey, VerifyingKey};

/// The members that only private keys and secrets have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "dp", "dq", "k", "oth", "p", "q", "qi"];

/// What `kty` and `crv` say.
enum Kind {
    Ec { algorithm: Algorithm, coordinate: usize },
    Ed25519,
    Oct,
    Rsa,
}

impl Kind {
    fn of(members: &Members) -> Result<Self, Error> {
        match (members.text("kty")?, members.text("crv")?) {
            (Some("EC"), Some("P-256")) => Ok(Self::Ec { algorithm: Algorithm::Es256, coordinate: 32 }),
            (Some("EC"), Some("P-384")) => Ok(Self::Ec { algorithm: Algorithm::Es384, coordinate: 48 }),
            (Some("OKP"), Some("Ed25519")) => Ok(Self::Ed25519),
            (Some("oct"), _) => Ok(Self::Oct),
            (Some("RSA"), _) => Ok(Self::Rsa),
            _ => Err(refuse("the kty and crv of the JWK are no key that we use")),
        }
    }

    /// The one algorithm of the key: what the caller says, what the JWK says and what the curve says must agree.
    fn algorithm(&self, wanted: Option<Algorithm>, members: &Members) -> Result<Algorithm, Error> {
        let stated = members.algorithm()?;
        if let (Some(wanted), Some(stated)) = (wanted, stated)
            && wanted != stated
        {
            return Err(refuse("the JWK names another algorithm"));
        }
        let algorithm = wanted.or(stated).or(match self {
            Self::Ec { algorithm, .. } => Some(*algorithm),
            Self::Ed25519 => Some(Algorithm::EdDsa),
            Self::Oct | Self::Rsa => None,
        });
        let algorithm = algorithm.ok_or_else(|| refuse("a JWK of this kty must name its alg"))?;
        let fits = match self {
            Self::Ec { algorithm: of_curve, .. } => algorithm == *of_curve,
            Self::Ed25519 => algorithm == Algorithm::EdDsa,
            Self::Oct => algorithm.is_symmetric(),
            Self::Rsa => algorithm.is_rsa(),
        };
        if fits { Ok(algorithm) } else { Err(refuse("the algorithm does not go with the kty and crv of the JWK")) }
    }
}

/// A public key.
pub(in crate::key) fn verifying_key(wanted: Option<Algorithm>, json: &str) -> Result<VerifyingKey, Error> {
    let members = Members::parse(json)?;
    let kind = Kind::of(&members)?;
    if PRIVATE.iter().any(|name| members.has(name)) {
        return Err(refuse("a private key or a secret went where a public key belongs"));
    }
    members.check_purpose("verify")?;
    let algorithm = kind.algorithm(wanted, &members)?;
    let scheme = algorithm.jsonwebtoken();
    let verifier = match kind {
        Kind::Ec { coordinate, .. } => Verifier::from_point(scheme, &members.point(coordinate)?)?,
        Kind::Ed25519 => Verifier::from_point(scheme, &members.bytes("x")?)?,
        Kind::Oct => return Err(refuse("a secret is no public key")),
        Kind::Rsa => Verifier::from_rsa(scheme, &members.bytes("n")?, &members.bytes("e")?)?,
    };
    let kid = members.kid()?.unwrap_or_else(|| super::thumbprint(verifier.material()));
    Ok(VerifyingKey::assemble(algorithm, kid, verifier))
}

/// A private key or a secret.
pub(in crate::key) fn signing_key(json: &str) -> Result<SigningKey, Error> {
    let members = Members::parse(json)?;
    let kind = Kind::of(&members)?;
    if !members.has(if matches!(kind, Kind::Oct) { "k" } else { "d" }) {
        return Err(refuse("the JWK has no private part, so it cannot sign"));
    }
    if matches!(kind, Kind::Rsa) {
        return Err(refuse(
            "an RSA key signs only when it came through SigningKey::from_rsa_pkcs8 or from_rsa_pkcs8_pem",
        ));
    }
    members.check_purpose("sign")?;
    let algorithm = kind.algorithm(None, &members)?;
    let scheme = algorithm.jsonwebtoken();
    let mut kid = members.kid()?;
    let signer = match kind {
        Kind::Ec { coordinate, .. } => {
            let d = members.bytes("d")?;
            // As long as the order of the curve (RFC 7518, section 6.2.2.1), which for these is as long as the field.
            if d.len() != coordinate {
                return Err(refuse("the private part of the JWK is not as long as its curve says"));
            }
            Signer::from_scalar(scheme, &d, &members.point(coordinate)?)?
        }
        Kind::Ed25519 => Signer::from_seed(&members.bytes("d")?, &members.bytes("x")?)?,
        Kind::Oct | Kind::Rsa => {
            let secret = members.bytes("k")?;
            kid = kid.or_else(|| Some(super::secret_kid(&secret)));
            Signer::from_secret(scheme, &secret)?
        }
    };
    SigningKey::from_parsed_jwk(algorithm, signer, kid, json)
}
