//! Cookies as text: each described once, printed from that description, and read from `Cookie` fields.
//!
//! A browser replaces or removes a cookie only when name, domain, path and partition agree (RFC 6265bis, section 5.7, and
//! CHIPS), and ignores a header for a prefixed name that lacks an attribute, also a clearing one. So clearing repeats every
//! attribute, and the only way to clear is a [`Receipt`](crate::Receipt), which takes a [`CookieLedger`].
//!
//! Nothing here knows which names are public suffixes: a browser ignores a cookie for the domain `co.uk`.

mod ledger;
mod presented;
mod print;
mod spec;

// The public interface is:
pub use ledger::CookieLedger;
pub use presented::{Presented, bearer};
pub use spec::{CookieSpec, SameSite};
