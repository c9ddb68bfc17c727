//! Which protocol is explored, and what is wrong with it if anything.

use crate::decisions::Scale;

/// What can be varied without being wrong, and the one thing that is.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) fault: Option<Fault>,
    /// How many deletions of an observer may be under way.
    pub(crate) deletions: usize,
    /// Whether reads of the rows are sent only when they are carried out. Nobody sees the difference.
    pub(crate) eager: bool,
    /// Whether nodes leave.
    pub(crate) leave: bool,
    pub(crate) numbers: Numbers,
    pub(crate) order: Order,
    /// Whether nodes load the log before they join.
    pub(crate) preload: bool,
    pub(crate) renew: Renew,
    pub(crate) scale: Scale,
    /// How many renewals of a node may be under way that it has given up.
    pub(crate) strays: usize,
    pub(crate) t0: T0,
    pub(crate) until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    Canonical,
    Counted { ids: u8, renewals: u8 },
}

/// What a check reads first; the replica is last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    DeadlineThenTime,
    TimeThenDeadline,
}

/// How a row is renewed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renew {
    /// If it still has the count of renewals that its node knows.
    IfUnchanged,
    /// If it exists.
    Unconditional,
}

/// From when a deadline counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum T0 {
    BeforeLogRead,
    /// As the protocol was first described; that needs [`Until::Rows`].
    BeforeRenewal,
}

/// What a logout waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Rows,
    RowsOrTime,
    Time,
}

/// One thing done wrong. Those of the reference are in its order, with its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// F1: a renewal whose row is gone makes it again.
    RenewalUpserts,
    /// F2: the log is loaded before the row is there for others to see, and not after.
    LoadBeforeInsert,
    /// F3, F25: what was read is reported before it is published.
    ReportBeforePublish,
    /// F4a: this node was told that leases are twice as long.
    LeaseTwiceAsLong,
    /// F4b: half as long again.
    LeaseHalfAsLongAgain,
    /// F5: the deadline counts from the answer.
    DeadlineFromAnswer,
    /// F6a: a logout does not wait.
    LogoutDoesNotWait,
    /// F6b: rows are expelled as soon as they are seen.
    ExpelWithoutWait,
    /// F7a: the id is always the same, and a node that joins resets its row.
    FixedIdReset,
    /// F7b, F7c: the id is always the same, and a node that joins adopts its row.
    FixedIdAdopted,
    /// F8a, F8b: an insert without an answer is tried again with the same id.
    InsertRetried,
    /// F9: a row counts as seen from before the read.
    SeenBeforeRead,
    /// F10: "it has one renewal more than I know of, so that was mine", counted from the retry.
    RetryCountedFromRetry,
    /// F11a, F11b: a check asks the replica before it looks at the deadline.
    ReplicaBeforeDeadline,
    /// F12: a node that was expelled empties its replica.
    ReplicaEmptied,
    /// F14: a node that leaves deletes its row before it stops.
    DeleteThenStop,
    /// F15: the head is read after the entries.
    HeadAfterEntries,
    /// F16: the time rule, with deadlines that count from the renewal.
    TimeRuleFromRenewal,
    /// F17: a row is deleted whatever its renewals are by then.
    ExpelUnconditional,
    /// F18: a check takes the time from a cache.
    CachedClock,
    /// F19: a logout counts rows that were read before its commit.
    RowsBeforeCommit,
    /// F20: "no row" counts as a renewal.
    NoRowRenews,
    /// F21: the first lease needs no look at the log.
    NoLoadAfterInsert,
    /// F22: stale rows are passed over instead of deleted.
    StaleRowsIgnored,
    /// F23: the caller deletes the rows of nodes that lag.
    LaggardDeleted,
    /// F24: the first lease counts from the load after the insert, without a renewal.
    InsertGrants,
    /// Against R10: a logout that finds everything revoked already returns at once.
    AlreadyGoneReturns,
    /// Against R11: a cycle that was under way when its node left sets a deadline all the same.
    LeaverGranted,
}
