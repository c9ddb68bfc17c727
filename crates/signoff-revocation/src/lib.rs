//! Is this token revoked? Answered in memory, without I/O, without a runtime and without a clock of its own.
//!
//! Revocations form a log: every entry has a [`Scope`] (one token, one session, everything of a subject, ...), a
//! [`Position`] that only grows, and a time after which no token it kills can be accepted anyway. A [`Replica`] holds
//! the live part of that log and answers one question: given the scopes of a token and the position it was born at,
//! is it [`Verdict::Alive`]?
//!
//! The whole rule is one line: **dead if `pos < cutoff` for any scope of the token**; cutoffs of one scope merge by
//! the maximum. So "log this person out everywhere" costs one entry, whatever the number of tokens.
//!
//! ```
//! use signoff_revocation::{LogPage, Position, Replica, Revocation, Scope, Timestamp, Verdict};
//!
//! let replica = Replica::new();
//! let until = Timestamp::from_secs(1_900_000_000).unwrap();
//! let at = Position::new(70).unwrap();
//!
//! // Everything minted for alice before position 70 is dead.
//! let everywhere = Revocation::new(Scope::Subject("alice"), at, until);
//! replica.apply(&LogPage { after: Position::ZERO, entries: vec![everywhere], through: at })?;
//!
//! let born = |pos| replica.verdict(&[Scope::Token(b"jti-1"), Scope::Subject("alice")], Position::new(pos).unwrap());
//! assert!(matches!(born(69), Verdict::Dead(_)));
//! assert_eq!(born(70), Verdict::Alive);
//! # Ok::<(), signoff_revocation::ApplyError>(())
//! ```
//!
//! # What it does not do
//!
//! It reads no database and no clock: the caller brings log pages and times. It does not verify signatures.
//!
//! # Consistency
//!
//! Once [`Replica::apply`] has returned a position, every verdict that starts afterwards, on any thread, honours every
//! entry up to it. A verdict that was already running may still say `Alive`. A replica never goes back.
//!
//! # Error directions
//!
//! A false "alive" is a vulnerability; a false "dead" is a nuisance. Before the first page has been applied, after
//! [`Replica::distrust`] and on a poisoned lock, nothing is alive.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod fault;
mod few;
mod hash;
mod horizon;
mod line;
mod position;
mod replica;
mod scope;
mod set;
mod shard;
mod sync;
mod table;
mod tick;
mod time;

// The public interface is:
pub use horizon::PurgeHorizon;
pub use position::{Cutoff, Position};
pub use replica::{ApplyError, LogPage, Replica, ReplicaReader, Verdict};
pub use scope::{Revocation, Scope, ScopeKind};
pub use set::{Full, Reader, RevocationSet};
pub use time::Timestamp;
