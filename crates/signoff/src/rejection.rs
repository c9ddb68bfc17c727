//! Why a token was refused. Closed, without detail for the client; the reason is for the log.

use std::fmt;

use signoff_revocation::Verdict;

/// A token was refused.
///
/// `Display` is the same for all of them, because a client that learns *why* learns too much.
/// [`Rejection::reason`] is for the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "closed by design: an outage must not become expressible as a rejection")]
pub enum Rejection {
    /// Several credentials were presented where one was expected.
    Ambiguous,
    /// The signature does not verify.
    BadSignature,
    /// The time of the token, or of its session, is over.
    Expired,
    /// The token of a foreign issuer lives longer than [`Settings::foreign_lifetime`](crate::Settings::foreign_lifetime),
    /// so a revocation of it could be forgotten too early.
    LivesTooLong,
    /// The bytes are no token of ours.
    Malformed,
    /// The token is not valid yet (`nbf`).
    NotYetValid,
    /// The refresh token was exchanged before, so its session was destroyed.
    Reused,
    /// The token or its session was revoked.
    Revoked,
    /// This node cannot tell whether the token is revoked, or whether its key still counts, so it refuses.
    Stale,
    /// The token is larger than any that we mint.
    TooLarge,
    /// No session has this opaque token.
    UnknownToken,
    /// No key has this `kid`.
    UnknownKey,
    /// An opaque token that is not in memory: [`Signoff::authenticate`](crate::Signoff::authenticate) loads it.
    Unloaded,
    /// The token is signed by another algorithm than its key's.
    WrongAlgorithm,
    /// The token is meant for somebody else (`aud`).
    WrongAudience,
    /// The token comes from somebody else (`iss`).
    WrongIssuer,
    /// The ID token answers another login (`nonce`).
    WrongNonce,
    /// The token is of another kind (`typ`).
    WrongType,
}

impl Rejection {
    /// The reason in a few words, for the log and never for the client.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ambiguous => "several credentials",
            Self::BadSignature => "bad signature",
            Self::Expired => "expired",
            Self::LivesTooLong => "lives too long",
            Self::Malformed => "malformed",
            Self::NotYetValid => "not yet valid",
            Self::Reused => "refresh token used before",
            Self::Revoked => "revoked",
            Self::Stale => "stale replica",
            Self::TooLarge => "too large",
            Self::UnknownKey => "unknown key",
            Self::UnknownToken => "unknown token",
            Self::Unloaded => "not in memory",
            Self::WrongAlgorithm => "wrong algorithm",
            Self::WrongAudience => "wrong audience",
            Self::WrongIssuer => "wrong issuer",
            Self::WrongNonce => "wrong nonce",
            Self::WrongType => "wrong type",
        }
    }

    /// What a replica's verdict means for the token: everything but "alive" is a refusal.
    pub(crate) fn from_verdict(verdict: Verdict) -> Result<(), Self> {
        match verdict {
            Verdict::Alive => Ok(()),
            Verdict::Dead(_) => Err(Self::Revoked),
            // Fail closed: an unready replica, or a verdict of a later version that we do not know.
            _ => Err(Self::Stale),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid token")
    }
}

impl std::error::Error for Rejection {}

/// Either the credential was refused, or we could not find out.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "refused or failed: there is no third answer")]
pub enum Denied {
    /// We failed; the credential may be good. Answer 503, not 401.
    Failed(crate::Error),
    /// The credential is no good. Answer 401.
    Rejected(Rejection),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Rejected(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for Denied {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => std::error::Error::source(error),
            Self::Rejected(_) => None,
        }
    }
}

impl From<Rejection> for Denied {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<crate::Error> for Denied {
    fn from(error: crate::Error) -> Self {
        Self::Failed(error)
    }
}
