//! When a node may answer from its replica, and when others may rely on its silence. Functions of times that the caller
//! brings: no clock is read, no row is written and nothing waits here.
//!
//! Every time is a reading of one clock that only counts elapsed time, time of suspension included (`CLOCK_BOOTTIME` on
//! Linux), as a [`Duration`] since its own beginning. Readings of different nodes are never compared; only the *rates* of
//! their clocks matter, and those may be off by [one part in eight](LeaseTerms::DRIFT_ONE_IN).
//!
//! A node's cycle: [`Lease::begin`], then read the log to its head, [apply](crate::Replica::apply) it, renew the row in
//! the store, and on the answer "one row" [`Lease::grant`]. Because the cycle begins before the log is read, an answer that
//! the lease allows comes from a replica that lacks nothing that was committed more than a lease's length ago.

mod observations;
mod terms;
mod waiting;

use std::time::Duration;

use crate::fault::{Fault, seeded};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

pub use observations::Observations;
pub use terms::{LeaseLengthError, LeaseTerms};
pub use waiting::{LowWater, Waiting};

/// A node's permission to answer from its replica, until a deadline.
///
/// ```
/// use std::time::Duration;
/// use signoff_revocation::{Lease, LeaseTerms};
///
/// let terms = LeaseTerms::new(Duration::from_secs(2))?;
/// let lease = Lease::new();
/// let now = Duration::from_secs(100);
///
/// let permit = lease.begin(now);
/// // Here the node reads the log to its head, applies it, renews its row, and is told "one row". Then:
/// assert!(lease.grant(permit, &terms));
/// assert!(lease.holds(now));
/// assert!(!lease.holds(now + terms.holder()));
/// # Ok::<(), signoff_revocation::LeaseLengthError>(())
/// ```
///
/// # Order
///
/// *Deadline first, replica second.* Whoever finds that the lease holds, and only then asks the replica, sees everything
/// that was applied before the grant: the deadline is stored (Release) after the pages that it stands for. The other way
/// round the verdict may be older than the deadline that excuses it. The reading of the clock has to be taken inside the
/// same check, before or after the deadline is looked at; one from a ticker or a cache lets a lease last longer than others
/// wait for.
///
/// Error directions: a lease that ends too early refuses good tokens, which is a nuisance; one that lasts too long, or
/// comes back after [`Lease::stop`], accepts revoked ones.
#[derive(Debug)]
pub struct Lease {
    /// In nanoseconds of the clock; 0 is no lease. Readers look at it for every verdict. The lock beside it is only taken
    /// with every cycle, so it need not be on another line.
    ///
    /// Invariant: stored under that lock, so it only goes back by [`Lease::stop`].
    deadline: AtomicU64,
    /// The number of the cycle that may set the deadline. Readers never take this lock.
    cycle: Mutex<u64>,
}

/// The right of one cycle to set the deadline, and the time from which that is counted; see [`Lease::begin`].
///
/// It cannot be copied and is used up by the grant, so an answer is counted once, and from its own cycle's beginning:
///
/// ```compile_fail,E0382
/// # use std::time::Duration;
/// # use signoff_revocation::{Lease, LeaseTerms};
/// # let terms = LeaseTerms::new(Duration::from_secs(2)).unwrap();
/// # let lease = Lease::new();
/// let permit = lease.begin(Duration::from_secs(100));
/// lease.grant(permit, &terms);
/// lease.grant(permit, &terms);
/// ```
#[derive(Debug)]
#[must_use = "without a grant the lease runs out"]
pub struct Permit {
    began: Duration,
    cycle: u64,
}

impl Lease {
    /// No lease: nothing may be answered yet.
    pub fn new() -> Self {
        Self { deadline: AtomicU64::new(0), cycle: Mutex::new(0) }
    }

    /// Begins a cycle, with a reading of the clock taken *before* the log is read.
    ///
    /// There is one cycle at a time: permits of earlier ones are void from here on. So the answer to a renewal that was
    /// given up cannot be counted for the attempt that followed.
    pub fn begin(&self, now: Duration) -> Permit {
        let mut cycle = lock(&self.cycle);
        *cycle += 1;
        Permit { began: now, cycle: *cycle }
    }

    /// Lets the lease last for [`LeaseTerms::holder`] from the beginning of the permit's cycle, if not longer already.
    ///
    /// To be called when the store has said "one row" to this cycle's own renewal, after everything that was read of the
    /// log has been applied. Says whether the permit was still good: it is void once another cycle has begun or
    /// [`Lease::stop`] was called, and then nothing changes.
    #[expect(clippy::needless_pass_by_value, reason = "a permit is good for one grant")]
    pub fn grant(&self, permit: Permit, terms: &LeaseTerms) -> bool {
        let cycle = lock(&self.cycle);
        if permit.cycle != *cycle {
            return false;
        }
        let deadline = nanos(permit.began).saturating_add(nanos(terms.holder()));
        if deadline > self.deadline.load(Ordering::Relaxed) {
            let order = if seeded(Fault::Deadline) { Ordering::Relaxed } else { Ordering::Release };
            self.deadline.store(deadline, order);
        }
        true
    }

    /// Ends the lease at once, and voids the permit of a cycle that is under way: its answer, however late, sets no
    /// deadline again.
    ///
    /// For a node that leaves (before it deletes its row), whose row is gone, or that doubts its copy of the log. The next
    /// [`Lease::begin`] starts anew.
    pub fn stop(&self) {
        let mut cycle = lock(&self.cycle);
        *cycle += 1;
        self.deadline.store(0, Ordering::Release);
    }

    /// Whether the replica may be asked now; ask it after this, never before.
    #[inline]
    #[must_use = "a lease that nobody looks at protects nobody"]
    pub fn holds(&self, now: Duration) -> bool {
        nanos(now) < self.deadline.load(Ordering::Acquire)
    }

    /// How long it holds if it is not renewed; zero when it does not.
    pub fn left(&self, now: Duration) -> Duration {
        Duration::from_nanos(self.deadline.load(Ordering::Acquire).saturating_sub(nanos(now)))
    }
}

/// No lease.
impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

/// Whole nanoseconds, as far as they go: 584 years. At the end a deadline is never after `now`, so no lease holds.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    fn terms() -> LeaseTerms {
        LeaseTerms::new(Duration::from_secs(2)).unwrap()
    }

    fn granted_at(t0: Duration) -> Lease {
        let lease = Lease::new();
        let permit = lease.begin(t0);
        assert!(lease.grant(permit, &terms()));
        lease
    }

    #[test]
    fn no_lease_holds_at_no_time() {
        for now in [Duration::ZERO, NANO, Duration::from_secs(1), Duration::MAX] {
            assert!(!Lease::new().holds(now), "{now:?}");
            assert_eq!(Lease::new().left(now), Duration::ZERO);
        }
    }

    #[test]
    fn it_holds_until_the_nanosecond_before_its_deadline() {
        for t0 in [Duration::ZERO, NANO, Duration::from_secs(86_400)] {
            let (lease, deadline) = (granted_at(t0), t0 + terms().holder());
            assert!(lease.holds(t0));
            assert!(lease.holds(deadline - NANO));
            assert_eq!(lease.left(deadline - NANO), NANO);
            assert!(!lease.holds(deadline));
            assert_eq!(lease.left(deadline), Duration::ZERO);
            assert!(!lease.holds(Duration::MAX));
        }
    }

    #[test]
    fn at_the_end_of_time_nothing_holds() {
        let last = Duration::from_nanos(u64::MAX);
        for t0 in [last - terms().holder() + NANO, last, last + NANO, Duration::MAX] {
            let lease = granted_at(t0);
            assert!(!lease.holds(last), "{t0:?}");
            assert!(!lease.holds(Duration::MAX), "{t0:?}");
        }
    }

    #[test]
    fn a_deadline_does_not_go_back() {
        let lease = granted_at(Duration::from_secs(10));
        let earlier = lease.begin(Duration::from_secs(9));
        assert!(lease.grant(earlier, &terms()));
        assert!(lease.holds(Duration::from_secs(10) + terms().holder() - NANO));
    }

    #[test]
    fn a_stop_wins_against_the_cycle_under_way() {
        let lease = granted_at(Duration::ZERO);
        let under_way = lease.begin(NANO);
        lease.stop();
        assert!(!lease.holds(Duration::ZERO));
        assert!(!lease.grant(under_way, &terms()));
        assert!(!lease.holds(Duration::ZERO));
        let next = lease.begin(NANO);
        assert!(lease.grant(next, &terms()));
        assert!(lease.holds(NANO));
    }

    #[test]
    fn a_cycle_voids_the_permits_before_it() {
        let lease = Lease::new();
        let given_up = lease.begin(Duration::ZERO);
        let next = lease.begin(NANO);
        assert!(!lease.grant(given_up, &terms()));
        assert!(!lease.holds(Duration::ZERO));
        assert!(lease.grant(next, &terms()));
    }
}
