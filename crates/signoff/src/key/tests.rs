//! Published vectors, and the bounds of what counts as a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// RFC 8037, appendix A: the key wrapped as PKCS#8 (RFC 8410, section 7).
fn rfc_8037_key() -> SigningKey {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    SigningKey::from_pkcs8(Algorithm::EdDsa, &der).unwrap()
}

#[test]
fn rfc_8037_vectors() {
    let key = rfc_8037_key();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(key.sign(input.as_bytes()).unwrap(), decode(signature));
    assert!(key.verifying_key().verifies(input.as_bytes(), &decode(signature)));
    assert!(!key.verifying_key().verifies(input[1..].as_bytes(), &decode(signature)));

    // The same behind jsonwebtoken's traits.
    let verifier = key.verifying_key().jwt_verifier();
    assert_eq!(verifier.algorithm(), jsonwebtoken::Algorithm::EdDSA);
    assert!(verifier.verify(input.as_bytes(), &decode(signature)).is_ok());
    assert!(verifier.verify(b"x", &decode(signature)).is_err());
}

#[test]
fn rfc_7515_hs256_vector() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let key = SigningKey::from_secret(Algorithm::Hs256, &decode(key)).unwrap();
    assert_eq!(key.sign(input.as_bytes()).unwrap(), signature);
    assert!(key.verifying_key().verifies(input.as_bytes(), &signature));
    assert!(!key.verifying_key().verifies(input.as_bytes(), &signature[..16]), "a truncated tag");
}

#[test]
fn es256_signs_and_verifies() {
    let der = crypto::generate_pkcs8(Algorithm::Es256).unwrap();
    let key = SigningKey::from_pkcs8(Algorithm::Es256, &der).unwrap();
    let signature = key.sign(b"a.b").unwrap();
    assert_eq!(signature.len(), 64, "r and s side by side, not DER (RFC 7518, section 3.4)");
    assert!(key.verifying_key().verifies(b"a.b", &signature));
    assert!(!key.verifying_key().verifies(b"a.c", &signature));
    assert!(SigningKey::from_pkcs8(Algorithm::EdDsa, &der).is_err());
}

#[test]
fn bad_keys_are_misuse() {
    for bad in [&[][..], &[0; 31], &[0x30; 48]] {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
            assert_eq!(SigningKey::from_pkcs8(algorithm, bad).unwrap_err().kind(), ErrorKind::Misuse);
        }
    }
    assert_eq!(SigningKey::from_secret(Algorithm::Hs256, &[7; 31]).unwrap_err().kind(), ErrorKind::Misuse);
    assert!(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).is_ok());
}

#[test]
fn jwks_publish_public_keys_only() {
    let old = rfc_8037_key();
    let der = crypto::generate_pkcs8(Algorithm::Es256).unwrap();
    let secret = SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap();
    let keys = KeySet::new(SigningKey::from_pkcs8(Algorithm::Es256, &der).unwrap())
        .with_retired(old.verifying_key().clone())
        .with_retired(secret.verifying_key().clone());
    let json = serde_json::to_value(keys.jwks()).unwrap();
    let published = json["keys"].as_array().unwrap();
    assert_eq!(published.len(), 2);
    for key in published {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert!(
            names == ["alg", "crv", "kid", "kty", "use", "x"] || names == ["alg", "crv", "kid", "kty", "use", "x", "y"]
        );
    }
    assert!(!format!("{keys:?} {secret:?}").contains("BwcHBw"));
}

#[test]
fn a_key_file_survives_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
        let path = folder.path().join(algorithm.name());
        let first = SigningKey::load_or_create(&path, algorithm).unwrap();
        let second = SigningKey::load_or_create(&path, algorithm).unwrap();
        assert_eq!(first.kid(), second.kid());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(SigningKey::load_or_create(&path, algorithm).unwrap_err().kind(), ErrorKind::Misuse);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside the keys");
    let nowhere = folder.path().join("no").join("folder");
    assert_eq!(SigningKey::load_or_create(nowhere, Algorithm::EdDsa).unwrap_err().kind(), ErrorKind::Unavailable);
}
