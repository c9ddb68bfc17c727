//! What a relay asks the database for its nodes, and what it says to them.

use std::sync::Arc;

use signoff_revocation::{LogPage, Revocation};
use tokio::task::JoinHandle;

use super::{Answer, Era, Inner, Question, lock};
use crate::commit::read_on;
use crate::panics::unless_panicking;
use crate::store::LogRead;
use crate::{Error, ErrorKind, NodeId, Position, secret};

/// How many entries of the log are kept to be passed on.
const KEPT: usize = 100_000;
/// How many are read at once.
const PAGE: u32 = 10_000;
/// How many bytes of entries are said at once.
const MESSAGE: usize = 512 * 1024;

/// The row that stands for all nodes behind the relay.
#[derive(Debug)]
pub(super) struct Row {
    id: Option<NodeId>,
    /// What it says, or may say, about how far they are. It never goes back.
    reported: Position,
}

/// None yet.
impl Default for Row {
    fn default() -> Self {
        Self { id: None, reported: Position::ZERO }
    }
}

/// The end of the log.
#[derive(Debug)]
pub(super) struct Head {
    /// The entries behind this position are kept, to the head.
    from: Position,
    entries: Vec<Revocation>,
    head: Position,
}

impl Default for Head {
    fn default() -> Self {
        Self::at(Position::ZERO)
    }
}

impl Head {
    pub(super) const fn at(head: Position) -> Self {
        Self { from: head, entries: Vec::new(), head }
    }

    /// What stands behind this position, if all of it is kept.
    fn after(&self, after: Position, limit: u32) -> Option<LogRead> {
        if after < self.from || after > self.head {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.position() <= after);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let entries: Vec<_> = self.entries[first..].iter().take(limit).cloned().collect();
        let is_all = entries.len() < limit;
        let through = if is_all { self.head } else { entries.last().map_or(self.head, Revocation::position) };
        Some(LogRead { page: LogPage { after, entries, through }, head: self.head })
    }

    fn add(&mut self, read: LogRead) {
        // Only what follows without a gap; two reads never overlap, because one begins when the other is over.
        if read.page.after != self.head {
            return;
        }
        self.head = read.page.through;
        self.entries.extend(read.page.entries);
        if let Some(too_many) = self.entries.len().checked_sub(KEPT).filter(|too_many| *too_many > KEPT / 4) {
            self.from = self.entries[too_many - 1].position();
            self.entries.drain(..too_many);
        }
    }

    /// What was read for one node, and reaches to where this begins, will do for the next.
    fn add_before(&mut self, read: &LogRead) {
        let missing = read.page.entries.iter().take_while(|entry| entry.position() <= self.from);
        if read.page.after < self.from && read.page.through >= self.from && self.entries.len() < KEPT {
            self.entries.splice(..0, missing.cloned());
            self.from = read.page.after;
        }
    }
}

/// Leaves away what would make a message larger than what brokers take (NATS: a megabyte, unless told otherwise). The node
/// asks for the rest.
fn cut(mut read: LogRead) -> LogRead {
    let mut size = 0;
    let fits = read.page.entries.iter().take_while(|entry| {
        size += 25 + entry.scope().id().len();
        size <= MESSAGE
    });
    // A message of nothing would lead nowhere.
    let fitting = fits.count().max(1);
    if fitting < read.page.entries.len() {
        read.page.entries.truncate(fitting);
        read.page.through = read.page.entries[fitting - 1].position();
    }
    read
}

/// The tasks of a relay.
pub(super) fn start(relay: &Arc<Inner>) -> Vec<JoinHandle<()>> {
    let [reading, renewing, listing, beating, listening] = [0; 5].map(|_| Arc::clone(relay));
    vec![
        tokio::spawn(async move { reading.reads.run(|| reading.read()).await }),
        tokio::spawn(async move { renewing.renewals.run(|| renewing.renew()).await }),
        tokio::spawn(async move {
            let list = || async { listing.in_time(listing.nodes()?.behind(Position::MAX)).await.map(Arc::new) };
            listing.lists.run(list).await;
        }),
        // A row that nobody renews would hold logouts up, whether or not there are nodes behind it.
        tokio::spawn(async move {
            loop {
                beating.beat().await;
                tokio::time::sleep(beating.period()).await;
            }
        }),
        tokio::spawn(async move {
            loop {
                if listening.listen().await.is_err() {
                    tokio::time::sleep(listening.period() / 8).await;
                }
                listening.beat().await;
            }
        }),
    ]
}

impl Inner {
    pub(super) async fn answer(&self, question: Question) -> Result<Answer, Error> {
        match question {
            Question::Log { after, limit } => self.log(after, limit.min(PAGE)).await.map(cut).map(Answer::Log),
            Question::Hello => Ok(Answer::Era(lock(&self.children).era())),
            Question::Join { id, name, era } => self.join(id, &name, era).await.map(Answer::Said),
            Question::Renew { id, applied, count } => {
                if !lock(&self.children).renew(&id, applied, count, self.clock.elapsed()) {
                    return Ok(Answer::Said(false));
                }
                // The row was renewed after this was asked, and says no more than what this node, too, has applied. If it was
                // not there, the node is not there any more either.
                let renewed = self.renewals.ask().await?;
                Ok(Answer::Said(renewed.is_some() && lock(&self.children).contains(&id)))
            }
            Question::Behind { position } => {
                let (rows, own) = (self.lists.ask().await?, self.row.lock().await.id);
                let others = rows.iter().filter(|row| row.applied < position && Some(row.id) != own).cloned();
                let mut behind: Vec<_> = others.collect();
                // Instead of the row that stands for them.
                behind.extend(lock(&self.children).behind(position));
                Ok(Answer::Rows(behind))
            }
            Question::Expel { id, renewals } => {
                let was_own = lock(&self.children).expel(&id, renewals);
                Ok(Answer::Said(was_own || self.in_time(self.nodes()?.expel(&id, renewals)).await?))
            }
            Question::Leave { id } => Ok(Answer::Said(lock(&self.children).leave(&id))),
        }
    }

    /// The log as it is after this was asked.
    async fn log(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        self.reads.ask().await?;
        let kept = lock(&self.head).after(after, limit);
        match kept {
            Some(read) => Ok(read),
            // Of a node that begins, or was away for long.
            None => {
                let read = self.in_time(self.store.log_after(after, limit)).await?;
                lock(&self.head).add_before(&read);
                Ok(read)
            }
        }
    }

    /// A node joins when the row that stands for it is there, and before it reads the log.
    async fn join(&self, id: NodeId, name: &str, era: Era) -> Result<bool, Error> {
        let mut row = self.row.lock().await;
        self.make(&mut row).await?;
        Ok(lock(&self.children).join(id, name, era, secret::random()?, self.clock.elapsed()))
    }

    async fn make(&self, row: &mut Row) -> Result<NodeId, Error> {
        if let Some(id) = row.id {
            return Ok(id);
        }
        // An insert whose answer is lost is never repeated: see the cycle of nodes.
        let id = NodeId::generate()?;
        self.in_time(self.nodes()?.join(&id, &self.settings.name)).await?;
        tracing::info!(target: "signoff", node = id.fingerprint(), name = self.settings.name, "a relay joined");
        *row = Row { id: Some(id), reported: Position::ZERO };
        Ok(id)
    }

    /// Reads the log to its head, if it is the one that was read before.
    async fn read(&self) -> Result<(), Error> {
        loop {
            let (newest, from) = {
                let head = lock(&self.head);
                (head.entries.last().cloned(), head.head)
            };
            let read = read_on(&*self.store, newest.as_ref(), from, self.clock.wall(), PAGE);
            let read = self.in_time(read).await?;
            let is_all = read.page.through >= read.head;
            if !is_all && read.page.through <= from {
                return Err(Error::new(ErrorKind::Internal, "the store returned a log page that leads nowhere"));
            }
            lock(&self.head).add(read);
            if is_all {
                return Ok(());
            }
        }
    }

    /// Renews the row for all who are behind it. `None`: it was gone, and so are they.
    async fn renew(&self) -> Result<Option<NodeId>, Error> {
        let mut row = self.row.lock().await;
        let id = self.make(&mut row).await?;
        let applied = {
            let mut children = lock(&self.children);
            children.expire(self.clock.elapsed(), &self.terms);
            children.low_water(lock(&self.head).head).max(row.reported)
        };
        // Also if the answer is lost.
        row.reported = applied;
        if self.in_time(self.nodes()?.renew(&id, applied)).await? {
            return Ok(Some(id));
        }
        lock(&self.children).clear();
        row.id = None;
        tracing::warn!(target: "signoff", node = id.fingerprint(), name = self.settings.name, "a relay was expelled");
        Ok(None)
    }

    async fn beat(&self) {
        let _ = unless_panicking(async {
            self.reads.ask().await?;
            self.renewals.ask().await
        })
        .await;
    }

    async fn listen(&self) -> Result<(), Error> {
        match &self.settings.hints {
            Some(hints) => hints.heard().await,
            None => self.nodes()?.heard().await,
        }
    }

    /// Gives the row back when the leases behind it are over.
    pub(super) async fn leave(&self) {
        let row = self.row.lock().await;
        let Some(id) = row.id else { return };
        if lock(&self.children).len() > 0 {
            tokio::time::sleep(self.terms.observer()).await;
        }
        if let Ok(nodes) = self.nodes() {
            let _ = self.in_time(nodes.leave(&id)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use signoff_revocation::Scope;

    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn what_is_too_long_for_one_message_is_said_in_several() {
        let at = |position| Position::new(position).unwrap();
        let long = "x".repeat(400);
        let all: Vec<_> = (1..=5_000).map(|n| Revocation::new(Scope::Subject(&long), at(n), Timestamp::MAX)).collect();
        let (mut after, mut said, mut messages) = (Position::ZERO, Vec::new(), 0);
        while after < at(5_000) {
            let entries: Vec<_> = all.iter().filter(|entry| entry.position() > after).cloned().collect();
            let read = cut(LogRead { page: LogPage { after, entries, through: at(5_000) }, head: at(5_000) });
            let key = crate::relay::RelayKey::new(&[7; 32]).unwrap();
            assert!(Answer::Log(read.clone()).seal(&key, &[1; 16]).len() < 600_000);
            assert!(read.page.through > after, "it leads on");
            after = read.page.through;
            said.extend(read.page.entries);
            messages += 1;
        }
        assert_eq!((said, messages), (all, 5));
    }
}
