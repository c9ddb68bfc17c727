//! The three states of a token as three types. Only a [`Live`] one may open anything.

use std::fmt;
use std::ops::Deref;

use crate::jws::{ACCESS_TOKEN, Compact};
use crate::opaque::{Kind, Opaque};
use crate::{Claims, Rejection};

/// A text that has the shape of a token of ours. It proves nothing.
pub struct Unverified<'a>(pub(crate) Shape<'a>);

pub(crate) enum Shape<'a> {
    Jwt(Compact<'a>),
    Opaque(Opaque<'a>),
    /// It opens nothing, but its session can be logged out with it.
    Refresh(Opaque<'a>),
}

impl<'a> Unverified<'a> {
    /// Checks size, shape, header and checksum: everything that can be refused before cryptography or a query.
    ///
    /// # Errors
    ///
    /// The [`Rejection`] that the text deserves. No bytes make it panic, or allocate more than a few kilobytes.
    pub fn parse(token: &'a str) -> Result<Self, Rejection> {
        if Kind::claimed(token) == Some(Kind::Refresh) {
            return Opaque::parse(Kind::Refresh, token).map(|opaque| Self(Shape::Refresh(opaque)));
        }
        let shape = Shape::of(token)?;
        if let Shape::Jwt(compact) = &shape {
            compact.header(&[ACCESS_TOKEN])?;
        }
        Ok(Self(shape))
    }
}

impl<'a> Shape<'a> {
    /// Checks everything but the header of a JWT, which need not be read when its bytes are known.
    pub(crate) fn of(token: &'a str) -> Result<Self, Rejection> {
        if Kind::claimed(token).is_some() {
            Opaque::parse(Kind::Access, token).map(Shape::Opaque)
        } else {
            Compact::split(token).map(Shape::Jwt)
        }
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Shape::Jwt(_) => "Unverified(JWT)",
            Shape::Opaque(_) => "Unverified(opaque)",
            Shape::Refresh(_) => "Unverified(refresh)",
        })
    }
}

/// A token that we minted: its signature, or its stored hash, is good. It may be expired, and it may be revoked.
///
/// It opens nothing. Its one use is to be logged out: the session must die even when the token did first.
#[derive(Debug)]
pub struct Authentic(Claims);

impl Authentic {
    /// Checked by the caller: the signature verified under a key of ours and issuer and audience are right; or the
    /// store has a session under the hash of the token, or of the family that it is a refresh token of.
    pub(crate) const fn assertion(claims: Claims) -> Self {
        Self(claims)
    }

    /// What it says. Do not act on it: the token may be dead.
    pub const fn claims(&self) -> &Claims {
        &self.0
    }
}

/// A token that is authentic, in time, and not revoked, at the moment it was verified.
#[derive(Debug)]
pub struct Live(Claims);

impl Live {
    /// Checked by the caller: everything that [`Authentic`] stands for, the times against one reading of the clock, and
    /// every scope against the replica.
    pub(crate) const fn assertion(claims: Claims) -> Self {
        Self(claims)
    }
}

impl Deref for Live {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.0
    }
}
