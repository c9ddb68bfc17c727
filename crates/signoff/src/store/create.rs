//! Creating sessions: what a store is asked, and what it answers. It decides nothing.

use std::time::Duration;

use super::{LogPage, NewFamily, SessionTarget, SignOff, Target};
use crate::audit::{AuditEvent, Cause};
use crate::time::Timestamp;
use crate::{LogoutId, Position, Session, SessionId, TokenHash};

/// One session to create.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct NewSession {
    /// What it is like. [`Session::born`] and [`Session::version`] are the store's to say.
    pub session: Session,
    /// The hash of its opaque token, if it has one.
    pub token: Option<TokenHash>,
    /// Its refresh tokens, if it has any.
    pub refresh: Option<NewFamily>,
    /// The record of its creation.
    pub audit: AuditEvent,
    /// The session whose place it takes, if it takes one.
    pub replaces: Option<Replace>,
}

/// A session that ends where another begins.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Replace {
    /// Which.
    pub id: SessionId,
    /// The version that the new session was made from; `None` if it was not made from the old one.
    pub version: Option<u64>,
    /// The name of this end, for the audit trail.
    pub logout: LogoutId,
    /// Who asked, why, and from where.
    pub cause: Cause,
    /// How long after the old session's absolute end its revocation must be kept.
    pub margin: Duration,
}

impl Replace {
    /// What a store does to the old session, in the same transaction.
    pub fn sign_off(&self) -> SignOff {
        let target = SessionTarget { id: self.id, revoke_unknown_until: None };
        SignOff {
            id: self.logout,
            target: Target::Sessions(vec![target]),
            cause: self.cause.clone(),
            margin: self.margin,
        }
    }
}

/// What a batch of creations did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct CreatedSessions {
    /// One per request, in order.
    pub outcomes: Vec<CreateOutcome>,
    /// The log from the head that the transaction found to the head that it left.
    pub page: LogPage,
}

/// What became of one creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a session that was not created has no tokens"]
#[expect(clippy::exhaustive_enums, reason = "stores build it, and the caller must handle each")]
pub enum CreateOutcome {
    /// The session that it replaces is at another version. Nothing happened.
    Changed,
    /// The id, the token's hash or the family exists, dead or alive. Nothing happened.
    Conflict,
    /// It is born at this position.
    Created(Position),
    /// The session that it replaces is not live. Nothing happened.
    Gone,
}

/// One note that a session is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Touch {
    /// Which.
    pub id: SessionId,
    /// When it ends from now on unless it is used again.
    pub idle_expires_at: Timestamp,
}
