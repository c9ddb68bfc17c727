//! Log people out for real: session destroyed, tokens revoked, cookies cleared, in that order, atomically, crash-safe.
//!
//! > When `logout` has returned `Ok`, no token of that session is accepted again, on any node, ever; when it has
//! > returned `Err`, nothing told the user otherwise, and a retry completes it.
//!
//! signoff mints JWTs and opaque tokens, keeps server sessions in a durable store, and answers "is this token
//! revoked?" in memory, without I/O.
//!
//! It does not speak HTTP (see `signoff-tower`), contains no SQL (see `signoff-sqlx`), and does not check passwords.
//!
//! ```
//! use signoff::{Cause, KeySet, Login, MemoryStore, Settings, Signoff, SigningKey, Subject};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeySet::new(SigningKey::generate()?);
//! let settings = Settings::new("https://bank.example", "https://bank.example/api");
//! let signoff = Signoff::open(MemoryStore::new(), keys, settings).await?;
//!
//! let issued = signoff.log_in(Login::new(Subject::new("alice")?)).await?;
//! let captured = issued.token.expose(); // what a thief would have
//! assert!(signoff.verify(captured).is_ok());
//!
//! let receipt = signoff.log_out(&[captured], Cause::logout()).await?;
//! assert!(signoff.verify(captured).is_err());
//! assert!(receipt.body().contains(r#""status":"destroyed""#));
//! # Ok(()) }
//! ```
//!
//! # The four steps
//!
//! ```text
//! Unverified --signature--> Authentic --time, revocation--> Live --> your handler
//!                              |
//!                              v   one transaction: destroy, revoke, audit
//!                          Destroyed --in force on the nodes--> Revoked --> Receipt --> Set-Cookie, Clear-Site-Data
//! ```
//!
//! Every arrow is the only way to the next type, so clearing a cookie before the commit does not compile. See
//! [`proofs`].
//!
//! # Consistency
//!
//! No [`Signoff::verify`] that starts after a logout returned accepts a token of its session, on any node. Nodes are
//! processes that share a store which says so ([`store::Nodes`]); any other store has one owner, and opening it twice is an
//! error.
//!
//! # Features
//!
//! * `aws-lc-rs`: signatures are computed by aws-lc-rs instead of ring. Same keys, same tokens.
//! * `test-util`: a clock that stands still, a store that fails on demand, hooks between the steps of a logout.
//! * `conformance`: the suite that every [`Store`] must pass.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod cookie;
pub mod elsewhere;
pub mod foreign;
pub mod key;
pub mod keyring;
pub mod opaque;
pub mod proofs;
pub mod refresh;
pub mod relay;
pub mod site;
pub mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod time;
mod timeouts;

mod b64;
mod beside;
pub mod broker;
mod claims;
mod commit;
mod error;
mod external;
mod id;
mod json;
mod jws;
mod keeper;
mod logout;
mod lost;
mod mint;
mod nodes;
mod panics;
mod purge;
mod rejection;
mod restore;
mod seal;
mod secret;
mod session;
mod settings;
mod signatures;
mod signoff;
mod snapshot;
mod step_up;
mod steps;
mod token;
mod touch;
mod verify;

// The public interface is:
pub use audit::{Actor, Cause, Context, Reason};
pub use claims::Claims;
pub use cookie::{CookieLedger, CookieSpec};
pub use elsewhere::{Destroyers, SessionDestroyer};
pub use error::{Error, ErrorKind};
pub use id::{ClientId, LogoutId, NodeId, SessionId, Subject, TokenId};
pub use keeper::Keys;
pub use key::{Algorithm, KeySet, SigningKey, VerifyingKey};
pub use keyring::{KeyEncryptionKey, KeyEncryptionKeys, KeyRing, Rotation};
pub use logout::{Destroyed, Receipt, Revoked};
pub use mint::{Issued, Login, Minted};
pub use nodes::{NodeMetrics, NodeStatus, Reach};
pub use opaque::TokenHash;
pub use rejection::{Denied, Rejection};
pub use secret::Secret;
pub use session::{Session, Update};
pub use settings::{Delivery, Leeway, Settings};
pub use signoff::{Ended, Signoff};
pub use signoff_revocation::{Position, Scope, ScopeKind};
pub use step_up::StepUp;
pub use store::{MemoryStore, Store};
pub use timeouts::Timeouts;
pub use token::{Authentic, Live, Unverified};
