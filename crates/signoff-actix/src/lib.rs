//! [signoff](https://docs.rs/signoff) for [actix-web](https://actix.rs) applications.
//!
//! [`SignoffLayer`] reads the cookie or the bearer token of every request and verifies it without I/O. Handlers ask for
//! [`Live`] or `Option<Live>`. [`handlers`] has the rest of the web side ready: logout, logout everywhere, the list of
//! devices, refreshing, the public keys, and `signoff.js`, which resets the browser once the server has proven the logout.
//!
//! ```
//! use actix_web::App;
//! use actix_web::web::resource;
//! use signoff::web::Web;
//! use signoff::{CookieSpec, KeySet, MemoryStore, Settings, Signoff, SigningKey};
//! use signoff_actix::{Live, SignoffLayer, handlers};
//!
//! async fn balance(live: Live) -> String {
//!     format!("Hello {}, you have 42 EUR.", live.subject())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { actix_web::rt::System::new().block_on(async {
//! let keys = KeySet::new(SigningKey::generate()?);
//! let settings = Settings::new("https://bank.example", "https://bank.example/api");
//! let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
//! let web = Web::new(signoff, CookieSpec::host("signoff")?);
//! let app = move || {
//!     App::new()
//!         .service(resource("/balance").get(balance))
//!         .service(resource("/logout").post(handlers::logout))
//!         .service(resource("/signoff.js").get(handlers::signoff_js))
//!         .wrap(SignoffLayer::new(web.clone()))
//! };
//! // HttpServer::new(app).bind(("127.0.0.1", 8080))?.run().await?;
//! # let _ = app();
//! # Ok(()) }) }
//! ```
//!
//! It decides nothing by itself: what is accepted, cleared and proven is decided in `signoff`; here types are converted.
//! The names are those of `signoff-tower`, and one suite of HTTP tests runs against both.
//!
//! One `Signoff` serves all workers: open it before [`HttpServer`](actix_web::HttpServer) makes them, and clone it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod extract;
mod guard;
pub mod handlers;
mod layer;
mod request;

// The public interface is:
pub use answer::Replied;
pub use extract::{FromOurPages, Live};
pub use guard::{GuardLayer, Guarded};
pub use layer::{SignoffLayer, SignoffService};
pub use request::{Auth, Fields};
