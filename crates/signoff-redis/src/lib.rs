//! What Redis can do for [signoff](https://docs.rs/signoff): [`RedisHints`] wakes the nodes of a shared database,
//! [`RedisSessions`] ends the sessions that another session crate keeps there, and with [`RedisRelay`] and [`RedisLink`] nodes
//! ask a relay by Redis instead of their database (see `docs/scaling.md`).
//!
//! No sessions and no revocations of signoff's are stored in Redis, and no logout depends on it but those that have a session
//! there to end. Hints are empty messages, `RedisSessions` deletes keys, and what relays and nodes say is authenticated; a node
//! that hears nothing refuses. What is finished when, and what happens when Redis
//! is down, is signoff's: see `signoff::elsewhere`, and `docs/consistency.md` for nodes.
//!
//! ```no_run
//! use signoff::{Destroyers, Login, Settings, Subject};
//! use signoff_redis::RedisSessions;
//!
//! # fn main() -> Result<(), signoff::Error> {
//! // actix-session stores sessions under their key as it is; other crates put a prefix before it.
//! let redis = RedisSessions::open("redis://127.0.0.1:6379")?.prefix("app:session:");
//! let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
//! settings.destroyers = Destroyers::new().with("redis", redis)?;
//!
//! let session_key = "what the cookie of the other session names";
//! let login = Login::new(Subject::new("alice")?).elsewhere("redis", session_key);
//! # let _ = login; Ok(()) }
//! ```
//!
//! Encrypted connections (`rediss://`) need a TLS feature of the crate `redis`, which the application turns on.

mod connection;
mod envelope;
mod hints;
mod line;
mod link;
mod relay;
mod sessions;

// The public interface is:
pub use hints::RedisHints;
pub use link::RedisLink;
pub use relay::RedisRelay;
pub use sessions::RedisSessions;
