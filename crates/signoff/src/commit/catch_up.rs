//! Reading the log from where a replica stands.

use std::future::poll_fn;
use std::task::Poll;

use signoff_revocation::{ApplyError, Replica, Revocation};

use crate::store::{LogRead, Store};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Position};

/// How many entries are read from the log at once: some megabytes, and enough to load them in bulk.
const PAGE: u32 = 50_000;

/// Reads the log from where the replica stands to its head. While the replica applies a page, the store reads the next.
pub(crate) async fn catch_up(store: &dyn Store, replica: &Replica) -> Result<(), Error> {
    let read = store.log_after(replica.applied(), PAGE).await?;
    read_to_head(store, replica, read).await
}

/// As [`catch_up`], and holds the log against what was read of it before: for a node that goes on reading while the store
/// may be replaced under it. When it is another log, or a shorter one, the replica is distrusted for good.
pub(crate) async fn catch_up_on_same_log(
    store: &dyn Store,
    replica: &Replica,
    wall: Option<Timestamp>,
) -> Result<(), Error> {
    // In this order: every other one may find the log longer than it was, and that is no news.
    let (newest, applied) = (replica.newest(), replica.applied());
    let read = match read_on(store, newest.as_ref(), applied, wall, PAGE).await {
        Err(error) if error.kind() == ErrorKind::Data => {
            replica.distrust();
            return Err(error);
        }
        read => read?,
    };
    read_to_head(store, replica, read).await
}

/// The log behind `applied`, if it is the log that was read before: if the newest entry that was read of it is still there.
///
/// The log is ordered by its commits, so whoever has that entry has all before it. A restored backup, a standby that lacked
/// the last commits, or another primary has not; its head alone does not tell, because it may have moved on since. The entry
/// may be missing only when it has expired, for then it may have been purged: by the wall clock, or by the log's own time,
/// whichever is later.
pub(crate) async fn read_on(
    store: &dyn Store,
    newest: Option<&Revocation>,
    applied: Position,
    wall: Option<Timestamp>,
    limit: u32,
) -> Result<LogRead, Error> {
    let went_back = |what| Err(Error::new(ErrorKind::Data, what));
    let Some((newest, before)) =
        newest.and_then(|newest| Some((newest, Position::new(newest.position().get().checked_sub(1)?)?)))
    else {
        let read = store.log_after(applied, limit).await?;
        return if read.head < applied { went_back("the log ends before what was read of it") } else { Ok(read) };
    };
    let mut read = store.log_after(before, limit).await?;
    if read.head < applied {
        return went_back("the log ends before what was read of it");
    }
    if read.page.entries.first() != Some(newest) {
        let logged = i64::try_from(read.head.get()).ok().and_then(Timestamp::from_micros);
        if wall.max(logged).is_none_or(|now| newest.expires_at() > now) {
            return went_back("the log is not the one that was read before");
        }
    }
    read.page.entries.retain(|entry| entry.position() > applied);
    read.page.after = applied;
    read.page.through = read.page.through.max(applied);
    Ok(read)
}

async fn read_to_head(store: &dyn Store, replica: &Replica, mut read: LogRead) -> Result<(), Error> {
    loop {
        let through = read.page.through;
        if through >= read.head {
            let applied = replica.apply(&read.page).map_err(not_applied)?;
            if applied >= read.head {
                return Ok(());
            }
            read = store.log_after(applied, PAGE).await?;
            continue;
        }
        if through <= read.page.after {
            return Err(Error::new(ErrorKind::Internal, "the store returned a log page that leads nowhere"));
        }
        let mut next = store.log_after(through, PAGE);
        // Asked once, it has sent the query.
        let early = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        replica.apply(&read.page).map_err(not_applied)?;
        read = match early {
            Poll::Ready(answer) => answer?,
            Poll::Pending => next.await?,
        };
    }
}

pub(super) fn not_applied(error: ApplyError) -> Error {
    match error {
        ApplyError::Full { .. } => {
            Error::new(ErrorKind::Unavailable, "no memory for another revocation: purge, or raise revocation_bytes")
        }
        _ => Error::new(ErrorKind::Data, "the revocation log is damaged"),
    }
    .with_source(error)
}
