//! The oracles of the fuzz targets: one function per target, which panics when signoff breaks a rule.
//!
//! Nothing here knows of libFuzzer. The shims in `fuzz_targets/` feed these functions with what the fuzzer invents, and
//! `tests/replay.rs` feeds them with what it once found, on stable.
//!
//! ```text
//! cargo test --no-default-features --locked                              replay, on stable
//! cargo run --no-default-features --locked --example seeds               write the first inputs
//! cargo +nightly fuzz run compact_jws -- -max_len=12288 -dict=dictionaries/compact_jws.dict
//! cargo +nightly fuzz run cookie_header -- -max_len=20480 -dict=dictionaries/cookie_header.dict
//! cargo +nightly fuzz run dump -- -max_len=4096
//! cargo +nightly fuzz run opaque -- -max_len=256
//! cargo +nightly fuzz run revocation_model -- -max_len=2048
//! ```

#![forbid(unsafe_code)]

mod built;
mod compact_jws;
mod cookie_header;
mod cursor;
mod differential;
mod dump;
mod horizon;
mod judge;
mod keys;
mod model;
mod opaque;
mod oracle;
mod revocation_model;
mod scan;
mod service;
mod site;
mod strictness;

// The public interface is:
pub use compact_jws::compact_jws;
pub use cookie_header::cookie_header;
pub use differential::Tally;
pub use dump::dump;
pub use opaque::{complete, opaque};
pub use revocation_model::revocation_model;
pub use service::{NOW, header, sign};
pub use strictness::Strictness;
