//! What counts as a private key, and through which door it comes in. JWKs have a file of their own.

use super::*;

#[test]
fn bad_documents_are_misuse() {
    for bad in [&[][..], &[0; 31], &[0x30; 48]] {
        for algorithm in GENERATED {
            assert_misuse(SigningKey::from_pkcs8(algorithm, bad), "PKCS#8");
        }
        assert_misuse(SigningKey::from_rsa_pkcs8(Algorithm::Rs256, bad), "PKCS#8");
    }
    let p256 = crypto::generate(Algorithm::Es256).unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es384, Algorithm::Hs256] {
        assert_misuse(SigningKey::from_pkcs8(algorithm, &p256), "PKCS#8");
    }
    assert_misuse(SigningKey::from_rsa_pkcs8(Algorithm::Ps256, &p256), "PKCS#8");
}

#[test]
fn secrets_are_as_long_as_the_hash() {
    for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        assert_misuse(SigningKey::from_secret(algorithm, &vec![7; least - 1]), "at least");
        assert!(SigningKey::from_secret(algorithm, &vec![7; least]).is_ok());
        assert!(SigningKey::from_secret(algorithm, &[7; 200]).is_ok());
    }
    assert_misuse(SigningKey::from_secret(Algorithm::EdDsa, &[7; 32]), "HMAC");
}

#[test]
fn rsa_has_its_own_door() {
    let der = pem::pkcs8(RSA_PEM).unwrap();
    for algorithm in [Algorithm::Ps256, Algorithm::Rs256] {
        assert_misuse(SigningKey::from_pkcs8(algorithm, &der), "from_rsa_pkcs8");
        assert_misuse(SigningKey::from_pkcs8_pem(algorithm, RSA_PEM), "from_rsa_pkcs8");
        assert!(SigningKey::from_rsa_pkcs8(algorithm, &der).is_ok());
    }
    assert_misuse(SigningKey::from_rsa_pkcs8(Algorithm::EdDsa, &der), "from_pkcs8");
    assert_misuse(SigningKey::from_pkcs8(Algorithm::EdDsa, &der), "PKCS#8");
    assert_misuse(SigningKey::from_rsa_pkcs8_pem(Algorithm::Rs256, include_str!("rsa_1024.pem")), "2048");
}

#[test]
fn pem_is_one_block_of_pkcs8() {
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    };
    let der = crypto::generate(Algorithm::EdDsa).unwrap();
    let good = pem("PRIVATE KEY", &der);
    let kid = SigningKey::from_pkcs8(Algorithm::EdDsa, &der).unwrap().kid().to_owned();
    for text in [good.clone(), good.replace('\n', "\r\n"), format!("\n{good}\n\n"), good.trim().to_owned()] {
        assert_eq!(SigningKey::from_pkcs8_pem(Algorithm::EdDsa, &text).unwrap().kid(), kid);
    }
    for label in ["EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        assert_misuse(SigningKey::from_pkcs8_pem(Algorithm::EdDsa, &pem(label, &der)), "openssl pkcs8 -topk8 -nocrypt");
    }
    // What `openssl ecparam -genkey` writes.
    let both = pem("EC PARAMETERS", b"x") + &pem("EC PRIVATE KEY", &der);
    assert_misuse(SigningKey::from_pkcs8_pem(Algorithm::Es256, &both), "openssl pkcs8 -topk8 -nocrypt");
    for bad in [
        String::new(),
        "PRIVATE KEY".to_owned(),
        good.clone() + &good,
        good.clone() + &pem("CERTIFICATE", b"x"),
        pem("CERTIFICATE", b"x") + &good,
        pem("PUBLIC KEY", &der),
        pem("PRIVATE KEY", b""),
        good.replace("END PRIVATE", "END PUBLIC"),
        good.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n", 1),
        good.replace("-----END", "!!\n-----END"),
        good[..good.len() / 2].to_owned(),
    ] {
        assert_misuse(SigningKey::from_pkcs8_pem(Algorithm::EdDsa, &bad), "");
    }
}

#[test]
fn a_key_file_survives_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    for algorithm in GENERATED {
        let path = folder.path().join(algorithm.name());
        let first = SigningKey::load_or_create(&path, algorithm).unwrap();
        let second = SigningKey::load_or_create(&path, algorithm).unwrap();
        assert_eq!(first.kid(), second.kid());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_misuse(SigningKey::load_or_create(&path, algorithm), "owner");
        }
    }
    assert_misuse(SigningKey::load_or_create(folder.path().join("rsa"), Algorithm::Rs256), "from_rsa_pkcs8_pem");
    let count = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(count, GENERATED.len(), "nothing is left beside the keys");
    let nowhere = folder.path().join("no").join("folder");
    assert_eq!(SigningKey::load_or_create(nowhere, Algorithm::EdDsa).unwrap_err().kind(), ErrorKind::Unavailable);
}
