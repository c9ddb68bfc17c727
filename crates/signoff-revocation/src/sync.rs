//! The only file that names atomics and locks, so that loom can put its own in their place.

#[cfg(not(signoff_loom))]
pub(crate) use std::sync::{
    Mutex, RwLock,
    atomic::{AtomicU64, Ordering},
};

#[cfg(signoff_loom)]
pub(crate) use loom::sync::{
    Mutex, RwLock,
    atomic::{AtomicU64, Ordering},
};
