//! Over real HTTP: the suite of all adapters on axum, the bank as a process, also under the suite, and a browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod app;
mod bank;
mod bank_suite;
mod browser;
mod nodes;
mod peer_outage;
mod peer_refresh;
mod replay;

use signoff_web_suite::{for_each_test, tests};

for_each_test!(tests, crate::app::ADAPTER);
