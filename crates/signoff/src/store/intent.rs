//! Unfinished logouts of sessions that are kept in other stores: what a store keeps of them, and what is said about them.
//! Who finishes them is in [`elsewhere`](crate::elsewhere).

use crate::audit::AuditEvent;
use crate::elsewhere::{Elsewhere, Trouble};
use crate::time::Timestamp;
use crate::{SessionId, Subject};

/// Which of a session's links to other stores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from their rows")]
pub struct IntentKey {
    /// The session.
    pub session: SessionId,
    /// The place in [`Session::elsewhere`](crate::Session::elsewhere), from 0.
    pub number: u32,
}

/// A session of another store that must be destroyed, because the one that it belonged to has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from their rows")]
pub struct Intent {
    /// Its name.
    pub key: IntentKey,
    /// Whose session it was.
    pub subject: Subject,
    /// What is to be destroyed.
    pub elsewhere: Elsewhere,
    /// How often that was tried.
    pub attempts: u32,
    /// When it is to be tried next.
    pub retry_at: Timestamp,
    /// What the last failure was, if there was one.
    pub trouble: Option<Trouble>,
}

/// Which intents are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "stores answer each")]
pub enum IntentsOf<'a> {
    /// All, in the order in which they are tried next.
    All,
    /// Those whose time has come, the longest waiting first.
    Due,
    /// Those of these sessions.
    Sessions(&'a [SessionId]),
    /// Those of a person's sessions.
    Subject(&'a Subject),
}

/// What is written down about an intent that is being tried, or that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Postponed {
    /// Which.
    pub key: IntentKey,
    /// Its attempts as they were read: nothing is written if somebody else has tried since.
    pub read: u32,
    /// Its attempts from now on.
    pub attempts: u32,
    /// When it is to be tried next.
    pub retry_at: Timestamp,
    /// What the last failure was.
    pub trouble: Option<Trouble>,
    /// The record of this, if it is worth one.
    pub audit: Option<AuditEvent>,
}

/// An intent that is fulfilled.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores read every part")]
pub struct Settled {
    /// Which.
    pub key: IntentKey,
    /// The record of it.
    pub audit: AuditEvent,
}
