//! What does not compile, and why that is the point.
//!
//! The steps of a logout are types, and each is made only by the step before it:
//!
//! ```
//! use signoff::{Authentic, Cause, CookieLedger, Receipt, Signoff};
//!
//! async fn in_order(signoff: &Signoff, token: Authentic, cookies: &CookieLedger) -> Result<(), signoff::Error> {
//!     let destroyed = signoff.destroy(vec![token], Cause::logout()).await?;
//!     let revoked = signoff.revoke_destroyed(destroyed).await?;
//!     let receipt: Receipt = revoked.into_receipt();
//!     let _ = receipt.headers(cookies, None);
//!     Ok(())
//! }
//! ```
//!
//! Clearing cookies before the tokens are revoked:
//!
//! ```compile_fail,E0599
//! use signoff::{Authentic, Cause, CookieLedger, Receipt, Signoff};
//!
//! async fn too_early(signoff: &Signoff, token: Authentic, cookies: &CookieLedger) -> Result<(), signoff::Error> {
//!     let destroyed = signoff.destroy(vec![token], Cause::logout()).await?;
//!     let receipt: Receipt = destroyed.into_receipt();
//!     let _ = receipt.headers(cookies, None);
//!     Ok(())
//! }
//! ```
//!
//! Revoking before the session is destroyed:
//!
//! ```compile_fail,E0308
//! use signoff::{Authentic, Signoff};
//!
//! async fn wrong_order(signoff: &Signoff, token: Authentic) -> Result<(), signoff::Error> {
//!     let revoked = signoff.revoke_destroyed(token).await?;
//!     Ok(())
//! }
//! ```
//!
//! Clearing a cookie without any proof:
//!
//! ```compile_fail,E0624
//! let cookie = signoff::CookieSpec::host("sid").unwrap();
//! let header = cookie.clear();
//! ```
//!
//! Destroying what was never recognised:
//!
//! ```compile_fail,E0308
//! use signoff::{Cause, Signoff, Unverified};
//!
//! async fn unverified(signoff: &Signoff, token: Unverified<'_>) -> Result<(), signoff::Error> {
//!     let destroyed = signoff.destroy(vec![token], Cause::logout()).await?;
//!     Ok(())
//! }
//! ```
//!
//! Using a proof twice:
//!
//! ```compile_fail,E0382
//! use signoff::{Receipt, Revoked};
//!
//! fn twice(revoked: Revoked) -> (Receipt, Receipt) {
//!     (revoked.into_receipt(), revoked.into_receipt())
//! }
//! ```
//!
//! ```compile_fail,E0277
//! fn copied(live: &signoff::Live) -> signoff::Live {
//!     let live: signoff::Live = signoff::Live::clone(live);
//!     live
//! }
//! ```
//!
//! Forging a proof:
//!
//! ```compile_fail,E0451
//! fn forge(id: signoff::LogoutId) -> signoff::Receipt {
//!     signoff::Receipt { id, destroyed: 1 }
//! }
//! ```
//!
//! ```compile_fail,E0451
//! fn forge(id: signoff::LogoutId) -> signoff::Revoked {
//!     signoff::Revoked { id, destroyed: 1 }
//! }
//! ```
//!
//! ```compile_fail,E0624
//! fn forge(claims: signoff::Claims) -> signoff::Live {
//!     signoff::Live::assertion(claims)
//! }
//! ```
//!
//! ```compile_fail,E0423
//! fn forge(claims: signoff::Claims) -> signoff::Authentic {
//!     signoff::Authentic(claims)
//! }
//! ```
//!
//! ```compile_fail,E0603
//! fn forge() -> signoff::site::SameOrigin {
//!     signoff::site::SameOrigin(())
//! }
//! ```
//!
//! Letting an authentic, perhaps dead, token in:
//!
//! ```compile_fail,E0308
//! fn handler(_: &signoff::Live) {}
//!
//! fn careless(token: signoff::Authentic) {
//!     handler(&token);
//! }
//! ```
//!
//! Throwing a receipt away:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//!
//! fn careless(revoked: signoff::Revoked) {
//!     revoked.into_receipt();
//! }
//! ```
