//! The stores on real databases.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod conformance;
mod crash;
mod exchanges;
mod files;
mod key_ring;
mod ordering;
mod purges;
mod refresh;
mod restore;
mod server_crash;
mod servers;
mod service;
mod stolen;
