//! Keys: each is bound to one algorithm, is parsed once, and never prints its private part. It mints no tokens.

mod algorithm;
mod crypto;
mod file;
mod jwk;
mod pem;
mod provider;
mod set;
mod signing;
mod verifying;

pub use algorithm::Algorithm;
pub use provider::PROVIDER;
pub use set::KeySet;
pub use signing::SigningKey;
pub use verifying::VerifyingKey;

#[cfg(test)]
mod tests;
