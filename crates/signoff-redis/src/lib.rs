//! Sessions that another session crate keeps in Redis end with [signoff](https://docs.rs/signoff)'s.
//!
//! It deletes keys, and nothing else: it stores no sessions and no revocations in Redis. What is finished when, and what
//! happens when Redis is down, is signoff's: see `signoff::elsewhere`.
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
mod sessions;

// The public interface is:
pub use sessions::RedisSessions;
