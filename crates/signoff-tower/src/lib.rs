//! [signoff](https://docs.rs/signoff) for [tower](https://docs.rs/tower) services and axum applications.
//!
//! [`SignoffLayer`] reads the cookie or the bearer token of every request and verifies it without I/O. Handlers ask for
//! [`Live`] or `Option<Live>`. [`handlers`] has the rest of the web side ready: logout, logout everywhere, the list of
//! devices, refreshing, the public keys, and `signoff.js`, which resets the browser once the server has proven the logout.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use signoff::web::Web;
//! use signoff::{CookieSpec, KeySet, MemoryStore, Settings, Signoff, SigningKey};
//! use signoff_tower::{Live, SignoffLayer, handlers};
//!
//! async fn balance(live: Live) -> String {
//!     format!("Hello {}, you have 42 EUR.", live.subject())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeySet::new(SigningKey::generate()?);
//! let settings = Settings::new("https://bank.example", "https://bank.example/api");
//! let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
//! let app: Router = Router::new()
//!     .route("/balance", get(balance))
//!     .route("/logout", post(handlers::logout))
//!     .route("/signoff.js", get(handlers::signoff_js))
//!     .layer(SignoffLayer::new(Web::new(signoff, CookieSpec::host("signoff")?)));
//! # let _ = app;
//! # Ok(()) }
//! ```
//!
//! It decides nothing by itself: what is accepted, cleared and proven is decided in `signoff`; here types are converted.
//!
//! # Features
//!
//! * `axum` (default): extractors and handlers. Without it, the layer alone, for any tower service.
//!
//! Applications on tower-sessions or axum-login need `signoff-tower-sessions` instead.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "axum")]
mod guard;
#[cfg(feature = "axum")]
pub mod handlers;
mod layer;
mod request;

// The public interface is:
#[cfg(feature = "axum")]
pub use extract::{FromOurPages, Live, Replied};
#[cfg(feature = "axum")]
pub use guard::{GuardLayer, Guarded};
pub use layer::{SignoffFuture, SignoffLayer, SignoffService};
pub use request::{Auth, Fields};

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
