//! Real Redis servers, and what becomes of a logout when they stop in the middle of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod hints;
mod outages;
mod relays;
mod sessions;
