//! What NATS can do for [signoff](https://docs.rs/signoff): [`NatsHints`] wakes the nodes of a shared database, so that a
//! logout on one is in force on all within milliseconds.
//!
//! With [`NatsRelay`] and [`NatsLink`] nodes ask a relay by NATS instead of their database: see `docs/scaling.md`.
//!
//! Nothing is stored in NATS, and no logout depends on it: hints are empty, and a node that gets none reads the log a
//! little later; what relays and nodes say is authenticated, and a node that hears nothing refuses. What nodes promise is in `docs/consistency.md`.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use signoff::Settings;
//! use signoff_nats::NatsHints;
//!
//! # fn main() -> Result<(), signoff::Error> {
//! let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
//! settings.hints = Some(Arc::new(NatsHints::open("nats://127.0.0.1:4222", "bank.logouts")?));
//! # Ok(()) }
//! ```
//!
//! Encrypted connections (`tls://`) need the feature `tls-rustls`.

mod connection;
mod hints;
mod link;
mod relay;
mod servers;

// The public interface is:
pub use hints::NatsHints;
pub use link::NatsLink;
pub use relay::NatsRelay;
