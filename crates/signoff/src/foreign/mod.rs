//! Tokens of foreign issuers: OpenID providers such as Auth0, Entra, Keycloak and Okta. They are verified by the
//! issuer's keys, and logged out by our log: **when a logout has returned `Ok`, nothing that it names is accepted again on
//! this service**, whatever its `exp` says.
//!
//! It speaks no HTTP: the application fetches keys, and serves the endpoint for back-channel logout. It logs nobody out
//! at the issuer, and knows no refresh tokens of others.
//!
//! ```text
//! Issuer (iss, JWK set) -> AccessTokens, IdTokens, LogoutTokens     one verifier per kind
//!
//! verify_foreign          -> Live<AccessClaims>, Live<IdClaims>      no I/O
//! authenticate_foreign    the same, and fetches keys
//! log_out_foreign         session (iss, sid) and token (iss, jti)    -> Receipt
//! log_out_foreign_everywhere                also subject (iss, sub)  -> Receipt
//! log_out_by_provider     what a logout token says                   -> Receipt, LogoutClaims
//! revoke_foreign          any Scope, for operators
//! ```
//!
//! # What is revoked
//!
//! Every scope is keyed by the issuer, so the same `sub` or `sid` of two issuers, or of an issuer and of ours, are two.
//! Session, token and key are dead whatever the token says; subject, client and everything of an issuer are dead if
//! they were issued before (`iat`). Whatever was accepted before a revocation is dead after it; what the issuer mints
//! within the same second, or within the leeway after it, is dead too.
//!
//! A revocation is kept for [`Settings::foreign_lifetime`](crate::Settings::foreign_lifetime), the leeways and some more,
//! and a token that lives longer than that is refused.
//!
//! # Error directions
//!
//! Keys that are too old, unknown or ambiguous refuse good tokens; they never let one in. A fetch that fails changes
//! nothing until the keys are too old to count, and then refuses everything of the issuer.

mod claims;
mod facts;
mod fetch;
mod header;
mod issuer;
mod jwks;
mod logout;
mod marks;
mod rules;
mod scope;
mod verifiers;
mod verify;

pub use claims::{AccessClaims, Authentic, Claims, IdClaims, Live, LogoutClaims};
pub use issuer::{BoxError, Issuer, IssuerBuilder};
pub use scope::Scope;
pub use verifiers::{AccessTokens, IdTokens, IdTokensExpecting, LogoutTokens, Verifier};

pub(crate) use facts::Facts;
