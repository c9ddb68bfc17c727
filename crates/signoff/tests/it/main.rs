//! Behaviour of the library as its users see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod attacks;
mod bank;
mod conformance;
mod faults;
mod interop;
mod logout;
mod oracle;
mod sessions;
mod times;
mod tokens;
mod vectors;
