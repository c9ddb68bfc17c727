//! One user of a store per process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, ErrorKind};

/// The one place in a process from which a store may be used.
///
/// Two [`Signoff`](crate::Signoff)s on one store would not hear of each other's logouts, so the second is refused.
#[derive(Debug, Default)]
pub struct Seat(pub(super) Arc<AtomicBool>);

impl Seat {
    /// A free seat.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn take(&self) -> Result<Seated, Error> {
        if self.0.swap(true, Ordering::AcqRel) {
            let what = "this store is in use: one Signoff at a time; close() the other one first";
            return Err(Error::new(ErrorKind::Misuse, what));
        }
        Ok(Seated(Arc::clone(&self.0)))
    }
}

/// Leaves the seat when dropped.
#[derive(Debug)]
pub(crate) struct Seated(Arc<AtomicBool>);

impl Drop for Seated {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
