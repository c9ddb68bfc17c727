//! Over real HTTP: the suite of all adapters on actix-web, and what is its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod app;
mod side_by_side;

use signoff_web_suite::{for_each_test, tests};

for_each_test!(tests, crate::app::ADAPTER);
