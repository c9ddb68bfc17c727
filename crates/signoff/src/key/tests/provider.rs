//! The provider, called directly and never installed, against the one that jsonwebtoken brings along.

use jsonwebtoken::crypto::CryptoProvider;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as OTHER;
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::{Algorithm as Scheme, DecodingKey, EncodingKey};

use super::*;

struct Pair {
    schemes: &'static [Scheme],
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The contents of the last element in a PKCS#8 document of the RSA key: the same key in PKCS#1.
fn pkcs1() -> Vec<u8> {
    pem::pkcs8(RSA_PEM).unwrap()[26..].to_vec()
}

/// The public RSA key in DER.
fn rsa_public_der() -> Vec<u8> {
    let mut der = vec![0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    der.extend(decode(RSA_N));
    der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    der
}

fn pairs() -> [Pair; 5] {
    use Scheme::*;
    let p256 = crypto::generate(Algorithm::Es256).unwrap();
    let p384 = crypto::generate(Algorithm::Es384).unwrap();
    let ed = crypto::generate(Algorithm::EdDsa).unwrap();
    let point = |algorithm: Algorithm, der: &[u8]| {
        let (_, x, y) = (PROVIDER.key_utils.ec_pub_components_from_private_key)(der, algorithm.jsonwebtoken()).unwrap();
        DecodingKey::from_ec_components(&encode(&x), &encode(&y)).unwrap()
    };
    let x = (PROVIDER.key_utils.ed_pub_components_from_private_key)(&ed, &EllipticCurve::Ed25519).unwrap();
    [
        Pair {
            schemes: &[HS256, HS384, HS512],
            encoding: EncodingKey::from_secret(&[7; 64]),
            decoding: DecodingKey::from_secret(&[7; 64]),
        },
        Pair {
            schemes: &[RS256, RS384, RS512, PS256, PS384, PS512],
            encoding: EncodingKey::from_rsa_der(&pkcs1()),
            decoding: DecodingKey::from_rsa_components(RSA_N, "AQAB").unwrap(),
        },
        Pair { schemes: &[ES256], encoding: EncodingKey::from_ec_der(&p256), decoding: point(Algorithm::Es256, &p256) },
        Pair { schemes: &[ES384], encoding: EncodingKey::from_ec_der(&p384), decoding: point(Algorithm::Es384, &p384) },
        Pair { schemes: &[EdDSA], encoding: EncodingKey::from_ed_der(&ed), decoding: DecodingKey::from_ed_der(&x) },
    ]
}

#[test]
fn both_providers_verify_what_either_signs() {
    for Pair { schemes, encoding, decoding } in pairs() {
        for scheme in schemes {
            let check = |signs: &CryptoProvider, verifies: &CryptoProvider| {
                let signer = (signs.signer_factory)(scheme, &encoding).unwrap();
                let verifier = (verifies.verifier_factory)(scheme, &decoding).unwrap();
                assert_eq!((signer.algorithm(), verifier.algorithm()), (*scheme, *scheme));
                let signature = signer.try_sign(b"a.b").unwrap();
                assert!(verifier.verify(b"a.b", &signature).is_ok(), "{scheme:?}");
                assert!(verifier.verify(b"a.c", &signature).is_err(), "{scheme:?}");
                assert!(verifier.verify(b"a.b", &signature[1..].to_vec()).is_err(), "{scheme:?}");
            };
            check(&PROVIDER, &PROVIDER);
            check(&PROVIDER, &OTHER);
            check(&OTHER, &PROVIDER);
        }
    }
}

#[test]
fn keys_of_another_family_are_refused() {
    let pairs = pairs();
    for key in &pairs {
        for scheme in pairs.iter().flat_map(|pair| pair.schemes) {
            let good = key.schemes.contains(scheme);
            assert_eq!((PROVIDER.signer_factory)(scheme, &key.encoding).is_ok(), good, "{scheme:?}");
            assert_eq!((PROVIDER.verifier_factory)(scheme, &key.decoding).is_ok(), good, "{scheme:?}");
        }
    }
    // The classic: a public key as a secret.
    let public = DecodingKey::from_rsa_der(&rsa_public_der());
    assert!((PROVIDER.verifier_factory)(&Scheme::HS256, &public).is_err());
    let short = EncodingKey::from_secret(&[7; 31]);
    assert!((PROVIDER.signer_factory)(&Scheme::HS256, &short).is_err());
    let empty = DecodingKey::from_secret(&[]);
    assert!((PROVIDER.verifier_factory)(&Scheme::HS256, &empty).is_err());
}

#[test]
fn rsa_keys_come_in_several_wrappings() {
    let wrapped = pem::pkcs8(RSA_PEM).unwrap();
    for private in [EncodingKey::from_rsa_der(&wrapped), EncodingKey::from_rsa_der(&pkcs1())] {
        let signer = (PROVIDER.signer_factory)(&Scheme::RS256, &private).unwrap();
        let signature = signer.try_sign(b"a.b").unwrap();
        let public = DecodingKey::from_rsa_der(&rsa_public_der());
        let verifier = (PROVIDER.verifier_factory)(&Scheme::RS256, &public).unwrap();
        assert!(verifier.verify(b"a.b", &signature).is_ok());
    }
    let good = rsa_public_der();
    for cut in 0..good.len() {
        let public = DecodingKey::from_rsa_der(&good[..cut]);
        assert!((PROVIDER.verifier_factory)(&Scheme::RS256, &public).is_err());
    }
    let long = DecodingKey::from_rsa_der(&[good.as_slice(), &[0]].concat());
    assert!((PROVIDER.verifier_factory)(&Scheme::RS256, &long).is_err());
}

#[test]
fn the_utilities_agree() {
    let (ours, theirs) = (&PROVIDER.key_utils, &OTHER.key_utils);
    let p256 = crypto::generate(Algorithm::Es256).unwrap();
    assert_eq!(
        (ours.ec_pub_components_from_private_key)(&p256, Scheme::ES256).unwrap(),
        (theirs.ec_pub_components_from_private_key)(&p256, Scheme::ES256).unwrap()
    );
    assert!((ours.ec_pub_components_from_private_key)(&p256, Scheme::ES384).is_err());
    assert!((ours.ec_pub_components_from_private_key)(&p256, Scheme::EdDSA).is_err());
    assert!((ours.ed_pub_components_from_private_key)(&p256, &EllipticCurve::Ed25519).is_err());
    let rsa = (decode(RSA_N), vec![1, 0, 1]);
    assert_eq!((ours.rsa_pub_components_from_private_key)(&pkcs1()).unwrap(), rsa);
    assert_eq!((ours.rsa_pub_components_from_public_key)(&rsa_public_der()).unwrap(), rsa);
    assert_eq!((theirs.rsa_pub_components_from_public_key)(&rsa_public_der()).unwrap(), rsa);
    for hash in [ThumbprintHash::SHA256, ThumbprintHash::SHA384, ThumbprintHash::SHA512] {
        let digest = (ours.compute_digest)(b"x", hash.clone()).unwrap();
        assert_eq!(digest, (theirs.compute_digest)(b"x", hash).unwrap());
    }
}
