//! Is this token revoked? Answered in memory in nanoseconds, without I/O, without a runtime and without a clock.
//!
//! # Trade-offs
//!
//! * **Readers never wait**, whatever writers do: no lock, no allocation (but one at the first check of a thread), no
//!   write to a shared cache line. For that a writer copies some thousand entries now and then, when a part of the set is
//!   full or has expired.
//! * **Hashes instead of ids.** A token or session takes 16 bytes, a subject 28, whatever its id. The price:
//!   a scope is taken for revoked when another one's 61 bits of keyed hash are the same, which happens to one in
//!   230 billion live tokens while ten million entries are live. Clients and keys are compared whole while they are few.
//! * **Nothing is evicted.** An entry lives until it expires. Where memory ends, [`RevocationSet::insert`] says [`Full`],
//!   and the caller has to refuse every token until it succeeds; [`Replica`] does.
//! * **Expiry is coarse**: an entry may stay up to [134 seconds](RevocationSet::GRANULE) longer than asked.
//! * **It only lives in memory.** Keep the revocations in a database and load them at the start ([`RevocationSet::load`]);
//!   the `signoff` crate does, and ties it to sessions and logout. A [`Dump`] of a [`Replica`] is loaded more quickly, and
//!   only good for the log that it is a copy of.
//!
//! # Example
//!
//! For tokens and a store of your own, this is all there is to it:
//!
//! ```
//! use signoff_revocation::{Cutoff, Position, RevocationSet, Scope, ScopeKind, Timestamp};
//!
//! let revoked = RevocationSet::new();
//! // Until the last token that this kills has expired.
//! let until = Timestamp::from_secs(1_900_000_000).unwrap();
//! revoked.insert(Scope::Token(b"its jti"), Cutoff::ABSOLUTE, until)?;
//! // Everything of alice's that was minted before: `iat` in microseconds will do for a position.
//! let now = Position::new(1_800_000_000_000_000).unwrap();
//! revoked.insert(Scope::Subject("alice"), Cutoff::at(now), until)?;
//!
//! let dead = |jti, iat| revoked.dead_by(&[Scope::Token(jti), Scope::Subject("alice")], Position::new(iat).unwrap());
//! assert_eq!(dead(b"its jti", 1_800_000_000_000_000), Some(ScopeKind::Token));
//! assert_eq!(dead(b"another", 1_799_999_999_000_000), Some(ScopeKind::Subject));
//! assert_eq!(dead(b"another", 1_800_000_000_000_000), None);
//! # Ok::<(), signoff_revocation::Full>(())
//! ```
//!
//! The whole rule is one line: **dead if `pos < cutoff` for any [`Scope`] of the token**; cutoffs of one scope merge by
//! the maximum. So "log this person out everywhere" costs one entry, whatever the number of tokens.
//!
//! A [`Replica`] adds order: it applies the pages of a durable log of revocations, knows up to which [`Position`] it is
//! complete, and answers [`Verdict::Unready`] while it cannot know.
//!
//! Where several nodes have replicas of one log, a [`Lease`] says until when a node may answer from its own, and
//! [`Waiting`] when a revocation is in force on all of them: when all have said so, or when no lease is left that could
//! excuse an older copy. Clocks of different nodes are never compared.
//!
//! # Consistency
//!
//! * When [`RevocationSet::insert`] has returned `Ok`, every check that begins afterwards, on any thread, sees the entry:
//!   "afterwards" in the sense of *happens before*, by whatever told the other thread of it.
//! * A check that runs meanwhile may see it or not. Once one has, every later check does: on the same thread, and on
//!   every thread that learns of the outcome.
//! * That holds while shards grow, split, expire and merge, through every [`Reader`], however long it was idle, and
//!   until a horizon given to [`RevocationSet::purge`] has passed the entry's expiry. A verdict on several scopes looks
//!   at each of them once; it is not a snapshot of all.
//! * When [`Replica::apply`] has returned a position, the same holds for every entry of the log up to it. A replica
//!   never goes back.
//!
//! # Error directions
//!
//! A false "alive" is a vulnerability; a false "dead" is a nuisance.
//!
//! | what | errs towards |
//! |---|---|
//! | two scopes with one hash | dead, see above. The hash is keyed per set from the system's randomness, so nobody can choose ids that collide |
//! | expiry, rounded up to whole granules | dead, for tokens that are over anyway |
//! | memory at its end, or the limit reached | [`Full`]: the caller refuses everything. Nothing else was dropped |
//! | a [`Dump`] that has more than it says | dead, rightly |
//! | a [`Dump`] loaded for another log, or with a part missing | **alive**: compare [`Dump::recent`] with the log, and add a checksum |
//! | no page applied yet, a log that went back | [`Verdict::Unready`]: nothing is alive |
//! | a horizon for [`RevocationSet::purge`] that runs ahead | **alive**: take it from a [`PurgeHorizon`] |
//! | a lease longer than others wait for | **alive**: [`LeaseTerms`] come from the store, and time from one kind of clock |
//! | an `expires_at` before the end of a token that the entry kills | **alive**: add leeway and clock skew |
//!
//! # How it works
//!
//! ```text
//! hash of a scope, 64 bits:   | region 7 | rest 39: line ... shard | tag 15 | 3 unused |
//!
//! root --> region --> shard --> line of 32 tags of 16 bits: one cache line, one branch
//!  |       128 for tokens,  |       | a tag matches, or the line spilled over (rare)
//!  |       sessions, keys   |       v
//!  |       128 for subjects |     slot: rest of the hash, expiry in 25 bits   [cutoff: subjects and clients]
//!  |                        up to 8,192 entries; 54 to 75 % full
//!  replaced whole, by one atomic pointer, when a shard is replaced
//! ```
//!
//! A check loads the root, follows it to one cache line of tags and compares all 32 at once. A published shard only ever
//! gains: its entries stay where they are, their cutoffs and expiries rise. To grow, split, expire or merge, a writer
//! builds another shard aside, from the slots alone, and publishes a root that has it; writers take turns per region.
//!
//! # What it does not do
//!
//! It reads no database and no clock: the caller brings entries and times. It does not verify signatures.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod dump;
mod fault;
mod few;
mod hash;
mod horizon;
mod lease;
mod line;
mod position;
mod replica;
mod scope;
mod set;
mod shard;
mod sip;
mod sync;
mod table;
mod tick;
mod time;

// The public interface is:
pub use dump::{Dump, DumpError, DumpLoader};
pub use hash::Fingerprint;
pub use horizon::PurgeHorizon;
pub use lease::{Lease, LeaseLengthError, LeaseTerms, LowWater, Observations, Permit, Waiting};
pub use position::{Cutoff, Position};
pub use replica::{ApplyError, LogPage, Replica, ReplicaReader, Verdict};
pub use scope::{Revocation, Scope, ScopeKind};
pub use set::{Full, Reader, RevocationSet};
pub use time::Timestamp;
