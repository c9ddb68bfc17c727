//! Private PostgreSQL, MariaDB, Redis and NATS servers for tests and benches, from the binaries of the machine.
//!
//! Each server has a temporary folder and a socket of its own and ends with the process that started it, however that
//! ends. PostgreSQL and MariaDB keep what they confirm unless a test asks otherwise: their default settings, with small
//! logs so that starting is quick. Whatever goes wrong is an error with a sentence: nothing is skipped.
//!
//! And the peers that cannot be linked beside ours, as processes: tower-sessions and actix-session with their own stores, and those
//! in other languages.

#![cfg(unix)]

mod foreign;
mod guard;
mod install;
mod mariadb;
mod nats;
mod peer;
mod postgres;
mod programs;
mod proxy;
mod redis;
mod template;

// The public interface is:
pub use guard::Failure;
pub use install::{install_npm, install_pip};
pub use mariadb::MariaDb;
pub use nats::Nats;
pub use peer::{Peer, Sessions};
pub use postgres::Postgres;
pub use proxy::{Proxy, Spoil, Way};
pub use redis::Redis;
