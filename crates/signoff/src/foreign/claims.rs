//! What foreign tokens say, by kind, and the states of a token as types. Only a [`Live`] one may open anything.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::facts::Facts;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, b64};

/// What all kinds of foreign tokens have in common. Cheap to clone.
#[derive(Clone)]
pub struct Claims(pub(super) Arc<Facts>);

impl Claims {
    /// Who issued it (`iss`). What it calls a person or a session means something only together with this.
    pub fn issuer(&self) -> &str {
        self.0.issuer.name()
    }

    /// Whom it is for (`aud`): one or more, among them the one that the verifier was made for.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.0.audience.iter().map(String::as_str)
    }

    /// The issuer's name for the session it belongs to (`sid`).
    pub fn session_id(&self) -> Option<&str> {
        self.0.session_id.as_deref()
    }

    /// Its own id (`jti`).
    pub fn token_id(&self) -> Option<&str> {
        self.0.token_id.as_deref()
    }

    /// The program that it was issued to: `client_id`, or what providers say instead, `azp`, `cid` (Okta) or `appid`
    /// (Entra).
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref().or(self.0.authorized_party.as_deref())
    }

    /// Which key of the issuer signed it (`kid`).
    pub fn kid(&self) -> &str {
        self.0.key.kid()
    }

    /// When it was issued (`iat`), rounded down to a second.
    pub fn issued_at(&self) -> Timestamp {
        self.0.issued_at
    }

    /// When it ends (`exp`), rounded down to a second.
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// All claims, registered ones too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] when they do not fit the type.
    pub fn application<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let misfit = || Error::new(ErrorKind::Data, "the claims of a foreign token do not fit the type");
        let json = b64::bytes(self.0.payload_text()).ok_or_else(misfit)?;
        serde_json::from_slice(&json).map_err(|error| misfit().with_source(error))
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer())
            .field("subject", &self.0.subject)
            .field("client_id", &self.client_id())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

macro_rules! kind {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Debug)]
        pub struct $name(pub(super) Claims);

        impl Deref for $name {
            type Target = Claims;

            fn deref(&self) -> &Claims {
                &self.0
            }
        }
    };
}

kind! {
    /// What an access token says.
    AccessClaims
}
kind! {
    /// What an ID token says.
    IdClaims
}
kind! {
    /// Whom a logout token logs out: a session, or else all sessions of a person.
    LogoutClaims
}

impl AccessClaims {
    /// Whose token it is (`sub`): unique within the issuer, and not beyond.
    pub fn subject(&self) -> &str {
        self.0.0.subject.as_deref().unwrap_or_default()
    }

    /// What it may be used for: `scope`, or what providers say instead, `scp`; words separated by spaces.
    pub fn scope(&self) -> Option<&str> {
        self.0.0.scope.as_deref()
    }

    /// Whether the scope contains this word.
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().is_some_and(|scope| scope.split(' ').any(|granted| granted == word))
    }
}

impl IdClaims {
    /// Who logged in (`sub`): unique within the issuer, and not beyond.
    pub fn subject(&self) -> &str {
        self.0.0.subject.as_deref().unwrap_or_default()
    }

    /// When the person proved who they are (`auth_time`), rounded down to a second.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.0.0.auth_time
    }

    /// How thoroughly they did, in the issuer's words (`acr`).
    pub fn acr(&self) -> Option<&str> {
        self.0.0.acr.as_deref()
    }

    /// By which means they did (`amr`), in the words of RFC 8176.
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.0.0.amr.iter().map(String::as_str)
    }
}

impl LogoutClaims {
    /// Who is logged out (`sub`), if it says.
    pub fn subject(&self) -> Option<&str> {
        self.0.0.subject.as_deref()
    }
}

/// A foreign token that is authentic: its signature, issuer, audience and kind are right. It may be expired, and it may
/// be revoked.
///
/// It opens nothing. Its one use is to be logged out.
#[derive(Debug)]
pub struct Authentic<C>(C);

impl<C> Authentic<C> {
    /// Checked by the caller: the signature verified under a key of the issuer, `iss` is the issuer's name, and the
    /// rules of the kind hold, audience included.
    pub(super) const fn assertion(claims: C) -> Self {
        Self(claims)
    }

    /// What it says. Do not act on it: the token may be dead.
    pub const fn claims(&self) -> &C {
        &self.0
    }
}

/// A foreign token that is authentic, in time, and not revoked, at the moment it was verified.
#[derive(Debug)]
pub struct Live<C>(C);

impl<C> Live<C> {
    /// Checked by the caller: everything that [`Authentic`] stands for, that the issuer's keys are young enough to
    /// count, the times against one reading of the clock, and every scope against the replica.
    pub(super) const fn assertion(claims: C) -> Self {
        Self(claims)
    }
}

impl<C> Deref for Live<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}
