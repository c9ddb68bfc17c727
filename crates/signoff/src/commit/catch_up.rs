//! Reading the log from where a replica stands.

use std::future::poll_fn;
use std::task::Poll;

use signoff_revocation::{ApplyError, Replica};

use crate::store::Store;
use crate::{Error, ErrorKind};

/// How many entries are read from the log at once: some megabytes, and enough to load them in bulk.
const PAGE: u32 = 50_000;

/// Reads the log from where the replica stands to its head. While the replica applies a page, the store reads the next.
pub(crate) async fn catch_up(store: &dyn Store, replica: &Replica) -> Result<(), Error> {
    let mut read = store.log_after(replica.applied(), PAGE).await?;
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
