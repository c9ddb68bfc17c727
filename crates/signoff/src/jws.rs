//! Compact JWS (RFC 7515, section 7.1): three parts of canonical base64url. It knows nothing of claims.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::key::Algorithm;
use crate::{Rejection, json};

/// A token is at most this long: what browsers and proxies carry, and a bound for all work before the signature.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;
const MAX_HEADER: usize = 1024;
const MAX_SIGNATURE: usize = 512;
/// `typ` of an access token (RFC 9068, section 2.1).
const TYP: &str = "at+jwt";

/// A token taken apart, its signature not yet verified.
#[derive(Debug)]
pub(crate) struct Compact<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// What the signature covers: the first two parts with the dot between them.
    pub(crate) signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token and reads its header, all bounded in size before any work is done.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > MAX_TOKEN {
            return Err(Rejection::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        if payload.contains('.') || payload.is_empty() || signature.is_empty() {
            return Err(Rejection::Malformed);
        }
        if header.len() > MAX_HEADER || signature.len() > MAX_SIGNATURE {
            return Err(Rejection::TooLarge);
        }
        let (algorithm, kid) = read_header(&decode(header)?)?;
        Ok(Self { algorithm, kid, signed, payload, signature })
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, Rejection> {
        decode(self.payload)
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, Rejection> {
        decode(self.signature)
    }
}

/// The part of a token that gets signed.
pub(crate) fn signing_input(algorithm: Algorithm, kid: &str, payload: &[u8]) -> String {
    // Names and kids are base64url or ASCII words, so nothing here needs escaping.
    let header = format!(r#"{{"alg":"{}","typ":"{TYP}","kid":"{kid}"}}"#, algorithm.name());
    let mut input = URL_SAFE_NO_PAD.encode(header);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    input
}

/// Completes a signing input to a token.
pub(crate) fn attach(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input
}

/// The engine's defaults are the strict ones: no padding, no stray bits, no white space (RFC 7515, section 2).
fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed)
}

fn read_header(bytes: &[u8]) -> Result<(Algorithm, String), Rejection> {
    let mut members = json::object(bytes).ok_or(Rejection::Malformed)?;
    // Extensions that would change the meaning of the token, and keys that the token brings along: none is followed,
    // and a token that carries one is not ours (RFC 8725, sections 3.1 and 3.10).
    const REFUSED: [&str; 11] = ["b64", "crit", "enc", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip", "cty"];
    if REFUSED.iter().any(|name| members.contains_key(*name)) {
        return Err(Rejection::Malformed);
    }
    let mut text = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Rejection::Malformed),
    };
    let algorithm = Algorithm::from_name(&text("alg")?).ok_or(Rejection::WrongAlgorithm)?;
    let typ = text("typ")?;
    // Compared as a media type: case-insensitive, and "application/" may be left out (RFC 7515, section 4.1.9).
    let (prefix, short) = typ.split_at_checked(typ.len().saturating_sub(TYP.len())).ok_or(Rejection::WrongType)?;
    let known_prefix = prefix.is_empty() || prefix.eq_ignore_ascii_case("application/");
    if !(known_prefix && short.eq_ignore_ascii_case(TYP)) {
        return Err(Rejection::WrongType);
    }
    Ok((algorithm, text("kid")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn reads_what_it_writes() {
        let token = attach(signing_input(Algorithm::EdDsa, "k1", b"{}"), &[1, 2, 3]);
        let compact = Compact::parse(&token).unwrap();
        assert_eq!((compact.algorithm, compact.kid.as_str()), (Algorithm::EdDsa, "k1"));
        assert_eq!(compact.payload().unwrap(), b"{}");
        assert_eq!(compact.signature().unwrap(), [1, 2, 3]);
        assert!(token.starts_with(compact.signed));
    }

    #[test]
    fn refuses_odd_headers() {
        use Rejection::{Malformed, WrongAlgorithm, WrongType};
        let check = |header: &str, expect| {
            assert_eq!(Compact::parse(&with_header(header)).map(|_| ()).unwrap_err(), expect, "{header}");
        };
        for alg in ["none", "None", "noNE", "NONE", "", "eddsa", "RS384", "ES512", "Ed25519 "] {
            check(&format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"k"}}"#), WrongAlgorithm);
        }
        check(r#"{"typ":"at+jwt","kid":"k"}"#, Malformed);
        check(r#"{"alg":["EdDSA"],"typ":"at+jwt","kid":"k"}"#, Malformed);
        check(r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt","kid":"k"}"#, Malformed);
        check(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, Malformed);
        check(r#"{"alg":"EdDSA","kid":"k"}"#, Malformed);
        for typ in ["JWT", "jwt", "", "at+jwt ", "logout+jwt", "text/at+jwt", "é+jwt", "application/application/at+jwt"]
        {
            check(&format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"k"}}"#), WrongType);
        }
        for extra in ["crit\":[\"exp\"]", "crit\":null", "b64\":false", "jku\":\"x\"", "jwk\":{}", "zip\":\"DEF\""] {
            check(&format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"k","{extra}}}"#), Malformed);
        }
        for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(Compact::parse(&with_header(&format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"k"}}"#))).is_ok());
        }
    }

    #[test]
    fn refuses_odd_shapes() {
        let good = with_header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#);
        let (header, _) = good.split_once('.').unwrap();
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
            assert!(Compact::parse(&bad).and_then(|c| c.signature().and_then(|_| c.payload())).is_err(), "{bad:?}");
        }
        // Stray bits in the last character, padding, and the other alphabet.
        for bad in ["e30.AB", "e30.AA==", "e30.A+", "e31.AA"] {
            let token = format!("{header}.{bad}");
            assert!(Compact::parse(&token).and_then(|c| c.signature().and_then(|_| c.payload())).is_err(), "{bad}");
        }
        assert_eq!(Compact::parse(&"a".repeat(1 << 20)).unwrap_err(), Rejection::TooLarge);
        assert_eq!(Compact::parse(&format!("{}.e30.AA", "a".repeat(2_000))).unwrap_err(), Rejection::TooLarge);
    }
}
