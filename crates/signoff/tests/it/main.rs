//! Behaviour of the library as its users see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod attacks;
mod attacks_page;
mod bank;
mod browser_module;
mod conformance;
mod elsewhere;
mod elsewhere_faults;
mod external;
mod faults;
mod fence;
mod foreign;
mod foreign_keys;
mod foreign_logout;
mod foreign_provider;
mod foreign_times;
mod foreign_tokens;
mod interop;
mod key_ring;
mod kinds;
mod logout;
mod model;
mod nodes;
mod oracle;
mod purging;
mod refresh;
mod refresh_faults;
mod refresh_model;
mod sessions;
mod snapshot;
mod snapshot_file;
mod step_up;
mod strictness;
mod times;
mod tokens;
mod touches;
mod vectors;
