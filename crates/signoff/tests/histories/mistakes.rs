//! Mistakes that a node could make, to show that histories notice them. They are made below a node that is right, in what it
//! is told by its store and its clock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use signoff::Position;
use signoff::store::LogRead;

/// What is done wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mistake {
    /// The clock that ends leases runs at a twentieth of its speed: the node goes on when it should know that it is stale.
    FailOpen,
    /// Leases are ended by the wall clock, which somebody sets back.
    WallClock,
    /// The row says that the log was applied up to its head, whatever was.
    AcknowledgeFirst,
    /// The log is read only when a hint was heard.
    HintsOnly,
    /// The log is ordered by the beginning of its transactions, as by a sequence: entries come to light below positions that
    /// were read already.
    Sequence,
    /// The log is read from a copy that lags by three seconds.
    Standby,
    /// A renewal that finds no row inserts it again.
    Upsert,
}

impl Mistake {
    pub(crate) const ALL: [Self; 7] = [
        Self::FailOpen,
        Self::WallClock,
        Self::AcknowledgeFirst,
        Self::HintsOnly,
        Self::Sequence,
        Self::Standby,
        Self::Upsert,
    ];

    /// What the node of this number does wrong: one of them, or all where it is rare.
    pub(crate) fn of_node(this: Option<Self>, node: usize) -> Option<Self> {
        this.filter(|mistake| node == 0 || *mistake == Self::Upsert)
    }

    /// How much of the elapsed time a clock with this mistake counts.
    pub(crate) fn slowed(this: Option<Self>, elapsed: Duration) -> Duration {
        if this == Some(Self::FailOpen) { elapsed / 20 } else { elapsed }
    }
}

/// How far the copy of [`Mistake::Standby`] lags.
const LAG: Duration = Duration::from_secs(3);

/// What a wrong node makes of its log.
#[derive(Debug, Default)]
pub(crate) struct Distortion {
    heard: AtomicBool,
    /// Where the log ended when it was read last.
    told: AtomicU64,
    /// Where the log ended, and when.
    heads: Mutex<Vec<(Duration, Position)>>,
}

impl Distortion {
    /// A hint has come.
    pub(crate) fn heard(&self) {
        self.heard.store(true, Ordering::SeqCst);
    }

    /// What the node is told instead of what it has read. The first read, which loads the log, is as it should be.
    pub(crate) fn distort(&self, mistake: Option<Mistake>, mut read: LogRead, now: Duration) -> LogRead {
        let after = read.page.after;
        let told = Position::new(self.told.load(Ordering::SeqCst)).unwrap().max(after);
        let read = match mistake {
            Some(Mistake::HintsOnly) if after > Position::ZERO && !self.heard.swap(false, Ordering::SeqCst) => {
                ending_at(read, told)
            }
            // Of entries that came at once, the first began earlier and ended later: it was not there yet. (Before it stands
            // the one that was read last, which has to be there.)
            Some(Mistake::Sequence) if read.page.entries.len() > 2 => {
                read.page.entries.remove(1);
                read
            }
            Some(Mistake::Standby) if after > Position::ZERO => {
                let mut heads = self.heads.lock().unwrap();
                heads.push((now, read.head));
                let copied = heads.iter().rev().find(|(seen, _)| *seen + LAG <= now).map_or(after, |(_, head)| *head);
                ending_at(read, copied.max(told))
            }
            _ => read,
        };
        self.told.store(read.head.get(), Ordering::SeqCst);
        read
    }
}

/// The same log, as if it ended there.
fn ending_at(mut read: LogRead, head: Position) -> LogRead {
    read.page.entries.retain(|entry| entry.position() <= head);
    read.page.through = read.page.through.min(head);
    read.head = read.head.min(head);
    read
}
