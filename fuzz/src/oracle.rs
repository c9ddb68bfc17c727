//! jsonwebtoken as the second opinion, set up as its documentation asks for. It knows nothing of revocation.

use std::sync::OnceLock;

use jsonwebtoken::{DecodingKey, Extras, Header, TokenData, Validation};
use serde_json::{Map, Value};
use signoff::Live;

use crate::keys::Key;
use crate::service::{AUDIENCE, ISSUER, NOW};

pub(crate) type Decoded = TokenData<Map<String, Value>>;

/// What jsonwebtoken makes of a token. The key is the one that `kid` names, and it pins the algorithm. Where `kid` names
/// none, the key is taken by `alg`: so that it shows what our insisting on `kid` refuses.
pub(crate) fn decode(token: &str) -> Result<Decoded, String> {
    static SETTINGS: OnceLock<[(Key, DecodingKey, Validation); 3]> = OnceLock::new();
    let settings = SETTINGS.get_or_init(|| Key::ALL.map(|key| (key, key.decoding_key(), validation(key))));
    let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
    let named = settings.iter().find(|(key, ..)| header.kid.as_deref() == Some(key.kid()));
    let (_, key, validation) = named
        .or_else(|| settings.iter().find(|(key, ..)| key.alg() == header.alg))
        .ok_or("an algorithm without a key")?;
    let decoded = jsonwebtoken::decode(token, key, validation).map_err(|error| error.to_string())?;
    check_times(&decoded.claims, NOW)?;
    Ok(decoded)
}

fn validation(key: Key) -> Validation {
    let mut validation = Validation::new(key.alg());
    validation.leeway = 0;
    // Its clock is the system's, so its rule for times is applied by `check_times`, with the clock that signoff read.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// jsonwebtoken's rule for `exp` and `nbf` without leeway: numbers are rounded, and the second of `exp` itself is fine.
fn check_times(claims: &Map<String, Value>, now: u64) -> Result<(), &'static str> {
    let seconds = |value: &Value| {
        let float = value.as_f64().filter(|float| (0.0..u64::MAX as f64).contains(float));
        value.as_u64().or_else(|| value.is_f64().then_some(float?.round() as u64))
    };
    if claims.get("exp").and_then(seconds).ok_or("exp is no time")? < now {
        return Err("expired");
    }
    match claims.get("nbf").map(seconds) {
        Some(None) => Err("nbf is no time"),
        Some(Some(not_before)) if not_before > now => Err("not valid yet"),
        _ => Ok(()),
    }
}

/// The one thing that jsonwebtoken refuses and we accept: it gives types to two header members of ACME (RFC 8555), which
/// mean nothing to us and must be ignored (RFC 7515, section 4).
pub(crate) fn has_odd_acme_members(header: &Value) -> bool {
    ["url", "nonce"].iter().any(|name| header.get(name).is_some_and(|value| !value.is_string() && !value.is_null()))
}

/// Both accept: then both have read the same.
pub(crate) fn check_same_reading(theirs: &Decoded, live: &Live) {
    let kid = theirs.header.kid.as_deref().unwrap();
    assert!(Key::ALL.iter().any(|key| key.kid() == kid && key.alg() == theirs.header.alg));
    let typ = theirs.header.typ.as_deref().unwrap().to_ascii_lowercase();
    assert!(typ == "at+jwt" || typ == "application/at+jwt", "{typ}");
    // What jsonwebtoken reads and does not act upon: to ignore `crit` is forbidden (RFC 7515, section 4.1.11), and keys
    // that the token brings along are nobody's (RFC 8725, section 3.10).
    let bare =
        Header { kid: None, typ: None, url: None, nonce: None, extras: Extras::default(), ..theirs.header.clone() };
    assert_eq!(bare, Header { typ: None, ..Header::new(theirs.header.alg) });
    assert!(!theirs.header.extras.inner().contains_key("b64"));

    let mut claims = theirs.claims.clone();
    let mut take = |name: &str| claims.remove(name).unwrap_or_default();
    let secs = |value: Value| value.as_u64().unwrap();
    let (expires_at, issued_at) = (secs(take("exp")), secs(take("iat")));
    assert!(expires_at > NOW, "accepted after its end");
    assert!(take("nbf").as_u64().is_none_or(|not_before| not_before <= NOW), "accepted before its time");
    assert_eq!(live.expires_at().as_secs(), expires_at.cast_signed());
    assert_eq!(live.issued_at().as_secs(), issued_at.cast_signed());
    let authenticated_at = live.authenticated_at().map(|at| at.as_secs().unsigned_abs());
    assert_eq!(authenticated_at, take("auth_time").as_u64());
    assert_eq!(live.position().get(), secs(take("pos")));
    assert_eq!(take("iss"), ISSUER);
    let aud = take("aud");
    assert!(aud == AUDIENCE || aud.as_array().is_some_and(|auds| auds.iter().any(|aud| aud == AUDIENCE)));
    assert_eq!(take("sub"), live.subject().to_string());
    assert_eq!(take("client_id"), live.client_id().to_string());
    assert_eq!(take("sid"), live.session_id().to_string(), "ids have one spelling");
    assert_eq!(take("jti"), live.token_id().unwrap().to_string(), "ids have one spelling");
    assert_eq!(take("scope").as_str(), live.scope());
    assert_eq!(live.application::<Map<String, Value>>().unwrap(), claims);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Our copy of its rule for times says what it says, in the midst of the two clocks' seconds.
    #[test]
    fn its_rule_for_times() {
        let now = jsonwebtoken::get_current_timestamp();
        let mut validation = validation(Key::Hs256);
        validation.validate_exp = true;
        validation.validate_nbf = true;
        let odd = [json!(null), json!("9999999999"), json!(-1), json!(-0.5), json!({}), json!([]), json!(true)];
        let far = [0, 1, now - 60, now + 60, u64::from(u32::MAX), u64::MAX - 1, u64::MAX].map(|secs| json!(secs));
        let fractions = [now as f64 + 60.5, now as f64 - 60.5, 0.0, 1e300, 1.8e19].map(|secs| json!(secs));
        for value in [odd.as_slice(), &far, &fractions].concat() {
            for name in ["exp", "nbf"] {
                let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 60 });
                claims[name] = value.clone();
                let payload = claims.to_string();
                let token = crate::service::sign(crate::service::header().as_bytes(), payload.as_bytes());
                let key = Key::Hs256.decoding_key();
                let theirs = jsonwebtoken::decode::<Value>(&token, &key, &validation).is_ok();
                assert_eq!(theirs, check_times(claims.as_object().unwrap(), now).is_ok(), "{payload}");
            }
        }
    }
}
