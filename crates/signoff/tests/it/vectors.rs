//! Published tokens: none of them is an access token of ours, and each is refused for the reason that it deserves.
//! Whether the keys of these documents are read rightly is tested elsewhere.

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use signoff::Rejection::{self, Malformed, WrongAlgorithm, WrongType};

use crate::attacks::{A1_KEY, A3_KEY, Keys, decode};

/// The claims of nearly all published tokens.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7515, appendix A.1; also the example of RFC 7519, section 3.1.
const A1: [&str; 2] = ["eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"];
/// RFC 7515, appendix A.2.1.
const A2_KEY: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB\
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g\
    b54h4FRWyuXpoQ";
const A2: [&str; 2] = [
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dn\
    ZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e\
    OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
];
/// RFC 7515, appendix A.3.
const A3: [&str; 2] =
    ["eyJhbGciOiJFUzI1NiJ9", "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"];
/// RFC 7515, appendix A.4.1: the payload is no JSON.
const A4: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-K\
    GDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
/// RFC 7515, appendix A.5; also the example of RFC 7519, section 6.1.
const NONE: &str = "eyJhbGciOiJub25lIn0";
/// RFC 7519, appendix A.1.
const ENCRYPTED: &str = "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8qDcjiHnSJflSd\
    v1iNqhWXaKH4MqAkQtMoNfABIPJaZm0HaA415sv3aeuBWnD8J-Ui7Ah6cWafs3ZwwFKDFUUsWHSK-IPKxLGTkND09XyjORj_CHAgOPJ-Sd8ONQRnJvWn_\
    hXV1BNMHzUjPyYwEsRhDhzjAD26imasOTsgruobpYGoQcXUwFDn7moXPRfDE8-NoQX7N7ZYMmpUDkR-Cx9obNGwJQ3nM52YCitxoQVPzjbl7WBuB7AohdB\
    oZOdZ24WlN1lVIeh8v1K4krB8xgKvRU8kgFrEn_a1rZgN5TiysnmzTROF869lQ.AxY8DCtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeW\
    nDYvpIAeZ72deHxz3roJDXQyhxx0wKaMHDjUEOKIwrtkHthpqEanSBNYHZgmNOV7sln1Eu9g3J8.fiK51VwhsxJ-siBMR-YFiA";
/// RFC 7519, appendix A.2: the header and the initialisation vector of a JWT inside a JWE. The rest is ciphertext.
const NESTED: [&str; 2] =
    ["eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiY3R5IjoiSldUIn0", "UmVkbW9uZCBXQSA5ODA1Mg"];

fn compact([header, signature]: [&str; 2]) -> String {
    format!("{header}.{JOE}.{signature}")
}

/// As they are in the documents: to jsonwebtoken, which may ignore `exp`, they are good. So they are copied rightly.
#[test]
fn the_published_tokens_are_good_elsewhere() {
    crate::bank::second_opinion();
    let a1 = DecodingKey::from_secret(&decode(A1_KEY));
    let a2 = DecodingKey::from_rsa_components(A2_KEY, "AQAB").unwrap();
    let a3 = DecodingKey::from_ec_components(A3_KEY[1], A3_KEY[2]).unwrap();
    use jsonwebtoken::Algorithm::{ES256, HS256, RS256};
    for (token, key, algorithm) in [(A1, a1, HS256), (A2, a2, RS256), (A3, a3, ES256)] {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Value>(compact(token), &key, &validation).unwrap();
        assert_eq!(data.claims["iss"], "joe");
    }
}

#[tokio::test]
async fn published_tokens_are_not_ours() {
    let keys = Keys::new();
    let signoff = keys.service().await;
    let check = |name: &str, token: &str, expect: Rejection| {
        let refused = signoff.verify(token).unwrap_err();
        assert_eq!(refused, expect, "{name}");
    };
    check("RFC 7515, A.1: `typ` is JWT", &compact(A1), WrongType);
    check("RFC 7515, A.2: no `typ`", &compact(A2), Malformed);
    check("RFC 7515, A.3: no `typ`", &compact(A3), Malformed);
    check("RFC 7515, A.4: ES512", A4, WrongAlgorithm);
    check("RFC 7515, A.5: unsecured", &compact([NONE, ""]), Malformed);
    check("the same with some signature", &compact([NONE, A1[1]]), WrongAlgorithm);
    let general = json!({ "payload": JOE, "signatures": [{ "protected": A3[0], "header": {}, "signature": A3[1] }] });
    check("RFC 7515, A.6: JSON serialization", &general.to_string(), Malformed);
    let flattened = json!({ "payload": JOE, "protected": A3[0], "header": { "kid": "x" }, "signature": A3[1] });
    check("RFC 7515, A.7: flattened", &flattened.to_string(), Malformed);
    check("RFC 7519, A.1: encrypted", ENCRYPTED, Malformed);
    let nested = format!("{}.AA.{}.AA.AA", NESTED[0], NESTED[1]);
    check("RFC 7519, A.2: nested", &nested, Malformed);
    // Cut down to three parts it is still no signed token.
    check("three parts of it", &compact([NESTED[0], NESTED[1]]), Malformed);
}
