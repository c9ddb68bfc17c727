//! The durable half: what a store must do, contract by contract. The conformance suite (feature `conformance`) checks
//! every sentence here.

mod create;
mod exchange;
mod forward;
mod intent;
mod memory;
mod nodes;
mod seat;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::audit::{AuditEvent, AuditKind, Cause, Reason};
use crate::time::Timestamp;
use crate::{Error, LogoutId, Position, Session, SessionId, Subject, TokenHash, Update};

pub use create::{CreateOutcome, CreatedSessions, NewSession, Replace, Touch};
pub use exchange::{Decision, Exchange, ExchangeOutcome, Exchanged, Family, NewFamily, Repeated, SealedSuccessor};
pub(crate) use forward::forward;
pub use intent::{Intent, IntentKey, IntentsOf, Postponed, Settled};
pub use memory::MemoryStore;
pub use nodes::{Hints, Node, Nodes};
pub use seat::Seat;
pub(crate) use seat::Seated;
pub use signoff_revocation::{LogPage, Revocation, Scope, ScopeKind};

/// Where sessions, the revocation log and the audit trail are kept.
///
/// Every method is one transaction: it happens whole or not at all, and it is durable when the method returns `Ok`.
/// After an `Err` it may have happened or not; repeating it is safe. Times are arguments: a store has no clock.
/// Subjects, ids and scopes compare byte for byte.
///
/// *Live* means: created, not destroyed, neither past its idle nor its absolute end, and not cut off, that is, no
/// unexpired log entry for its subject, its client or everything has a position after its birth.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The seat of the one [`Signoff`](crate::Signoff) that uses this store; always the same one.
    fn seat(&self) -> &Seat;

    /// What the store does for nodes that share it; `None`, as by default, when this process has it for itself. It is
    /// always the one or always the other.
    fn nodes(&self) -> Option<&dyn Nodes> {
        None
    }

    /// How many transactions that move the head of the log should be under way at once when there is a crowd; one, as by
    /// default, where the next one could do nothing until that one is on the disk. Always the same number.
    fn commits_at_once(&self) -> usize {
        1
    }

    /// Raises the store's terms to these where they are larger, and returns the result.
    ///
    /// - Terms never shrink: what an earlier configuration promised still binds.
    async fn agree(&self, terms: Terms) -> Result<Terms, Error>;

    /// Adds sessions, each under its id, its token's hash if it has one, its family of refresh tokens if it has one, and the
    /// audit record: all requests in one transaction, as if one after the other, in this order.
    ///
    /// - [`CreateOutcome::Created`]: born at a position of its own. [`Session::born`] of the argument is ignored, its version
    ///   becomes 1.
    /// - [`Session::elsewhere`] is kept for [`Store::intents`]; no verb that returns a session returns it.
    /// - Never overwrites: [`CreateOutcome::Conflict`] when the id, the hash or the family exists, dead or alive, or if an
    ///   earlier request of the batch made it. Such a request changes nothing, and its neighbours do not suffer.
    /// - [`NewSession::replaces`]: first the old session is signed off as [`Replace::sign_off`] says: destroyed, revoked
    ///   until `margin` after its absolute end, and recorded; the new one is born after that entry. If the old one is not
    ///   live ([`CreateOutcome::Gone`]), or not at the version that is named ([`CreateOutcome::Changed`]), nothing is
    ///   created. A session that this same batch adds counts as not live.
    /// - The transaction of a replacement excludes every [`Store::sign_off`], or is excluded by it: none that has returned
    ///   leaves the session live to be replaced, and none that covers the old session by a wider scope, or by its subject,
    ///   misses the one that took its place.
    /// - Positions grow from one entry or birth to the next across the batch, starting at `max(head + 1, now)`; the last
    ///   one becomes the head. If nothing was created the head stays.
    /// - Returns one outcome per request, in order, and the log from the head that it found to the head that it left.
    async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error>;

    /// The session under this key if it is live; unknown, expired, destroyed and cut off are all `None`.
    async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error>;

    /// The session that this token was minted for, dead or alive, until it is purged. For logging out, never for
    /// letting in. A destroyed session has no data and no claims any more.
    async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error>;

    /// As [`Store::find_by_token`], for the session of a family of refresh tokens.
    async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error>;

    /// Live sessions of a subject in the order of their ids, at most `limit`, those after `after`.
    async fn list_sessions(
        &self,
        subject: &Subject,
        after: Option<&SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Session>, Error>;

    /// Replaces the data of a live session that is at `version`, which grows by one.
    ///
    /// - Not live: [`Update::Gone`]. Another version: [`Update::Conflict`]. Never inserts.
    async fn update_session(&self, id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Result<Update, Error>;

    /// Notes that live sessions are used, all in one transaction: `last_seen_at` becomes `now`, the idle end
    /// `idle_expires_at`, but never later than the absolute end, and neither ever goes back.
    ///
    /// - Returns one answer per request, in order: the session as it is after the whole batch; not live: `None`.
    /// - A session that is named several times is written once, with the latest of its idle ends.
    /// - Never inserts.
    async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error>;

    /// Destroys sessions, appends to the log and writes audit records: all requests in one transaction, in this order.
    ///
    /// - [`Target::Sessions`]: destroys each that is not destroyed yet, expired or not, and appends a revocation of
    ///   each destroyed one that expires `margin` after the session's absolute end. A session that is destroyed already
    ///   counts as found gone and gets no second entry. An unknown one is revoked until `revoke_unknown_until`, if that
    ///   is given.
    /// - [`Target::Subject`]: destroys all of the subject's sessions. Without `except` it appends one revocation of the
    ///   subject until `revoke_until`, also when there was no session; with `except` it spares that one and appends a
    ///   revocation per destroyed session instead.
    /// - [`Target::Scope`]: appends a revocation until `revoke_until`, whatever kind of scope it is; sessions of the scope
    ///   are cut off by it. Its name may be one that no subject, client or key of ours can have.
    /// - A destroyed session keeps its row, without its data and claims, until it is purged: found gone, not unknown.
    /// - Positions grow from one entry to the next across the batch, starting at `max(head + 1, now)`; the last one
    ///   becomes the head. Without entries the head stays.
    /// - One audit record ([`SignOff::audit`]) per destroyed session, per unknown one that is revoked, and per subject or
    ///   scope.
    /// - Returns one outcome per request, in order, and the log from the head that it found to the head that it left.
    async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error>;

    /// Exchanges refresh tokens: all requests in one transaction, as if one after the other, in this order.
    ///
    /// The transaction excludes every [`Store::sign_off`], or is excluded by it, before it looks at a session: once a
    /// sign-off has returned, no exchange finds its sessions live, nor does one that was under way.
    ///
    /// - What is to be done about each is decided by [`Family::exchange`], for every store alike.
    /// - No family of this hash: [`ExchangeOutcome::Unknown`]. Its session is not live: [`ExchangeOutcome::Gone`],
    ///   whichever token was presented. Nothing is written, and no record.
    /// - The current token of a live session: its successor becomes current and it becomes the previous one;
    ///   `last_seen_at` becomes `now`, the idle end `idle_expires_at`, but never later than the absolute end, which stays.
    ///   Outcome [`ExchangeOutcome::Rotated`].
    /// - The previous one, before `grace` has passed since it was exchanged: [`ExchangeOutcome::Same`], with the successor
    ///   that it was exchanged for. Nothing is written. With a grace of zero, and when `grace` has passed to the
    ///   microsecond, it counts as used before.
    /// - Any other token of a known family of a live session was used before: the session is signed off as
    ///   [`Exchange::sign_off`] says, destroyed, revoked and recorded, in this same transaction.
    ///   Outcome [`ExchangeOutcome::Reused`].
    /// - A request that is repeated, because its answer was lost, gets the outcome of the first time and changes nothing,
    ///   as long as the session is live or this request ended it.
    /// - A family lives and dies with its session, by whatever verb that ends; it is deleted with it.
    /// - Positions and the page are as in [`Store::sign_off`]. Without a reuse the head stays.
    async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error>;

    /// What must be destroyed in other stores and is not yet, at most `limit`, in the order of [`Intent::retry_at`].
    ///
    /// - An intent is one of [`Session::elsewhere`] of a destroyed session, from the very commit that destroyed it, by
    ///   whatever verb; also of one that was not destroyed, from its absolute end on, but for [`IntentsOf::Sessions`] and
    ///   [`IntentsOf::Subject`] only once it was postponed. It ends when it is settled.
    /// - [`IntentsOf::Due`]: those whose `retry_at` is at or before `now`. Until it is postponed it is due since its session
    ///   was destroyed, or at its absolute end.
    /// - The work is bounded by what ended since the last call, not by the living; what is left, the next call finds.
    async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error>;

    /// Writes down attempts, with their audit records, and says for each whether it was written.
    ///
    /// - An intent that is settled, or has other attempts than were read, stays as it is, and gets no record: of several
    ///   nodes that try the same, one is told `true`.
    async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error>;

    /// Ends intents, with the audit record of each that this call ended.
    ///
    /// - Settling what is settled, or what never was, succeeds and leaves no record.
    async fn settle(&self, settled: &[Settled]) -> Result<(), Error>;

    /// The log after a position, in order, complete, at most `limit` entries, read in one snapshot together with the
    /// head.
    ///
    /// - Fewer than `limit` entries: the page goes through to the head, also when that lies before `after` (a store
    ///   that went back). Else it ends at its last entry.
    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error>;

    /// Adds an audit record that belongs to no change.
    async fn record(&self, event: &AuditEvent) -> Result<(), Error>;

    /// The newest audit records of a subject, newest first.
    async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error>;

    /// Deletes at most `limit` settled sessions whose absolute end, and at most `limit` log entries whose expiry, is at or
    /// before `horizon`, with their tokens and families. Never a live revocation, never an audit record.
    ///
    /// - A session is settled when it has no sessions in other stores, or all of those intents are settled.
    /// - Forgets at most `limit` sealed successors whose grace was over at `horizon`.
    async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error>;

    /// The key ring that all nodes share, as it was saved last, to the last byte; `None` when none was saved yet.
    ///
    /// - Never older than what an earlier call returned or saved.
    async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error>;

    /// Replaces the key ring if it is at version `expected`, or adds the first one if that is 0 and there is none. It
    /// is then at version `expected + 1`.
    ///
    /// - `false` when it is at another version, or when there is one and `expected` is 0, or none and it is not:
    ///   nothing is changed then. Of several savers who expect the same version, one succeeds.
    async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error>;
}

/// What all openings of a store agree on, because revocations must outlive what an earlier opening promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Terms {
    /// The longest that any session ever lives, in whole microseconds.
    pub longest_session: Duration,
    /// The largest leeway that any verifier ever had.
    pub leeway: Duration,
}

impl Terms {
    /// The larger of both, part by part.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self { longest_session: self.longest_session.max(other.longest_session), leeway: self.leeway.max(other.leeway) }
    }
}

/// How a session is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "stores answer each")]
pub enum SessionKey<'a> {
    /// By its id.
    Id(&'a SessionId),
    /// By the hash of its opaque token.
    Token(&'a TokenHash),
}

/// One request to end something.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct SignOff {
    /// The name of this logout, for the audit trail.
    pub id: LogoutId,
    /// What ends.
    pub target: Target,
    /// Who asked, why, and from where.
    pub cause: Cause,
    /// How long after a session's absolute end its revocation must be kept.
    pub margin: Duration,
}

impl SignOff {
    /// The audit record of this request: for one session if it is given, else for the whole target.
    pub fn audit(
        &self,
        subject: Option<&Subject>,
        session: Option<&SessionId>,
        destroyed: u64,
        now: Timestamp,
    ) -> AuditEvent {
        let (kind, detail) = match &self.target {
            Target::Sessions(_) if self.cause.reason == Reason::RefreshReused => (AuditKind::RefreshReused, None),
            Target::Sessions(_) => (AuditKind::LoggedOut, None),
            Target::Subject { .. } if session.is_some() => (AuditKind::LoggedOut, None),
            Target::Subject { .. } => (AuditKind::Revoked, Some(format!("subject; {destroyed} sessions"))),
            Target::Scope { revocation, .. } => (AuditKind::Revoked, Some(revocation.to_text())),
        };
        AuditEvent {
            at: now,
            kind,
            subject: subject.cloned(),
            actor: self.cause.actor.clone(),
            reason: Some(self.cause.reason),
            session: session.map(SessionId::fingerprint),
            logout: Some(self.id),
            detail,
            context: self.cause.context.clone(),
        }
    }
}

/// What a [`SignOff`] ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "stores handle each")]
pub enum Target {
    /// A scope by one log entry. It destroys no session: our own sessions and subjects end by the other targets, but what
    /// a foreign issuer calls a session or a subject has no session here.
    Scope {
        /// What is revoked.
        revocation: ScopeBuf,
        /// When the revocation may be forgotten.
        revoke_until: Timestamp,
    },
    /// These sessions.
    Sessions(Vec<SessionTarget>),
    /// All sessions of a subject.
    Subject {
        /// Whose.
        subject: Subject,
        /// A session to spare.
        except: Option<SessionId>,
        /// When the revocation may be forgotten.
        revoke_until: Timestamp,
    },
}

/// One session to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct SessionTarget {
    /// Which.
    pub id: SessionId,
    /// When the store does not know the session (it lost it, or purged it): revoke it until then all the same.
    pub revoke_unknown_until: Option<Timestamp>,
}

/// A [`Scope`] that owns its id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScopeBuf {
    kind: ScopeKind,
    id: Box<[u8]>,
    /// What the audit trail calls it, when its kind does not say enough.
    label: Option<Box<str>>,
}

impl ScopeBuf {
    /// Something of a foreign issuer: its id here is derived, so the trail needs words.
    pub(crate) fn labelled(scope: Scope<'_>, label: String) -> Self {
        Self { label: Some(label.into()), ..scope.into() }
    }

    /// What the audit trail calls it.
    pub(crate) fn to_text(&self) -> String {
        let kind = match self.kind {
            ScopeKind::Client => "client",
            ScopeKind::Key => "key",
            ScopeKind::Session => "session",
            ScopeKind::Subject => "subject",
            ScopeKind::Token => "token",
            _ => "everything",
        };
        self.label.as_deref().unwrap_or(kind).to_owned()
    }

    /// Which kind of scope it is.
    pub const fn kind(&self) -> ScopeKind {
        self.kind
    }

    /// The scope.
    pub fn as_scope(&self) -> Scope<'_> {
        // The parts came from a scope, so they make one; a lock-out is the safe answer to the impossible.
        Scope::from_parts(self.kind, &self.id).unwrap_or(Scope::Everything)
    }
}

impl From<Scope<'_>> for ScopeBuf {
    fn from(scope: Scope<'_>) -> Self {
        Self { kind: scope.kind(), id: scope.id().into(), label: None }
    }
}

/// What a batch of sign-offs did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct SignedOff {
    /// One per request, in order.
    pub outcomes: Vec<Outcome>,
    /// The log from the head that the transaction found to the head that it left.
    pub page: LogPage,
}

/// What one sign-off found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Outcome {
    /// Sessions that this request destroyed.
    pub destroyed: u64,
    /// Sessions that were destroyed before.
    pub gone: u64,
    /// Sessions that the store does not know.
    pub unknown: u64,
}

/// A stretch of the log, and where the log ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct LogRead {
    /// The entries.
    pub page: LogPage,
    /// The position that was handed out last.
    pub head: Position,
}

/// How much a purge deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct Purged {
    /// Sessions.
    pub sessions: u64,
    /// Log entries.
    pub revocations: u64,
    /// Sealed successors that were forgotten, of sessions that stay.
    pub successors: u64,
}

/// The key ring as a store keeps it. What is secret in it is sealed; see [`keyring`](crate::keyring).
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it")]
pub struct StoredKeyRing {
    /// How often it was saved: 1 for the first one.
    pub version: u64,
    /// A JSON text of at most 256 KiB.
    pub document: String,
}
