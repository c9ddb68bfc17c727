//! Shapes and headers that are no token of ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn with_header(header: &str) -> String {
    format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
}

fn read(token: &str) -> Result<Header, Rejection> {
    Compact::split(token)?.header(&[ACCESS_TOKEN])
}

#[test]
fn refuses_odd_headers() {
    use Rejection::{Malformed, WrongAlgorithm, WrongType};
    let check = |header: &str, expect| {
        assert_eq!(read(&with_header(header)).map(|_| ()).unwrap_err(), expect, "{header}");
    };
    for alg in ["none", "None", "noNE", "NONE", "", "eddsa", "HS257", "ES512", "Ed25519", "EdDSA "] {
        check(&format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"k"}}"#), WrongAlgorithm);
    }
    check(r#"{"typ":"at+jwt","kid":"k"}"#, Malformed);
    check(r#"{"alg":["EdDSA"],"typ":"at+jwt","kid":"k"}"#, Malformed);
    check(r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt","kid":"k"}"#, Malformed);
    check(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, Malformed);
    check(r#"{"alg":"EdDSA","kid":"k"}"#, Malformed);
    for typ in ["JWT", "jwt", "", "at+jwt ", "logout+jwt", "text/at+jwt", "é+jwt", "application/application/at+jwt"] {
        check(&format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"k"}}"#), WrongType);
    }
    for extra in [
        "crit\":[\"exp\"]",
        "crit\":null",
        "b64\":false",
        "jku\":\"x\"",
        "jwk\":{}",
        "zip\":\"DEF\"",
        "x5u\":\"x\"",
        "x5c\":[]",
        "x5t\":\"x\"",
        "x5t#S256\":\"x\"",
        "enc\":\"A256GCM\"",
        "cty\":\"JWT\"",
    ] {
        check(&format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"k","{extra}}}"#), Malformed);
    }
    for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(read(&with_header(&format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"k"}}"#))).is_ok());
    }
}

#[test]
fn refuses_odd_shapes() {
    let good = with_header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#);
    assert_eq!(read(&good).unwrap().kid, "k");
    let (header, _) = good.split_once('.').unwrap();
    let parts = |token: &str| {
        read(token)?;
        let compact = Compact::split(token)?;
        let (mut one, mut two) = (Buffer::<16>::new(), Buffer::<16>::new());
        let decoded = one.decode(compact.payload).is_some() && two.decode(compact.signature).is_some();
        if decoded { Ok(()) } else { Err(Rejection::Malformed) }
    };
    assert_eq!(parts(&good), Ok(()));
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.into(),
        format!("{header}."),
        format!("{header}.."),
        format!("{header}.e30."),
        format!("{header}..AA"),
        format!("{good}.AA.AA"),
        format!("{good} "),
        format!(" {good}"),
        format!("\u{feff}{good}"),
        good.replace("e30", "e3 0"),
    ] {
        assert!(parts(&bad).is_err(), "{bad:?}");
    }
    // Stray bits in the last character, padding, and the other alphabet.
    for bad in ["e30.AB", "e30.AA==", "e30.A+", "e31.AA"] {
        assert!(parts(&format!("{header}.{bad}")).is_err(), "{bad}");
    }
    assert_eq!(read(&"a".repeat(1 << 20)).unwrap_err(), Rejection::TooLarge);
    assert_eq!(read(&format!("{}.e30.AA", "a".repeat(2_000))).unwrap_err(), Rejection::TooLarge);
    assert_eq!(read(&format!("{header}.e30.{}", "A".repeat(1_400))).unwrap_err(), Rejection::TooLarge);
}

#[test]
fn the_longest_of_everything_has_room() {
    let mut signature = Buffer::<{ MAX_SIGNATURE / 4 * 3 + 6 }>::new();
    assert_eq!(signature.decode(&"A".repeat(MAX_SIGNATURE)).unwrap().len(), 1024);
    assert_eq!(Buffer::<PAYLOAD>::new().decode(&"A".repeat(MAX_TOKEN)).unwrap().len(), MAX_TOKEN / 4 * 3);
    assert!(Buffer::<{ MAX_HEADER / 4 * 3 + 3 }>::new().decode(&"A".repeat(MAX_HEADER)).is_some());
}
