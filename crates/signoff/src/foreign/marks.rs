//! The members of a payload that give away what kind of token it is. It does not say which kind is wanted.
//!
//! Tokens with a `typ` of their own cannot be taken for each other. The rest cannot either, because each mark makes a
//! token unfit for all kinds but its own, and an access token without `typ` must carry one.

use serde_json::{Map, Value};

use crate::Rejection;

/// Which kinds a token looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marks {
    /// An access token.
    pub(super) access: bool,
    /// An ID token.
    pub(super) id: bool,
    /// A security event token (RFC 8417), of which a logout token is one kind.
    pub(super) event: bool,
    /// A logout token: `events` has its member, with an object for a value.
    pub(super) logout: bool,
    /// Something else that nobody may come in with.
    pub(super) other: bool,
}

/// What a client may do, or which client in the words of a provider: Auth0 (`gty`, `permissions`), Entra (`appidacr`,
/// `azpacr`, `scp`), Okta (`cid`, `scp`), Keycloak and Auth0 (`scope`), RFC 9068 (`client_id`). No ID token says so.
const ACCESS: [&str; 8] = ["appidacr", "azpacr", "cid", "client_id", "gty", "permissions", "scope", "scp"];
/// OpenID Connect Core, sections 2 and 3.3.2.11; RFC 9068 has none of them.
const ID: [&str; 4] = ["at_hash", "c_hash", "nonce", "s_hash"];
/// RFC 8417, section 2.2, and the subjects of RFC 9493.
const EVENT: [&str; 3] = ["events", "sub_id", "toe"];
/// Token introspection (RFC 9701), status lists, proofs of possession (RFC 9449, section 4.2).
const OTHER: [&str; 5] = ["ath", "htm", "htu", "status_list", "token_introspection"];
/// OpenID Connect Back-Channel Logout, section 2.4.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl Marks {
    pub(super) fn of(payload: &Map<String, Value>) -> Result<Self, Rejection> {
        let any = |names: &[&str]| names.iter().any(|name| payload.contains_key(*name));
        let logout = match payload.get("events") {
            None => false,
            Some(Value::Object(events)) => match events.get(LOGOUT) {
                None => false,
                Some(Value::Object(_)) => true,
                Some(_) => return Err(Rejection::Malformed),
            },
            Some(_) => return Err(Rejection::Malformed),
        };
        // What Keycloak says within the payload.
        let bearer = payload.get("typ").is_some_and(|typ| typ == "Bearer");
        Ok(Self { access: any(&ACCESS) || bearer, id: any(&ID), event: any(&EVENT), logout, other: any(&OTHER) })
    }
}
