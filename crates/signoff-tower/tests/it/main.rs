//! Over real HTTP: the layer and the handlers in a server of the test's own, the bank as a process, and a browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bank;
mod browser;
mod client;
mod fenced;
mod http;
mod late;
mod nodes;
mod refresh;
mod replay;
mod server;
