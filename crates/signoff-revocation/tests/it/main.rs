//! Behaviour of the public interface: against a model, and between threads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[cfg(signoff_loom)]
mod interleavings;
#[cfg(not(signoff_loom))]
mod model;
#[cfg(not(signoff_loom))]
mod replica;
