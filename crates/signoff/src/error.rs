//! Why *we* failed. Why a token was refused is a [`Rejection`](crate::Rejection) and never an error.

use std::fmt;
use std::sync::Arc;

/// Something that was asked for could not be done. Nothing half-done is visible, and nobody was told otherwise.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    what: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind; `what` says in a few words, without any secret, what could not be done.
    pub const fn new(kind: ErrorKind, what: &'static str) -> Self {
        Self { kind, what, source: None }
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// As [`Error::with_source`], for an error whose type is not known.
    #[must_use]
    pub(crate) fn with_boxed_source(self, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What the caller must do.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What the caller of a failed operation must do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What should be created exists already. Choose another id.
    Conflict,
    /// The store holds something that it cannot hold: a damaged or newer schema, a log that went back. Stop and look.
    Data,
    /// A defect of this library or of a store. Please report it.
    Internal,
    /// The caller asked for something that can never work. Read the message and change the code or the settings.
    Misuse,
    /// The store or the clock did not answer. It is unknown whether the operation happened: retry it, which is safe.
    Unavailable,
}
