//! Durable stores for [signoff](https://docs.rs/signoff) on SQL databases, through [sqlx](https://docs.rs/sqlx).
//!
//! ```
//! use signoff::{KeySet, Settings, Signoff, SigningKey};
//! use signoff_sqlx::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("sessions.sqlite3");
//! let store = SqliteStore::open(&path).await?;
//! let keys = KeySet::new(SigningKey::generate()?);
//! let signoff = Signoff::open(store, keys, Settings::new("https://bank.example", "https://bank.example/api")).await?;
//! # drop(signoff);
//! # Ok(()) }
//! ```
//!
//! It contains no rules: what a store must do is said, and tested, in `signoff`.
//!
//! # Features
//!
//! * `sqlite` (default): [`SqliteStore`], one process that owns one file.
//! * `postgres`: `PostgresStore`. `mysql`: `MySqlStore`, for MySQL and MariaDB. One process owns a database, or several nodes
//!   share it; what they guarantee, and which settings they refuse, is in `docs/stores.md` and `docs/consistency.md`.
//! * `tls-rustls`: encrypted connections to servers, by rustls with ring.
//! * `test-util`: calls `signoff::test_util`'s hook between the statements of a logout, and opens databases without an owner.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod create;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod durability;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod elsewhere;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod error;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod exchange;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod families;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod migrations;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod options;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod pack;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod rows;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod server;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sign_off;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod steps;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod touch;

// The public interface is:
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use durability::Durability;
#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub use options::ServerOptions;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
