//! The points between the statements of a sign-off, where tests stop the world.

/// A sign-off has reached this point.
#[cfg(not(feature = "test-util"))]
pub(crate) const fn reached(_step: &'static str) {}

#[cfg(feature = "test-util")]
pub(crate) use signoff::test_util::reached;
