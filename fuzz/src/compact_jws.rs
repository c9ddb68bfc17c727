//! Compact JWS: what signoff accepts, jsonwebtoken accepts and reads in the same way; and nothing near it is accepted.

use std::sync::OnceLock;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Extras, Header, TokenData, Validation};
use serde_json::{Map, Value};
use signoff::{Live, Rejection, Unverified};

use crate::built::{self, Built};
use crate::service::{
    AUDIENCE, ISSUER, NOW, REVOKED_CLIENT, REVOKED_SESSION, REVOKED_SUBJECT, REVOKED_TOKEN, SECRET, forge, header,
    service, sign,
};

/// Presents a token, in one of four ways that the first byte chooses: as text; as a header and a payload, separated by
/// `0xff`, which no JSON contains; as a payload; or claim by claim. All but the first come well signed.
pub fn compact_jws(data: &[u8]) {
    let Some((way, rest)) = data.split_first() else { return };
    let token = match way % 4 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => {
            let mut parts = rest.splitn(2, |byte| *byte == 0xff);
            sign(parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        }
        2 => sign(header().as_bytes(), rest),
        _ => return check_built(&built::payload(rest)),
    };
    let _ = present(&token);
}

fn check_built(built: &Built) {
    let token = sign(header().as_bytes(), built.payload.as_bytes());
    match present(&token) {
        Ok(()) => assert!(built.faults.is_empty(), "{:?} went unnoticed: {}", built.faults, built.payload),
        Err(Rejection::TooLarge) => assert!(token.len() > MAX_TOKEN),
        Err(reason) => assert!(built.faults.contains(&reason), "{reason:?}: {}", built.payload),
    }
}

const MAX_TOKEN: usize = 8 * 1024;

fn present(token: &str) -> Result<(), Rejection> {
    let parsed = Unverified::parse(token).map(|_| ());
    let verified = service().signoff.verify(token);
    match &verified {
        Ok(live) => {
            assert_eq!(parsed, Ok(()), "verified, but no token: {token}");
            check_accepted(token, live);
        }
        Err(reason) => {
            // What parsing refuses, verifying refuses for the same reason.
            assert!(parsed.is_ok() || parsed == Err(*reason));
            // The answer does not depend on what was asked before.
            assert_eq!(service().signoff.verify(token).unwrap_err(), *reason);
        }
    }
    verified.map(|_| ())
}

fn check_accepted(token: &str, live: &Live) {
    assert!(token.len() <= MAX_TOKEN);
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    assert_eq!(respell(&parts), token, "accepted in another spelling than its own");
    check_second_opinion(token, live);
    assert!(!is_revoked(live), "accepted although it is revoked: {token}");

    let (input, signature) = token.rsplit_once('.').unwrap();
    let refused = |token: &str| service().signoff.verify(token).unwrap_err();
    assert_eq!(refused(&forge(input)), Rejection::BadSignature, "signed with another key: {token}");
    assert_eq!(service().stranger.verify(token).unwrap_err(), Rejection::UnknownKey);
    // Every other last character, so also those that differ only in the bits that base64 leaves over.
    let (rest, last) = signature.split_at(signature.len() - 1);
    for digit in URL_SAFE.as_str().chars().filter(|digit| !last.starts_with(*digit)) {
        assert!(matches!(refused(&format!("{input}.{rest}{digit}")), Rejection::BadSignature | Rejection::Malformed));
    }
    for odd in [format!("{token}="), format!("{token} "), format!(" {token}"), format!("{token}."), input.to_owned()] {
        refused(&odd);
    }
}

/// The parts decoded by a lenient reader and printed again by a strict writer.
fn respell(parts: &[&str]) -> String {
    let config = NO_PAD.with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lenient = GeneralPurpose::new(&URL_SAFE, config);
    let again: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(lenient.decode(part).unwrap())).collect();
    again.join(".")
}

fn check_second_opinion(token: &str, live: &Live) {
    static SETTINGS: OnceLock<(DecodingKey, Validation)> = OnceLock::new();
    let (key, validation) = SETTINGS.get_or_init(|| {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        // Its clock is the system's; the times are compared below, with the clock that signoff read.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        (DecodingKey::from_secret(&SECRET), validation)
    });
    match jsonwebtoken::decode::<Map<String, Value>>(token, key, validation) {
        Ok(theirs) => check_same_reading(&theirs, live),
        Err(error) => assert!(has_odd_acme_members(token), "they refuse, we accept: {error:?}: {token}"),
    }
}

/// Whether one of the service's revocations kills the token; the cutoffs stand at the start of the log.
fn is_revoked(live: &Live) -> bool {
    let born = live.position().get();
    (live.subject() == REVOKED_SUBJECT && born < NOW * 1_000_000)
        || (live.client_id() == REVOKED_CLIENT && born < NOW * 1_000_000 + 1)
        || *live.session_id().as_bytes() == REVOKED_SESSION
        || live.token_id().is_some_and(|id| *id.as_bytes() == REVOKED_TOKEN)
}

fn check_same_reading(theirs: &TokenData<Map<String, Value>>, live: &Live) {
    assert_eq!(theirs.header.alg, Algorithm::HS256);
    let kid = theirs.header.kid.as_deref().unwrap();
    assert!(header().ends_with(&format!(r#""kid":"{kid}"}}"#)));
    let typ = theirs.header.typ.as_deref().unwrap().to_ascii_lowercase();
    assert!(typ == "at+jwt" || typ == "application/at+jwt", "{typ}");
    // What jsonwebtoken reads and does not act upon: to ignore `crit` is forbidden (RFC 7515, section 4.1.11), and keys
    // that the token brings along are nobody's (RFC 8725, section 3.10).
    let bare =
        Header { kid: None, typ: None, url: None, nonce: None, extras: Extras::default(), ..theirs.header.clone() };
    assert_eq!(bare, Header { typ: None, ..Header::new(Algorithm::HS256) });
    assert!(!theirs.header.extras.inner().contains_key("b64"));

    let mut claims = theirs.claims.clone();
    let mut take = |name: &str| claims.remove(name).unwrap_or_default();
    let secs = |value: Value| value.as_u64().unwrap();
    let (expires_at, issued_at) = (secs(take("exp")), secs(take("iat")));
    assert!(expires_at > NOW, "accepted after its end");
    assert!(take("nbf").as_u64().is_none_or(|not_before| not_before <= NOW), "accepted before its time");
    assert_eq!(live.expires_at().as_secs(), expires_at.cast_signed());
    assert_eq!(live.issued_at().as_secs(), issued_at.cast_signed());
    assert_eq!(live.position().get(), secs(take("pos")));
    assert_eq!(take("iss"), ISSUER);
    let aud = take("aud");
    assert!(aud == AUDIENCE || aud.as_array().is_some_and(|auds| auds.iter().any(|aud| aud == AUDIENCE)));
    assert_eq!(take("sub"), live.subject());
    assert_eq!(take("client_id"), live.client_id());
    assert_eq!(take("sid"), live.session_id().to_string(), "ids have one spelling");
    assert_eq!(take("jti"), live.token_id().unwrap().to_string(), "ids have one spelling");
    assert_eq!(take("scope").as_str(), live.scope());
    assert_eq!(live.application::<Map<String, Value>>().unwrap(), claims);
}

/// The one difference in what is accepted: jsonwebtoken gives types to two header members of ACME (RFC 8555), which
/// mean nothing to us and must be ignored (RFC 7515, section 4).
fn has_odd_acme_members(token: &str) -> bool {
    let (header, _) = token.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    ["url", "nonce"].iter().any(|name| header.get(name).is_some_and(|value| !value.is_string() && !value.is_null()))
}
