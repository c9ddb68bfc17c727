//! The cycle, the only producer of deadlines: it serves the start, the timer, the hint and the return of an expelled node.

use std::sync::Arc;
use std::time::Duration;

use signoff_revocation::Permit;

use super::{Member, lock};
use crate::commit::catch_up_on_same_log;
use crate::panics::unless_panicking;
use crate::{Error, ErrorKind, NodeId};

/// Hints come in crowds: between two cycles there is at least so much time, in which one reads what many wrote.
const PAUSE: Duration = Duration::from_millis(2);
/// What could not be heard is asked for again after this.
const DEAF: Duration = Duration::from_millis(100);

impl Member {
    /// Reads the log to its head, puts it into force, and renews the lease from the time *before* it was read: whatever is
    /// accepted under it was held against everything that was committed a lease ago.
    ///
    /// One at a time. Whoever comes while one runs waits for it, and then begins another: only that is sure to see what
    /// was there when they came.
    pub(super) async fn cycle(&self) -> Result<(), Error> {
        let mut row = self.row.lock().await;
        // An expelled node comes back under a new id, once; if that is gone at once as well, at the next cycle.
        for _ in 0..2 {
            let id = match *row {
                Some(id) => id,
                None => {
                    // What takes long is read before anybody waits for this node.
                    self.read_log().await?;
                    let id = NodeId::generate()?;
                    // An insert whose answer is lost is never repeated: the first one may arrive when the row has been
                    // expelled. The next attempt has another id, and the orphan is expelled.
                    self.in_time(self.nodes()?.join(&id, &self.name)).await?;
                    self.counters.joined.count();
                    tracing::info!(target: "signoff", node = id.fingerprint(), name = self.name, "joined");
                    *lock(&self.id) = Some(id);
                    *row.insert(id)
                }
            };
            let (permit, t0) = self.begin().await?;
            let applied = self.replica.applied();
            // Unknown is no grant: an answer that comes late belongs to nobody.
            if self.in_time(self.nodes()?.renew(&id, applied)).await? {
                self.lease.grant(permit, &self.terms);
                self.counters.renewals.count();
                *lock(&self.counters.read_at) = t0;
                return Ok(());
            }
            self.lease.stop();
            self.counters.expelled.count();
            tracing::warn!(target: "signoff", node = id.fingerprint(), name = self.name, "expelled");
            (*row, *lock(&self.id)) = (None, None);
        }
        Err(Error::new(ErrorKind::Unavailable, "the node was expelled as soon as it had joined"))
    }

    /// Notes the time and reads the log. Where that took long, there was much to read, and the lease would count from long
    /// ago: once more, there is little left.
    async fn begin(&self) -> Result<(Permit, Duration), Error> {
        loop {
            let t0 = self.clock.elapsed();
            let permit = self.lease.begin(t0);
            self.read_log().await?;
            if self.clock.elapsed().saturating_sub(t0) <= self.terms.holder() / 4 {
                return Ok((permit, t0));
            }
        }
    }

    /// Reads the log to its head, for as long as it comes.
    async fn read_log(&self) -> Result<(), Error> {
        loop {
            let before = self.replica.applied();
            let read = catch_up_on_same_log(&*self.store, &self.replica, self.clock.wall());
            match self.in_time(read).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && self.replica.applied() > before => {}
                Err(error) => {
                    // The log is damaged, or shorter than what was applied: the store went back, and nothing here can be
                    // right.
                    if error.kind() == ErrorKind::Data {
                        self.lease.stop();
                    }
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Within an eighth more or less, so that nodes which were started together do not renew together. The digits behind the
    /// microseconds are as good as any dice.
    fn period(&self) -> Duration {
        let dice = self.clock.elapsed().subsec_nanos().wrapping_mul(0x9E37_79B9) >> 24;
        (self.terms.holder() / 4).saturating_mul(896 + dice) / 1_024
    }
}

/// Renews for as long as the process runs.
pub(super) async fn run(member: Arc<Member>) {
    let (mut failures, mut fenced) = (0_u32, false);
    loop {
        let pause = match failures {
            0 => member.period(),
            // The lease runs out meanwhile.
            _ => member.period() / 4,
        };
        let _ = tokio::time::timeout(pause, member.wanted.notified()).await;
        let began = member.clock.elapsed();
        let failed = match unless_panicking(member.cycle()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(Error::new(ErrorKind::Internal, "the store panicked")),
        };
        match failed {
            None if failures > 0 => {
                tracing::info!(target: "signoff", name = member.name, failures, fenced, "the lease is renewed again");
                (failures, fenced) = (0, false);
            }
            None => {}
            Some(error) => {
                member.counters.failures.count();
                if failures == 0 {
                    tracing::warn!(target: "signoff", name = member.name, error = %error, "the lease was not renewed");
                }
                failures = failures.saturating_add(1);
                if !fenced && !member.may_answer() {
                    fenced = true;
                    member.counters.fenced.count();
                    tracing::error!(
                        target: "signoff", name = member.name, error = %error,
                        "fenced: the lease ran out, so all tokens are refused until the store answers again"
                    );
                }
            }
        }
        // As long as it took: a store that many nodes ask is left alone for half of the time, however many hints there are.
        let took = member.clock.elapsed().saturating_sub(began);
        tokio::time::sleep(took.clamp(PAUSE, member.terms.holder() / 16)).await;
    }
}

/// Turns what others announce into cycles.
pub(super) async fn listen(member: Arc<Member>) {
    loop {
        let heard = unless_panicking(async {
            match &member.hints {
                Some(hints) => hints.heard().await,
                None => member.nodes()?.heard().await,
            }
        });
        if !matches!(heard.await, Ok(Ok(()))) {
            tokio::time::sleep(DEAF).await;
        }
        // After an error too: something may have been announced that nobody heard.
        member.wanted.notify_one();
    }
}
