//! Noting that sessions are used: at most one write per session and interval, and one transaction for many sessions.

use std::time::Duration;

use quick_cache::sync::{EntryAction, EntryResult};
use signoff_revocation::LogPage;

use crate::commit::Verb;
use crate::store::Touch;
use crate::time::Timestamp;
use crate::{Error, Live, Session, Signoff, Store};

impl Signoff {
    /// Notes that a session is used: moves its idle end. `false` when the store says that the session is over; only
    /// verifying decides who gets in.
    ///
    /// At most one write per session and interval, a tenth of the idle time or a minute, whichever is less; so the idle
    /// end may come that much early, never late. The write waits up to 50 ms for those of other sessions, to share a
    /// transaction with them, and this future waits for it; a request need not wait for this future.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the store does not answer.
    pub async fn touch(&self, live: &Live) -> Result<bool, Error> {
        self.touch_until(live, Timestamp::MAX).await
    }

    /// As [`Signoff::touch`], but the idle end moves no further than `latest`.
    ///
    /// # Errors
    ///
    /// As [`Signoff::touch`].
    pub async fn touch_until(&self, live: &Live, latest: Timestamp) -> Result<bool, Error> {
        let now = self.now()?;
        let interval = self.policy().settings.touch_interval();
        // Looked at and noted in one step, so that of many requests at once one writes.
        let noted = self.touched().entry(live.session_id(), None, |_, last| {
            if now.since(*last) < interval {
                return EntryAction::Retain(false);
            }
            *last = now;
            EntryAction::Retain(true)
        });
        match noted {
            EntryResult::Retained(false) => return Ok(true),
            EntryResult::Vacant(guard) => drop(guard.insert(now)),
            _ => {}
        }
        let mut note = Note { signoff: self, live, is_kept: false };
        note.is_kept = self.note_use(live, Haste::Idle, latest, now).await?.is_some();
        Ok(note.is_kept)
    }

    /// Whether [`Signoff::touch`] would write now.
    pub(crate) fn is_touch_due(&self, live: &Live) -> bool {
        let Ok(now) = self.now() else { return false };
        let interval = self.policy().settings.touch_interval();
        self.touched().get(live.session_id()).is_none_or(|last| now.since(last) >= interval)
    }

    /// The session as it is then, its idle end no later than `latest`; `None` when it is over.
    pub(crate) async fn note_use(
        &self,
        live: &Live,
        haste: Haste,
        latest: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Session>, Error> {
        let settings = &self.policy().settings;
        let touch = Touch { id: *live.session_id(), idle_expires_at: now.saturating_add(settings.idle).min(latest) };
        Ok(self.toucher().commit((touch, haste), settings.commit_timeout).await?.outcome)
    }
}

/// A note that a write is on its way. Unless the write is confirmed it is taken back, and the next request writes.
struct Note<'a> {
    signoff: &'a Signoff,
    live: &'a Live,
    is_kept: bool,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.signoff.touched().remove(self.live.session_id());
        }
    }
}

/// Whether a response waits for the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Haste {
    /// It may wait for company.
    Idle,
    /// A response waits.
    Urgent,
}

/// Touches that share a transaction.
pub(crate) struct Touches;

impl Verb for Touches {
    type Request = (Touch, Haste);
    type Outcome = Option<Session>;

    const LATE: &'static str = "the store did not confirm the use of a session in time";
    const STEPS: [&'static str; 4] =
        ["touch: queued", "touch: before the transaction", "touch: after the transaction", "touch: in force"];
    const REPEATABLE: bool = false;
    const LOGS: bool = false;
    const GATHERING: Duration = Duration::from_millis(50);

    fn is_urgent((_, haste): &Self::Request) -> bool {
        *haste == Haste::Urgent
    }

    async fn run(
        store: &dyn Store,
        requests: &[Self::Request],
        now: Timestamp,
    ) -> Result<(Vec<Option<Session>>, Option<LogPage>), Error> {
        let touches: Vec<_> = requests.iter().map(|(touch, _)| *touch).collect();
        Ok((store.touch_sessions(&touches, now).await?, None))
    }

    fn decided(&self, _: &[Self::Request], _: &mut [Option<Session>], _: Timestamp) {}
}
