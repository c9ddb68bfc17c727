//! Exchanging refresh tokens: what a store is asked, what it keeps of a family, and the one place that decides which
//! token may be exchanged. Stores lock a family and its session, ask [`Family::exchange`], and write down what it says.

use std::fmt;
use std::time::Duration;

use super::{LogPage, SessionTarget, SignOff, Target};
use crate::audit::{Actor, Cause, Context, Reason};
use crate::time::Timestamp;
use crate::{LogoutId, Session, SessionId, TokenHash};

/// The hashes of the first refresh token of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct NewFamily {
    /// The hash of what all tokens of the family have in common. It is the key of the family, and no token's hash.
    pub family: TokenHash,
    /// The hash of the first token.
    pub token: TokenHash,
}

/// One request to exchange a refresh token for its successor.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Exchange {
    /// The name of this request, and of the logout that it becomes if the token was used before. A repetition of a
    /// request whose answer was lost has the same name.
    pub id: LogoutId,
    /// The family of the token that was presented.
    pub family: TokenHash,
    /// The token that was presented.
    pub presented: TokenHash,
    /// What becomes the current token if the presented one is.
    pub successor: TokenHash,
    /// The successor, for those who present the same token again.
    pub sealed: SealedSuccessor,
    /// For how long they may; zero: not at all.
    pub grace: Duration,
    /// When the session ends from now on unless it is used.
    pub idle_expires_at: Timestamp,
    /// How long after a session's absolute end its revocation must be kept, if the token was used before.
    pub margin: Duration,
    /// From where it was presented.
    pub context: Context,
}

impl Exchange {
    /// What a store does, in the same transaction, when the token was used before.
    pub fn sign_off(&self, session: &SessionId) -> SignOff {
        let target = SessionTarget { id: *session, revoke_unknown_until: None };
        SignOff {
            id: self.id,
            target: Target::Sessions(vec![target]),
            cause: Cause::new(Actor::System, Reason::RefreshReused).from(self.context.clone()),
            margin: self.margin,
        }
    }
}

/// A successor that opens with its predecessor only. At most 64 bytes; they mean nothing to a store.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSuccessor(Vec<u8>);

impl SealedSuccessor {
    /// What was stored.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedSuccessor {
    // Together with a token from elsewhere it would open.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSuccessor(redacted)")
    }
}

/// What a batch of exchanges did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Exchanged {
    /// One per request, in order.
    pub outcomes: Vec<ExchangeOutcome>,
    /// The log from the head that the transaction found to the head that it left.
    pub page: LogPage,
}

/// What became of one exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "stores build it, and the caller must handle each")]
pub enum ExchangeOutcome {
    /// The session is expired, destroyed or cut off. Nothing happened.
    Gone,
    /// The token was used before: this request destroyed the session, which is as it was, without data and claims.
    Reused(Session),
    /// The successor is the current token. This is the session as it is now.
    Rotated(Session),
    /// The token was exchanged a moment ago, for a successor that the caller can open.
    Same {
        /// The session.
        session: Session,
        /// The successor that is the current token.
        successor: TokenHash,
        /// That successor, sealed when it was made.
        sealed: SealedSuccessor,
    },
    /// No family has this hash. Nothing happened.
    Unknown,
}

/// What a store keeps of the refresh tokens of one session, however often they were exchanged.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from their rows")]
pub struct Family {
    /// Whose it is.
    pub session: SessionId,
    /// The token that may be exchanged.
    pub current: TokenHash,
    /// The token before.
    pub previous: Option<TokenHash>,
    /// The current token, for those who present the previous one; `None` when nobody may any more.
    pub sealed: Option<SealedSuccessor>,
    /// Until when they may.
    pub grace_until: Timestamp,
    /// How many tokens there were: 1 with the first.
    pub generation: u64,
    /// The request that found a token used before.
    pub reuse: Option<LogoutId>,
}

/// What a store must do about an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a store writes down what was decided"]
#[expect(clippy::exhaustive_enums, reason = "stores handle each")]
pub enum Decision {
    /// Nothing: [`ExchangeOutcome::Gone`].
    Gone,
    /// Write nothing and answer as the first time: this very request has happened already, and its answer was lost.
    Repeated(Repeated),
    /// Write the family, and do what [`Exchange::sign_off`] says: [`ExchangeOutcome::Reused`].
    Reused,
    /// Write the family, and note that the session is used: [`ExchangeOutcome::Rotated`].
    Rotated,
    /// Write nothing: [`ExchangeOutcome::Same`].
    Same(SealedSuccessor),
}

/// What a request that is repeated did the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "stores handle each")]
pub enum Repeated {
    /// It found the token used before.
    Reused,
    /// It rotated.
    Rotated,
}

impl Family {
    /// The family of a new session.
    pub const fn new(session: SessionId, first: &NewFamily) -> Self {
        Self {
            session,
            current: first.token,
            previous: None,
            sealed: None,
            grace_until: Timestamp::MIN,
            generation: 1,
            reuse: None,
        }
    }

    /// Decides about an exchange, and becomes what the family is afterwards. `is_live` says whether its session is, at
    /// `now`. The store must hold both until it commits.
    pub fn exchange(&mut self, request: &Exchange, is_live: bool, now: Timestamp) -> Decision {
        if self.reuse == Some(request.id) {
            return Decision::Repeated(Repeated::Reused);
        }
        // Before anything else: after a logout nothing succeeds, not even a repetition of what succeeded before it.
        if !is_live {
            return Decision::Gone;
        }
        // The second: it happened, and somebody has exchanged what it gave since.
        if self.current == request.successor || self.previous == Some(request.successor) {
            return Decision::Repeated(Repeated::Rotated);
        }
        if self.current == request.presented {
            self.previous = Some(self.current);
            self.current = request.successor;
            self.sealed = (!request.grace.is_zero()).then(|| request.sealed.clone());
            self.grace_until = now.saturating_add(request.grace);
            self.generation = self.generation.saturating_add(1);
            return Decision::Rotated;
        }
        match &self.sealed {
            Some(sealed) if self.previous == Some(request.presented) && now < self.grace_until => {
                Decision::Same(sealed.clone())
            }
            // An older one, one whose grace is over, or one that never was. Somebody has a copy, and who is the thief
            // cannot be known.
            _ => {
                self.sealed = None;
                self.reuse = Some(request.id);
                Decision::Reused
            }
        }
    }
}
