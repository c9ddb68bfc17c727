//! Over real HTTP, and beside the store that such applications have now.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod axum_login;
mod http;
mod sessions;
mod side_by_side;
