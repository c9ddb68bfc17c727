//! The only file that names atomics, locks and what publishes tables, so that loom and shuttle can put their own in
//! their place.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

#[cfg(signoff_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};
#[cfg(signoff_shuttle)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};
#[cfg(not(any(signoff_loom, signoff_shuttle)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};

mod tally {
    /// Counts for reports. No verdict rests on them, so the model checkers need not branch on them.
    pub(crate) type Tally = std::sync::atomic::AtomicU64;
    pub(crate) const TALLY: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;
}
pub(crate) use tally::{TALLY, Tally};

/// Takes a lock, poisoned or not: every step of a writer leaves the tables whole, and a writer that panicked must not
/// keep later revocations out.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[cfg(not(any(signoff_loom, signoff_shuttle)))]
mod swap {
    use super::Arc;

    /// A pointer that readers load without waiting and without writing to a line that other threads use.
    pub(crate) struct Swap<T>(arc_swap::ArcSwap<T>);

    impl<T> Swap<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self(arc_swap::ArcSwap::new(value))
        }

        pub(crate) fn load(&self) -> impl super::Deref<Target = Arc<T>> + use<'_, T> {
            self.0.load()
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            self.0.swap(value)
        }

        pub(crate) fn cached(&self) -> Cached<'_, T> {
            Cached(arc_swap::Cache::new(&self.0))
        }
    }

    /// What was loaded last, looked at again before every use.
    pub(crate) struct Cached<'a, T>(arc_swap::Cache<&'a arc_swap::ArcSwap<T>, Arc<T>>);

    impl<T> Cached<'_, T> {
        pub(crate) fn load(&mut self) -> &T {
            self.0.load()
        }
    }
}

/// The same for the model checkers: an atomic version stands for the pointer, and the values of all versions are kept.
///
/// The standard library's lock is invisible to them, so the version is the only thing that orders anything, as the
/// pointer is in arc-swap.
#[cfg(any(signoff_loom, signoff_shuttle))]
mod swap {
    use super::{Arc, AtomicU64, Ordering};
    use crate::fault::{Fault, seeded};

    pub(crate) struct Swap<T> {
        version: AtomicU64,
        values: std::sync::Mutex<Vec<Arc<T>>>,
    }

    impl<T> Swap<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self { version: AtomicU64::new(0), values: std::sync::Mutex::new(vec![value]) }
        }

        pub(crate) fn load(&self) -> impl super::Deref<Target = Arc<T>> + use<'_, T> {
            Box::new(self.value(self.version.load(Ordering::Acquire)))
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            // Writers publish under a lock of their own, so the next version is the number of values.
            let version = {
                let mut values = self.values.lock().unwrap_or_else(|poison| poison.into_inner());
                values.push(value);
                values.len() as u64 - 1
            };
            let order = if seeded(Fault::Barrier) { Ordering::Relaxed } else { Ordering::Release };
            self.version.store(version, order);
            self.value(version - 1)
        }

        pub(crate) fn cached(&self) -> Cached<'_, T> {
            let version = self.version.load(Ordering::Acquire);
            Cached { swap: self, version, value: self.value(version) }
        }

        fn value(&self, version: u64) -> Arc<T> {
            let values = self.values.lock().unwrap_or_else(|poison| poison.into_inner());
            Arc::clone(&values[version as usize])
        }
    }

    pub(crate) struct Cached<'a, T> {
        swap: &'a Swap<T>,
        version: u64,
        value: Arc<T>,
    }

    impl<T> Cached<'_, T> {
        pub(crate) fn load(&mut self) -> &T {
            // As arc-swap's cache does it: the look at the pointer orders nothing, a changed one is loaded in earnest.
            if self.swap.version.load(Ordering::Relaxed) != self.version {
                self.version = self.swap.version.load(Ordering::Acquire);
                self.value = self.swap.value(self.version);
            }
            &self.value
        }
    }
}

pub(crate) use swap::{Cached, Swap};

impl<T> fmt::Debug for Swap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Swap")
    }
}
