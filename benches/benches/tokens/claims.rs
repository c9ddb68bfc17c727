//! What the tokens say, and the checks that everybody makes of it.

use std::collections::HashSet;

use jsonwebtoken::Validation;
use jwt_simple::prelude::{Duration, VerificationOptions};
use serde::{Deserialize, Serialize};

use crate::keys::Scheme;
use crate::ours::{AUDIENCE, ISSUER};

/// The claims of a token of ours, for jsonwebtoken.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
    pub(crate) sid: String,
    pub(crate) pos: u64,
    pub(crate) client_id: String,
    pub(crate) role: String,
}

/// Those that jwt-simple has no fields for. To flatten them into [`Payload`] would cost jsonwebtoken a detour.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Own {
    pub(crate) sid: String,
    pub(crate) pos: u64,
    pub(crate) client_id: String,
    pub(crate) role: String,
}

/// The checks that ours makes, as far as jsonwebtoken knows them.
pub(crate) fn validation(scheme: Scheme) -> Validation {
    let mut validation = Validation::new(scheme.jsonwebtoken());
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

/// As far as jwt-simple knows them.
pub(crate) fn options() -> VerificationOptions {
    VerificationOptions {
        time_tolerance: Some(Duration::from_secs(0)),
        allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
        allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
        ..VerificationOptions::default()
    }
}

/// What the signature of a token covers.
pub(crate) fn signed(token: &str) -> &str {
    token.rsplit_once('.').map_or("", |(signed, _)| signed)
}
