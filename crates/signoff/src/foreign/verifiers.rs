//! The verifiers, one per kind of token: whom tokens are from and for. Each accepts its own kind and nothing else.

use std::ops::Deref;
use std::sync::Arc;

use super::Issuer;
use super::claims::{AccessClaims, Claims, IdClaims};
use super::facts::Facts;
use super::rules::{Kind, Nonce, Typing};
use super::scope::{Derived, Scope};

/// Verifies one kind of foreign token: [`AccessTokens`], or [`IdTokens`] together with what is known of the nonce.
///
/// It is sealed, because kinds that exclude each other must know each other. [`LogoutTokens`] is not one: a logout token
/// opens nothing.
pub trait Verifier: sealed::Sealed + Sync {
    /// What a token of the kind says.
    type Claims: Deref<Target = Claims> + Send;

    #[doc(hidden)]
    fn wanted(&self) -> Wanted<'_>;

    #[doc(hidden)]
    fn claims(checked: Checked) -> Self::Claims;
}

mod sealed {
    #[expect(unnameable_types, reason = "so that nobody else can implement it")]
    pub trait Sealed {}
}

/// What a verifier asks of a token.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "only the sealed trait speaks of it")]
pub struct Wanted<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) kind: Kind<'a>,
    pub(super) audience: &'a str,
    /// The client that all tokens of this verifier belong to, whatever they call it.
    pub(super) client: Option<&'a Derived>,
}

/// A token that keeps the rules of a kind, on its way into the type of that kind.
#[derive(Debug)]
#[expect(unnameable_types, reason = "only the sealed trait speaks of it")]
pub struct Checked(Claims);

impl Checked {
    /// Checked by the caller: the rules of the kind that the verifier stands for.
    pub(super) const fn assertion(facts: Arc<Facts>) -> Self {
        Self(Claims(facts))
    }

    pub(super) fn into_claims(self) -> Claims {
        self.0
    }
}

/// Verifies access tokens of an issuer for one audience.
///
/// ```
/// # use signoff::foreign::{AccessTokens, Issuer};
/// # let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// let issuer = Issuer::with_jwks("https://idp.example", jwks).build()?;
/// let tokens = AccessTokens::new(&issuer, "https://bank.example/api"); // RFC 9068
/// let tokens = AccessTokens::untyped(&issuer, "https://bank.example/api"); // the large providers
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccessTokens {
    issuer: Issuer,
    audience: String,
    kind: Kind<'static>,
}

impl AccessTokens {
    /// Tokens of RFC 9068: `typ` is `at+jwt`, and `iss`, `sub`, `aud`, `exp`, `iat`, `jti` and `client_id` are there.
    /// Prefer it wherever the issuer can be set up so: Auth0 calls it the RFC 9068 profile, Keycloak "use `at+jwt` as
    /// access token header type".
    pub fn new(issuer: &Issuer, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.clone(), audience: audience.into(), kind: Kind::Access }
    }

    /// Tokens whose header says `typ: JWT` or nothing, as Auth0, Entra, Keycloak and Okta send unless told otherwise.
    /// `iss`, `sub`, `aud`, `exp` and `iat` must be there.
    ///
    /// Nothing in such a header tells an access token from an ID token, so the claims must: at least one that only
    /// access tokens have (`scope`, `scp`, `client_id`, `cid`, `permissions`, `gty`, `azpacr`, `appidacr`, or Keycloak's
    /// `typ: Bearer`), and none that marks another kind (`nonce`, `at_hash`, `c_hash`, `s_hash`, `events`, `sub_id`,
    /// `toe`, `htm`, `htu`, `ath`, `status_list`, `token_introspection`, another `typ` in the payload).
    pub fn untyped(issuer: &Issuer, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.clone(), audience: audience.into(), kind: Kind::AccessUntyped }
    }
}

impl sealed::Sealed for AccessTokens {}

impl Verifier for AccessTokens {
    type Claims = AccessClaims;

    fn wanted(&self) -> Wanted<'_> {
        Wanted { issuer: &self.issuer, kind: self.kind, audience: &self.audience, client: None }
    }

    fn claims(checked: Checked) -> AccessClaims {
        AccessClaims(checked.into_claims())
    }
}

/// Verifies ID tokens of an issuer for one client (OpenID Connect Core, section 3.1.3.7), once it knows what to expect of
/// the `nonce`.
///
/// `typ` is absent or `JWT`; `iss`, `sub`, `aud`, `exp` and `iat` are there; `aud` contains our client id; `azp`, if
/// present, is our client id, and it must be if there are several audiences. Claims that mark access tokens (see
/// [`AccessTokens::untyped`]) or events are refused.
///
/// An ID token tells a client who logged in. It is no access token: an API must not accept it. By itself this verifies
/// nothing, so the nonce cannot be forgotten:
///
/// ```compile_fail,E0277
/// # use signoff::foreign::{IdTokens, Verifier};
/// # fn verify<V: Verifier>(_: &V) {}
/// fn forgotten(tokens: &IdTokens) {
///     verify(tokens); // which nonce?
/// }
/// ```
///
/// ```
/// # use signoff::foreign::{IdTokens, Issuer};
/// # let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// # let issuer = Issuer::with_jwks("https://idp.example", jwks).build()?;
/// let tokens = IdTokens::new(&issuer, "bank-web");
/// let at_the_callback = tokens.with_nonce("n-0S6_WzA2Mj");
/// let later = tokens.nonce_compared_before();
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct IdTokens {
    issuer: Issuer,
    client_id: String,
    client: Derived,
}

impl IdTokens {
    /// Tokens for this client.
    pub fn new(issuer: &Issuer, client_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        let client = Scope::Client(&client_id).derive(issuer.name());
        Self { issuer: issuer.clone(), client_id, client }
    }

    /// When the token comes in: it answers the login that this nonce was sent with, and no other.
    pub const fn with_nonce<'a>(&'a self, nonce: &'a str) -> IdTokensExpecting<'a> {
        IdTokensExpecting { tokens: self, nonce: Nonce::Expected(nonce) }
    }

    /// When the token comes in and no nonce was sent: then it must have none. A flow without nonce needs PKCE against
    /// stolen codes.
    pub const fn without_nonce(&self) -> IdTokensExpecting<'_> {
        IdTokensExpecting { tokens: self, nonce: Nonce::Absent }
    }

    /// When the token is presented again, or logged out: its nonce was compared when it came in.
    pub const fn nonce_compared_before(&self) -> IdTokensExpecting<'_> {
        IdTokensExpecting { tokens: self, nonce: Nonce::ComparedBefore }
    }
}

/// [`IdTokens`] that know what to expect of the nonce.
#[derive(Clone, Copy, Debug)]
pub struct IdTokensExpecting<'a> {
    tokens: &'a IdTokens,
    nonce: Nonce<'a>,
}

impl sealed::Sealed for IdTokensExpecting<'_> {}

impl Verifier for IdTokensExpecting<'_> {
    type Claims = IdClaims;

    fn wanted(&self) -> Wanted<'_> {
        let IdTokens { issuer, client_id, client } = self.tokens;
        Wanted { issuer, kind: Kind::Id(self.nonce), audience: client_id, client: Some(client) }
    }

    fn claims(checked: Checked) -> IdClaims {
        IdClaims(checked.into_claims())
    }
}

/// Verifies logout tokens of an issuer for one client (OpenID Connect Back-Channel Logout, sections 2.4 to 2.6), for
/// [`Signoff::log_out_by_provider`](crate::Signoff::log_out_by_provider).
///
/// `typ` is `logout+jwt`; `iss`, `aud`, `iat`, `exp`, `jti` and `events` with its member are there, and `sub` or `sid` or
/// both; `nonce` is prohibited. It lets nobody in:
///
/// ```compile_fail,E0277
/// # use signoff::foreign::{LogoutTokens, Verifier};
/// # fn verify<V: Verifier>(_: &V) {}
/// fn let_in(tokens: &LogoutTokens) {
///     verify(tokens);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LogoutTokens {
    issuer: Issuer,
    client_id: String,
    typing: Typing,
}

impl LogoutTokens {
    /// Tokens for this client.
    pub fn new(issuer: &Issuer, client_id: impl Into<String>) -> Self {
        Self { issuer: issuer.clone(), client_id: client_id.into(), typing: Typing::Strict }
    }

    /// Also tokens whose header says `typ: JWT` or nothing: the `typ` is a recommendation that many providers do not
    /// follow yet. The `events` member then tells the kind alone.
    pub fn legacy_untyped(issuer: &Issuer, client_id: impl Into<String>) -> Self {
        Self { typing: Typing::Legacy, ..Self::new(issuer, client_id) }
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        let Self { issuer, client_id, typing } = self;
        Wanted { issuer, kind: Kind::Logout(*typing), audience: client_id, client: None }
    }
}
