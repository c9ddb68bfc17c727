//! Nodes that are woken by brokers: by NATS, and by Redis alike. Real servers, which lie, stop and come back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod broker;
mod fleet;
mod lines;
mod nodes;
mod noise;
mod relays;
mod replays;
mod wire;
