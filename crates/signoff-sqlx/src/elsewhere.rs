//! Sessions that are kept in other stores: how a database finds, without looking at the living, those whose session has
//! ended, and how their ends are written down.
//!
//! A logout does not touch their rows. Its entries in the log say which sessions ended, so the log is read on from where it
//! was read before, and the rows of those sessions are marked. Should an entry be purged before it is read, its session is
//! past its absolute end, where the row waits.

use std::future::Future;

use signoff::audit::AuditEvent;
use signoff::elsewhere::{Elsewhere, Trouble};
use signoff::store::{Intent, IntentKey, IntentsOf, Postponed, Settled};
use signoff::time::Timestamp;
use signoff::{Error, SessionId, Subject};

use crate::error::damaged;
use crate::rows::{Fields, session_id, timestamp};

/// A stretch of the log: the entries after one position, through another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) after: i64,
    pub(crate) through: i64,
}

/// What a database does to find intents, each verb a transaction of its own.
pub(crate) trait Links: Sync {
    /// The next entries of the log that were not looked at, at most `limit`; `None` when there are none.
    fn unseen(&self, limit: u32) -> impl Future<Output = Result<Option<Stretch>, Error>> + Send;

    /// Destroyed sessions that entries of this stretch, of sessions and subjects, ended, with rows that are not marked.
    fn ended_by(&self, stretch: Stretch) -> impl Future<Output = Result<Vec<SessionId>, Error>> + Send;

    /// Marks the rows of these sessions as due now, and the log as seen through the stretch.
    fn mark(
        &self,
        ended: &[SessionId],
        stretch: Stretch,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The intents among the rows as they are.
    fn read(
        &self,
        of: IntentsOf<'_>,
        limit: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Intent>, Error>> + Send;
}

/// How many entries of the log are looked at in one transaction, and in how many for one question: bounded, for the first
/// question after a long time.
const ENTRIES: u32 = 1_000;
const STRETCHES: u32 = 100;

pub(crate) async fn intents(
    links: &impl Links,
    of: IntentsOf<'_>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Intent>, Error> {
    if matches!(of, IntentsOf::All | IntentsOf::Due) {
        for _ in 0..STRETCHES {
            let Some(stretch) = links.unseen(ENTRIES).await? else { break };
            let ended = links.ended_by(stretch).await?;
            links.mark(&ended, stretch, now).await?;
        }
    }
    links.read(of, limit, now).await
}

/// What a database does to end intents. All run in one transaction.
pub(crate) trait Settling: Send {
    /// Writes an attempt; `false` if the row is gone, or has other attempts.
    fn postpone(&mut self, postponed: &Postponed) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes a row; `false` if there is none.
    fn settle(&mut self, key: &IntentKey) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Adds audit records.
    fn write_down(&mut self, events: &[AuditEvent]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Everything but the commit.
pub(crate) async fn postpone(settling: &mut impl Settling, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
    let mut written = Vec::with_capacity(postponed.len());
    let mut events = Vec::new();
    for one in postponed {
        let is_written = settling.postpone(one).await?;
        events.extend(one.audit.clone().filter(|_| is_written));
        written.push(is_written);
    }
    if !events.is_empty() {
        settling.write_down(&events).await?;
    }
    Ok(written)
}

/// Everything but the commit.
pub(crate) async fn settle(settling: &mut impl Settling, settled: &[Settled]) -> Result<(), Error> {
    let mut events = Vec::new();
    for one in settled {
        if settling.settle(&one.key).await? {
            events.push(one.audit.clone());
        }
    }
    if events.is_empty() { Ok(()) } else { settling.write_down(&events).await }
}

pub(crate) fn intent(row: &impl Fields) -> Result<Intent, Error> {
    let broken = || damaged("a stored session elsewhere is broken");
    let text = |column| Ok::<_, Error>(row.text(column)?.unwrap_or_default());
    let number = |column| u32::try_from(row.integer(column)?).map_err(|_| broken());
    let trouble = row.text("trouble")?.map(|word| Trouble::from_word(&word).ok_or_else(broken)).transpose()?;
    Ok(Intent {
        key: IntentKey { session: session_id(row)?, number: number("n")? },
        subject: Subject::new(&text("subject")?).map_err(|_| broken())?,
        elsewhere: Elsewhere::new(text("destroyer")?, text("handle")?),
        attempts: number("attempts")?,
        retry_at: timestamp(row.integer("retry_at")?)?,
        trouble,
    })
}
