//! What a revocation kills: the scopes of a token, and the log entries that name them.

use crate::position::{Cutoff, Position};
use crate::time::Timestamp;

/// A set of tokens that can be revoked as one.
///
/// Ids are compared byte for byte. A binary id is its bytes, a textual one its UTF-8: use one form throughout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// Every token minted for this client (`client_id`).
    Client(&'a str),
    /// Every token there is.
    Everything,
    /// Every token signed by this key (`kid`).
    Key(&'a str),
    /// Every token of one session (`sid`).
    Session(&'a [u8]),
    /// Every token of one person (`sub`).
    Subject(&'a str),
    /// One token (`jti`).
    Token(&'a [u8]),
}

impl<'a> Scope<'a> {
    /// Puts a scope together again from what a store kept; `None` when `id` does not fit `kind`.
    pub fn from_parts(kind: ScopeKind, id: &'a [u8]) -> Option<Self> {
        let text = || std::str::from_utf8(id).ok();
        match kind {
            ScopeKind::Client => text().map(Self::Client),
            ScopeKind::Everything => id.is_empty().then_some(Self::Everything),
            ScopeKind::Key => text().map(Self::Key),
            ScopeKind::Session => Some(Self::Session(id)),
            ScopeKind::Subject => text().map(Self::Subject),
            ScopeKind::Token => Some(Self::Token(id)),
        }
    }

    /// Which kind of scope this is.
    pub const fn kind(&self) -> ScopeKind {
        match self {
            Self::Client(_) => ScopeKind::Client,
            Self::Everything => ScopeKind::Everything,
            Self::Key(_) => ScopeKind::Key,
            Self::Session(_) => ScopeKind::Session,
            Self::Subject(_) => ScopeKind::Subject,
            Self::Token(_) => ScopeKind::Token,
        }
    }

    /// The bytes of the id; empty for [`Scope::Everything`].
    pub const fn id(&self) -> &'a [u8] {
        match *self {
            Self::Client(id) | Self::Key(id) | Self::Subject(id) => id.as_bytes(),
            Self::Everything => &[],
            Self::Session(id) | Self::Token(id) => id,
        }
    }
}

/// The kind of a [`Scope`], with the number that stores keep for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum ScopeKind {
    /// [`Scope::Client`]
    Client = 4,
    /// [`Scope::Everything`]
    Everything = 6,
    /// [`Scope::Key`]
    Key = 5,
    /// [`Scope::Session`]
    Session = 2,
    /// [`Scope::Subject`]
    Subject = 3,
    /// [`Scope::Token`]
    Token = 1,
}

impl ScopeKind {
    /// Every kind, narrowest first.
    pub const ALL: [Self; 6] = [Self::Token, Self::Session, Self::Subject, Self::Client, Self::Key, Self::Everything];

    /// The number that stores keep for this kind; it never changes.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether an application has few scopes of this kind: clients, keys, and the one that is everything.
    pub(crate) const fn is_few(self) -> bool {
        matches!(self, Self::Client | Self::Key | Self::Everything)
    }

    /// Whether revoking this scope kills every token of it, whatever position it claims.
    ///
    /// An id of a token or session never comes back, and the holder of a leaked key writes any position.
    pub const fn is_absolute(self) -> bool {
        matches!(self, Self::Token | Self::Session | Self::Key)
    }
}

/// An entry of the log: from `position` on, everything of the scope that was born earlier is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    kind: ScopeKind,
    id: Box<[u8]>,
    position: Position,
    expires_at: Timestamp,
}

impl Revocation {
    /// A revocation of `scope` at `position`.
    ///
    /// After `expires_at` no token that it kills may be acceptable any more, leeway and clock skew included: that is
    /// when it may be forgotten. Too early is a vulnerability; too late costs memory.
    pub fn new(scope: Scope<'_>, position: Position, expires_at: Timestamp) -> Self {
        Self { kind: scope.kind(), id: scope.id().into(), position, expires_at }
    }

    /// What it kills.
    pub fn scope(&self) -> Scope<'_> {
        // The parts came from a scope, so they make one; a lock-out is the safe answer to the impossible.
        Scope::from_parts(self.kind, &self.id).unwrap_or(Scope::Everything)
    }

    /// Where in the log it stands.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// When it may be forgotten.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// What it does to the tokens of its scope.
    pub const fn cutoff(&self) -> Cutoff {
        if self.kind.is_absolute() { Cutoff::ABSOLUTE } else { Cutoff::at(self.position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_a_store() {
        for scope in [
            Scope::Token(b"\0\xff"),
            Scope::Session(&[7; 16]),
            Scope::Subject("älice "),
            Scope::Client("app"),
            Scope::Key("2026"),
            Scope::Everything,
        ] {
            let kind = ScopeKind::from_code(scope.kind().code()).unwrap();
            assert_eq!(Scope::from_parts(kind, scope.id()), Some(scope));
            assert_eq!(Revocation::new(scope, Position::ZERO, Timestamp::MAX).scope(), scope);
        }
        assert_eq!(Scope::from_parts(ScopeKind::Subject, b"\xff"), None);
        assert_eq!(Scope::from_parts(ScopeKind::Everything, b"x"), None);
        assert_eq!(ScopeKind::from_code(0), None);
    }
}
