//! The stores on real databases.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod conformance;
mod crash;
mod crash_points;
mod damage;
mod elsewhere;
mod exchanges;
mod failover;
mod files;
mod full;
mod histories;
mod inputs;
mod key_ring;
mod lines;
mod locks;
mod model;
mod nodes;
mod ordering;
mod purges;
mod refresh;
mod refresh_lines;
mod relays;
mod replacing;
mod restore;
mod server_crash;
mod servers;
mod service;
mod sizes;
mod stolen;
mod strangers;
