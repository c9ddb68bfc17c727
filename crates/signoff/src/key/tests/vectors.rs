//! Published vectors, and what comes close to them. The bytes are those of the RFCs.

use super::*;

/// What RFC 7515 signs in its examples, after their headers.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

#[test]
fn rfc_8037_appendix_a() {
    // The key wrapped as PKCS#8 (RFC 8410, section 7).
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    for key in [SigningKey::from_pkcs8(Algorithm::EdDsa, &der).unwrap(), SigningKey::from_jwk(ED25519).unwrap()] {
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.sign(input).unwrap().as_ref(), signature);
        assert!(key.verifying_key().verifies(input, &signature));
        assert!(!key.verifying_key().verifies(&input[1..], &signature));
    }
    let public = VerifyingKey::from_jwk(&edited(ED25519, &["d"], "")).unwrap();
    assert_eq!(public.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(public.verifies(input, &signature));
}

#[test]
fn rfc_7515_appendix_a_1() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let input = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}");
    let signature = decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let jwk = format!(r#"{{"kty":"oct","alg":"HS256","k":"{secret}"}}"#);
    let keys = [SigningKey::from_secret(Algorithm::Hs256, &decode(secret)), SigningKey::from_jwk(&jwk)];
    for key in keys.map(Result::unwrap) {
        assert_eq!(key.sign(input.as_bytes()).unwrap().as_ref(), signature);
        assert!(key.verifying_key().verifies(input.as_bytes(), &signature));
        assert!(!key.verifying_key().verifies(input.as_bytes(), &signature[..16]), "a truncated tag");
    }
}

#[test]
fn rfc_7515_appendix_a_2() {
    let input = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    let signature = decode(
        "\
            cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
            uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB\
            _eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq\
            Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let key = rsa_key(Algorithm::Rs256);
    assert_eq!(key.sign(input.as_bytes()).unwrap().as_ref(), signature);
    let jwk = format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"}}"#);
    let public = VerifyingKey::from_jwk_as(Algorithm::Rs256, &jwk).unwrap();
    assert_eq!(public.kid(), key.kid());
    assert!(public.verifies(input.as_bytes(), &signature));
    let pss = VerifyingKey::from_jwk_as(Algorithm::Ps256, &jwk).unwrap();
    assert!(!pss.verifies(input.as_bytes(), &signature), "the same key, bound to the other padding");
}

#[test]
fn rfc_7515_appendix_a_3() {
    let input = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let signature = decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let public = VerifyingKey::from_jwk(&edited(P256, &["d"], "")).unwrap();
    assert_eq!(public.algorithm(), Algorithm::Es256);
    assert!(public.verifies(input.as_bytes(), &signature));
    let own = SigningKey::from_jwk(P256).unwrap().sign(input.as_bytes()).unwrap();
    assert!(public.verifies(input.as_bytes(), own.as_ref()));
}

#[test]
fn ecdsa_signatures_are_not_der() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let key = SigningKey::generate_for(algorithm).unwrap();
        let signature = key.sign(b"a.b").unwrap();
        let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
        let integer = |number: &[u8]| {
            let start = number.iter().position(|&byte| byte != 0).unwrap();
            let mut bytes = number[start..].to_vec();
            if bytes[0] >= 0x80 {
                bytes.insert(0, 0);
            }
            bytes.splice(0..0, [0x02, u8::try_from(bytes.len()).unwrap()]);
            bytes
        };
        let mut der = [integer(r), integer(s)].concat();
        der.splice(0..0, [0x30, u8::try_from(der.len()).unwrap()]);
        assert!(!key.verifying_key().verifies(b"a.b", &der));
        let zeros = vec![0; r.len()];
        assert!(!key.verifying_key().verifies(b"a.b", &[zeros.as_slice(), s].concat()), "r = 0");
        assert!(!key.verifying_key().verifies(b"a.b", &[r, zeros.as_slice()].concat()), "s = 0");
    }
}

#[test]
fn thumbprints() {
    let check = |jwk: &str, thumbprint: &str| {
        assert_eq!(VerifyingKey::from_jwk(jwk).unwrap().kid(), thumbprint);
    };
    // RFC 7638, section 3.1. Its own kid is not part of it.
    let n = "\
        0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
        ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
        KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
        xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    check(
        &format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256"}}"#),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    );
    // RFC 9449, sections 4.1 and 6.1.
    check(
        r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
    );
}
