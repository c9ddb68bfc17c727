//! The named points of a logout, where tests stop the world. Without the feature `test-util` they are nothing.

/// A logout has reached this point.
#[cfg(not(feature = "test-util"))]
#[inline]
pub(crate) const fn reached(_step: &'static str) {}

#[cfg(feature = "test-util")]
pub(crate) use crate::test_util::reached;
