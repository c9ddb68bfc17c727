//! The HTTP tests that every adapter of signoff's web side must pass: one list, run against each.
//!
//! An adapter serves the routes of an [`App`] and names the function that does so; [`for_each_test`] makes a test of each
//! function here. What the handlers of the routes do stands in [`App`], so that adapters only convert. The functions that look
//! from outside alone, [`tests_from_outside`], run against applications with [routes](Routes) of their own as well.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking, and their names say what they are"
)]

mod access;
mod answer;
mod app;
mod caches;
mod csrf;
mod dead_cookies;
mod errors;
mod events;
mod fenced;
mod form;
mod guard;
mod late;
mod late_cookies;
mod list;
mod login;
mod logout;
mod orders;
mod refresh;
mod server;
pub mod side_by_side;
mod site;
mod socket;
mod sockets;

// The browser's cookies of signoff's own tests.
#[path = "../../crates/signoff/tests/jar/date.rs"]
mod date;
#[path = "../../crates/signoff/tests/jar/jar.rs"]
#[allow(dead_code, reason = "signoff's own tests use all of it")]
mod jar;
#[path = "../../crates/signoff/tests/jar/set_cookie.rs"]
mod set_cookie;

// The public interface is:
pub use answer::Answer;
pub use app::{App, Gate};
pub use list::{run, run_from_outside};
pub use server::{Adapter, COOKIE};
pub use site::{Carried, Place, Post, Routes, Site};
